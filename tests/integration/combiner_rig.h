/* SPDX-License-Identifier: Apache-2.0
 * A combiner between a scripted reducer and a scripted client, whose name is Ann. */
#ifndef FEDN__COMBINER_RIG_H
#define FEDN__COMBINER_RIG_H

#include "fake_tier.h"
#include "raw_call.h"
#include "test.h"

#include "fedn.pb-c.h"
#include <fedn/fedn.h>
#include <pthread.h>

#define MODEL  "11111111-1111-4111-8111-111111111111"
#define UPDATE "44444444-4444-4444-8444-444444444444"

/* What streams of the client's side have brought. */
typedef struct heard {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    Fedn__TaskRequest *tasks[64];
    uint32_t task_count;
    int32_t health[8];
    uint32_t health_count;
    uint32_t opened;
    uint32_t ended;
    int32_t rpc; /* of the last that ended */
} heard;

typedef struct rig {
    fake_tier *tier;
    fedn_combiner *combiner;
    char *dir;
    raw_caller *ann;
    fedn__stream *stream; /* the last that was opened */
    const char *path;
    heard heard;
} rig;

void rig_set(fedn_config *config, const char *name, const char *value);
fedn_config *rig_configuration(rig *r);
rig *rig_new(void);
void rig_free(rig *r);
void rig_stop(rig *r);
/* Waits until the counter of r->heard is there. */
void rig_await(rig *r, const uint32_t *counter, uint32_t count);
uint32_t rig_number(rig *r, const uint32_t *counter);
/* Waits until so many streams have ended, the last with this status. */
void rig_await_end(rig *r, uint32_t count, int32_t rpc);
/* Opens the client's stream of tasks, and waits until it is open. */
void rig_open_tasks(rig *r);
/* Begins an upload that does not go on, and waits until it is open. */
void rig_half_upload(rig *r);
/* Cancels the stream that was opened last. */
void rig_cancel(rig *r);
void rig_offer_model(rig *r);
/* A model of four elements of this value as .npz; fedn_free() it. */
void rig_encode(float value, void **data, uint64_t *bytes);
/* As the client's update: whatever it is, or a sound one. */
void rig_upload(rig *r, const void *data, uint64_t bytes);
void rig_upload_update(rig *r);
void rig_announce(rig *r, const char *round_id, const char *words);
const Fedn__Tier__V1__RoundReport *rig_report(rig *r, uint32_t nth);
/* Waits until a roster says that so many are active; its changes have this many clients. */
void rig_await_roster(rig *r, uint32_t *nth, uint32_t active);
/* A client that is known above, and a round that it has been asked in. */
rig *rig_in_round(void);
/* For streams of a test's own: the mutex is held before, and free after it. */
void rig_changed(rig *r, uint32_t *counter);
void rig_on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data);

#endif
