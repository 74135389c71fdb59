/* SPDX-License-Identifier: Apache-2.0
 * Server functions: a process beside the combiner, FEDn's hooks service, runs the Python source
 * that a session brings. It is asked on the loop, and whatever becomes of it the round goes on. */
#ifndef FEDN__ROLES_COMBINER_HOOKS_H
#define FEDN__ROLES_COMBINER_HOOKS_H

#include "roles/selection.h"
#include "rpc/loop.h"

typedef struct fedn__hooks fedn__hooks;

/* What has become of it. error: the functions are not those that this combiner runs; else
 * `note` says why the combiner chooses itself, NULL: it does not. */
typedef struct fedn__hooks_answer {
    const char *error;
    const char *note;
    const char *const *ids; /* of those that were asked about; none: the combiner chooses */
    uint64_t count;
} fedn__hooks_answer;

typedef void (*fedn__hooks_fn)(const char *model_id, const fedn__hooks_answer *answer,
                               void *user_data);

/* `target` host:port, `log` borrowed. */
fedn_status fedn__hooks_new(fedn__loop *loop, const char *target, fedn__hooks_fn fn,
                            void *user_data, fedn__hooks **ret, fedn_error *err);
/* Nobody is told any more; it goes once its last call has ended. On the loop. NULL allowed. */
void fedn__hooks_free(fedn__hooks *hooks);
/* Which of these clients train from this model? Another question takes the place of one that is
 * under way. `client_ids` is a JSON array. FEDN_ERR_NOMEM: nothing happens. */
fedn_status fedn__hooks_select(fedn__hooks *hooks, const char *model_id, const char *code,
                               const char *client_ids);

#endif
