/* SPDX-License-Identifier: Apache-2.0
 * A client under test with its fake network, and an application whose callbacks do as told. */
#ifndef FEDN__CLIENT_RIG_H
#define FEDN__CLIENT_RIG_H

#include "fake_combiner.h"
#include "test.h"

#include "core/thread.h"
#include <fedn/fedn.h>

#define MODEL_A "aaaaaaaa-0000-4000-8000-000000000001"
#define MODEL_B "bbbbbbbb-0000-4000-8000-000000000002"
#define ROUND_1 "{\"round_id\":\"1\",\"helper_type\":\"numpyhelper\"}"
#define ROUND_2 "{\"round_id\":\"2\",\"helper_type\":\"numpyhelper\"}"

/* as fedn.proto numbers them */
enum { TRAIN = 2, VALIDATE = 4, PREDICT = 5 };
enum { LEVEL_INFO = 1, LEVEL_ERROR = 4 };

/* How the application answers a training task. */
enum { WITH_TENSORS, WITH_BYTES, WITH_OWN_FILE, WITH_FILE_ELSEWHERE, WITH_NOTHING, WITH_FAILURE };

typedef struct rig {
    fake_combiner *combiner;
    fake_reducer *reducer;
    fedn_config *config;
    fedn_client *client;
    char *dir; /* a scratch directory */

    int32_t how;
    int32_t wait_for_go;     /* training waits for `go` */
    int32_t wait_for_cancel; /* training goes on until it is cancelled */
    fedn__flag entered;      /* a callback runs */
    fedn__flag go;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t cond;
    uint32_t trainings;
    uint32_t validations;
    uint32_t cancelled;
    char log[4096]; /* warnings and errors, a line each */
} rig;

/* Fakes, a configuration that names them, no client yet. */
void rig_init(rig *r);
void rig_done(rig *r);
void rig_set(rig *r, const char *name, const char *value);
/* A client with all three callbacks. */
void rig_client(rig *r);
/* ... that the reducer assigns to the combiner, started. */
void rig_start(rig *r);
/* Waits until a line of the log names all of these words ('_' stands for a space). */
void rig_wait_log(rig *r, const char *words);
uint32_t rig_log_count(rig *r, const char *words);
/* One of the rig's counters, which callbacks write. */
uint32_t rig_seen(rig *r, const uint32_t *counter);
/* A model of one tensor of 2 float32 with this value, in the combiner's hands. */
void rig_put_model(rig *r, const char *id, float value);
/* Text of a field of a message, "sender.name" for one of a submessage. */
const char *rig_text(const json_t *message, const char *path);
int64_t rig_number(const json_t *message, const char *path);
/* What lies in a field as JSON text; json_decref() it. */
json_t *rig_json(const json_t *message, const char *path);

#endif
