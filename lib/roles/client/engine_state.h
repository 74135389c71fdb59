/* SPDX-License-Identifier: Apache-2.0
 * The engine from the inside: its state, and what its two halves need of each other. */
#ifndef FEDN__CLIENT_ENGINE_STATE_H
#define FEDN__CLIENT_ENGINE_STATE_H

#include "roles/client/engine.h"

enum {
    CLIENT_NEW,
    CLIENT_ASSIGNING,
    CLIENT_PAUSED, /* until pause_until, then `then` */
    CLIENT_DIALLING,
    CLIENT_UP,
    CLIENT_STOPPED
};

/* Where the current order is. The NEED_ ones wait for the connection, or for retry_at. */
enum {
    PHASE_NONE,
    PHASE_NEED_MODEL,
    PHASE_FETCHING,
    PHASE_NEED_RUN,
    PHASE_RUNNING,
    PHASE_NEED_UPLOAD,
    PHASE_UPLOADING,
    PHASE_NEED_ANSWER,
    PHASE_ANSWERING
};

/* Why the current order is unwanted: a later round has begun; its combiner is not ours any more,
 * and may hand it out again. */
enum { CANCELLED_OVER = 1, CANCELLED_MOVED };

/* What the last warning was about, so that it is not repeated at every try. */
enum { TROUBLE_NONE, TROUBLE_REDUCER, TROUBLE_WAIT, TROUBLE_COMBINER };

enum {
    CLIENT_ACTIONS = 16,      /* most that one event leads to */
    CLIENT_ANSWERED = 64,     /* answered tasks that are remembered */
    CLIENT_TARGET_BYTES = 300 /* a host name, a port */
};

struct fedn__client_engine {
    fedn__client_settings settings;
    int32_t direct;
    int32_t state;
    int32_t then; /* FEDN__CLIENT_ASSIGN or FEDN__CLIENT_DIAL */
    int64_t pause_until;
    uint32_t attempts; /* pauses in a row: the next is longer */
    uint32_t dials;    /* failed in a row */
    int32_t trouble;
    fedn_status trouble_status;
    uint64_t random;
    char target[CLIENT_TARGET_BYTES];

    uint64_t dial; /* number of the present or last channel */
    int64_t up_since;
    int64_t heartbeat_at;
    int32_t heartbeat_out;

    fedn__order *current;
    int32_t phase;
    int32_t cancelled;
    int32_t failed;
    int32_t uploads;   /* its update is uploaded, and does not come with its announcement */
    int32_t moved;     /* it is trained, and its combiner is not ours any more */
    int32_t announced; /* it may count where it was announced */
    int32_t again;     /* its task came again while its answer was under way */
    uint32_t tries;
    int64_t retry_at;
    uint64_t step; /* of the action whose event is awaited; others are stale */
    char reason[FEDN_ERROR_MESSAGE_BYTES];
    char cached[FEDN__UUID_TEXT]; /* the model the shell has in a file */

    fedn__order *waiting; /* behind the current one */
    uint32_t waiting_count;
    fedn__order *retired;                                     /* freed at the next event */
    char answered[CLIENT_ANSWERED][FEDN__LIMIT_ID_BYTES + 1]; /* ring of correlation ids */
    uint32_t answered_next;

    fedn__client_action actions[CLIENT_ACTIONS]; /* ring */
    uint32_t first_action;
    uint32_t action_count;
};

fedn__client_action *fedn__client_act(fedn__client_engine *engine, int32_t type);
void fedn__client_note(fedn__client_engine *engine, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The nth pause in a row: doubles up to the longest, the upper half of it random. */
int64_t fedn__client_backoff(fedn__client_engine *engine, uint32_t nth);
void fedn__client_begin_event(fedn__client_engine *engine);

/* engine_task.c: the half that deals with orders */
void fedn__client_tasks_advance(fedn__client_engine *engine, int64_t now_ms);
int64_t fedn__client_tasks_deadline(const fedn__client_engine *engine);
/* The connection is gone: what was under way on it is to be done again. */
void fedn__client_tasks_suspend(fedn__client_engine *engine);
/* Another combiner, or the end: no order counts any more. */
void fedn__client_tasks_drop(fedn__client_engine *engine);
void fedn__client_tasks_end(fedn__client_engine *engine);
/* Should it come again it is left alone. */
void fedn__client_remember(fedn__client_engine *engine, const fedn__order *order);
void fedn__client_tasks_take(fedn__client_engine *engine, fedn__order *order);

/* engine_kept.c: the current order is trained, and not answered for good */
int32_t fedn__client_has_update(const fedn__client_engine *engine);
/* ... and its combiner is another one from now on. */
void fedn__client_move_update(fedn__client_engine *engine);
/* ... and answers `newer` as well: 1. What is left of `newer` is not needed. */
int32_t fedn__client_answers_already(fedn__client_engine *engine, fedn__order *newer);

#endif
