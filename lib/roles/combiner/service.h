/* SPDX-License-Identifier: Apache-2.0
 * The shell of a combiner: RPCs, files and timers become events of the engine, its actions become
 * RPCs, files and timers. Everything but start and stop happens on the loop. */
#ifndef FEDN__ROLES_COMBINER_SERVICE_H
#define FEDN__ROLES_COMBINER_SERVICE_H

#include "core/config.h"
#include "core/thread.h"
#include "roles/combiner/engine.h"
#include "roles/combiner/fold.h"
#include "roles/combiner/hooks.h"
#include "roles/combiner/journal.h"
#include "roles/combiner/records.h"
#include "roles/combiner/shelf.h"
#include "roles/combiner/uplink.h"
#include "roles/health.h"
#include "rpc/server.h"
#include "rpc/transfer.h"

/* What the properties say, read once. Texts are the configuration's. */
typedef struct fedn__combiner_options {
    const char *name;
    const char *listen;
    const char *host;
    const char *fqdn;
    const char *reducer;
    const char *hooks; /* host:port; "": none */
    const char *state_dir;
    uint32_t max_clients;
    uint32_t max_uploads;
    uint32_t workers;
    int32_t reassign;
    int64_t liveness_ms;
    int64_t reconnect_max_ms;
    int64_t drain_ms;
    uint64_t max_model_bytes;
    uint64_t max_spool_bytes;
    uint64_t checkpoint_bytes;
} fedn__combiner_options;

/* A call that the engine knows by its address: a task stream, or an announcement to be answered. */
typedef struct fedn__held_call {
    struct fedn__combiner_service *service;
    fedn__call *call;
    char *client_id;
    char update_id[FEDN__UUID_TEXT]; /* "" for a stream */
    uint64_t inline_bytes;           /* of a stream: a model up to this size may go with a task */
    int32_t moves;                   /* it goes to another combiner if it is told to */
} fedn__held_call;

/* Sends what changed, but not more often than every so many milliseconds. */
typedef struct fedn__pacer {
    fedn__timer timer;
    int64_t sent_at_ms;
    int32_t dirty;
} fedn__pacer;

/* The aggregate on disk in the midst of a round. */
typedef struct fedn__checkpoint {
    int32_t running;
    char id[FEDN__UUID_TEXT];         /* being written, or the last that was */
    char durable_id[FEDN__UUID_TEXT]; /* the journal has it; "": none */
    uint64_t retired;                 /* updates in it, see fedn__shelf_retire() */
} fedn__checkpoint;

typedef struct fedn__combiner_service {
    fedn__combiner_options options;
    const fedn__log *log;
    char combiner_id[FEDN__UUID_TEXT];
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__server *server;
    fedn__shelf *shelf;
    char *parts; /* the directory of models of which a part has come */
    fedn__journal *journal;
    fedn__checkpoint checkpoint;
    fedn__fold *fold;
    fedn__uplink *uplink;
    fedn__hooks *hooks; /* NULL: none */
    char *partials;     /* the directory of partials */
    int32_t aggregates; /* its updates are for the hooks service, at the round's end */
    fedn__records *records;
    fedn__combiner_engine *engine;
    fedn__transfer_host host;
    fedn__timer engine_timer;
    fedn__pacer roster_pacer;
    fedn__pacer progress_pacer;
    fedn__map changed;               /* client ids whose state the tier above has not heard of */
    struct fedn__handover *handover; /* the partial on its way up; NULL: none */
    struct fedn__fetch *fetches;
    fedn__health health;
    uint32_t transfers;                      /* of models, that still run */
    char reported[FEDN__LIMIT_ID_BYTES + 1]; /* round of the last report that was sent */
    int32_t disk_failed; /* an upload could not be written; said once until one can */
    int32_t draining;    /* actions are being carried out */
    int32_t stopping;    /* nothing leads to anything any more */
    int32_t uplink_gone; /* with `transfers` 0: quiet */
    fedn__flag quiet;
} fedn__combiner_service;

fedn_status fedn__combiner_service_start(fedn__combiner_service *service,
                                         const fedn__combiner_options *options,
                                         const fedn__log *log, fedn_error *err);
/* Also after a start that failed; not on the loop. */
void fedn__combiner_service_stop(fedn__combiner_service *service);

/* Carries out what the engine asks for; after every event. */
void fedn__combiner_service_drain(fedn__combiner_service *service);

/* methods.c: the table of RPCs. */
#define FEDN__COMBINER_METHODS  25
#define FEDN__COMBINER_STOPPING "the combiner is stopping"
uint32_t fedn__combiner_methods(fedn__combiner_service *service,
                                fedn__method ret[FEDN__COMBINER_METHODS]);
/* announce.c: the answer to an announced update. */
void fedn__combiner_reply(fedn__combiner_service *service, const fedn__combiner_action *action);

/* tasks.c: what goes to clients. */
void fedn__combiner_send_task(fedn__combiner_service *service, const fedn__combiner_action *action);
/* Up to which size a client takes a model with a task, from what it says when it opens its stream;
 * 0: not at all. */
uint64_t fedn__combiner_read_inline(const char *data);
/* Up to which size an update may come with its announcement. */
uint64_t fedn__combiner_most_inline(const fedn__combiner_service *service);

/* upstream.c: what goes to and comes from the tier above. */
void fedn__combiner_from_above(void *service, const Fedn__Tier__V1__Down *message);
void fedn__combiner_link_up(void *service);
void fedn__combiner_report_taken(void *service);
const char *fedn__combiner_held_round(void *service);
void fedn__combiner_note_roster(fedn__combiner_service *service, const fedn__participant *client);
void fedn__combiner_note_progress(fedn__combiner_service *service);
void fedn__combiner_send_report(fedn__combiner_service *service, const char *error);
void fedn__combiner_pacers_init(fedn__combiner_service *service);

/* replay.c: opens the journal and goes on with what it says. */
fedn_status fedn__combiner_replay(fedn__combiner_service *service, fedn_error *err);
/* durable.c: what of a round outlives the process. */
/* The round begins with those asked; an update counts; the round is over. */
fedn_status fedn__combiner_write_begin(fedn__combiner_service *service, fedn__blob *global,
                                       fedn_error *err);
void fedn__combiner_write_update(fedn__combiner_service *service, const fedn__participant *client);
/* No more updates count; then fedn__combiner_partial_may_go(). */
fedn_status fedn__combiner_write_close(fedn__combiner_service *service, const char *round_id);
void fedn__combiner_write_end(fedn__combiner_service *service);

/* checkpoint.c: after an update of this size was kept. At the round's end the files of these ids
 * ("": none) go once the journal has forgotten them. */
void fedn__combiner_checkpoint(fedn__combiner_service *service, uint64_t update_bytes);
void fedn__combiner_checkpoint_end(fedn__combiner_service *service,
                                   char ret_ids[2][FEDN__UUID_TEXT]);
void fedn__combiner_checkpoint_remove(fedn__combiner_service *service, const char *id);

/* functions.c: the server functions of the round. */
extern const fedn__hooks_events fedn__combiner_hooks_events;
void fedn__combiner_keep_for_functions(fedn__combiner_service *service, int32_t keep);
/* 1: the round waits for what the hooks service says; then fedn__combiner_model_here(). */
int32_t fedn__combiner_ask_functions(fedn__combiner_service *service, const char *model_id);
/* 1: so does its partial; then fedn__combiner_save_partial(). */
int32_t fedn__combiner_ask_aggregate(fedn__combiner_service *service);

/* models.c: models that move between the tiers. */
/* The round's global model is here, or will not come. */
void fedn__combiner_model_here(fedn__combiner_service *service, const char *model_id,
                               const char *error);
/* The aggregate is what it shall be: the partial of the handover is made of it. */
void fedn__combiner_save_partial(fedn__combiner_service *service);
void fedn__combiner_fetch(fedn__combiner_service *service, const char *model_id);
void fedn__combiner_save(fedn__combiner_service *service);
/* The journal has it that the round is closed: what is in its partial stays so after a restart. */
void fedn__combiner_partial_may_go(fedn__combiner_service *service, const char *round_id);
void fedn__combiner_retry_models(fedn__combiner_service *service);
/* The round was given up: its partial, if there is one, goes nowhere. */
void fedn__combiner_abandon_partial(fedn__combiner_service *service);
void fedn__combiner_models_stop(fedn__combiner_service *service);

typedef struct fedn__handover {
    fedn__combiner_service *service;
    char round_id[FEDN__LIMIT_ID_BYTES + 1];
    char partial_id[FEDN__UUID_TEXT];
    char *path;
    fedn__blob *blob;
    fedn__transfer *transfer; /* NULL: waits for the link */
    fedn__timer retry;
    uint32_t tries;
    fedn__fold_result folded;
    int32_t written; /* it is in its file */
    int32_t closed;  /* the journal has it that no other updates count */
    int32_t begun;   /* the tier above may have a part of it */
    int32_t done;    /* the tier above has it */
} fedn__handover;

#endif
