/* SPDX-License-Identifier: Apache-2.0
 * A client's engine on a bench: events by name, and its actions as letters. */
#ifndef FEDN__CLIENT_BENCH_H
#define FEDN__CLIENT_BENCH_H

#include "test.h"

#include "roles/client/engine.h"

#define MODEL_A "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define MODEL_B "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"

/* Every action of an event as one letter: A assign, D dial, H hang up, b heartbeat, F fetch, K
 * keep, R run, X cancel, U upload, S answer, E answer that reports a failure, - release, Q refuse,
 * w a warning, . finished. Other lines of the log have none. */
typedef struct bench {
    fedn__client_engine *engine;
    int64_t now;
    uint64_t dial;
    uint64_t step;
    char trace[64];
    char text[FEDN_ERROR_MESSAGE_BYTES]; /* of the last action that had one */
    fedn_status status;
    int32_t moved;        /* of the last action with an order */
    char correlation[64]; /* of that order */
} bench;

#define expect(b, wanted)                                                                          \
    do {                                                                                           \
        bench_drain(b);                                                                            \
        assert_string_equal((b)->trace, wanted);                                                   \
    } while (0)

void bench_drain(bench *b);
void bench_new(bench *b, const char *direct);
void bench_free(bench *b);
fedn__order *bench_order(fedn_task_type type, const char *correlation, const char *round,
                         const char *model);
void bench_give(bench *b, fedn_task_type type, const char *correlation, const char *round,
                const char *model);
void bench_assigned(bench *b, const char *target);
void bench_up(bench *b);
/* Assigned to "host:1", dialled and answered. */
void bench_connected(bench *b);
void bench_closed(bench *b, fedn_status status);
/* Goes to the deadline, which must be within `most` of now. */
void bench_wait(bench *b, int64_t most);

#endif
