/* SPDX-License-Identifier: Apache-2.0
 * The rules of a combiner under rounds of random events from seeds: the books stay right. */
#include "combiner_bench.h"
#include "test.h"

enum { CLIENTS = 6 };

typedef struct world {
    bench *b;
    uint64_t random;
    uint32_t round;
    uint64_t streams[CLIENTS];
    char checking[CLIENTS][16]; /* update that is on the worker; "" */
    uint32_t accepted_now;      /* told OK in this round */
    int32_t open;
    uint32_t updates;
} world;

static uint32_t draw(world *w, uint32_t below)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % below;
}

static void check(world *w)
{
    const fedn__roster *roster = fedn__combiner_engine_roster(w->b->engine);
    fedn__combiner_counts c = fedn__combiner_engine_counts(w->b->engine);
    uint32_t asked = 0;
    uint32_t online = 0;

    fedn__combiner_engine_asked(w->b->engine, &asked);
    if (c.pending + c.checking + c.accepted + c.refused + c.failed != asked)
        fail_msg("counts do not add up to %u asked", (unsigned)asked);
    for (const fedn__participant *p = fedn__roster_oldest(roster); p; p = p->newer)
        online += (uint32_t)p->online;
    assert_int_equal(online, roster->online);
    assert_true(w->b->reports <= w->round);
}

static void random_update(world *w, const char *name, uint32_t i)
{
    char id[32] = "";
    char round_id[32] = "";
    fedn__announcement a = bench_said(name, id, round_id);
    uint32_t folds = w->b->folds;

    snprintf(id, sizeof id, "u%u", (unsigned)++w->updates);
    snprintf(round_id, sizeof round_id, "%u", (unsigned)(w->round - (draw(w, 4) == 0)));
    a.num_examples = draw(w, 10) == 0 ? -1 : 5;
    bench_announce(w->b, &a);
    if (w->b->folds > folds)
        snprintf(w->checking[i], sizeof w->checking[i], "%s", id);
}

static void random_fold(world *w, const char *name, uint32_t i)
{
    uint32_t ok = w->b->replies_ok;

    if (!w->checking[i][0])
        return;
    bench_folded(w->b, name, w->checking[i], draw(w, 5) == 0 ? "shapes differ" : NULL);
    w->checking[i][0] = 0;
    w->accepted_now += w->b->replies_ok - ok;
}

static void random_stream(world *w, const char *name, uint32_t i)
{
    if (w->streams[i] && draw(w, 2)) {
        fedn__combiner_engine_detach(w->b->engine, name, w->streams[i]);
        w->streams[i] = 0;
    } else {
        w->streams[i] = 1000 + ++w->b->next_id;
        fedn__combiner_engine_attach(w->b->engine, w->b->now, name, "", w->streams[i]);
    }
    bench_drain(w->b);
}

static void random_round(world *w)
{
    char round_id[16];

    if (w->b->reports < w->round && draw(w, 8))
        return; /* now and then a new round comes although the last one runs */
    snprintf(round_id, sizeof round_id, "%u", (unsigned)++w->round);
    w->b->reports = w->round - 1;
    w->accepted_now = 0;
    bench_start(w->b, round_id, (int32_t)draw(w, 4) - 1);
}

static void random_saved(world *w)
{
    char round_id[16];
    uint32_t reports = w->b->reports;

    snprintf(round_id, sizeof round_id, "%u", (unsigned)w->round);
    fedn__combiner_engine_saved(w->b->engine, w->b->now, round_id,
                                draw(w, 10) == 0 ? "disk full" : NULL);
    bench_drain(w->b);
    /* every client that was told OK is in the report, and nobody else */
    if (w->b->reports > reports)
        assert_int_equal(w->b->reported.accepted, w->accepted_now);
}

static void step(world *w)
{
    uint32_t i = draw(w, CLIENTS);
    char name[8];

    snprintf(name, sizeof name, "c%u", (unsigned)i);
    w->b->now += draw(w, 50);
    switch (draw(w, 8)) {
    case 0:
        random_stream(w, name, i);
        break;
    case 1:
        w->b->now += draw(w, 3) == 0 ? draw(w, 9000) : 0;
        fedn__combiner_engine_tick(w->b->engine, w->b->now);
        bench_drain(w->b);
        break;
    case 2:
        random_round(w);
        break;
    case 3:
    case 4:
        random_update(w, name, i);
        break;
    case 5:
        random_fold(w, name, i);
        break;
    case 6:
        random_saved(w);
        break;
    default:
        fedn__combiner_engine_heartbeat(w->b->engine, w->b->now, name, "");
        bench_drain(w->b);
        break;
    }
    check(w);
}

/* Nothing more comes from anybody: time alone must end the round. */
static void silence_ends_the_round(world *w)
{
    char name[8];

    for (uint32_t i = 0; i < CLIENTS; i++) {
        snprintf(name, sizeof name, "c%u", (unsigned)i);
        random_fold(w, name, i);
    }
    for (int i = 0; i < 1000 && fedn__combiner_engine_deadline(w->b->engine) != INT64_MAX; i++) {
        w->b->now = fedn__combiner_engine_deadline(w->b->engine);
        fedn__combiner_engine_tick(w->b->engine, w->b->now);
        bench_drain(w->b);
    }
    random_saved(w);
    assert_true(fedn__combiner_engine_is_idle(w->b->engine));
}

static void random_events_keep_the_books_right(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        world w = {.b = bench_new(CLIENTS), .random = seed * 7919};
        for (int i = 0; i < 300; i++)
            step(&w);
        silence_ends_the_round(&w);
        bench_free(w.b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events_keep_the_books_right),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
