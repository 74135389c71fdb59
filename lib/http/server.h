/* SPDX-License-Identifier: Apache-2.0
 * An HTTP listener: a table of routes; each connection has a thread, so handlers may wait. */
#ifndef FEDN__HTTP_SERVER_H
#define FEDN__HTTP_SERVER_H

#include "core/blob.h"
#include "core/json.h"
#include "core/log.h"

typedef struct fedn__http_server fedn__http_server;
typedef struct fedn__http_request fedn__http_request;
typedef struct fedn__http_response fedn__http_response;

/* One row per route. `path` is matched segment by segment; "{name}" takes one segment, which
 * fedn__http_param() returns (percent-decoded, without '/'). Repeated slashes and a trailing one
 * are ignored on both sides. Literal segments win over "{...}". */
typedef struct fedn__http_route {
    const char *method;
    const char *path; /* "/api/v1/models/{id}/download" */
    /* Must answer exactly once before it returns. */
    void (*handle)(void *service, const fedn__http_request *request, fedn__http_response *response);
    int32_t upload; /* 1: multipart or raw body goes to a file, up to max_upload_bytes; else the
                       body is at most FEDN__LIMIT_HTTP_BODY in memory */
    /* What a document of the API says of it; the server reads none of it. Words with blanks
     * between. */
    const char *role;    /* who may call it */
    const char *summary; /* one line */
    const char *params;  /* of the query, and headers */
    const char *takes;   /* schema of the body; NULL: none */
    const char *gives;   /* of the answer */
    const char *codes;   /* of answers */
} fedn__http_route;

typedef struct fedn__http_options {
    const char *listen; /* "0.0.0.0:8092"; port 0 takes a free one */
    const char *upload_dir;
    uint64_t max_upload_bytes;
    uint32_t max_connections; /* 0: FEDN__LIMIT_HTTP_CONNECTIONS */
    int64_t idle_ms;          /* 0: 30 s */
    const char *prefix;       /* path prefix under which all routes exist as well; NULL: none */
    const fedn__log *log;
} fedn__http_options;

/* FEDN_ERR_IO the port (the text names it). `routes` outlives the server. */
fedn_status fedn__http_server_new(const fedn__http_options *options, const fedn__http_route *routes,
                                  uint32_t count, void *service, fedn__http_server **ret,
                                  fedn_error *err);
int32_t fedn__http_server_port(const fedn__http_server *server);
/* Streams are told to end; returns when every handler has. NULL allowed. */
void fedn__http_server_free(fedn__http_server *server);

/* Texts live as long as the request; NULL: absent. */
const char *fedn__http_method(const fedn__http_request *request);
const char *fedn__http_path(const fedn__http_request *request);
const char *fedn__http_pattern(const fedn__http_request *request); /* the route's path */
const char *fedn__http_param(const fedn__http_request *request, const char *name);
const char *fedn__http_query(const fedn__http_request *request, const char *name);
const char *fedn__http_header(const fedn__http_request *request, const char *name);
const char *fedn__http_peer(const fedn__http_request *request); /* IP address text */
/* Every query parameter, in order; decoded. */
void fedn__http_query_each(const fedn__http_request *request,
                           void (*fn)(const char *name, const char *value, void *user_data),
                           void *user_data);
const void *fedn__http_body(const fedn__http_request *request, uint64_t *ret_bytes);
/* The body as a JSON object; FEDN_ERR_FORMAT. Caller json_decref()s. */
fedn_status fedn__http_body_json(const fedn__http_request *request, json_t **ret, fedn_error *err);
/* A form field (any route that gets a form), and for upload routes the file that came (NULL: none).
 * The file is removed after the handler unless it was moved away. */
const char *fedn__http_form(const fedn__http_request *request, const char *name);
void fedn__http_form_each(const fedn__http_request *request,
                          void (*fn)(const char *name, const char *value, void *user_data),
                          void *user_data);
const char *fedn__http_file_path(const fedn__http_request *request);
const char *fedn__http_file_name(const fedn__http_request *request);

/* Answers. JSON: keys sorted, a line feed at the end, `value` is taken over. */
void fedn__http_reply_json(fedn__http_response *response, int32_t status, json_t *value);
/* {"message": text} */
void fedn__http_reply_message(fedn__http_response *response, int32_t status, const char *text);
void fedn__http_reply_text(fedn__http_response *response, int32_t status, const char *type,
                           const char *text);
/* From the file, with Range honoured; takes its own reference. */
void fedn__http_reply_blob(fedn__http_response *response, fedn__blob *blob, const char *type,
                           const char *file_name);
/* An endless answer: `next` waits for and writes up to `room` bytes; returns the count, 0 to be
 * asked again (after at most a second), -1 at the end. `stopping` becomes 1 when the server ends.
 */
void fedn__http_reply_stream(fedn__http_response *response, const char *type,
                             int64_t (*next)(void *state, char *to, uint64_t room,
                                             const _Atomic int32_t *stopping),
                             void (*done)(void *state), void *state);
void fedn__http_add_header(fedn__http_response *response, const char *name, const char *value);
/* The status and text that a library error becomes: 400, 404, 409, 413, 503, 500 ... */
void fedn__http_reply_error(fedn__http_response *response, fedn_status status,
                            const fedn_error *err);

#endif
