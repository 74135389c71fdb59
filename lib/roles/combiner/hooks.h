/* SPDX-License-Identifier: Apache-2.0
 * Server functions: a process beside the combiner, FEDn's hooks service, runs the Python source
 * that a session brings. It is asked on the loop, and whatever becomes of it the round goes on. */
#ifndef FEDN__ROLES_COMBINER_HOOKS_H
#define FEDN__ROLES_COMBINER_HOOKS_H

#include "core/blob.h"
#include "core/uuid.h"
#include "roles/selection.h"
#include "rpc/loop.h"

typedef struct fedn__hooks fedn__hooks;

/* What has become of a round's question. error: the functions are not those that this combiner
 * runs; else `note` says what is done the built-in way, and why; NULL: nothing is. */
typedef struct fedn__hooks_answer {
    const char *error;
    const char *note;
    const char *const *ids; /* of those that were asked about; none: the combiner chooses */
    uint64_t count;
    const char *settings; /* a JSON object for the clients; NULL: none */
    int32_t aggregates;   /* there is a function for the round's end */
} fedn__hooks_answer;

/* What has become of an aggregation: a model that nobody has checked; or NULL, and `note` why,
 * NULL: there is no such function. */
typedef struct fedn__hooks_events {
    void (*chosen)(const char *model_id, const fedn__hooks_answer *answer, void *user_data);
    void (*merged)(const char *round_id, fedn__blob *model, const char *note, void *user_data);
    /* The bytes of one of its updates, a new reference. */
    fedn_status (*open)(const char *update_id, fedn__blob **ret, void *user_data, fedn_error *err);
} fedn__hooks_events;

/* Texts are borrowed, events static. */
typedef struct fedn__hooks_options {
    const char *target; /* host:port */
    const char *dir;    /* for a large model while it comes */
    uint64_t max_bytes; /* of a model */
} fedn__hooks_options;
fedn_status fedn__hooks_new(fedn__loop *loop, fedn__pool *pool, const fedn__hooks_options *options,
                            const fedn__hooks_events *events, void *user_data, fedn__hooks **ret,
                            fedn_error *err);
/* Nobody is told any more; it goes once its last call has ended. On the loop. NULL allowed. */
void fedn__hooks_free(fedn__hooks *hooks);

/* Which of these clients train from this model, and with which settings? Another question takes the
 * place of one that is under way. `client_ids` is a JSON array. FEDN_ERR_NOMEM: nothing happens. */
fedn_status fedn__hooks_select(fedn__hooks *hooks, const char *model_id, const char *code,
                               const char *client_ids, fedn__blob *global);

typedef struct fedn__hooks_update {
    char update_id[FEDN__UUID_TEXT];
    char *client_id;
    char *metadata; /* JSON */
} fedn__hooks_update;

typedef struct fedn__hooks_round {
    const char *round_id;
    const char *code;
    fedn__blob *global;
    fedn__hooks_update *updates; /* taken over on success; else nothing is */
    uint64_t count;
} fedn__hooks_round;

/* The same for what a round's updates make. */
fedn_status fedn__hooks_merge(fedn__hooks *hooks, const fedn__hooks_round *round);
/* Nobody waits for the answer any more. NULL allowed. */
void fedn__hooks_drop(fedn__hooks *hooks);
void fedn__hooks_updates_free(fedn__hooks_update *updates, uint64_t count); /* NULL allowed */

#endif
