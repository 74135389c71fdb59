/* SPDX-License-Identifier: Apache-2.0
 * What a combiner is told that a round shall be, and what becomes of each client it asks. */
#ifndef FEDN__ROLES_ROUND_H
#define FEDN__ROLES_ROUND_H

#include "core/limits.h"
#include "core/uuid.h"
#include "roles/selection.h"

/* One round as a combiner gets it. Texts are owned. */
typedef struct fedn__round_plan {
    char session_id[FEDN__UUID_TEXT];
    char round_id[FEDN__LIMIT_ID_BYTES + 1]; /* decimal */
    char model_id[FEDN__UUID_TEXT];          /* the global model to train from */
    char *aggregator;
    char *aggregator_kwargs; /* JSON object, "" for defaults */
    char *helper_type;       /* format of updates */
    char *server_functions;  /* Python source for the hooks service; NULL: none */
    char *config;            /* JSON object that clients get as the task's data */
    fedn__selection selected;
    uint32_t clients_required;
    int32_t buffer_size; /* accepted updates that end the round; <= 0: all asked */
    int64_t timeout_ms;
    int32_t async;             /* updates of any recent model count, see recent */
    double staleness_exponent; /* an update of s models ago weighs (1 + s) to the minus this */
    char (*recent)[FEDN__UUID_TEXT]; /* models that updates may start from, newest first */
    uint32_t recent_count;
    uint32_t ask;              /* clients that are asked, drawn by lot; 0: all */
    double straggler_quantile; /* of the times of earlier rounds; 0: nobody is a straggler */
    double straggler_factor;   /* times that is how long a round waits */
} fedn__round_plan;

/* Outcome of one asked client; the texts are those of the round's record. */
enum {
    FEDN__OUTCOME_NONE,     /* not asked */
    FEDN__OUTCOME_PENDING,  /* asked, no answer yet */
    FEDN__OUTCOME_CHECKING, /* its update is being checked and folded */
    FEDN__OUTCOME_ACCEPTED,
    FEDN__OUTCOME_REFUSED,
    FEDN__OUTCOME_FAILED, /* its callback failed */
    FEDN__OUTCOME_LOST,   /* unseen for longer than the liveness bound */
    FEDN__OUTCOME_LATE    /* the round ended first */
};

const char *fedn__outcome_name(int32_t outcome);

void fedn__round_plan_done(fedn__round_plan *plan);

#endif
