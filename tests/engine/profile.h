/* SPDX-License-Identifier: Apache-2.0
 * What one schedule is like: how many take part, how they are set, what goes wrong how often. */
#ifndef SIMULATE_PROFILE_H
#define SIMULATE_PROFILE_H

#include <stdint.h>

enum { MOST_COMBINERS = 3, MOST_CLIENTS = 8, MOST_ROUNDS = 4 };
enum { ROLE_REDUCER, ROLE_COMBINER, ROLE_CLIENT, ROLES };

/* Mistakes that a shell could make; switched on to see that the checks find them. */
enum {
    MISTAKE_NONE,
    MISTAKE_EARLY_REPLY,
    MISTAKE_MERGE_TWICE,
    MISTAKE_EARLY_ACK,
    MISTAKE_LATE_RECORD,
    MISTAKE_GIVE_UP,
    MISTAKE_REOPEN
};

typedef struct profile {
    /* Gentle: whatever goes wrong is over long before anybody's time-out, so that every round
     * succeeds and every acknowledged update counts. */
    int32_t gentle;
    uint32_t combiners;
    uint32_t clients;
    uint32_t sessions; /* one after the other */
    uint32_t rounds;
    uint32_t clients_required;
    int32_t buffer_size;
    int32_t validate;
    int32_t async; /* updates of this many models count: the newest, and older ones */
    int64_t round_timeout_ms;
    int64_t heartbeat_ms;
    int64_t liveness_ms;
    int64_t call_timeout_ms;
    int64_t reconnect_max_ms;
    int64_t grace_ms;
    int64_t gone_ms;
    uint32_t max_failures;

    /* the longest that it takes, when nothing is slow */
    int64_t latency_ms;
    int64_t train_ms;
    int64_t work_ms;
    int64_t disk_ms;
    int64_t down_ms; /* until a process is started again */

    /* in a million */
    uint32_t cuts;           /* of a connection, at a message */
    uint32_t crashes[ROLES]; /* at an action */
    int32_t deadly_role;     /* whose processes mostly die after one kind of action; -1: of none */
    int32_t deadly_action;
    uint32_t disk_failures; /* of a disk, at a write: it fails for a while */
    uint32_t bad_updates;   /* at a fold */
    uint32_t bad_partials;
    uint32_t failed_tasks;
    uint32_t departures; /* of a client for good, at a crash */
    uint32_t slow_nodes;
    uint32_t stops; /* of a session, from outside */

    uint32_t most_crashes;
    int64_t faults_until_ms;
} profile;

/* `faults` 0: none of what goes wrong. */
void profile_draw(profile *p, uint64_t *random);
/* By when a session that began at `from_ms` is over, if nothing goes wrong any more. */
int64_t profile_bound_ms(const profile *p);

#endif
