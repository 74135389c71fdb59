/* SPDX-License-Identifier: Apache-2.0
 * What the server's own files share: the server, and one request with its answer. */
#ifndef FEDN__HTTP_EXCHANGE_H
#define FEDN__HTTP_EXCHANGE_H

#include "core/buffer.h"
#include "http/router.h"
#include "http/server.h"
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>

struct fedn__http_server {
    struct MHD_Daemon *daemon;
    const fedn__http_route *routes;
    uint32_t route_count;
    void *service;
    char *prefix;
    char *upload_dir;
    uint64_t max_upload_bytes;
    unsigned int idle_s;
    fedn__log log;
    int32_t port;
    struct MHD_Response *out_of_memory; /* made beforehand */
    _Atomic int32_t stopping;
    pthread_mutex_t mutex; /* guards `answering` */
    pthread_cond_t answered;
    uint32_t answering; /* exchanges between the handler's start and the last byte */
};

/* A form field as it arrives. */
typedef struct fedn__field {
    char *name;
    char *value; /* NUL-terminated */
    uint64_t bytes;
} fedn__field;

/* A body on its way into a file. */
typedef struct fedn__upload {
    struct MHD_PostProcessor *parser; /* NULL: the raw body is the file */
    char *path;                       /* of the file; NULL before there is one */
    int fd;
    uint64_t bytes;
    char *file_name;
    int32_t parts; /* 1: the form has any */
} fedn__upload;

/* One request; `failed` is set when the body or the target was refused, and the rest of the body is
 * then swallowed before the answer. */
struct fedn__http_request {
    fedn__http_server *server;
    struct MHD_Connection *connection;
    const char *method;
    char *raw_target;
    fedn__target target;
    fedn__route_found found;
    char peer[INET6_ADDRSTRLEN];
    int32_t begun;
    int32_t counted; /* in server->answering */
    int64_t started_ms;
    uint64_t received; /* bytes of the body */
    fedn__buffer body;
    fedn__upload upload;
    fedn__field fields[FEDN__LIMIT_HTTP_PAIRS];
    uint32_t field_count;
    uint64_t field_bytes;
    fedn_status failed;
    int32_t failed_status; /* HTTP; 0: what `failed` maps to */
    fedn_error failure;
    int32_t status; /* that was answered */
};

typedef struct fedn__header {
    char *name;
    char *value;
} fedn__header;

struct fedn__http_response {
    fedn__http_request *request;
    struct MHD_Response *mhd; /* NULL: not answered yet */
    int32_t status;
    int32_t failed; /* out of memory while answering */
    fedn__header headers[FEDN__LIMIT_HTTP_HEADERS];
    uint32_t header_count;
};

/* exchange.c */
void *fedn__exchange_open(void *server, const char *target, struct MHD_Connection *connection);
enum MHD_Result fedn__exchange_step(void *server, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *data, size_t *bytes, void **exchange);
void fedn__exchange_close(void *server, struct MHD_Connection *connection, void **exchange,
                          enum MHD_RequestTerminationCode code);

/* upload.c: failures are of the client's making unless they are IO, LIMIT of the disk, NOMEM. */
fedn_status fedn__upload_begin(fedn__http_request *request, fedn_error *err);
fedn_status fedn__upload_add(fedn__http_request *request, const void *data, uint64_t bytes,
                             fedn_error *err);
fedn_status fedn__upload_end(fedn__http_request *request, fedn_error *err);
/* The three of them for a form without files whose body is in memory. */
fedn_status fedn__upload_memory(fedn__http_request *request, fedn_error *err);
void fedn__upload_done(fedn__http_request *request);
/* Removes what a crash left in the directory. */
void fedn__upload_clean(const char *dir);
/* A field that grows; `bytes` 0 only makes it. */
fedn_status fedn__field_add(fedn__http_request *request, const char *name, int32_t fresh,
                            const void *data, uint64_t bytes, fedn_error *err);

/* response.c */
int32_t fedn__http_status_of(fedn_status status);
/* Sends what the handler answered; takes the response's parts over. */
enum MHD_Result fedn__response_send(fedn__http_response *response);
/* The idle time starts anew: a handler or a stream may have waited longer than that. */
void fedn__exchange_awake(const fedn__http_request *request);

#endif
