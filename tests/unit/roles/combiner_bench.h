/* SPDX-License-Identifier: Apache-2.0
 * A combiner's engine on a bench: events by name, and what its actions were. */
#ifndef FEDN__COMBINER_BENCH_H
#define FEDN__COMBINER_BENCH_H

#include "roles/combiner/engine.h"

#define MODEL   "11111111-1111-4111-8111-111111111111"
#define SESSION "22222222-2222-4222-8222-222222222222"

typedef struct bench {
    fedn__combiner_engine *engine;
    int64_t now;
    uint64_t next_id;
    /* what the actions were */
    uint32_t tasks;
    uint32_t folds;
    uint32_t saves;
    uint32_t reports;
    uint32_t journaled;
    uint32_t forgotten;
    uint32_t replies_later;
    int32_t report_lost; /* nobody acknowledges it */
    uint32_t replies_ok;
    uint32_t replies_refused;
    uint32_t begins;
    uint32_t ended;
    uint32_t drops;
    uint32_t abandons;
    char reason[FEDN__REASON_BYTES];
    char report_error[FEDN__REASON_BYTES];
    fedn__combiner_counts reported;
} bench;

void bench_ids(char id[FEDN__UUID_TEXT], void *user_data);
void bench_drain(bench *b);
bench *bench_new(uint32_t max_clients);
void bench_free(bench *b);
void bench_attach(bench *b, const char *client, uint64_t stream);
void bench_attach_many(bench *b, uint32_t count);
fedn__round_plan bench_plan(const char *round_id, int32_t buffer_size);
void bench_start(bench *b, const char *round_id, int32_t buffer_size);
fedn__announcement bench_said(const char *client, const char *update, const char *round_id);
void bench_announce(bench *b, const fedn__announcement *a);
void bench_folded(bench *b, const char *client, const char *update, const char *error);
void bench_update(bench *b, const char *client, const char *update_id, const char *round_id);

#endif
