/* SPDX-License-Identifier: Apache-2.0
 * What has happened, as only somebody who sees everything knows it: each update by the training
 * that made it, each model by the updates in it. The checks compare this with what nodes claim. */
#ifndef SIMULATE_LEDGER_H
#define SIMULATE_LEDGER_H

#include "core/uuid.h"
#include "profile.h"

enum { LEDGER_ROUNDS = 64 };

/* An update's bytes, by the training that made them. */
typedef struct trained {
    uint32_t client; /* node */
    uint32_t session;
    uint32_t round;
    uint32_t model;           /* trained from */
    uint32_t folded_by;       /* combiner's node, the last */
    uint32_t accepted_round;  /* in which it was folded, the last */
    uint32_t acknowledged_by; /* combiner's node; 0: nobody */
    uint32_t committed;       /* times */
} trained;

typedef struct contents {
    uint32_t count;
    uint32_t list[2 * MOST_CLIENTS];
} contents;

typedef struct ledger_model {
    uint32_t session;
    uint32_t round; /* 0: a seed */
    uint32_t parent;
    int32_t committed;
} ledger_model;

typedef struct ledger_partial {
    uint32_t combiner; /* node */
    uint32_t round;
    int32_t stored; /* the reducer has its file */
    contents sum;
} ledger_partial;

enum { ROUND_UNKNOWN, ROUND_OPEN, ROUND_COMMITTED, ROUND_ENDED };

typedef struct ledger_round {
    uint32_t session;
    uint32_t model; /* trained from, then the new one */
    int32_t state;
    int32_t merged[MOST_COMBINERS];
    int32_t excused[MOST_COMBINERS];  /* cancelled there once, with a good reason */
    char reason[MOST_COMBINERS][128]; /* of a part that failed */
    char ended[128];
} ledger_round;

typedef struct ledger_session {
    uint32_t model;  /* newest */
    int32_t started; /* durably */
    int32_t ended;
    uint32_t committed; /* rounds */
} ledger_session;

typedef struct ledger {
    trained *contents;
    uint32_t content_count, content_capacity;
    ledger_model *models;
    uint32_t model_count, model_capacity;
    ledger_partial *partials;
    uint32_t partial_count, partial_capacity;
    ledger_round rounds[LEDGER_ROUNDS]; /* by id */
    uint32_t last_round;
    ledger_session sessions[4]; /* from 1 */
} ledger;

struct world;

/* Each hands out a number from 1. */
uint32_t ledger_content(ledger *l, const trained *what);
uint32_t ledger_model_new(ledger *l, const ledger_model *what);
uint32_t ledger_partial_new(ledger *l, const ledger_partial *what);
void ledger_done(ledger *l);

/* Numbers as the ids that engines want. */
void id_text(uint64_t number, char text[FEDN__UUID_TEXT]);
uint64_t id_number(const char *text);

void contents_add(contents *to, uint32_t content);
void contents_add_all(contents *to, const contents *more);

#endif
