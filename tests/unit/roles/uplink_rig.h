/* SPDX-License-Identifier: Apache-2.0
 * A combiner's link against a scripted reducer. */
#ifndef FEDN__UPLINK_RIG_H
#define FEDN__UPLINK_RIG_H

#include "fake_tier.h"
#include "test.h"

#include "roles/combiner/uplink.h"
#include <pthread.h>

typedef struct rig {
    fake_tier *tier;
    fedn__loop *loop;
    fedn__uplink *uplink;
    fedn__log log;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    uint32_t ups;
    uint32_t messages;
    uint32_t reports_taken;
    const char *held_round; /* what the hello says; set before the link is dialled */
    char rounds[256];       /* the round ids of orders, in their order */
    char lines[4096];       /* of the log */
    int32_t gone;
} rig;

typedef struct sending {
    rig *r;
    uint32_t first;
    uint32_t count;
    uint64_t bytes; /* of each */
    int32_t record;
    fedn_status rc;
    uint32_t taken;
} sending;

/* Waits until the counter, one of the rig's, is there. */
void rig_await(rig *r, const uint32_t *counter, uint32_t count);
/* How often the log has the word. */
int32_t rig_logged(rig *r, const char *word);
void rig_await_log(rig *r, const char *word);
void rig_start(void *arg);
fedn_status rig_make_uplink(rig *r, fedn_error *err);
rig *rig_new(void);
/* One whose link is up. */
rig *rig_linked(void);
void rig_on_gone(void *user_data);
void rig_close_now(void *arg); /* on the loop */
void rig_close(rig *r);
void rig_free(rig *r);
/* On the loop. */
void rig_do_send(void *arg);
void rig_send_some(rig *r, uint32_t first, uint32_t count);
/* The messages "0", "1", ... came once each, in order; after a loss of memory some came twice. */
void rig_assert_came(rig *r, uint32_t count);
const Fedn__Tier__V1__Hello *rig_hello(rig *r, uint32_t nth);

#endif
