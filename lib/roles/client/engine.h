/* SPDX-License-Identifier: Apache-2.0
 * The client's rules as a state machine: when to ask for a combiner, to dial, to beat, to fetch, to
 * run, to upload, to answer, and what ends all that. Pure; the shell around it is service.c. */
#ifndef FEDN__CLIENT_ENGINE_H
#define FEDN__CLIENT_ENGINE_H

#include "core/limits.h"
#include "core/uuid.h"
#include <fedn/log.h>
#include <fedn/task.h>

typedef struct fedn__client_engine fedn__client_engine;

/* One TaskRequest as values; texts are never NULL except `fault`. */
typedef struct fedn__order {
    struct fedn__order *next;
    fedn_task_type type;  /* 0: a type this library does not know; `fault` says so */
    int32_t wire_type;    /* as the combiner numbers it */
    char *correlation_id; /* "" if the combiner gave none */
    char *session_id;
    char *round_id; /* "" where the task has none */
    char *model_id; /* UUID, lower case */
    char *config;   /* JSON object; "{}" if the combiner gave none */
    char *format;   /* of models on the wire, "" if unknown */
    char *combiner; /* its name */
    char *fault;    /* why the task cannot be done; NULL: it can be tried */
    uint8_t *model; /* the model itself; NULL: it is to be fetched */
    uint64_t model_bytes;
    uint64_t inline_bytes; /* an update up to this size may travel with its answer */
} fedn__order;

void fedn__order_free(fedn__order *order); /* NULL allowed */

typedef struct fedn__client_settings {
    int64_t heartbeat_ms;
    int64_t reconnect_min_ms;
    int64_t reconnect_max_ms;
    uint64_t seed;      /* random, from the shell: jitter comes from it */
    const char *direct; /* address of a combiner, borrowed for _new(): nobody is asked for one */
    int32_t has_train;  /* which callbacks there are */
    int32_t has_validate;
    int32_t has_predict;
} fedn__client_settings;

enum {
    FEDN__CLIENT_ASSIGN = 1, /* ask the reducer for a combiner: ..._assigned() */
    FEDN__CLIENT_DIAL,       /* a new channel and its TaskStream, under the number `dial` */
    FEDN__CLIENT_HANG_UP,    /* drop the channel with all that runs on it */
    FEDN__CLIENT_HEARTBEAT,  /* ..._heartbeat() */
    FEDN__CLIENT_FETCH,      /* the order's model into a file: ..._fetched() */
    FEDN__CLIENT_KEEP,       /* the model that came with the order, as if fetched: ..._fetched() */
    FEDN__CLIENT_RUN,        /* the order's callback: ..._ran() */
    FEDN__CLIENT_CANCEL,     /* the order is unwanted: stop its transfer, tell its callback */
    FEDN__CLIENT_UPLOAD,     /* the callback's model: ..._uploaded() */
    FEDN__CLIENT_ANSWER,     /* the result, or with failed = 1 the reason: ..._answered() */
    FEDN__CLIENT_RELEASE,    /* nothing of the order is needed any more, nor its update */
    FEDN__CLIENT_REFUSE,     /* an order that found the queue full: report `text` once */
    FEDN__CLIENT_LOG,        /* `text` at `level` */
    FEDN__CLIENT_FINISHED    /* the last one: `status` and `text` */
};

/* Orders stay valid until the next event; the one that is run, fetched, uploaded or answered until
 * its RELEASE or, after FINISHED, until the engine is freed. */
typedef struct fedn__client_action {
    int32_t type;
    int32_t level;
    int32_t failed;
    int32_t moved; /* UPLOAD: another combiner gave the task */
    fedn_status status;
    uint64_t dial;
    uint64_t step; /* goes back with the event that the action leads to */
    const fedn__order *order;
    char text[FEDN_ERROR_MESSAGE_BYTES];
} fedn__client_action;

/* What a request for a combiner came to. */
enum {
    FEDN__ASSIGNED = 1,
    FEDN__ASSIGN_WAIT,    /* the reducer is not ready: ask again in 3 s */
    FEDN__ASSIGN_TROUBLE, /* no answer, or none that makes sense: ask again after a pause */
    FEDN__ASSIGN_REFUSED  /* for good */
};

fedn_status fedn__client_engine_new(const fedn__client_settings *settings,
                                    fedn__client_engine **ret, fedn_error *err);
void fedn__client_engine_free(fedn__client_engine *engine); /* NULL allowed */

/* Takes the oldest action out; 0 if there is none. To be called until then after every event; an
 * event that an action leads to at once may come before, as actions that let go of an order precede
 * those that can fail. */
int32_t fedn__client_engine_next(fedn__client_engine *engine, fedn__client_action *ret);
/* When _tick() is due; INT64_MAX: never. */
int64_t fedn__client_engine_deadline(const fedn__client_engine *engine);

/* Before _start(): an update that an earlier run has trained, of this order (taken over), which
 * came from the combiner at `target`. It is uploaded and answered. */
void fedn__client_engine_kept(fedn__client_engine *engine, fedn__order *order, const char *target);

/* Events. None can fail. `text` is borrowed, one line. */
void fedn__client_engine_start(fedn__client_engine *engine, int64_t now_ms);
void fedn__client_engine_stop(fedn__client_engine *engine, int64_t now_ms);
void fedn__client_engine_tick(fedn__client_engine *engine, int64_t now_ms);
/* `text`: the combiner's address for FEDN__ASSIGNED, else the reason; `status` of a refusal. */
void fedn__client_engine_assigned(fedn__client_engine *engine, int64_t now_ms, int32_t outcome,
                                  fedn_status status, const char *text);
/* The combiner has answered the TaskStream. */
/* The combiner sends us to another one. */
void fedn__client_engine_sent(fedn__client_engine *engine, int64_t now_ms, uint64_t dial,
                              const char *target);
void fedn__client_engine_opened(fedn__client_engine *engine, int64_t now_ms, uint64_t dial);
/* The TaskStream has ended, or could not be opened. status FEDN_OK: the combiner ended it. */
void fedn__client_engine_closed(fedn__client_engine *engine, int64_t now_ms, uint64_t dial,
                                fedn_status status, const char *text);
void fedn__client_engine_heartbeat(fedn__client_engine *engine, int64_t now_ms, uint64_t dial,
                                   fedn_status status, const char *text);
/* Takes the order over. */
void fedn__client_engine_order(fedn__client_engine *engine, int64_t now_ms, uint64_t dial,
                               fedn__order *order);
void fedn__client_engine_fetched(fedn__client_engine *engine, int64_t now_ms, uint64_t step,
                                 fedn_status status, const char *text);
/* has_model: something is to be uploaded before the answer. */
void fedn__client_engine_ran(fedn__client_engine *engine, int64_t now_ms, fedn_status status,
                             int32_t has_model, const char *text);
/* The combiner has refused the progress of the callback that RUN `step` began: its round is over.
 */
void fedn__client_engine_unwanted(fedn__client_engine *engine, int64_t now_ms, uint64_t step,
                                  const char *text);
void fedn__client_engine_uploaded(fedn__client_engine *engine, int64_t now_ms, uint64_t step,
                                  fedn_status status, const char *text);
/* FEDN_OK with an empty text: taken; with a text: the combiner refused the result for that reason.
 */
void fedn__client_engine_answered(fedn__client_engine *engine, int64_t now_ms, uint64_t step,
                                  fedn_status status, const char *text);

#endif
