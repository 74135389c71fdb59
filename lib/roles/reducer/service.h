/* SPDX-License-Identifier: Apache-2.0
 * The shell of a reducer: the loop with the engine on it, the store, the lanes; and what HTTP
 * handlers on their own threads may ask of it. */
#ifndef FEDN__ROLES_REDUCER_SERVICE_H
#define FEDN__ROLES_REDUCER_SERVICE_H

#include "core/config.h"
#include "core/thread.h"
#include "http/server.h"
#include "roles/reducer/events.h"
#include "roles/reducer/merge.h"
#include "roles/reducer/recorder.h"
#include "roles/reducer/tier_server.h"
#include "roles/reducer/trail.h"

enum { FEDN__TRAINED = 64 }; /* newest models whose rounds are remembered for validations */

typedef struct fedn__reducer_service {
    const fedn_config *config; /* borrowed */
    const fedn__log *log;      /* borrowed */
    char *state_dir;
    char *partials;
    char *states; /* what aggregators keep between rounds */
    char *parts;  /* of partials whose upload broke */
    char *uploads;
    int lock_fd;
    int64_t began_us;
    fedn__store *store;
    fedn__blobs *blobs;    /* models */
    fedn__blobs *packages; /* compute packages */
    fedn__events *events;
    fedn__pool *pool;
    fedn__loop *loop;
    fedn__server *server;
    fedn__http_server *http;

    /* the loop's alone from here on */
    fedn__reducer_engine *engine;
    fedn__recorder *recorder;
    fedn__merger *merger;
    fedn__tier *tier;
    fedn__course course;
    json_t *resumed;             /* record of the session that goes on; NULL: none did */
    json_t *resumed_round;       /* and of its newest round; NULL: it had none */
    uint64_t opened;             /* round whose record is to be written; 0: none */
    struct fedn__asking *asking; /* orders that are being collected; NULL: none */
    uint32_t ends_owed;          /* ends of sessions that are being written; their events follow */
    fedn__timer timer;           /* the engine's deadline */
    fedn__timer expiry_timer;    /* for the next look for old telemetry */
    fedn__timer round_timer;     /* for the next round event */
    int64_t round_event_ms;      /* when the last one was sent */
    int32_t round_dirty;
    uint64_t announced;  /* round whose start was sent */
    uint64_t complained; /* round whose model could not be stored at once */
    int32_t draining;
    int32_t closing; /* what cannot be written now is left to the next process */
    int32_t stopping;
    fedn__flag settled; /* stopping, and nothing is left to write or merge */
    struct {
        char model_id[FEDN__UUID_TEXT];
        uint64_t round;
    } trained[FEDN__TRAINED];
    uint64_t trained_count;
} fedn__reducer_service;

/* What a start is made of; texts and documents are taken over on success. */
typedef struct fedn__session_order {
    fedn__reducer_session session;
    json_t *record;
    json_t *run; /* its record; NULL: a new one */
    char run_id[FEDN__UUID_TEXT];
    json_t *client_ids;
    char *prefix;
    uint64_t named;
    fedn_aggregator *aggregator;
} fedn__session_order;

typedef struct fedn__assignment {
    char name[FEDN__LIMIT_NAME_BYTES + 1];
    char host[FEDN__LIMIT_NAME_BYTES + 1];
    char fqdn[FEDN__LIMIT_NAME_BYTES + 1];
    uint16_t port;
} fedn__assignment;

/* service.c: life. `service` is zeroed by the caller and stopped whatever start returned. */
fedn_status fedn__service_start(fedn__reducer_service *service, fedn_error *err);
void fedn__service_stop(fedn__reducer_service *service);

/* recover.c: before anything runs. Finds the session to go on with. */
fedn_status fedn__service_recover(fedn__reducer_service *service, uint64_t *ret_first_round,
                                  fedn_error *err);
/* resume.c: goes on with it, if there is one; before anybody can attach. */
void fedn__service_resume(fedn__reducer_service *service);

/* order.c */
void fedn__order_done(fedn__session_order *order);
/* From `record`: settings, aggregator, how many models it has named. */
fedn_status fedn__order_fill(fedn__reducer_service *service, fedn__session_order *order,
                             fedn_error *err);
/* The order becomes the session that runs. On the loop. */
void fedn__order_take(fedn__reducer_service *service, fedn__session_order *order);

/* actions.c: on the loop. */
void fedn__service_drain(fedn__reducer_service *service);
void fedn__service_merged(void *user_data, const fedn__merge_result *result);
void fedn__service_finished(void *user_data, const fedn__merge_result *result);
void fedn__service_timers_init(fedn__reducer_service *service);

/* combiners.c: on the loop. */
extern const fedn__tier_events fedn__service_tier_events;

/* calls.c: from HTTP threads; each waits for the loop. */

/* FEDN_ERR_UNAVAILABLE: no combiner accepts. */
fedn_status fedn__service_assign(fedn__reducer_service *service, const char *preferred,
                                 fedn__assignment *ret, fedn_error *err);
fedn_status fedn__service_begin(fedn__reducer_service *service, fedn__session_order *order,
                                fedn_error *err);
/* FEDN_ERR_NOT_FOUND: it does not run. */
fedn_status fedn__service_end(fedn__reducer_service *service, const char *session_id);
/* predict.c: asks every active client; how many there are. */
uint32_t fedn__service_predict(fedn__reducer_service *service, const char *prediction_id,
                               const char *model_id);
/* Writes one record and waits until it is durable. Takes `document` over. */
fedn_status fedn__service_write(fedn__reducer_service *service, int32_t op, int32_t kind,
                                const char *id, json_t *document, fedn_error *err);
/* Waits until what was submitted before is durable. */
fedn_status fedn__service_flush(fedn__reducer_service *service, fedn_error *err);
/* What goes on, for GET status; NULL out of memory. `models` is for the caller to add. */
json_t *fedn__service_status(fedn__reducer_service *service);
/* "idle", "instructing" or "monitoring". */
const char *fedn__service_state(fedn__reducer_service *service);
/* The present state as lines of the event stream, and the number after which to go on. The caller
 * frees *ret. */
fedn_status fedn__service_snapshot(fedn__reducer_service *service, const char *session_id,
                                   char **ret, uint64_t *ret_seq);

#endif
