/* SPDX-License-Identifier: Apache-2.0
 * What the client's own files share: one call on its way. */
#ifndef FEDN__HTTP_TRANSFER_H
#define FEDN__HTTP_TRANSFER_H

#include "core/buffer.h"
#include "http/client.h"
#include <curl/curl.h>

struct fedn__http_client {
    CURLM *multi; /* keeps connections between calls */
    CURL *easy;
    char *trusted; /* file of authorities; NULL: the system's */
    _Atomic int32_t cancelled;
};

typedef struct fedn__transfer {
    fedn__http_client *client;
    const fedn__http_call *call;
    /* Takes the body of a 2xx answer; NULL: it goes to `body`, as that of any other does. */
    fedn_status (*take)(void *sink, const void *data, uint64_t bytes, fedn_error *err);
    void *sink;
    const char *file_path; /* sent as multipart with the fields; NULL: call->body */
    const char *const *fields;
    fedn__http_progress_fn progress;
    void *user_data;
    int32_t endless; /* the timeout is for connecting, and there is no bound on the answer */

    int32_t status;
    fedn__buffer body;
    uint64_t received;
    fedn_status failed; /* of ours, inside curl's callbacks */
    fedn_error *err;
} fedn__transfer;

fedn_status fedn__transfer_run(fedn__transfer *transfer, fedn_error *err);
void fedn__transfer_done(fedn__transfer *transfer);

#endif
