/* SPDX-License-Identifier: Apache-2.0
 * The rules of a combiner: scenarios by hand, then rounds of random events from seeds. */
#include "test.h"

#include "core/text.h"
#include "roles/combiner/engine.h"
#include <math.h>
#include <stdlib.h>

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

static void ids(char id[FEDN__UUID_TEXT], void *user_data)
{
    bench *b = user_data;

    snprintf(id, FEDN__UUID_TEXT, "00000000-0000-4000-8000-%012llu",
             (unsigned long long)++b->next_id);
}

static void drain(bench *b)
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
        case FEDN__COMBINER_REPLY:
            *(action.ok ? &b->replies_ok : &b->replies_refused) += 1;
            snprintf(b->reason, sizeof b->reason, "%s", action.text ? action.text : "");
            break;
        case FEDN__COMBINER_REPORT:
            b->reports++;
            b->reported = fedn__combiner_engine_counts(b->engine);
            snprintf(b->report_error, sizeof b->report_error, "%s", action.text ? action.text : "");
            break;
        default:
            break;
        }
    }
}

static bench *bench_new(uint32_t max_clients)
{
    fedn__combiner_settings settings = {.max_clients = max_clients, .liveness_ms = 10000};
    fedn_error err;
    bench *b = calloc(1, sizeof *b);

    assert_ok(fedn__combiner_engine_new(&settings, &b->engine, &err), &err);
    b->now = 1000;
    return b;
}

static void bench_free(bench *b)
{
    fedn__combiner_engine_free(b->engine);
    free(b);
}

static void attach(bench *b, const char *client, uint64_t stream)
{
    assert_int_equal(fedn__combiner_engine_attach(b->engine, b->now, client, "somebody", stream),
                     FEDN_OK);
    drain(b);
}

static void attach_many(bench *b, uint32_t count)
{
    char name[16];

    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "c%u", (unsigned)i);
        attach(b, name, 100 + i);
    }
}

static fedn__round_plan plan(const char *round_id, int32_t buffer_size)
{
    fedn__round_plan p = {.clients_required = 1, .buffer_size = buffer_size, .timeout_ms = 60000};

    snprintf(p.session_id, sizeof p.session_id, SESSION);
    snprintf(p.round_id, sizeof p.round_id, "%s", round_id);
    snprintf(p.model_id, sizeof p.model_id, MODEL);
    return p;
}

static void start(bench *b, const char *round_id, int32_t buffer_size)
{
    fedn__round_plan p = plan(round_id, buffer_size);

    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &p), FEDN_OK);
    drain(b);
    assert_int_equal(fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, ids, b),
                     FEDN_OK);
    drain(b);
}

static fedn__announcement said(const char *client, const char *update, const char *round_id)
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

static void announce(bench *b, const fedn__announcement *a)
{
    assert_int_equal(fedn__combiner_engine_update(b->engine, b->now, a), FEDN_OK);
    drain(b);
}

static void folded(bench *b, const char *client, const char *update, const char *error)
{
    assert_int_equal(fedn__combiner_engine_folded(b->engine, b->now, client, update, error),
                     FEDN_OK);
    drain(b);
}

static void update(bench *b, const char *client, const char *update_id, const char *round_id)
{
    fedn__announcement a = said(client, update_id, round_id);

    announce(b, &a);
    folded(b, client, update_id, NULL);
}

static void a_round_ends_when_all_asked_have_answered(void **state)
{
    bench *b = bench_new(10);

    (void)state;
    attach_many(b, 3);
    start(b, "1", -1);
    assert_int_equal(b->tasks, 3);
    update(b, "c0", "u0", "1");
    update(b, "c1", "u1", "1");
    assert_int_equal(b->saves, 0);
    update(b, "c2", "u2", "1");
    assert_int_equal(b->saves, 1);
    assert_int_equal(b->replies_ok, 3);
    assert_int_equal(fedn__combiner_engine_saved(b->engine, b->now, "1", NULL), FEDN_OK);
    drain(b);
    assert_int_equal(b->reports, 1);
    assert_string_equal(b->report_error, "");
    assert_int_equal(b->reported.accepted, 3);
    bench_free(b);
}

static void a_buffer_that_is_full_ends_the_round_and_late_updates_are_refused(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement late = said("c2", "u2", "1");

    (void)state;
    attach_many(b, 3);
    start(b, "1", 2);
    update(b, "c0", "u0", "1");
    update(b, "c1", "u1", "1");
    assert_int_equal(b->saves, 1);
    announce(b, &late);
    assert_int_equal(b->replies_refused, 1);
    test_assert_words(b->reason, "round_1_is_over");
    bench_free(b);
}

static void an_update_of_another_round_is_refused_and_costs_its_client_nothing(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement old = said("c0", "u-old", "1");

    (void)state;
    attach_many(b, 1);
    start(b, "2", -1);
    announce(b, &old);
    assert_int_equal(b->replies_refused, 1);
    test_assert_words(b->reason, "round_1_is_over round_2_is_running");
    update(b, "c0", "u0", "2");
    assert_int_equal(b->saves, 1);
    bench_free(b);
}

static void an_update_announced_twice_counts_once(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement again = said("c0", "u0", "1");
    fedn__announcement other = said("c0", "u9", "1");

    (void)state;
    attach_many(b, 2);
    start(b, "1", -1);
    update(b, "c0", "u0", "1");
    announce(b, &again);
    assert_int_equal(b->replies_ok, 2);
    assert_int_equal(b->folds, 1);
    announce(b, &other);
    assert_int_equal(b->replies_refused, 1);
    test_assert_words(b->reason, "counted_in_round_1_already");
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 1);
    bench_free(b);
}

static void what_cannot_count_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *client, *model, *session, *upload_error;
        double weight;
        const char *words;
    } cases[] = {
        {"stranger", MODEL, SESSION, NULL, 1, "stranger not_asked"},
        {"c0", "33333333-3333-4333-8333-333333333333", SESSION, NULL, 1, "trained_from 33333333"},
        {"c0", MODEL, "44444444-4444-4444-8444-444444444444", NULL, 1, "session 44444444"},
        {"c0", MODEL, SESSION, NULL, 0, "num_examples_0"},
        {"c0", MODEL, SESSION, NULL, -3, "num_examples_-3"},
        {"c0", MODEL, SESSION, NULL, NAN, "num_examples_nan"},
        {"c0", MODEL, SESSION, NULL, INFINITY, "num_examples_inf"},
        {"c0", MODEL, SESSION, NULL, 1e16, "num_examples_1e+16 1e+15"},
        {"c0", MODEL, SESSION, "model update u was not uploaded", 1, "was_not_uploaded"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench *b = bench_new(10);
        attach_many(b, 2);
        start(b, "1", -1);
        fedn__announcement a = said(cases[i].client, "u", "1");
        a.model_id = cases[i].model;
        a.session_id = cases[i].session;
        a.upload_error = cases[i].upload_error;
        a.num_examples = cases[i].weight;
        announce(b, &a);
        assert_int_equal(b->folds, 0);
        assert_int_equal(b->replies_refused, 1);
        test_assert_words(b->reason, cases[i].words);
        update(b, "c0", "good", "1"); /* a second try of the same client is welcome */
        update(b, "c1", "u1", "1");
        assert_int_equal(b->reported.accepted + b->saves, 1);
        bench_free(b);
    }
}

static void a_client_that_disappears_does_not_block_the_round(void **state)
{
    bench *b = bench_new(10);

    (void)state;
    attach_many(b, 2);
    start(b, "1", -1);
    update(b, "c0", "u0", "1");
    fedn__combiner_engine_detach(b->engine, "c1", 101);
    drain(b);
    assert_int_equal(b->saves, 0);
    b->now += 10001;
    assert_true(fedn__combiner_engine_deadline(b->engine) <= b->now);
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    drain(b);
    assert_int_equal(b->saves, 1);
    bench_free(b);
}

static void a_client_that_comes_back_gets_its_task_again(void **state)
{
    bench *b = bench_new(10);
    char task[FEDN__UUID_TEXT];
    uint32_t asked = 0;

    (void)state;
    attach_many(b, 2);
    start(b, "1", -1);
    memcpy(task, fedn__combiner_engine_asked(b->engine, &asked)[0]->task_id, sizeof task);
    fedn__combiner_engine_detach(b->engine, "c0", 100);
    drain(b);
    attach(b, "c0", 555);
    assert_int_equal(b->tasks, 3);
    assert_string_equal(fedn__combiner_engine_asked(b->engine, &asked)[0]->task_id, task);
    update(b, "c0", "u0", "1");
    attach(b, "c0", 556); /* answered: nothing to send again */
    assert_int_equal(b->tasks, 3);
    assert_int_equal(b->ended, 1); /* the stream 555 that was still open */
    bench_free(b);
}

static void a_failing_callback_is_known_at_once(void **state)
{
    bench *b = bench_new(10);
    uint32_t asked = 0;

    (void)state;
    attach_many(b, 2);
    start(b, "1", -1);
    update(b, "c0", "u0", "1");
    fedn__participant *failing = fedn__combiner_engine_asked(b->engine, &asked)[1];
    fedn__combiner_engine_task_failed(b->engine, b->now, "c1", "another task", "no");
    drain(b);
    assert_int_equal(b->saves, 0);
    fedn__combiner_engine_task_failed(b->engine, b->now, "c1", failing->task_id, "disk on fire");
    drain(b);
    assert_int_equal(b->saves, 1);
    assert_int_equal(failing->outcome, FEDN__OUTCOME_FAILED);
    assert_string_equal(failing->reason, "disk on fire");
    bench_free(b);
}

static void a_time_out_ends_the_round_with_what_it_has(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement slow = said("c1", "u1", "1");

    (void)state;
    attach_many(b, 3);
    start(b, "1", -1);
    update(b, "c0", "u0", "1");
    announce(b, &slow);                     /* being checked when time runs out: still counted */
    for (int step = 0; step < 10; step++) { /* all stay alive until the bound */
        b->now += 6000;
        for (int i = 0; i < 3; i++) {
            char name[8];
            snprintf(name, sizeof name, "c%d", i);
            fedn__combiner_engine_heartbeat(b->engine, b->now, name, "");
        }
        fedn__combiner_engine_tick(b->engine, b->now);
        drain(b);
    }
    assert_int_equal(b->saves, 0);
    folded(b, "c1", "u1", NULL);
    assert_int_equal(b->saves, 1);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 2);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).failed, 1);
    bench_free(b);
}

static void too_few_clients_or_no_model_is_reported(void **state)
{
    bench *b = bench_new(10);
    fedn__round_plan p = plan("1", -1);

    (void)state;
    attach_many(b, 2);
    p.clients_required = 3;
    fedn__combiner_engine_round_start(b->engine, b->now, &p);
    fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, ids, b);
    drain(b);
    assert_int_equal(b->reports, 1);
    test_assert_words(b->report_error, "2_active clients_required_is_3");
    p = plan("2", -1);
    fedn__combiner_engine_round_start(b->engine, b->now, &p);
    fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, "no such model", ids, b);
    drain(b);
    assert_int_equal(b->reports, 2);
    assert_string_equal(b->report_error, "no such model");
    bench_free(b);
}

static void only_selected_clients_are_asked(void **state)
{
    bench *b = bench_new(10);
    fedn__round_plan p = plan("1", -1);
    const char *const selected[] = {"c1", "absent"};

    (void)state;
    attach_many(b, 3);
    assert_int_equal(fedn__selection_copy(selected, 2, &p.selected), FEDN_OK);
    fedn__combiner_engine_round_start(b->engine, b->now, &p);
    fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, ids, b);
    drain(b);
    assert_int_equal(b->tasks, 1);
    bench_free(b);
}

static void a_full_roster_makes_room_by_forgetting_who_is_gone(void **state)
{
    bench *b = bench_new(2);

    (void)state;
    attach_many(b, 2);
    attach(b, "c2", 500);
    assert_int_equal(b->ended, 1);
    fedn__combiner_engine_detach(b->engine, "c0", 100);
    b->now += 10001;
    fedn__combiner_engine_heartbeat(b->engine, b->now, "c1", "");
    fedn__combiner_engine_tick(b->engine, b->now);
    drain(b);
    attach(b, "c2", 501);
    assert_int_equal(b->ended, 1);
    assert_null(fedn__roster_find(fedn__combiner_engine_roster(b->engine), "c0"));
    bench_free(b);
}

static void validations_go_to_all_active_clients(void **state)
{
    bench *b = bench_new(10);
    fedn__model_task task = {.type = 4, .data = fedn__strf("{}")};

    (void)state;
    attach_many(b, 3);
    snprintf(task.model_id, sizeof task.model_id, MODEL);
    snprintf(task.session_id, sizeof task.session_id, SESSION);
    assert_int_equal(fedn__combiner_engine_model_task(b->engine, b->now, &task), FEDN_OK);
    drain(b);
    assert_int_equal(b->tasks, 0);
    fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, ids, b);
    drain(b);
    assert_int_equal(b->tasks, 3);
    bench_free(b);
}

static void what_a_stranger_announces_is_not_dropped_when_it_is_not_his(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement a = said("c1", "u0", "1");

    (void)state;
    attach_many(b, 2);
    start(b, "1", -1);
    a.upload_error = "model update u0 belongs to another client";
    announce(b, &a); /* the file of c0, which it has not announced yet */
    assert_int_equal(b->replies_refused, 1);
    assert_int_equal(b->drops, 0);
    a.upload_error = NULL;
    a.num_examples = -1;
    announce(b, &a);
    assert_int_equal(b->drops, 1); /* its own, of no use */
    update(b, "c0", "u0", "1");
    assert_int_equal(b->replies_ok, 1);
    bench_free(b);
}

static void reasons_are_lines_of_whole_characters(void **state)
{
    bench *b = bench_new(10);
    char reason[3 * FEDN__REASON_BYTES];
    uint32_t asked = 0;

    (void)state;
    attach_many(b, 1);
    start(b, "1", -1);
    memset(reason, 0, sizeof reason);
    strcpy(reason, "x\n");
    for (int i = 0; i < FEDN__REASON_BYTES; i++)
        strcat(reason, "\xc3\xa9");
    fedn__participant *client = fedn__combiner_engine_asked(b->engine, &asked)[0];
    fedn__combiner_engine_task_failed(b->engine, b->now, "c0", client->task_id, reason);
    assert_true(fedn__text_is_line(client->reason, FEDN__REASON_BYTES));
    assert_true(strlen(client->reason) >= FEDN__REASON_BYTES - 2);
    bench_free(b);
}

static void a_client_that_is_not_waiting_any_more_counts_all_the_same(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement a = said("c0", "u0", "1");

    (void)state;
    attach_many(b, 2);
    start(b, "1", -1);
    announce(b, &a);
    fedn__combiner_engine_detach(b->engine, "c0", 100); /* its stream is gone, then its call */
    fedn__combiner_engine_call_gone(b->engine, "c0", 7);
    folded(b, "c0", "u0", NULL);
    assert_int_equal(b->replies_ok, 0);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 1);
    announce(b, &a); /* it comes back and asks what became of it */
    assert_int_equal(b->replies_ok, 1);
    assert_int_equal(b->folds, 1);
    bench_free(b);
}

static void an_update_announced_twice_at_once_is_answered_at_the_later_call(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement first = said("c0", "u0", "1");
    fedn__announcement second = said("c0", "u0", "1");

    (void)state;
    second.call = 8;
    attach_many(b, 1);
    start(b, "1", -1);
    announce(b, &first);
    announce(b, &second);
    assert_int_equal(b->replies_refused, 1);
    fedn__combiner_engine_call_gone(b->engine, "c0", 7); /* answered: changes nothing */
    folded(b, "c0", "u0", NULL);
    assert_int_equal(b->replies_ok, 1);
    assert_int_equal(b->folds, 1);
    bench_free(b);
}

static void a_rule_that_cannot_begin_fails_the_round_and_all_that_is_being_checked(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement a = said("c0", "u0", "1");

    (void)state;
    attach_many(b, 2);
    start(b, "1", -1);
    announce(b, &a);
    assert_int_equal(
        fedn__combiner_engine_begin_failed(b->engine, b->now, "1", "no such aggregator"), FEDN_OK);
    drain(b);
    assert_int_equal(b->reports, 1);
    assert_string_equal(b->report_error, "no such aggregator");
    assert_int_equal(b->reported.refused, 1);
    assert_int_equal(b->reported.checking, 0);
    assert_int_equal(b->replies_refused, 1);
    folded(b, "c0", "u0", NULL); /* comes too late to matter */
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 0);
    bench_free(b);
}

static void a_round_told_twice_goes_on_and_one_told_after_its_report_runs_again(void **state)
{
    bench *b = bench_new(10);
    fedn__round_plan other = plan("1", -1);

    (void)state;
    attach_many(b, 1);
    start(b, "1", -1);
    start(b, "1", -1);
    assert_int_equal(b->tasks, 1);
    assert_int_equal(b->abandons, 0);
    update(b, "c0", "u0", "1");
    fedn__combiner_engine_saved(b->engine, b->now, "1", NULL);
    drain(b);
    assert_int_equal(b->reports, 1);
    start(b, "1", -1);
    assert_int_equal(b->tasks, 2);
    /* the same number in another session is another round */
    snprintf(other.session_id, sizeof other.session_id, "55555555-5555-4555-8555-555555555555");
    fedn__combiner_engine_round_start(b->engine, b->now, &other);
    drain(b);
    assert_int_equal(b->abandons, 1);
    bench_free(b);
}

static void a_cancelled_round_answers_who_waits_and_reports_nothing(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement a = said("c0", "u0", "1");

    (void)state;
    attach_many(b, 2);
    start(b, "1", -1);
    announce(b, &a);
    fedn__combiner_engine_round_cancel(b->engine, b->now, SESSION, "2"); /* not this one */
    drain(b);
    assert_int_equal(b->abandons, 0);
    fedn__combiner_engine_round_cancel(b->engine, b->now, SESSION, "1");
    drain(b);
    assert_int_equal(b->replies_refused, 1);
    assert_string_equal(b->reason, "the round was cancelled");
    assert_int_equal(b->abandons, 1);
    assert_int_equal(b->reports, 0);
    assert_true(fedn__combiner_engine_is_idle(b->engine));
    bench_free(b);
}

static void a_heartbeat_without_a_stream_takes_no_place(void **state)
{
    bench *b = bench_new(10);

    (void)state;
    assert_int_equal(fedn__combiner_engine_heartbeat(b->engine, b->now, "nobody", ""), FEDN_OK);
    assert_int_equal(fedn__combiner_engine_roster(b->engine)->count, 0);
    bench_free(b);
}

/* ---- random events ---- */

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
    fedn__announcement a = said(name, id, round_id);
    uint32_t folds = w->b->folds;

    snprintf(id, sizeof id, "u%u", (unsigned)++w->updates);
    snprintf(round_id, sizeof round_id, "%u", (unsigned)(w->round - (draw(w, 4) == 0)));
    a.num_examples = draw(w, 10) == 0 ? -1 : 5;
    announce(w->b, &a);
    if (w->b->folds > folds)
        snprintf(w->checking[i], sizeof w->checking[i], "%s", id);
}

static void random_fold(world *w, const char *name, uint32_t i)
{
    uint32_t ok = w->b->replies_ok;

    if (!w->checking[i][0])
        return;
    folded(w->b, name, w->checking[i], draw(w, 5) == 0 ? "shapes differ" : NULL);
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
    drain(w->b);
}

static void random_round(world *w)
{
    char round_id[16];

    if (w->b->reports < w->round && draw(w, 8))
        return; /* now and then a new round comes although the last one runs */
    snprintf(round_id, sizeof round_id, "%u", (unsigned)++w->round);
    w->b->reports = w->round - 1;
    w->accepted_now = 0;
    start(w->b, round_id, (int32_t)draw(w, 4) - 1);
}

static void random_saved(world *w)
{
    char round_id[16];
    uint32_t reports = w->b->reports;

    snprintf(round_id, sizeof round_id, "%u", (unsigned)w->round);
    fedn__combiner_engine_saved(w->b->engine, w->b->now, round_id,
                                draw(w, 10) == 0 ? "disk full" : NULL);
    drain(w->b);
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
        drain(w->b);
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
        drain(w->b);
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
        drain(w->b);
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

static fedn_status one_round(void *arg)
{
    bench b = {.now = 1};
    fedn__combiner_settings settings = {.max_clients = 4, .liveness_ms = 1000};
    fedn__announcement a = said("c", "u", "1");
    fedn__round_plan p = plan("1", -1);

    (void)arg;
    fedn_status rc = fedn__combiner_engine_new(&settings, &b.engine, NULL);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_attach(b.engine, 1, "c", "name", 5);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_round_start(b.engine, 1, &p);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_model_ready(b.engine, 1, MODEL, NULL, ids, &b);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_update(b.engine, 1, &a);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_folded(b.engine, 1, "c", "u", NULL);
    fedn__combiner_engine_free(b.engine);
    fedn__round_plan_done(&p);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(one_round, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_ends_when_all_asked_have_answered),
        cmocka_unit_test(a_buffer_that_is_full_ends_the_round_and_late_updates_are_refused),
        cmocka_unit_test(an_update_of_another_round_is_refused_and_costs_its_client_nothing),
        cmocka_unit_test(an_update_announced_twice_counts_once),
        cmocka_unit_test(what_cannot_count_is_refused_with_a_reason),
        cmocka_unit_test(a_client_that_disappears_does_not_block_the_round),
        cmocka_unit_test(a_client_that_comes_back_gets_its_task_again),
        cmocka_unit_test(a_failing_callback_is_known_at_once),
        cmocka_unit_test(a_time_out_ends_the_round_with_what_it_has),
        cmocka_unit_test(too_few_clients_or_no_model_is_reported),
        cmocka_unit_test(only_selected_clients_are_asked),
        cmocka_unit_test(a_full_roster_makes_room_by_forgetting_who_is_gone),
        cmocka_unit_test(validations_go_to_all_active_clients),
        cmocka_unit_test(what_a_stranger_announces_is_not_dropped_when_it_is_not_his),
        cmocka_unit_test(reasons_are_lines_of_whole_characters),
        cmocka_unit_test(a_client_that_is_not_waiting_any_more_counts_all_the_same),
        cmocka_unit_test(an_update_announced_twice_at_once_is_answered_at_the_later_call),
        cmocka_unit_test(a_rule_that_cannot_begin_fails_the_round_and_all_that_is_being_checked),
        cmocka_unit_test(a_round_told_twice_goes_on_and_one_told_after_its_report_runs_again),
        cmocka_unit_test(a_cancelled_round_answers_who_waits_and_reports_nothing),
        cmocka_unit_test(a_heartbeat_without_a_stream_takes_no_place),
        cmocka_unit_test(random_events_keep_the_books_right),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
