/* SPDX-License-Identifier: Apache-2.0
 * A combiner's engine on a bench; see combiner_bench.h. */
#include "combiner_bench.h"

#include "test.h"
#include <stdlib.h>

void bench_ids(char id[FEDN__UUID_TEXT], void *user_data)
{
    bench *b = user_data;

    snprintf(id, FEDN__UUID_TEXT, "00000000-0000-4000-8000-%012llu",
             (unsigned long long)++b->next_id);
}

void bench_drain(bench *b)
{
    fedn__combiner_action action;

    while (fedn__combiner_engine_next(b->engine, &action)) {
        switch (action.type) {
        case FEDN__COMBINER_SEND_TASK:
            b->tasks++;
            break;
        case FEDN__COMBINER_FOLD:
            b->folds++;
            break;
        case FEDN__COMBINER_SAVE:
            b->saves++;
            break;
        case FEDN__COMBINER_BEGIN:
            b->begins++;
            break;
        case FEDN__COMBINER_END_STREAM:
            b->ended++;
            break;
        case FEDN__COMBINER_DROP_UPDATE:
            b->drops++;
            break;
        case FEDN__COMBINER_ABANDON:
            b->abandons++;
            break;
        case FEDN__COMBINER_JOURNAL:
            b->journaled++;
            fedn__combiner_engine_journaled(b->engine, b->now, action.client->id,
                                            action.client->update_id);
            break;
        case FEDN__COMBINER_FORGET:
            b->forgotten++;
            break;
        case FEDN__COMBINER_REPLY:
            b->replies_later += action.ok == FEDN__REPLY_LATER;
            b->replies_ok += action.ok == FEDN__REPLY_COUNTED;
            b->replies_refused += action.ok == FEDN__REPLY_REFUSED;
            snprintf(b->reason, sizeof b->reason, "%s", action.text ? action.text : "");
            break;
        case FEDN__COMBINER_REPORT:
            b->reports++;
            b->reported = fedn__combiner_engine_counts(b->engine);
            snprintf(b->report_error, sizeof b->report_error, "%s", action.text ? action.text : "");
            if (!b->report_lost)
                fedn__combiner_engine_report_taken(b->engine,
                                                   fedn__combiner_engine_plan(b->engine)->round_id);
            break;
        default:
            break;
        }
    }
}

bench *bench_new(uint32_t max_clients)
{
    fedn__combiner_settings settings = {.max_clients = max_clients, .liveness_ms = 10000};
    fedn_error err;
    bench *b = calloc(1, sizeof *b);

    assert_ok(fedn__combiner_engine_new(&settings, &b->engine, &err), &err);
    b->now = 1000;
    return b;
}

void bench_free(bench *b)
{
    fedn__combiner_engine_free(b->engine);
    free(b);
}

void bench_attach(bench *b, const char *client, uint64_t stream)
{
    assert_int_equal(fedn__combiner_engine_attach(b->engine, b->now, client, "somebody", stream),
                     FEDN_OK);
    bench_drain(b);
}

void bench_attach_many(bench *b, uint32_t count)
{
    char name[16];

    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "c%u", (unsigned)i);
        bench_attach(b, name, 100 + i);
    }
}

fedn__round_plan bench_plan(const char *round_id, int32_t buffer_size)
{
    fedn__round_plan p = {.clients_required = 1, .buffer_size = buffer_size, .timeout_ms = 60000};

    snprintf(p.session_id, sizeof p.session_id, SESSION);
    snprintf(p.round_id, sizeof p.round_id, "%s", round_id);
    snprintf(p.model_id, sizeof p.model_id, MODEL);
    return p;
}

void bench_start(bench *b, const char *round_id, int32_t buffer_size)
{
    fedn__round_plan p = bench_plan(round_id, buffer_size);

    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &p), FEDN_OK);
    bench_drain(b);
    assert_int_equal(
        fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, bench_ids, b), FEDN_OK);
    bench_drain(b);
}

fedn__announcement bench_said(const char *client, const char *update, const char *round_id)
{
    fedn__announcement a = {.call = 7,
                            .client_id = client,
                            .update_id = update,
                            .model_id = MODEL,
                            .round_id = round_id,
                            .session_id = SESSION,
                            .num_examples = 10};
    return a;
}

void bench_announce(bench *b, const fedn__announcement *a)
{
    assert_int_equal(fedn__combiner_engine_update(b->engine, b->now, a), FEDN_OK);
    bench_drain(b);
}

void bench_folded(bench *b, const char *client, const char *update, const char *error)
{
    assert_int_equal(fedn__combiner_engine_folded(b->engine, b->now, client, update, error),
                     FEDN_OK);
    bench_drain(b);
}

void bench_update(bench *b, const char *client, const char *update_id, const char *round_id)
{
    fedn__announcement a = bench_said(client, update_id, round_id);

    bench_announce(b, &a);
    bench_folded(b, client, update_id, NULL);
}
