/* SPDX-License-Identifier: Apache-2.0
 * The reducer's shell from the inside, for its files. */
#ifndef SIMULATE_REDUCER_SHELL_H
#define SIMULATE_REDUCER_SHELL_H

#include "node_reducer.h"
#include "roles/link.h"
#include "roles/reducer/engine.h"

enum { MOST_TICKETS = 512, MOST_STEPS = 64 };

/* One direction pair to a combiner. */
typedef struct tier_link {
    fedn__link link;
    fedn__reducer_combiner *combiner; /* NULL: it has never been here */
    uint32_t wire;
    uint64_t attachment;
    uint64_t run_id;
    uint64_t acked, durable;
    uint32_t owed, epoch;
    int32_t cut;
} tier_link;

typedef struct part_record {
    uint32_t combiner; /* node; 0: no part */
    int32_t state;
    uint32_t place;
    uint32_t expected, accepted, refused, failed;
    uint32_t partial;
    char error[128];
} part_record;

typedef struct session_record {
    int32_t status; /* 0: there is no record */
    int32_t stopping;
    uint32_t opened, done, failures;
    uint32_t model;
    uint32_t round; /* the newest that it says */
    char message[128];
} session_record;

typedef struct round_record {
    int32_t is_there;
    uint32_t session;
    uint32_t number;
    int32_t state;
    uint32_t model; /* trained from */
    char message[128];
    part_record parts[MOST_COMBINERS];
} round_record;

enum { TICKET_COURSE, TICKET_ROUND_END, TICKET_COMMIT, TICKET_REPORT, TICKET_ORDERS };

/* What is written together. */
typedef struct ticket {
    int32_t kind;
    uint32_t session; /* whose record `of_session` is; 0: none is written */
    session_record of_session;
    uint32_t round; /* whose record `of_round` is; 0: none is written */
    round_record of_round;
    uint32_t model; /* of a commit */
    contents sum;
    uint32_t asked;    /* combiners that are told once this is written, a bit each */
    uint32_t combiner; /* whose message it was; 0: nobody's */
    uint32_t epoch;
    uint64_t seq;
    int32_t ok;
} ticket;

enum { STEP_ROUND, STEP_MERGE, STEP_FINISH };

/* Of merging, one after the other. */
typedef struct merge_step {
    int32_t kind;
    uint32_t round;
    uint32_t part;
    uint32_t partial;
} merge_step;

typedef struct reducer_shell {
    fedn__reducer_engine *engine;
    int32_t draining;
    tier_link links[MOST_COMBINERS];
    uint32_t uploads[MOST_COMBINERS]; /* that run */
    ticket *tickets;
    uint32_t ticket_count;
    uint32_t writing; /* of them */
    merge_step steps[MOST_STEPS];
    uint32_t step_count;
    uint32_t merging; /* round whose sum this is */
    contents sum;
    uint32_t asking; /* combiners that are to be told of the round, a bit each */

    session_record sessions[4]; /* by number */
    round_record rounds[LEDGER_ROUNDS];
    uint32_t known; /* combiners, a bit each */
} reducer_shell;

reducer_shell *reducer_of(const world *w);
void reducer_drain(world *w);
uint32_t reducer_combiner_node(const fedn__reducer_combiner *combiner);
/* Those of the ticket that are still asked. */
void reducer_tell_orders(world *w, const ticket *written);

/* reducer_links.c */
void tier_start(world *w);
tier_link *tier_link_of(world *w, uint32_t combiner);
void tier_send(world *w, uint32_t combiner, message *what);
void tier_written(world *w, const ticket *done, int32_t ok);
void tier_settled(world *w);

/* reducer_store.c */
void store_round_opened(world *w, const fedn__reducer_round *round);
void store_round_ended(world *w, const fedn__reducer_round *round);
void store_session(world *w);
void store_commit(world *w, uint32_t model);
/* Who was asked is recorded before they are told. */
void store_orders(world *w);
void store_roster(world *w, uint32_t combiner, uint64_t seq);
/* What a report has led to; it is acknowledged after that. */
void store_report(world *w, uint32_t combiner, uint64_t seq, uint32_t round, int32_t taken);
void store_sweep(world *w);

/* reducer_disk.c */
void disk_apply(world *w, const ticket *written);
uint32_t disk_last_round(const reducer_shell *shell);
/* 1: a round is open. */
int32_t disk_restore(world *w);

/* reducer_merge.c */
void merge_round(world *w, uint32_t round);
void merge_part(world *w, const fedn__reducer_action *action);
void merge_finish(world *w, uint32_t round);

#endif
