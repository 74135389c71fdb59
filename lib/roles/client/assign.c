/* SPDX-License-Identifier: Apache-2.0
 * The request for a combiner, and what each answer means for the client. */
#include "roles/client/assign.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "roles/client/identity.h"
#include <stdio.h>
#include <string.h>

enum { TLS_PORT = 443 };

static int32_t is_host(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '/')
            return 0;
    return text[0] && strlen(text) < FEDN__HOST_BYTES;
}

static fedn_status set_address(fedn__address *ret, const char *host, int64_t port, int32_t tls,
                               fedn_error *err)
{
    int32_t bare_ip6 = strchr(host, ':') != NULL && host[0] != '[';

    if (!is_host(host))
        return fedn__error(err, FEDN_ERR_INVALID, "\"%.80s\" is not a host name", host);
    if (port < 1 || port > 65535)
        return fedn__error(err, FEDN_ERR_INVALID, "port %lld of %.80s is not in 1..65535",
                           (long long)port, host);
    snprintf(ret->host, sizeof ret->host, "%s", host);
    snprintf(ret->target, sizeof ret->target, bare_ip6 ? "[%s]:%d" : "%s:%d", host, (int)port);
    ret->tls = tls || port == TLS_PORT;
    return FEDN_OK;
}

fedn_status fedn__address_parse(const char *text, fedn__address *ret, fedn_error *err)
{
    char host[FEDN__HOST_BYTES];
    uint16_t port = 0;

    fedn_status rc = fedn__text_host_port(text, host, sizeof host, &port, err);
    return rc == FEDN_OK ? set_address(ret, host, port, 0, err) : rc;
}

static int32_t is_local(const char *address)
{
    return fedn__text_starts(address, "localhost") || fedn__text_starts(address, "127.") ||
           fedn__text_starts(address, "[::1]");
}

/* As FEDn's client: without a scheme http to this machine, https to any other. */
fedn_status fedn__assign_url(const char *api_url, char **ret, fedn_error *err)
{
    const char *scheme = "";
    size_t len = strlen(api_url);

    *ret = NULL;
    while (len > 0 && api_url[len - 1] == '/')
        len--;
    if (!strstr(api_url, "://"))
        scheme = is_local(api_url) ? "http://" : "https://";
    else if (!fedn__text_starts(api_url, "http://") && !fedn__text_starts(api_url, "https://"))
        len = 0;
    if (len == 0)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "client.api_url \"%.200s\" is not an http or https address", api_url);
    *ret = fedn__strf("%s%.*s/api/v1/clients/add", scheme, (int)len, api_url);
    return *ret ? FEDN_OK : fedn__error_nomem(err);
}

static char *make_body(const fedn__assign_request *request)
{
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:s}", "client_id", request->id, "name", request->name,
                  "package", request->package, "preferred_combiner", request->preferred_combiner);
    char *text = body ? fedn__json_text(body) : NULL;

    json_decref(body);
    return text;
}

static fedn_status fetch(fedn__http_client *http, const fedn__assign_request *request,
                         int32_t *ret_status, char **ret_body, fedn_error *err)
{
    const char *headers[2] = {NULL, NULL};
    char *authorization = NULL;
    char *url = NULL;

    *ret_body = NULL;
    char *body = make_body(request);
    if (request->token[0])
        authorization = fedn__strf("Authorization: Bearer %s", request->token);
    fedn_status rc = fedn__assign_url(request->api_url, &url, err);
    if (rc == FEDN_OK && (!body || (request->token[0] && !authorization)))
        rc = fedn__error_nomem(err);
    if (rc == FEDN_OK) {
        headers[0] = authorization;
        const fedn__http_call call = {.method = "POST",
                                      .url = url,
                                      .headers = headers,
                                      .body = body,
                                      .timeout_ms = request->timeout_ms,
                                      .max_bytes = FEDN__LIMIT_ANSWER_BYTES};
        rc = fedn__http_fetch(http, &call, ret_status, ret_body, NULL, err);
    }
    fedn__free(url);
    fedn__free(body);
    fedn__free(authorization);
    return rc;
}

/* HTTP statuses with a meaning of their own; all others mean trouble that may pass. */
static const struct {
    int32_t http;
    int32_t outcome;
    fedn_status status;
} answers[] = {
    {200, FEDN__ASSIGNED, FEDN_OK},
    {203, FEDN__ASSIGN_WAIT, FEDN_ERR_UNAVAILABLE},
    {400, FEDN__ASSIGN_REFUSED, FEDN_ERR_INVALID},
    {401, FEDN__ASSIGN_REFUSED, FEDN_ERR_AUTH},
    {403, FEDN__ASSIGN_REFUSED, FEDN_ERR_DENIED},
    {404, FEDN__ASSIGN_REFUSED, FEDN_ERR_INVALID},
};

static void take_port(const json_t *answer, int64_t *ret)
{
    *ret = fedn__json_integer(answer, "port", 0);
    const char *text = fedn__json_string(answer, "port", NULL);
    if (text && !fedn__text_to_i64(text, ret))
        *ret = 0;
}

static fedn_status read_assigned(const json_t *answer, fedn__assignment *ret, fedn_error *err)
{
    const char *fqdn = fedn__json_string(answer, "fqdn", "");
    const char *host = fedn__json_string(answer, "host", "");
    const char *id = fedn__json_string(answer, "client_id", "");
    const char *helper = fedn__json_string(answer, "helper_type", "");
    int64_t port = 0;

    take_port(answer, &port);
    if (fqdn[0])
        port = TLS_PORT;
    fedn_status rc = set_address(&ret->address, fqdn[0] ? fqdn : host, port, fqdn[0] != 0, err);
    if (rc != FEDN_OK)
        return rc;
    if (is_host(host))
        snprintf(ret->address.host, sizeof ret->address.host, "%s", host);
    if (id[0] && !fedn__identity_is_id(id))
        return fedn__error(err, FEDN_ERR_PROTOCOL, "client_id is not 1 to %d printable characters",
                           FEDN__LIMIT_ID_BYTES);
    snprintf(ret->id, sizeof ret->id, "%s", id);
    if (fedn__text_is_name(helper, FEDN__LIMIT_NAME_BYTES))
        snprintf(ret->helper, sizeof ret->helper, "%s", helper);
    return FEDN_OK;
}

static void explain(const fedn__assign_request *request, int32_t status, const char *message,
                    fedn_status code, fedn__assignment *ret)
{
    (void)fedn__error_detail(&ret->err, code, status, "%.120s answered %d%s%.200s",
                             request->api_url, (int)status, message[0] ? ": " : "", message);
}

/* FEDn has no status of its own for a network whose combiners are all away at the moment. */
static int32_t may_pass(int32_t status, const char *message)
{
    return status == 400 && fedn__text_starts(message, "No combiner available");
}

void fedn__assign_read(const fedn__assign_request *request, int32_t status, const char *body,
                       fedn__assignment *ret)
{
    json_t *answer = NULL;
    fedn_error why;

    memset(ret, 0, sizeof *ret);
    fedn_status parsed = fedn__json_parse(body, strlen(body), 0, "the answer", &answer, &why);
    const char *message = parsed == FEDN_OK ? fedn__json_string(answer, "message", "") : "";
    fedn_status code = FEDN_ERR_UNAVAILABLE;
    ret->outcome = FEDN__ASSIGN_TROUBLE;
    for (uint32_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (answers[i].http == status && !may_pass(status, message)) {
            ret->outcome = answers[i].outcome;
            code = answers[i].status;
        }
    if (ret->outcome != FEDN__ASSIGNED)
        explain(request, status, message, code, ret);
    else if (parsed != FEDN_OK || read_assigned(answer, ret, &why) != FEDN_OK) {
        ret->outcome = FEDN__ASSIGN_TROUBLE;
        explain(request, status, why.message, FEDN_ERR_PROTOCOL, ret);
    }
    json_decref(answer);
}

void fedn__assign(fedn__http_client *http, const fedn__assign_request *request,
                  fedn__assignment *ret)
{
    char *body = NULL;
    int32_t status = 0;
    fedn_error err = {0};

    fedn_status rc = fetch(http, request, &status, &body, &err);
    if (rc == FEDN_OK) {
        fedn__assign_read(request, status, body, ret);
    } else {
        memset(ret, 0, sizeof *ret);
        ret->outcome = rc == FEDN_ERR_INVALID ? FEDN__ASSIGN_REFUSED : FEDN__ASSIGN_TROUBLE;
        ret->err = err;
    }
    fedn__free(body);
}
