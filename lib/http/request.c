/* SPDX-License-Identifier: Apache-2.0
 * What a handler may ask about its request. */
#include "http/exchange.h"

#include <string.h>

const char *fedn__http_method(const fedn__http_request *request)
{
    return request->method;
}

const char *fedn__http_path(const fedn__http_request *request)
{
    return request->target.path;
}

const char *fedn__http_pattern(const fedn__http_request *request)
{
    return request->found.route->path;
}

const char *fedn__http_param(const fedn__http_request *request, const char *name)
{
    return fedn__router_param(&request->found, name);
}

const char *fedn__http_query(const fedn__http_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->target.query_count; i++)
        if (strcmp(request->target.query[i].name, name) == 0)
            return request->target.query[i].value;
    return NULL;
}

void fedn__http_query_each(const fedn__http_request *request,
                           void (*fn)(const char *name, const char *value, void *user_data),
                           void *user_data)
{
    for (uint32_t i = 0; i < request->target.query_count; i++)
        fn(request->target.query[i].name, request->target.query[i].value, user_data);
}

const char *fedn__http_header(const fedn__http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *fedn__http_peer(const fedn__http_request *request)
{
    return request->peer;
}

const void *fedn__http_body(const fedn__http_request *request, uint64_t *ret_bytes)
{
    *ret_bytes = request->body.len;
    return request->body.data;
}

fedn_status fedn__http_body_json(const fedn__http_request *request, json_t **ret, fedn_error *err)
{
    const char *text = request->body.data ? (const char *)request->body.data : "";
    return fedn__json_parse(text, request->body.len, 0, "the body", ret, err);
}

const char *fedn__http_form(const fedn__http_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->field_count; i++)
        if (strcmp(request->fields[i].name, name) == 0)
            return request->fields[i].value;
    return NULL;
}

void fedn__http_form_each(const fedn__http_request *request,
                          void (*fn)(const char *name, const char *value, void *user_data),
                          void *user_data)
{
    for (uint32_t i = 0; i < request->field_count; i++)
        fn(request->fields[i].name, request->fields[i].value, user_data);
}

const char *fedn__http_file_path(const fedn__http_request *request)
{
    return request->upload.path;
}

const char *fedn__http_file_name(const fedn__http_request *request)
{
    return request->upload.file_name;
}
