/* SPDX-License-Identifier: Apache-2.0
 * A reducer's engine on a bench: events by name, and what the last one caused. */
#ifndef FEDN__REDUCER_BENCH_H
#define FEDN__REDUCER_BENCH_H

#include "roles/reducer/engine.h"

#define MODEL_0 "00000000-0000-4000-8000-000000000000"
#define MODEL_1 "00000000-0000-4000-8000-000000000001"
#define PARTIAL "10000000-0000-4000-8000-000000000000"

typedef struct bench {
    fedn__reducer_engine *engine;
    int64_t now;
    fedn__reducer_action actions[256]; /* what the last event caused */
    uint32_t count;
} bench;

void bench_drain(bench *f);
uint32_t bench_seen(const bench *f, int32_t type);
const fedn__reducer_action *bench_action(const bench *f, int32_t type);
int bench_setup(void **state);
int bench_teardown(void **state);
fedn__reducer_hello bench_hello(const char *name, const char *link);
fedn__reducer_combiner *bench_attach(bench *f, const char *name, const char *link, uint32_t active);
void bench_start(bench *f, uint32_t rounds, uint32_t clients);
int32_t bench_report(bench *f, fedn__reducer_combiner *combiner, uint64_t round,
                     const char *partial);
void bench_merged(bench *f, uint64_t round, uint32_t part, fedn_status status);
void bench_committed(bench *f, uint64_t round, fedn_status status);
void bench_tick(bench *f, int64_t ms);
const fedn__reducer_session *bench_session(const bench *f);

#endif
