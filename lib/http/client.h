/* SPDX-License-Identifier: Apache-2.0
 * HTTP requests, one after another; a handle belongs to one thread at a time. */
#ifndef FEDN__HTTP_CLIENT_H
#define FEDN__HTTP_CLIENT_H

#include <fedn/error.h>

typedef struct fedn__http_client fedn__http_client;

typedef struct fedn__http_call {
    const char *method;
    const char *url;
    const char *const *headers; /* "Name: value", NULL at the end; may be NULL */
    const char *body;           /* JSON text; NULL: none */
    int64_t timeout_ms;         /* whole call; 0: none */
    uint64_t max_bytes;         /* of the answer */
} fedn__http_call;

fedn_status fedn__http_client_new(fedn__http_client **ret, fedn_error *err);
/* Trusts the authorities in this PEM file, and no others; before the first call. FEDN_ERR_NOMEM. */
fedn_status fedn__http_client_trust(fedn__http_client *client, const char *path, fedn_error *err);
void fedn__http_client_free(fedn__http_client *client); /* NULL allowed */
/* Any thread: the call that runs ends soon with FEDN_ERR_CANCELLED; later ones at once. */
void fedn__http_client_cancel(fedn__http_client *client);

/* *ret_status: the HTTP status, whatever it is; *ret_body: NUL-terminated, caller fedn__free()s.
 * Only transport failures are errors: UNAVAILABLE, TIMEOUT, CANCELLED, LIMIT, AUTH (TLS). Redirects
 * are followed within the same host. */
fedn_status fedn__http_fetch(fedn__http_client *client, const fedn__http_call *call,
                             int32_t *ret_status, char **ret_body, uint64_t *ret_bytes,
                             fedn_error *err);
typedef void (*fedn__http_progress_fn)(uint64_t done, uint64_t total, void *user_data);
/* multipart/form-data with fields (name, value, ..., NULL) and one file "file", streamed. */
fedn_status fedn__http_send_file(fedn__http_client *client, const fedn__http_call *call,
                                 const char *path, const char *const *fields,
                                 fedn__http_progress_fn progress, void *user_data,
                                 int32_t *ret_status, char **ret_body, fedn_error *err);
/* A 2xx body into "<path>", whole or not at all; another status leaves *ret_body set instead. */
fedn_status fedn__http_fetch_file(fedn__http_client *client, const fedn__http_call *call,
                                  const char *path, fedn__http_progress_fn progress,
                                  void *user_data, int32_t *ret_status, char **ret_body,
                                  fedn_error *err);
/* An endless answer, line by line (without the line feed); fn ends it with anything but FEDN_OK,
 * which is then returned. The call's timeout bounds the connecting only. */
fedn_status fedn__http_follow(fedn__http_client *client, const fedn__http_call *call,
                              fedn_status (*fn)(const char *line, void *user_data), void *user_data,
                              int32_t *ret_status, fedn_error *err);

#endif
