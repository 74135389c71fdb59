/* SPDX-License-Identifier: Apache-2.0
 * The clients of a combiner: who is connected, when each was last seen. Pure. */
#ifndef FEDN__ROLES_COMBINER_ROSTER_H
#define FEDN__ROLES_COMBINER_ROSTER_H

#include "core/limits.h"
#include "core/map.h"
#include "core/uuid.h"

#define FEDN__REASON_BYTES 240

/* One client. */
typedef struct fedn__participant {
    struct fedn__participant *older; /* in its list, by when it was last seen */
    struct fedn__participant *newer;
    int32_t asleep; /* which list: 0 awake, 1 asleep */
    char *id;
    char *name;
    int64_t last_seen_ms;
    uint64_t stream; /* token of its open TaskStream; 0: none */
    int32_t online;  /* seen within the liveness bound, with a stream */

    /* its part in the present round */
    int32_t outcome;
    char task_id[FEDN__UUID_TEXT];
    char update_id[FEDN__UUID_TEXT];    /* announced last */
    uint64_t reply;                     /* call that waits for the answer; 0: none */
    uint8_t digest[FEDN__DIGEST_BYTES]; /* of that update */
    int32_t stored;                     /* the journal has it */
    char base_id[FEDN__UUID_TEXT];      /* the model that it started from */
    uint32_t staleness;                 /* models since then */
    int32_t carried;                    /* it still trains for an earlier asynchronous round */
    int32_t reopened;                   /* its stream is newer than its task, which may be lost */
    char session_id[FEDN__UUID_TEXT];   /* that it was asked in last */
    int32_t parked;                     /* it came between two asynchronous rounds */
    char counted_id[FEDN__UUID_TEXT];   /* the last that counted, of whatever round */
    double num_examples;
    uint64_t lot; /* drawn for the present round */
    int64_t asked_at_ms;
    int64_t answered_at_ms;
    char reason[FEDN__REASON_BYTES];
} fedn__participant;

typedef struct fedn__participant_list {
    fedn__participant *oldest;
    fedn__participant *newest;
} fedn__participant_list;

/* Clients unseen for longer than the liveness bound sleep in a list of their own, so that looking
 * for the next one to expire never passes over them. */
typedef struct fedn__roster {
    fedn__map by_id;
    fedn__participant_list lists[2];
    uint32_t count;
    uint32_t online;
    uint32_t limit;
} fedn__roster;

void fedn__roster_init(fedn__roster *roster, uint32_t limit);
void fedn__roster_done(fedn__roster *roster);

fedn__participant *fedn__roster_find(const fedn__roster *roster, const char *client_id);
/* The client of this id, made (asleep) if there is none. A full roster gives up the client that has
 * slept longest and takes no part in a round; FEDN_ERR_LIMIT if there is none. An empty name keeps
 * the one that is known. */
fedn_status fedn__roster_join(fedn__roster *roster, const char *client_id, const char *name,
                              fedn__participant **ret);
/* It was seen now: it is awake, and the newest. */
void fedn__roster_seen(fedn__roster *roster, fedn__participant *client, int64_t now_ms);
void fedn__roster_sleep(fedn__roster *roster, fedn__participant *client);
/* The awake client that was seen longest ago; NULL: none. */
fedn__participant *fedn__roster_oldest(const fedn__roster *roster);
void fedn__roster_set_online(fedn__roster *roster, fedn__participant *client, int32_t online);

#endif
