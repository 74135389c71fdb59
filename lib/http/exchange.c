/* SPDX-License-Identifier: Apache-2.0
 * One request from its first line to the end of its answer, as libmicrohttpd drives it. */
#include "http/exchange.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <netdb.h>
#include <string.h>
#include <strings.h>

void *fedn__exchange_open(void *server, const char *target, struct MHD_Connection *connection)
{
    fedn__http_request *request = fedn__alloc_zero(sizeof *request);

    if (!request)
        return NULL; /* the first step then closes the connection */
    request->server = server;
    request->connection = connection;
    request->upload.fd = -1;
    request->started_ms = fedn__clock_ms();
    fedn__buffer_init(&request->body, FEDN__LIMIT_HTTP_BODY);
    request->raw_target = fedn__strdup(target);
    if (!request->raw_target) {
        fedn__free(request);
        return NULL;
    }
    return request;
}

static void answered(fedn__http_server *server)
{
    pthread_mutex_lock(&server->mutex);
    server->answering--;
    pthread_cond_broadcast(&server->answered);
    pthread_mutex_unlock(&server->mutex);
}

void fedn__exchange_close(void *opaque, struct MHD_Connection *connection, void **exchange,
                          enum MHD_RequestTerminationCode code)
{
    fedn__http_server *server = opaque;
    fedn__http_request *request = *exchange;

    (void)connection;
    if (!request)
        return;
    fedn__log_write(&server->log, FEDN_LOG_DEBUG, "http", "%s %s from %s: %d in %lld ms%s",
                    request->method ? request->method : "?",
                    request->target.path ? request->target.path : "?", request->peer,
                    (int)request->status, (long long)(fedn__clock_ms() - request->started_ms),
                    code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : ", broken off");
    int32_t counted = request->counted;
    fedn__upload_done(request);
    fedn__target_done(&request->target);
    fedn__buffer_done(&request->body);
    fedn__free(request->raw_target);
    fedn__free(request);
    *exchange = NULL;
    if (counted)
        answered(server);
}

void fedn__exchange_awake(const fedn__http_request *request)
{
    /* the clock is restarted only when a timeout is set where there was none */
    MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                              request->server->idle_s);
}

static void name_peer(fedn__http_request *request)
{
    static const char mapped[] = "::ffff:";
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char *peer = request->peer;

    if (!info || !info->client_addr)
        return;
    socklen_t len = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                             : sizeof(struct sockaddr_in);
    if (getnameinfo(info->client_addr, len, peer, sizeof request->peer, NULL, 0, NI_NUMERICHOST))
        peer[0] = 0;
    if (fedn__text_starts(peer, mapped) && strchr(peer, '.'))
        memmove(peer, peer + sizeof mapped - 1, strlen(peer + sizeof mapped - 1) + 1);
}

/* Keeps the first failure; `http` 0: the status that the code maps to. */
static void refuse(fedn__http_request *request, fedn_status rc, int32_t http)
{
    if (request->failed == FEDN_OK) {
        request->failed = rc;
        request->failed_status = http;
    }
}

static uint64_t body_limit(const fedn__http_request *request)
{
    return request->found.route && request->found.route->upload ? request->server->max_upload_bytes
                                                                : FEDN__LIMIT_HTTP_BODY;
}

/* A form has fields and boundaries besides the file. */
static uint64_t wire_limit(const fedn__http_request *request)
{
    uint64_t limit = body_limit(request);
    return limit > FEDN__LIMIT_HTTP_BODY ? limit + FEDN__LIMIT_HTTP_BODY : FEDN__LIMIT_HTTP_BODY;
}

static void refuse_large(fedn__http_request *request)
{
    refuse(request,
           fedn__error(request->failed == FEDN_OK ? &request->failure : NULL, FEDN_ERR_LIMIT,
                       "the body is over the limit of %llu bytes",
                       (unsigned long long)body_limit(request)),
           0);
}

static void find_route(fedn__http_request *request)
{
    fedn__http_server *server = request->server;
    fedn_error *failure = &request->failure;
    fedn_status rc = fedn__target_parse(request->raw_target, &request->target, failure);

    if (rc != FEDN_OK) {
        refuse(request, rc, rc == FEDN_ERR_LIMIT ? 400 : 0);
        return;
    }
    fedn__router_find(server->routes, server->route_count, server->prefix, request->method,
                      &request->target, &request->found);
    if (request->found.route)
        return;
    if (*request->found.allow)
        refuse(request,
               fedn__error(failure, FEDN_ERR_UNSUPPORTED, "%s takes %s only", request->target.path,
                           request->found.allow),
               405);
    else
        refuse(
            request,
            fedn__error(failure, FEDN_ERR_NOT_FOUND, "there is no %s here", request->target.path),
            0);
}

/* The length that the client declared; 0: none, or no body. */
static uint64_t declared_bytes(const fedn__http_request *request, int32_t *ret_chunked)
{
    uint64_t bytes = 0;

    *ret_chunked = fedn__http_header(request, "Transfer-Encoding") != NULL;
    fedn__text_to_u64(fedn__http_header(request, "Content-Length"), &bytes);
    return bytes;
}

/* The headers are there. 1: answer now, without reading a body. */
static int32_t begin(fedn__http_request *request)
{
    int32_t chunked = 0;

    name_peer(request);
    find_route(request);
    uint64_t bytes = declared_bytes(request, &chunked);
    if (bytes > wire_limit(request))
        refuse_large(request);
    if (request->failed != FEDN_OK)
        return (bytes == 0 && !chunked) || bytes > FEDN__LIMIT_HTTP_DRAIN ||
               fedn__http_header(request, "Expect") != NULL;
    if (request->found.route->upload && (bytes || chunked)) {
        fedn_status rc = fedn__upload_begin(request, &request->failure);
        if (rc != FEDN_OK)
            refuse(request, rc, 0);
    }
    return 0;
}

/* A part of the body. 0: the connection is to be cut. */
static int32_t take(fedn__http_request *request, const char *data, uint64_t bytes)
{
    fedn_status rc = FEDN_OK;
    int64_t allowed_ms = (int64_t)request->server->idle_s * 1000 +
                         (int64_t)(request->received * 1000 / FEDN__LIMIT_HTTP_SLOWEST);

    request->received += bytes;
    if (fedn__clock_ms() - request->started_ms > allowed_ms)
        return 0;
    if (request->failed != FEDN_OK)
        return request->received <= wire_limit(request) + FEDN__LIMIT_HTTP_DRAIN;
    if (request->found.route->upload) {
        rc = fedn__upload_add(request, data, bytes, &request->failure);
    } else if (fedn__buffer_add(&request->body, data, bytes) != FEDN_OK) {
        if (request->body.len + bytes > FEDN__LIMIT_HTTP_BODY)
            refuse_large(request);
        else
            rc = fedn__error_nomem(&request->failure);
    }
    if (rc != FEDN_OK)
        refuse(request, rc, 0);
    return 1;
}

/* The fields of a form that came in memory. */
static fedn_status read_form(fedn__http_request *request, fedn_error *err)
{
    fedn__pair pairs[FEDN__LIMIT_HTTP_PAIRS];
    uint32_t count = 0;
    const char *type = fedn__http_header(request, "Content-Type");

    if (!type || !request->body.len)
        return FEDN_OK;
    if (strncasecmp(type, "multipart/form-data", 19) == 0)
        return fedn__upload_memory(request, err);
    if (strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)
        return FEDN_OK;
    char *copy = fedn__strndup((const char *)request->body.data, request->body.len);
    if (!copy)
        return fedn__error_nomem(err);
    fedn_status rc = fedn__pairs_parse(copy, pairs, &count, err);
    for (uint32_t i = 0; rc == FEDN_OK && i < count; i++)
        rc =
            fedn__field_add(request, pairs[i].name, 1, pairs[i].value, strlen(pairs[i].value), err);
    fedn__free(copy);
    return rc;
}

static enum MHD_Result answer(fedn__http_request *request)
{
    fedn__http_response response = {.request = request};

    pthread_mutex_lock(&request->server->mutex);
    request->server->answering++;
    pthread_mutex_unlock(&request->server->mutex);
    request->counted = 1;
    if (request->failed == FEDN_OK) {
        fedn_status rc = request->found.route->upload ? fedn__upload_end(request, &request->failure)
                                                      : read_form(request, &request->failure);
        if (rc != FEDN_OK)
            refuse(request, rc, rc == FEDN_ERR_LIMIT && !request->found.route->upload ? 400 : 0);
    }
    if (request->failed == FEDN_OK) {
        request->found.route->handle(request->server->service, request, &response);
    } else {
        if (*request->found.allow)
            fedn__http_add_header(&response, "Allow", request->found.allow);
        fedn__http_reply_message(&response,
                                 request->failed_status ? request->failed_status
                                                        : fedn__http_status_of(request->failed),
                                 request->failure.message);
    }
    fedn__exchange_awake(request);
    return fedn__response_send(&response);
}

/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd gives the parameters */
enum MHD_Result fedn__exchange_step(void *server, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *data, size_t *bytes, void **exchange)
{
    fedn__http_request *request = *exchange;

    (void)server;
    (void)connection;
    (void)url;
    (void)version;
    if (!request)
        return MHD_NO;
    if (!request->begun) {
        request->begun = 1;
        request->method = method;
        return begin(request) ? answer(request) : MHD_YES;
    }
    if (*bytes) {
        int32_t go_on = take(request, data, *bytes);
        *bytes = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    return answer(request);
}
