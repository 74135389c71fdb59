/* SPDX-License-Identifier: Apache-2.0
 * Asking the reducer for a combiner: POST clients/add and the meaning of its answers. */
#ifndef FEDN__CLIENT_ASSIGN_H
#define FEDN__CLIENT_ASSIGN_H

#include "http/client.h"
#include "roles/client/engine.h"

#define FEDN__HOST_BYTES 256

/* Where the combiner is. */
typedef struct fedn__address {
    char target[FEDN__HOST_BYTES + 8]; /* "host:port" as it is dialled */
    char host[FEDN__HOST_BYTES];       /* as the reducer calls it: metadata of every call */
    int32_t tls;
} fedn__address;

/* Texts are borrowed for the call. */
typedef struct fedn__assign_request {
    const char *api_url;
    const char *id;
    const char *name;
    const char *preferred_combiner; /* "" */
    const char *package;
    const char *token; /* "" */
    int64_t timeout_ms;
} fedn__assign_request;

typedef struct fedn__assignment {
    int32_t outcome; /* FEDN__ASSIGNED, ... */
    fedn__address address;
    char id[FEDN__LIMIT_ID_BYTES + 1]; /* that the reducer wants used */
    char helper[FEDN__LIMIT_NAME_BYTES + 1];
    fedn_error err; /* unless assigned */
} fedn__assignment;

/* "host:port" of client.combiner; TLS exactly at port 443, as FEDn has it. */
fedn_status fedn__address_parse(const char *text, fedn__address *ret, fedn_error *err);
/* The URL of clients/add, checked; caller frees. */
fedn_status fedn__assign_url(const char *api_url, char **ret, fedn_error *err);
/* Blocks for the call. */
void fedn__assign(fedn__http_client *http, const fedn__assign_request *request,
                  fedn__assignment *ret);
/* The part that looks at an answer. `request` names things in the texts. */
void fedn__assign_read(const fedn__assign_request *request, int32_t status, const char *body,
                       fedn__assignment *ret);

#endif
