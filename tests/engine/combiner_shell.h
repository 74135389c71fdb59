/* SPDX-License-Identifier: Apache-2.0
 * A combiner's shell from the inside, for its files. */
#ifndef SIMULATE_COMBINER_SHELL_H
#define SIMULATE_COMBINER_SHELL_H

#include "node_combiner.h"
#include "roles/combiner/engine.h"
#include "roles/link.h"

enum { MOST_HELD = 128, MOST_SHELF = 64, MOST_LANE = 64, MOST_JOURNAL = 4 * MOST_CLIENTS };

/* A task stream, or an announcement that waits for its answer. */
typedef struct held_call {
    uint64_t token;
    uint32_t wire;
    uint32_t client;
    int32_t is_stream;
    int32_t replied;
    uint64_t call;
    uint32_t content;
} held_call;

/* An update that a client has left here. */
typedef struct shelf_item {
    uint64_t update;
    uint32_t content;
    uint32_t owner;
    int32_t folding;
} shelf_item;

enum { LANE_BEGIN, LANE_ADD, LANE_SAVE, LANE_RESET };

typedef struct lane_job {
    int32_t kind;
    int32_t again; /* after a restart */
    uint32_t round;
    uint32_t client;
    uint64_t update;
    uint32_t content;
} lane_job;

typedef struct journal_update {
    uint32_t client;
    uint32_t content;
    uint64_t update;
    uint32_t base; /* model that it started from */
} journal_update;

/* What outlives the process of the present round: record 0 is its plan and who was asked, the
 * others are accepted updates, and at last that it is closed: without a client. */
typedef struct journal {
    uint32_t session, round, model;
    uint32_t asked_count;
    uint32_t asked[MOST_CLIENTS];
    uint64_t tasks[MOST_CLIENTS];
    journal_update updates[MOST_JOURNAL];
    uint64_t counted[MOST_CLIENTS]; /* which update of each client counted last before it */
    uint32_t written;               /* records; 0: there is none */
    uint32_t flushed;               /* of them */
    int32_t flushing;
} journal;

typedef struct handover {
    uint32_t round; /* 0: there is none */
    uint32_t partial;
    int32_t closed; /* the journal has it */
    int32_t done;
    uint64_t call; /* 0: none is under way */
} handover;

typedef struct combiner_shell {
    fedn__combiner_engine *engine;
    int32_t draining;
    uint32_t active_told;

    held_call held[MOST_HELD];
    uint32_t held_count;
    shelf_item shelf[MOST_SHELF];
    uint32_t shelf_count;

    lane_job lane[MOST_LANE];
    uint32_t lane_count;
    int32_t begun; /* there is an aggregate */
    contents sum;

    /* the link to the reducer */
    fedn__link link;
    uint64_t link_id;
    uint64_t run_id; /* the reducer's, of this link */
    uint32_t wire;
    int32_t up;
    uint64_t sent_seq;
    int64_t pause_ms;
    uint32_t report_round; /* whose report is not acknowledged; 0: none */
    uint32_t fetching;     /* model; 0: none */
    uint64_t fetch_call;
    handover handover;

    /* on disk */
    uint64_t models; /* a bit each */
    journal journal;
    journal dropped; /* the one before, whose end may not be on disk yet */
    int64_t dropped_until_ms;
} combiner_shell;

combiner_shell *combiner_of(const world *w, uint32_t node);
void combiner_drain(world *w, uint32_t node);
/* What a round is told to be; its owner is the caller. */
void combiner_plan(world *w, uint32_t session, uint32_t round, uint32_t model,
                   fedn__round_plan *ret);
void combiner_new_id(char id[FEDN__UUID_TEXT], void *w);

/* combiner_calls.c */
void combiner_reply(world *w, uint32_t node, const fedn__combiner_action *action);
void combiner_end_stream(world *w, uint32_t node, const fedn__combiner_action *action);
void combiner_send_task(world *w, uint32_t node, const fedn__combiner_action *action);
shelf_item *combiner_shelf_find(combiner_shell *shell, uint64_t update);
void combiner_shelf_drop(combiner_shell *shell, uint64_t update);
/* client RPCs */
void combiner_call(world *w, uint32_t wire, const message *what);
void combiner_client_gone(world *w, uint32_t wire);

/* combiner_work.c */
void combiner_begin(world *w, uint32_t node, int32_t again);
void combiner_fold(world *w, uint32_t node, const fedn__participant *client);
void combiner_save(world *w, uint32_t node);
void combiner_abandon(world *w, uint32_t node);

/* combiner_journal.c */
void journal_begin(world *w, uint32_t node);
void journal_add(world *w, uint32_t node, const fedn__participant *client);
void journal_close(world *w, uint32_t node);
void journal_drop(world *w, uint32_t node);
/* What is left of it after a crash. */
void journal_tear(world *w, uint32_t node);
void journal_restore(world *w, uint32_t node);
uint32_t journal_content(const combiner_shell *shell, uint64_t update);

/* combiner_uplink.c */
void uplink_start(world *w, uint32_t node);
void uplink_send(world *w, uint32_t node, message *what);
void uplink_message(world *w, uint32_t wire, const message *what);
void uplink_closed(world *w, uint32_t wire);

/* combiner_upstream.c */
void combiner_from_above(world *w, uint32_t node, const message *what);
void combiner_link_up(world *w, uint32_t node);
void combiner_send_roster(world *w, uint32_t node);
void combiner_send_progress(world *w, uint32_t node);
void combiner_send_report(world *w, uint32_t node, const char *error);
void combiner_fetch(world *w, uint32_t node, const char *model_id);
void combiner_hand_over(world *w, uint32_t node);
void combiner_transfer_answered(world *w, uint32_t node, const message *what);
void combiner_transfers_fail(world *w, uint32_t node);

#endif
