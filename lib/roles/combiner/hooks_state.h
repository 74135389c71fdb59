/* SPDX-License-Identifier: Apache-2.0
 * The inside of what asks the hooks service, shared by its two files and nobody else. */
#ifndef FEDN__ROLES_COMBINER_HOOKS_STATE_H
#define FEDN__ROLES_COMBINER_HOOKS_STATE_H

#include "core/json.h"
#include "core/limits.h"
#include "roles/combiner/hooks.h"
#include "roles/combiner/hooks_wire.h"

enum { HAS_SELECTION = 1, HAS_SETTINGS = 2, HAS_AGGREGATE = 4 };

/* One question, call by call. */
typedef struct fedn__talk {
    fedn__hooks *hooks;
    void (*step)(struct fedn__talk *talk); /* the call that is made, or made again */
    void (*done)(struct fedn__talk *talk, const fedn__hooks_reply *reply);
    fedn__timer timer;
    int32_t waits; /* for the timer */
    uint32_t tries;
    uint32_t has; /* functions */
    int32_t merges;
    int32_t emptied; /* the service has forgotten what an earlier question left */
    fedn__hooks_sending *sending;
    fedn__hooks_receiving *receiving;
    char key[FEDN__LIMIT_ID_BYTES + 1]; /* the model's id, of an aggregation the round's */
    char *code;
    fedn__blob *global;
    char note[512]; /* "": none */
    /* at a round's start */
    char *client_ids;
    json_t *chosen;
    const char **ids; /* of `chosen` */
    uint64_t count;
    char *settings;
    /* at its end */
    fedn__hooks_update *updates;
    uint64_t update_count;
    uint64_t at; /* the update that is being sent */
} fedn__talk;

struct fedn__hooks {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__channel *channel;
    fedn__hooks_options options;
    const fedn__hooks_events *events;
    void *user_data;
    fedn__talk *present; /* whose answer counts; NULL: none */
    uint32_t calls;      /* under way */
    int32_t freed;
    int32_t unclean; /* the service may hold updates of an aggregation that was not ended */
};

/* hooks_step.c: makes the first call. */
void fedn__talk_begin(fedn__talk *talk);
void fedn__talk_begin_again(fedn__talk *talk);

/* hooks.c: it is over, with an answer. `model` of an aggregation. */
void fedn__talk_end(fedn__talk *talk, const char *error, fedn__blob *model);
/* The same call once more, of an aggregation that began all of it; 0: no more. */
int32_t fedn__talk_again(fedn__talk *talk, int32_t rpc, int32_t same);
/* The calls, whose reply goes to talk->done unless nobody waits for it any more. */
void fedn__talk_unary(fedn__talk *talk, const char *path, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *response);
void fedn__talk_send(fedn__talk *talk, const char *id, fedn__blob *model);
void fedn__talk_receive(fedn__talk *talk);

#endif
