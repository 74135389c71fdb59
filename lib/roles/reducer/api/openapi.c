/* SPDX-License-Identifier: Apache-2.0
 * The table of routes as an OpenAPI 3.1 document. */
#include "roles/reducer/api/api.h"

#include "roles/reducer/api/schemas.h"
#include <ctype.h>
#include <fedn/version.h>
#include <stdio.h>
#include <string.h>

enum { PATH_TEXT = 128, WORD_TEXT = 32 };

/* ---- schemas ---- */

static json_t *object_of(const fedn__kind_field *fields);

static json_t *nullable(const char *type)
{
    return json_pack("{s:[s, s]}", "type", type, "null");
}

static json_t *schema_of(const fedn__kind_field *field)
{
    json_t *schema = NULL;

    switch (field->type) {
    case FEDN__FIELD_INTEGER:
        return nullable("integer");
    case FEDN__FIELD_NUMBER:
        return nullable("number");
    case FEDN__FIELD_SWITCH:
        return nullable("boolean");
    case FEDN__FIELD_OBJECT:
        schema = object_of(field->members);
        json_object_set_new(schema, "type", json_pack("[s, s]", "object", "null"));
        return schema;
    case FEDN__FIELD_LIST:
        schema = nullable("array");
        json_object_set_new(schema, "items", object_of(field->members));
        return schema;
    case FEDN__FIELD_ANY:
        return json_object();
    default:
        return nullable("string");
    }
}

static json_t *object_of(const fedn__kind_field *fields)
{
    json_t *properties = json_object();

    for (; fields && fields->name; fields++)
        json_object_set_new(properties, fields->name, schema_of(fields));
    return json_pack("{s:s, s:o}", "type", "object", "properties", properties);
}

static json_t *all_schemas(void)
{
    json_t *all = json_object();
    const fedn__schema *schema = NULL;

    for (int32_t kind = 0; kind < FEDN__KIND_COUNT; kind++)
        json_object_set_new(all, fedn__kind_get(kind)->entity,
                            object_of(fedn__kind_get(kind)->fields));
    for (uint32_t i = 0; (schema = fedn__schema_get(i)); i++)
        json_object_set_new(all, schema->name, object_of(schema->fields));
    return all;
}

static json_t *reference(const char *name)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", name));
}

/* The schema that a row's word stands for; "record", "list" and "array" are of the kind. */
static json_t *schema_named(const char *word, const char *kind)
{
    if (strcmp(word, "integer") == 0 || strcmp(word, "string") == 0 || strcmp(word, "object") == 0)
        return json_pack("{s:s}", "type", word);
    if (strcmp(word, "record") == 0)
        return reference(kind);
    if (strcmp(word, "array") == 0)
        return json_pack("{s:s, s:o}", "type", "array", "items", reference(kind));
    if (strcmp(word, "list") == 0)
        return json_pack("{s:s, s:{s:{s:s}, s:{s:s, s:o}}}", "type", "object", "properties",
                         "count", "type", "integer", "result", "type", "array", "items",
                         reference(kind));
    return fedn__schema_exists(word) ? reference(word) : json_pack("{s:s}", "type", "string");
}

/* ---- bodies ---- */

static const char *media_of(const char *word)
{
    return strcmp(word, "bytes") == 0   ? "application/octet-stream"
           : strcmp(word, "lines") == 0 ? "application/x-ndjson"
           : strcmp(word, "text") == 0  ? "text/plain"
                                        : "application/json";
}

static json_t *content_of(const char *word, const char *kind)
{
    if (strcmp(word, "form") == 0)
        return json_pack("{s:{s:{s:s, s:{s:{s:s, s:s}}, s:{s:s}}}}", "multipart/form-data",
                         "schema", "type", "object", "properties", "file", "type", "string",
                         "contentMediaType", "application/octet-stream", "additionalProperties",
                         "type", "string");
    return json_pack("{s:{s:o}}", media_of(word), "schema", schema_named(word, kind));
}

/* The next word of a list with blanks between; 0 at its end. */
static int32_t next_word(const char **list, char word[WORD_TEXT])
{
    *list += strspn(*list, " ");
    size_t len = strcspn(*list, " ");

    snprintf(word, WORD_TEXT, "%.*s", (int)len, *list);
    *list += len;
    return len > 0;
}

static json_t *responses_of(const fedn__http_route *row, const char *kind)
{
    json_t *responses = json_object();
    const char *codes = row->codes;
    char code[WORD_TEXT];

    while (next_word(&codes, code)) {
        int32_t good = code[0] == '2' && strcmp(code, "203") != 0;
        json_object_set_new(responses, code,
                            json_pack("{s:s, s:o}", "description", good ? "done" : "refused",
                                      "content", content_of(good ? row->gives : "message", kind)));
    }
    return responses;
}

/* ---- parameters ---- */

static void add_parameter(json_t *list, const char *where, const char *name)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:{s:s}}", "in", where, "name", name,
                                          "required", strcmp(where, "path") == 0, "schema", "type",
                                          "string"));
}

static json_t *parameters_of(const fedn__http_route *row, const char *path)
{
    json_t *list = json_array();
    const char *words = row->params ? row->params : "";
    char word[WORD_TEXT];

    for (const char *at = strchr(path, '{'); at; at = strchr(at + 1, '{')) {
        snprintf(word, sizeof word, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        add_parameter(list, "path", word);
    }
    while (next_word(&words, word)) {
        if (strcmp(word, "filters") == 0)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:{s:s, s:{s:s}}}", "in",
                                                  "query", "name", "filters", "style", "form",
                                                  "explode", 1, "schema", "type", "object",
                                                  "additionalProperties", "type", "string"));
        else
            add_parameter(list, strncmp(word, "X-", 2) == 0 ? "header" : "query", word);
    }
    return list;
}

/* ---- operations ---- */

/* "get_api_v1_models_id_download" */
static json_t *operation_id(const char *method, const char *path)
{
    char id[PATH_TEXT + WORD_TEXT];
    size_t len = 0;

    snprintf(id, sizeof id, "%s%s", method, path);
    for (const char *c = id; *c; c++)
        if (isalnum((unsigned char)*c))
            id[len++] = (char)tolower((unsigned char)*c);
        else if (len && id[len - 1] != '_' && c[1])
            id[len++] = '_';
    return json_stringn(id, len);
}

static json_t *operation_of(const fedn__http_route *row, const char *path, const char *kind)
{
    json_t *operation =
        json_pack("{s:o, s:s, s:s, s:o, s:o}", "operationId", operation_id(row->method, path),
                  "summary", row->summary, "x-role", row->role, "parameters",
                  parameters_of(row, path), "responses", responses_of(row, kind));

    if (row->takes)
        json_object_set_new(operation, "requestBody",
                            json_pack("{s:o}", "content", content_of(row->takes, kind)));
    if (strcmp(row->codes, "410") == 0)
        json_object_set_new(operation, "deprecated", json_true());
    return operation;
}

static void add_operation(json_t *paths, const fedn__http_route *row, const char *path,
                          const char *kind)
{
    char method[WORD_TEXT];
    size_t i = 0;

    for (; row->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)tolower((unsigned char)row->method[i]);
    method[i] = 0;
    if (!json_object_get(paths, path))
        json_object_set_new(paths, path, json_object());
    json_object_set_new(json_object_get(paths, path), method, operation_of(row, path, kind));
}

static void add_row(json_t *paths, const fedn__http_route *row)
{
    static const char entity[] = "{entity}";
    const char *at = strstr(row->path, entity);
    char path[PATH_TEXT];

    if (!at) {
        const char *kind = row->path + (strncmp(row->path, "/api/v1/", 8) == 0 ? 8 : 0);
        char name[WORD_TEXT];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(kind, "/"), kind);
        add_operation(paths, row, row->path, name);
        return;
    }
    for (int32_t kind = 0; kind < FEDN__KIND_COUNT; kind++) {
        const char *name = fedn__kind_get(kind)->entity;
        snprintf(path, sizeof path, "%.*s%s%s", (int)(at - row->path), row->path, name,
                 at + sizeof entity - 1);
        add_operation(paths, row, path, name);
    }
}

void fedn__api_document(void *service, const fedn__http_request *request,
                        fedn__http_response *response)
{
    json_t *paths = json_object();

    (void)service;
    (void)request;
    for (uint32_t i = 0; i < fedn__api_route_count(); i++)
        add_row(paths, &fedn__api_routes[i]);
    fedn__http_reply_json(response, 200,
                          json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o}}", "openapi", "3.1.0", "info",
                                    "title", "libfedn reducer", "version", fedn_version_string(),
                                    "paths", paths, "components", "schemas", all_schemas()));
}
