/* SPDX-License-Identifier: Apache-2.0
 * The reducer's side of the links to its combiners: Attach streams, numbering, model transfers.
 * Loop thread only. */
#ifndef FEDN__ROLES_REDUCER_TIER_SERVER_H
#define FEDN__ROLES_REDUCER_TIER_SERVER_H

#include "core/json.h"
#include "fedn_tier.pb-c.h"
#include "roles/link.h"
#include "roles/reducer/engine.h"
#include "rpc/server.h"
#include "rpc/transfer.h"
#include "store/blobs.h"
#include "store/records.h"

typedef struct fedn__tier fedn__tier;

/* One combiner, attached or not. */
typedef struct fedn__tier_link {
    struct fedn__tier_link *next;
    fedn__tier *tier;
    fedn__reducer_combiner *combiner;
    char host[FEDN__LIMIT_NAME_BYTES + 1]; /* as announced; else its address */
    char fqdn[FEDN__LIMIT_NAME_BYTES + 1];
    char version[FEDN__LIMIT_ID_BYTES + 1];
    char ip[64];
    uint16_t port;
    int64_t since_us; /* wall time of the present state */
    fedn__call *call; /* NULL: not attached */
    fedn__link link;
    char run_id[FEDN__UUID_TEXT]; /* of our numbering; another one tells the combiner to begin anew
                                   */
    uint64_t acked;               /* highest number that was acknowledged to it */
    uint64_t durable;             /* highest number whose records are written */
    uint64_t owed;                /* messages whose records are not */
    uint32_t epoch;               /* counts the times that numbering began anew */
    int32_t held;                 /* reading waits for the recorder */
    int32_t cut;                  /* the stream is being ended */
    char uploaded[4][FEDN__UUID_TEXT]; /* partials that no report named yet */
    uint32_t uploads;
    char uploading[FEDN__UUID_TEXT]; /* ""; else the upload that runs */
} fedn__tier_link;

typedef struct fedn__tier_events {
    /* As fedn__reducer_engine_attach(); link->combiner is set by it. */
    fedn_status (*attach)(void *user_data, fedn__tier_link *link, const fedn__reducer_hello *hello,
                          int32_t *ret_resumed, fedn_error *err);
    void (*attached)(void *user_data, fedn__tier_link *link, int32_t resumed);
    void (*detached)(void *user_data, fedn__tier_link *link, uint64_t attachment);
    /* Each message once, in order, but for greetings. 1: its records are being written, and
     * fedn__tier_written() follows; 0: there are none. */
    int32_t (*message)(void *user_data, fedn__tier_link *link, const Fedn__Tier__V1__Up *message);
    void (*upload)(void *user_data, fedn__tier_link *link, int32_t running);
    int32_t (*is_busy)(void *user_data); /* 1: read no more until fedn__tier_settled() */
} fedn__tier_events;

typedef struct fedn__tier_options {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__blobs *blobs;
    fedn__store *store;
    const char *partials; /* directory; borrowed */
    const char *parts;    /* another, of those whose upload broke */
    uint64_t max_model_bytes;
    const fedn__log *log;
} fedn__tier_options;

enum { FEDN__TIER_METHODS = 7 };

fedn_status fedn__tier_new(const fedn__tier_options *options, const fedn__tier_events *events,
                           void *user_data, fedn__tier **ret, fedn_error *err);
void fedn__tier_free(fedn__tier *tier); /* after the server; NULL allowed */
/* The rows for a server's table: Attach, GetGlobalModel, Upload, Download, health. */
void fedn__tier_methods(fedn__tier *tier, fedn__method ret[FEDN__TIER_METHODS]);
void fedn__tier_close(fedn__tier *tier); /* ends every stream, refuses new ones */

fedn__tier_link *fedn__tier_find(const fedn__tier *tier, const fedn__reducer_combiner *combiner);
/* Keeps the message (numbers are filled in here) until the combiner has it. */
void fedn__tier_send(fedn__tier_link *link, Fedn__Tier__V1__Down *message);
/* The records of message `seq` (of link->epoch, as it was then) are durable, or (status not
 * FEDN_OK) lost: the stream is then cut, and what is not acknowledged comes again. */
void fedn__tier_written(fedn__tier_link *link, uint32_t epoch, uint64_t seq, fedn_status status);
void fedn__tier_settled(fedn__tier *tier); /* acknowledges, reads on */
/* 1: that partial is here, and no other combiner uploaded it. */
int32_t fedn__tier_has_partial(const fedn__tier_link *link, const char *partial_id);
/* Where it is; no upload takes its place any more. The caller frees it; NULL out of memory. */
char *fedn__tier_partial(fedn__tier *tier, const char *partial_id);
/* Removes every partial but those that are being uploaded. */
void fedn__tier_sweep(fedn__tier *tier);
/* A combiner that was there before the restart, as its record (NULL: none) says. FEDN_ERR_NOMEM. */
fedn_status fedn__tier_expect(fedn__tier *tier, fedn__reducer_combiner *combiner,
                              const json_t *record);

#endif
