/* SPDX-License-Identifier: Apache-2.0
 * A listener and a channel in one process, each on a loop of its own, for the tests of rpc. What
 * happens on the loops is noted; the test's thread waits for it and asserts. */
#ifndef FEDN__TEST_RIG_H
#define FEDN__TEST_RIG_H

#include "fedn.pb-c.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/transfer.h"
#include "test.h"

#include <pthread.h>

/* What the loops write and the test's thread reads. */
typedef struct rig_notes {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    char text[4096]; /* one word per event, in order */
} rig_notes;

void rig_note(rig_notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fails the test if the word has not come within 20 s. */
void rig_wait(rig_notes *notes, const char *word);
/* The same for the `count`th of its kind. */
void rig_wait_count(rig_notes *notes, const char *word, int count);
int rig_count(rig_notes *notes, const char *word);
void rig_notes_init(rig_notes *notes);

typedef struct test_rig {
    fedn__loop *serving;
    fedn__loop *dialling;
    fedn__pool *pool;
    fedn__server *server;
    fedn__channel *channel;
    char target[64];
    rig_notes notes;
} test_rig;

/* A listener on a free port of 127.0.0.1, and a channel to it. */
void rig_start(test_rig *rig, const fedn__method *methods, uint32_t count);
void rig_start_with(test_rig *rig, const fedn__method *methods, uint32_t count,
                    const fedn__server_options *options);
void rig_stop(test_rig *rig);
void rig_dial(test_rig *rig); /* another channel in the place of the present one */
void rig_hang_up(test_rig *rig);
/* fn(arg) on the dialling or the serving loop; returns when it has run. */
void rig_dialling(test_rig *rig, void (*fn)(void *arg), void *arg);
void rig_serving(test_rig *rig, void (*fn)(void *arg), void *arg);

typedef struct rig_answer {
    int32_t rpc;
    char details[512];
    char response[512]; /* Fedn__Response.response */
} rig_answer;

/* A heartbeat of a client of this name to the path; waits for the answer. */
rig_answer rig_beat(test_rig *rig, const char *path, const char *name, int64_t timeout_ms);
rig_answer rig_ask(test_rig *rig, const char *path, const ProtobufCMessage *request,
                   int64_t timeout_ms);

#endif
