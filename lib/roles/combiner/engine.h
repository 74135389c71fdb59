/* SPDX-License-Identifier: Apache-2.0
 * The rules of a combiner: who is active, whom a round asks, which update counts, when a round is
 * over. Pure: events and time in, actions out. */
#ifndef FEDN__ROLES_COMBINER_ENGINE_H
#define FEDN__ROLES_COMBINER_ENGINE_H

#include "roles/combiner/roster.h"
#include "roles/round.h"

typedef struct fedn__combiner_engine fedn__combiner_engine;

typedef struct fedn__combiner_settings {
    uint32_t max_clients;
    int64_t liveness_ms;
} fedn__combiner_settings;

/* A validation or prediction for all (or the selected) active clients; not tracked. */
typedef struct fedn__model_task {
    int32_t type;
    char session_id[FEDN__UUID_TEXT];
    char model_id[FEDN__UUID_TEXT];
    char *data;
    fedn__selection selected;
} fedn__model_task;

/* Texts and clients that an action points to are valid until the next event; an announcement's
 * texts must be as well. */
typedef struct fedn__combiner_action {
    int32_t type;
    fedn__participant *client;
    const char *text;             /* a reason or a model id */
    uint64_t token;               /* stream or call */
    const fedn__model_task *task; /* of a task; NULL: to train by _plan() */
    int32_t ok;                   /* of a reply: FEDN__REPLY_...; of BEGIN: see there */
} fedn__combiner_action;

enum {
    FEDN__REPLY_REFUSED,
    FEDN__REPLY_COUNTED,
    FEDN__REPLY_LATER /* nothing has happened: it may be announced again */
};

enum {
    FEDN__COMBINER_FETCH_MODEL = 1, /* text: model id; answer with _model_ready() */
    FEDN__COMBINER_BEGIN,     /* start aggregating _plan(); failure: _begin_failed(). ok: it goes on
                                 after a restart; else it and those asked go into the journal */
    FEDN__COMBINER_SEND_TASK, /* to client->stream, task client->task_id of _plan(), or action.task
                               */
    FEDN__COMBINER_FOLD,      /* client->update_id; answer with _folded() */
    FEDN__COMBINER_JOURNAL,   /* client's update is to outlive this process; then _journaled() */
    FEDN__COMBINER_REPLY,     /* call token: ok, see there; refused or later: with text */
    FEDN__COMBINER_DROP_UPDATE, /* text: update id whose file is of no use */
    FEDN__COMBINER_SAVE,        /* partial to disk and up; answer with _saved() */
    FEDN__COMBINER_ABANDON,     /* the round was cancelled: forget its aggregate and journal */
    FEDN__COMBINER_FORGET,      /* the tier above has the report: the journal is of no use */
    FEDN__COMBINER_REPORT,      /* round is over: outcomes in _clients(), text: error or NULL */
    FEDN__COMBINER_PROGRESS,    /* _counts() changed */
    FEDN__COMBINER_ROSTER,      /* client->online changed */
    FEDN__COMBINER_END_STREAM   /* stream token: text says why */
};

typedef struct fedn__combiner_counts {
    uint32_t asked;
    uint32_t pending;
    uint32_t checking;
    uint32_t accepted;
    uint32_t refused;
    uint32_t failed; /* failed, lost or late */
} fedn__combiner_counts;

void fedn__model_task_done(fedn__model_task *task);

/* What a client says when it announces an update. */
typedef struct fedn__announcement {
    uint64_t call; /* waits for the answer */
    const char *client_id;
    const char *update_id;
    const char *model_id;
    const char *round_id;   /* NULL: not said */
    const char *session_id; /* NULL: not said */
    double num_examples;
    const uint8_t *digest;  /* of its bytes; NULL: there are none */
    const char *meta_error; /* what is wrong with what it says; NULL: nothing. The client is done */
    const char *upload_error; /* why there is no file; NULL: there is. Nothing has happened yet */
} fedn__announcement;

fedn_status fedn__combiner_engine_new(const fedn__combiner_settings *settings,
                                      fedn__combiner_engine **ret, fedn_error *err);
void fedn__combiner_engine_free(fedn__combiner_engine *engine);

/* Events. FEDN_ERR_NOMEM: nothing happened. */
fedn_status fedn__combiner_engine_attach(fedn__combiner_engine *engine, int64_t now_ms,
                                         const char *client_id, const char *name, uint64_t stream);
/* The stream's token is no longer used after it. */
void fedn__combiner_engine_detach(fedn__combiner_engine *engine, const char *client_id,
                                  uint64_t stream);
/* Of a client that has never opened a stream: of no interest. */
fedn_status fedn__combiner_engine_heartbeat(fedn__combiner_engine *engine, int64_t now_ms,
                                            const char *client_id, const char *name);
/* Takes over the plan's texts. Another round that still runs is cancelled first; the same one goes
 * on. A round that has been reported runs again: who asks for it once more has lost the report. */
fedn_status fedn__combiner_engine_round_start(fedn__combiner_engine *engine, int64_t now_ms,
                                              fedn__round_plan *plan);
fedn_status fedn__combiner_engine_round_cancel(fedn__combiner_engine *engine, int64_t now_ms,
                                               const char *session_id, const char *round_id);
fedn_status fedn__combiner_engine_model_task(fedn__combiner_engine *engine, int64_t now_ms,
                                             fedn__model_task *task);
/* error NULL: the model is here. `ids` hands out task ids, called once per asked client. */
typedef void (*fedn__id_fn)(char id[FEDN__UUID_TEXT], void *user_data);
fedn_status fedn__combiner_engine_model_ready(fedn__combiner_engine *engine, int64_t now_ms,
                                              const char *model_id, const char *error,
                                              fedn__id_fn ids, void *ids_data);
/* A round waits for this model only, has server functions and enough clients: their source; else
 * NULL. */
const char *fedn__combiner_engine_functions(const fedn__combiner_engine *engine,
                                            const char *model_id);
int32_t fedn__combiner_engine_may_ask(const fedn__combiner_engine *engine,
                                      const fedn__participant *client);
/* That round asks these clients, and needs no others. */
fedn_status fedn__combiner_engine_select(fedn__combiner_engine *engine, const char *model_id,
                                         const char *const *ids, uint64_t count);
/* Its clients are given this as the task's data. */
fedn_status fedn__combiner_engine_configure(fedn__combiner_engine *engine, const char *model_id,
                                            const char *config);
fedn_status fedn__combiner_engine_begin_failed(fedn__combiner_engine *engine, int64_t now_ms,
                                               const char *round_id, const char *error);
fedn_status fedn__combiner_engine_update(fedn__combiner_engine *engine, int64_t now_ms,
                                         const fedn__announcement *announcement);
/* error NULL: the update counts. */
fedn_status fedn__combiner_engine_folded(fedn__combiner_engine *engine, int64_t now_ms,
                                         const char *client_id, const char *update_id,
                                         const char *error);
/* The update that JOURNAL was about is on disk. */
fedn_status fedn__combiner_engine_journaled(fedn__combiner_engine *engine, int64_t now_ms,
                                            const char *client_id, const char *update_id);
/* The client's callback failed; task_id may be NULL for clients that do not say. */
fedn_status fedn__combiner_engine_task_failed(fedn__combiner_engine *engine, int64_t now_ms,
                                              const char *client_id, const char *task_id,
                                              const char *reason);
/* error NULL: the partial is with the tier above. */
fedn_status fedn__combiner_engine_saved(fedn__combiner_engine *engine, int64_t now_ms,
                                        const char *round_id, const char *error);
/* The tier above has stored the report of this round. */
fedn_status fedn__combiner_engine_report_taken(fedn__combiner_engine *engine, const char *round_id);
/* An announcing call went away before its answer. */
void fedn__combiner_engine_call_gone(fedn__combiner_engine *engine, const char *client_id,
                                     uint64_t call);
fedn_status fedn__combiner_engine_tick(fedn__combiner_engine *engine, int64_t now_ms);

/* What a journal says of a client that was asked before a restart. */
typedef struct fedn__restored_client {
    const char *client_id;
    const char *name;
    const char *task_id;
    const char *update_id; /* accepted; NULL: not yet */
    uint8_t digest[FEDN__DIGEST_BYTES];
    double num_examples;
    int32_t folded;      /* the aggregate that is taken up has it */
    const char *base_id; /* of an asynchronous one: the model that it started from */
} fedn__restored_client;

/* Goes on with a round after a restart, first of all events: those that are not accepted may still
 * answer, those that are count again. Takes over the plan's texts; `clients` with those first that
 * are accepted, in that order. Its time begins anew. */
fedn_status fedn__combiner_engine_restore(fedn__combiner_engine *engine, int64_t now_ms,
                                          fedn__round_plan *plan,
                                          const fedn__restored_client *clients, uint32_t count);

/* With it: the round took no more updates; what it had is reported. */
void fedn__combiner_engine_restore_closed(fedn__combiner_engine *engine);
/* With it: this update of this client counted in an earlier round. */
fedn_status fedn__combiner_engine_restore_counted(fedn__combiner_engine *engine,
                                                  const char *client_id, const char *update_id);

int64_t fedn__combiner_engine_deadline(const fedn__combiner_engine *engine);
int32_t fedn__combiner_engine_next(fedn__combiner_engine *engine, fedn__combiner_action *ret);

/* What actions and messages are built from. */
const fedn__round_plan *fedn__combiner_engine_plan(const fedn__combiner_engine *engine);
fedn__combiner_counts fedn__combiner_engine_counts(const fedn__combiner_engine *engine);
/* Clients that the present round asked, in the order of asking. */
fedn__participant *const *fedn__combiner_engine_asked(const fedn__combiner_engine *engine,
                                                      uint32_t *ret_count);
const fedn__roster *fedn__combiner_engine_roster(const fedn__combiner_engine *engine);
/* A round that is not over, or whose report is not acknowledged; NULL: none. */
const char *fedn__combiner_engine_held_round(const fedn__combiner_engine *engine);
int32_t fedn__combiner_engine_is_idle(const fedn__combiner_engine *engine);

#endif
