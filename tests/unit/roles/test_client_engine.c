/* SPDX-License-Identifier: Apache-2.0
 * The rules of a client: scenarios by hand. Random worlds are in test_client_simulation.c. */
#include "test.h"

#include "roles/client/engine.h"
#include <stdlib.h>

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
} bench;

static const char letters[] = {
    [FEDN__CLIENT_ASSIGN] = 'A',    [FEDN__CLIENT_DIAL] = 'D',   [FEDN__CLIENT_HANG_UP] = 'H',
    [FEDN__CLIENT_HEARTBEAT] = 'b', [FEDN__CLIENT_FETCH] = 'F',  [FEDN__CLIENT_RUN] = 'R',
    [FEDN__CLIENT_CANCEL] = 'X',    [FEDN__CLIENT_UPLOAD] = 'U', [FEDN__CLIENT_ANSWER] = 'S',
    [FEDN__CLIENT_RELEASE] = '-',   [FEDN__CLIENT_REFUSE] = 'Q', [FEDN__CLIENT_LOG] = 'w',
    [FEDN__CLIENT_FINISHED] = '.',  [FEDN__CLIENT_KEEP] = 'K',
};

static void drain(bench *b)
{
    fedn__client_action action;
    size_t len = 0;

    while (fedn__client_engine_next(b->engine, &action)) {
        if (action.type == FEDN__CLIENT_LOG && action.level > FEDN_LOG_WARNING)
            continue;
        b->trace[len++] = action.failed ? 'E' : letters[action.type];
        if (action.type == FEDN__CLIENT_DIAL)
            b->dial = action.dial;
        if (action.step)
            b->step = action.step;
        if (action.text[0])
            memcpy(b->text, action.text, sizeof b->text);
        b->status = action.status;
    }
    b->trace[len] = 0;
}

#define expect(b, wanted)                                                                          \
    do {                                                                                           \
        drain(b);                                                                                  \
        assert_string_equal((b)->trace, wanted);                                                   \
    } while (0)

static void bench_new(bench *b, const char *direct)
{
    fedn_error err;
    const fedn__client_settings settings = {.heartbeat_ms = 2000,
                                            .reconnect_min_ms = 100,
                                            .reconnect_max_ms = 1000,
                                            .seed = 7,
                                            .direct = direct,
                                            .has_train = 1,
                                            .has_validate = 1};

    memset(b, 0, sizeof *b);
    b->now = 1000000;
    assert_ok(fedn__client_engine_new(&settings, &b->engine, &err), &err);
    fedn__client_engine_start(b->engine, b->now);
}

static int done(bench *b)
{
    fedn__client_engine_free(b->engine);
    return 0;
}

static fedn__order *make_order(fedn_task_type type, const char *correlation, const char *round,
                               const char *model)
{
    fedn__order *order = fedn__alloc_zero(sizeof *order);

    order->type = type;
    order->wire_type = type == FEDN_TASK_TRAIN ? 2 : 4;
    order->correlation_id = fedn__strdup(correlation);
    order->session_id = fedn__strdup("session");
    order->round_id = fedn__strdup(round);
    order->model_id = fedn__strdup(model);
    order->config = fedn__strdup("{}");
    order->format = fedn__strdup("npz");
    order->combiner = fedn__strdup("combiner");
    return order;
}

static void give(bench *b, fedn_task_type type, const char *correlation, const char *round,
                 const char *model)
{
    fedn__client_engine_order(b->engine, b->now, b->dial,
                              make_order(type, correlation, round, model));
}

static void give_with_model(bench *b, fedn_task_type type, const char *correlation,
                            const char *round, const char *model)
{
    fedn__order *order = make_order(type, correlation, round, model);

    order->model = fedn__alloc_zero(4);
    order->model_bytes = 4;
    fedn__client_engine_order(b->engine, b->now, b->dial, order);
}

static void assigned(bench *b, const char *target)
{
    fedn__client_engine_assigned(b->engine, b->now, FEDN__ASSIGNED, FEDN_OK, target);
}

static void up(bench *b)
{
    fedn__client_engine_opened(b->engine, b->now, b->dial);
    expect(b, "");
    fedn__client_engine_heartbeat(b->engine, b->now, b->dial, FEDN_OK, "");
    expect(b, "");
}

static void connected(bench *b)
{
    bench_new(b, NULL);
    expect(b, "A");
    assigned(b, "host:1");
    expect(b, "Db");
    up(b);
}

static void closed(bench *b, fedn_status status)
{
    fedn__client_engine_closed(b->engine, b->now, b->dial, status, "gone");
}

/* Goes to the deadline, which must be within `most` of now. */
static void wait_most(bench *b, int64_t most)
{
    int64_t due = fedn__client_engine_deadline(b->engine);

    assert_true(due >= b->now && due <= b->now + most);
    b->now = due;
    fedn__client_engine_tick(b->engine, b->now);
}

/* A callback that leaves nothing to upload, and its answer. */
static void to_the_end(bench *b, const char *then)
{
    fedn__client_engine_ran(b->engine, b->now, FEDN_OK, 0, "");
    expect(b, "S");
    fedn__client_engine_answered(b->engine, b->now, b->step, FEDN_OK, "");
    expect(b, then);
}

static void training_is_fetched_run_uploaded_answered(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "U");
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-");
    done(&b);
}

static void the_newest_model_is_not_fetched_again(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_VALIDATE, "c1", "", MODEL_A);
    give(&b, FEDN_TASK_TRAIN, "c2", "1", MODEL_A);
    give(&b, FEDN_TASK_VALIDATE, "c3", "", MODEL_B);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    to_the_end(&b, "-R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_ERR_CALLBACK, 1, "no data");
    expect(&b, "wE");
    assert_string_equal(b.text, "no data");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-F");
    done(&b);
}

static void a_model_that_comes_with_its_task_is_kept_not_fetched(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give_with_model(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    to_the_end(&b, "-");                             /* nothing to upload either */
    give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A); /* it is the newest model from then on */
    expect(&b, "R");
    give_with_model(&b, FEDN_TASK_VALIDATE, "c3", "", MODEL_A); /* and known */
    give_with_model(&b, FEDN_TASK_VALIDATE, "c4", "", MODEL_B);
    give(&b, FEDN_TASK_VALIDATE, "c5", "", MODEL_A);
    to_the_end(&b, "-R");
    to_the_end(&b, "-K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    to_the_end(&b, "-F"); /* the other one has taken its place */
    done(&b);
}

static void a_model_that_cannot_be_kept_for_lack_of_memory_is_tried_again(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give_with_model(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_ERR_NOMEM, "out of memory");
    expect(&b, "w");
    wait_most(&b, 100);
    expect(&b, "K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    done(&b);
}

static void an_announcement_that_carries_its_update_is_repeated_as_it_was(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give_with_model(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 0, "");
    expect(&b, "S");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_ERR_UNAVAILABLE, "gone");
    expect(&b, "w");
    wait_most(&b, 100);
    expect(&b, "S");
    done(&b);
}

static void repeated_task_is_left_alone(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_VALIDATE, "c1", "", MODEL_A);
    expect(&b, "F");
    give(&b, FEDN_TASK_VALIDATE, "c1", "", MODEL_A);
    give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A);
    give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A);
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    to_the_end(&b, "-R");
    give(&b, FEDN_TASK_VALIDATE, "c1", "", MODEL_A);
    to_the_end(&b, "-");
    done(&b);
}

static void tasks_without_a_correlation_id_are_all_done(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    for (int i = 0; i < 2; i++) {
        give(&b, FEDN_TASK_VALIDATE, "", "", MODEL_A);
        expect(&b, i == 0 ? "F" : "R");
        if (i == 0) {
            fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
            expect(&b, "R");
        }
        to_the_end(&b, "-");
    }
    done(&b);
}

static void newer_round_cancels_the_running_one(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    give(&b, FEDN_TASK_TRAIN, "c2", "2", MODEL_A);
    expect(&b, "X");
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A); /* a late repetition changes nothing */
    expect(&b, "");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "-R");
    give(&b, FEDN_TASK_VALIDATE, "c3", "", MODEL_A); /* says nothing about rounds */
    expect(&b, "");
    done(&b);
}

static void refused_progress_cancels_the_callback(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    uint64_t run = b.step;
    fedn__client_engine_unwanted(b.engine, b.now, run - 1, "REFUSED of an earlier one");
    expect(&b, "");
    fedn__client_engine_unwanted(b.engine, b.now, run, "REFUSED Status: round 1 is over");
    expect(&b, "X");
    fedn__client_engine_unwanted(b.engine, b.now, run, "REFUSED Status: round 1 is over");
    expect(&b, "");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "-");
    done(&b);
}

static void newer_round_drops_what_waits_and_what_is_under_way(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    give(&b, FEDN_TASK_TRAIN, "c2", "2", MODEL_A);
    expect(&b, "X-F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "U");
    give(&b, FEDN_TASK_TRAIN, "c3", "3", MODEL_A);
    expect(&b, "X-R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "U");
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    give(&b, FEDN_TASK_TRAIN, "c4", "4", MODEL_A); /* the answer is out and may count */
    expect(&b, "");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "REFUSED ModelUpdate: over");
    expect(&b, "w-R");
    done(&b);
}

static void lost_connection_repeats_the_step_not_the_callback(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    uint64_t stale = b.step;
    closed(&b, FEDN_ERR_UNAVAILABLE);
    expect(&b, "Hw");
    fedn__client_engine_fetched(b.engine, b.now, stale, FEDN_ERR_CANCELLED, "closed");
    expect(&b, "");
    wait_most(&b, 100);
    expect(&b, "Db");
    fedn__client_engine_opened(b.engine, b.now, b.dial);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, stale, FEDN_OK, "");
    expect(&b, "");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    closed(&b, FEDN_OK);
    expect(&b, "Hw");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "");
    wait_most(&b, 200);
    expect(&b, "Db");
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A); /* handed out again: goes on with the upload */
    expect(&b, "U");
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    closed(&b, FEDN_ERR_UNAVAILABLE);
    expect(&b, "Hw");
    wait_most(&b, 400);
    expect(&b, "Db");
    fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_OK, ""); /* a sign of life */
    expect(&b, "S");
    done(&b);
}

static void failing_step_is_tried_again_then_reported(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    for (int i = 0; i < 7; i++) {
        fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_ERR_TIMEOUT, "slow");
        expect(&b, i == 0 ? "w" : "");
        wait_most(&b, 1000);
        drain(&b);
        if (strcmp(b.trace, "b") == 0) { /* a heartbeat was due before */
            fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_OK, "");
            drain(&b);
            wait_most(&b, 1000);
            drain(&b);
        }
        assert_non_null(strchr(b.trace, 'F'));
    }
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_ERR_TIMEOUT, "slow");
    expect(&b, "wE");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_ERR_INVALID, "bad");
    expect(&b, "w-");
    done(&b);
}

static void busy_combiner_is_asked_until_the_round_is_over(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "U");
    for (int i = 0; i < 50; i++) {
        fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_ERR_UNAVAILABLE, "busy");
        expect(&b, i == 0 ? "w" : "");
        while (!strchr(b.trace, 'U')) {
            wait_most(&b, 1000);
            drain(&b);
            if (strchr(b.trace, 'b'))
                fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_OK, "");
        }
    }
    give(&b, FEDN_TASK_TRAIN, "c2", "2", MODEL_A);
    expect(&b, "X-R");
    done(&b);
}

static void hopeless_step_is_reported_at_once(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_ERR_LIMIT, "over 10 bytes");
    expect(&b, "wE");
    assert_string_equal(b.text, "over 10 bytes");
    done(&b);
}

static void task_that_cannot_be_done_is_reported_without_a_fetch(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_PREDICT, "c1", "", MODEL_A);
    expect(&b, "wE");
    test_assert_words(b.text, "predict callback");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-");
    fedn__order *order = make_order(0, "c2", "", "");
    order->fault = fedn__strdup("tasks of type 8 are not supported");
    fedn__client_engine_order(b.engine, b.now, b.dial, order);
    expect(&b, "wE");
    assert_string_equal(b.text, "tasks of type 8 are not supported");
    done(&b);
}

static void full_queue_refuses(void **state)
{
    bench b;
    char id[32];

    (void)state;
    connected(&b);
    for (int i = 0; i <= FEDN__LIMIT_CLIENT_TASKS; i++) {
        snprintf(id, sizeof id, "c%d", i);
        give(&b, FEDN_TASK_VALIDATE, id, "", MODEL_A);
        expect(&b, i == 0 ? "F" : "");
    }
    give(&b, FEDN_TASK_VALIDATE, "one more", "", MODEL_A);
    expect(&b, "Q");
    test_assert_words(b.text, "16 tasks");
    done(&b);
}

static void heartbeats_go_on_while_a_callback_runs(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    for (int i = 0; i < 5; i++) {
        wait_most(&b, 2000);
        expect(&b, "b");
        assert_int_equal(fedn__client_engine_deadline(b.engine), INT64_MAX); /* one at a time */
        fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_OK, "");
        expect(&b, "");
    }
    wait_most(&b, 2000);
    expect(&b, "b");
    fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_ERR_TIMEOUT, "no answer");
    expect(&b, "Hw");
    done(&b);
}

static void pauses_grow_and_a_new_assignment_is_asked_for(void **state)
{
    bench b;
    int64_t most = 100;

    (void)state;
    bench_new(&b, NULL);
    expect(&b, "A");
    assigned(&b, "host:1");
    expect(&b, "Db");
    for (int i = 0; i < 3; i++) {
        closed(&b, FEDN_ERR_UNAVAILABLE);
        expect(&b, i == 0 ? "Hw" : "H"); /* warned once */
        int64_t pause = fedn__client_engine_deadline(b.engine) - b.now;
        assert_true(pause >= most / 2 && pause <= most);
        wait_most(&b, most);
        expect(&b, "Db");
        most = most * 2 < 1000 ? most * 2 : 1000;
    }
    closed(&b, FEDN_ERR_UNAVAILABLE);
    expect(&b, "H");
    wait_most(&b, most);
    expect(&b, "A");
    done(&b);
}

static void named_combiner_is_dialled_for_ever(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, "host:1");
    expect(&b, "Db");
    for (int i = 0; i < 20; i++) {
        closed(&b, FEDN_ERR_UNAVAILABLE);
        expect(&b, i == 0 ? "Hw" : "H");
        wait_most(&b, 1000);
        expect(&b, "Db");
    }
    done(&b);
}

static void connection_that_lasted_starts_the_pauses_anew(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, "host:1");
    for (int i = 0; i < 8; i++) {
        drain(&b);
        closed(&b, FEDN_ERR_UNAVAILABLE);
        drain(&b);
        wait_most(&b, 1000);
    }
    expect(&b, "Db");
    up(&b);
    b.now += 10000;
    closed(&b, FEDN_ERR_UNAVAILABLE);
    expect(&b, "Hw");
    wait_most(&b, 100);
    expect(&b, "Db");
    done(&b);
}

static void other_combiner_gets_no_answer_to_old_tasks(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    for (int i = 0; i < 4; i++) {
        closed(&b, FEDN_ERR_UNAVAILABLE);
        drain(&b);
        wait_most(&b, 1000);
        expect(&b, i < 3 ? "Db" : "A");
    }
    assigned(&b, "host:2");
    expect(&b, "XDb");
    fedn__client_engine_opened(b.engine, b.now, b.dial);
    expect(&b, "");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "-");
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A); /* it may hand it out again */
    expect(&b, "R");
    done(&b);
}

static void reducer_that_is_not_ready_is_asked_every_3_s(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, NULL);
    expect(&b, "A");
    for (int i = 0; i < 3; i++) {
        fedn__client_engine_assigned(b.engine, b.now, FEDN__ASSIGN_WAIT, FEDN_ERR_UNAVAILABLE,
                                     "no package yet");
        expect(&b, i == 0 ? "w" : "");
        assert_int_equal(fedn__client_engine_deadline(b.engine), b.now + 3000);
        wait_most(&b, 3000);
        expect(&b, "A");
    }
    assigned(&b, "host:1");
    expect(&b, "Db");
    done(&b);
}

static void unreachable_reducer_is_warned_about_once_per_change(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, NULL);
    expect(&b, "A");
    for (int i = 0; i < 6; i++) {
        fedn_status why = i < 3 ? FEDN_ERR_UNAVAILABLE : FEDN_ERR_AUTH;
        fedn__client_engine_assigned(b.engine, b.now, FEDN__ASSIGN_TROUBLE, why, "refused");
        expect(&b, i % 3 == 0 ? "w" : "");
        wait_most(&b, 1000);
        expect(&b, "A");
    }
    done(&b);
}

static void refusals_end_it_with_their_text(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, NULL);
    expect(&b, "A");
    fedn__client_engine_assigned(b.engine, b.now, FEDN__ASSIGN_REFUSED, FEDN_ERR_AUTH, "401 no");
    expect(&b, ".");
    assert_int_equal(b.status, FEDN_ERR_AUTH);
    assert_string_equal(b.text, "401 no");
    done(&b);
    connected(&b);
    closed(&b, FEDN_ERR_DENIED);
    expect(&b, "H.");
    assert_int_equal(b.status, FEDN_ERR_DENIED);
    done(&b);
}

static void nothing_happens_after_a_stop(void **state)
{
    bench b;

    (void)state;
    connected(&b);
    give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_stop(b.engine, b.now);
    expect(&b, "XH.");
    assert_int_equal(b.status, FEDN_OK);
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    fedn__client_engine_stop(b.engine, b.now);
    fedn__client_engine_tick(b.engine, b.now + 100000);
    closed(&b, FEDN_ERR_UNAVAILABLE);
    give(&b, FEDN_TASK_TRAIN, "c3", "2", MODEL_A);
    assigned(&b, "host:3");
    expect(&b, "");
    assert_int_equal(fedn__client_engine_deadline(b.engine), INT64_MAX);
    done(&b);
}

static void stop_in_every_phase(void **state)
{
    static const char *const wanted[] = {".", "H.", "-H.", "XH.", "-H.", "-H.", "H.", "."};
    bench b;

    (void)state;
    for (int phase = 0; phase < 8; phase++) {
        bench_new(&b, NULL);
        expect(&b, "A");
        if (phase >= 1 && phase < 7) {
            assigned(&b, "host:1");
            expect(&b, "Db");
        }
        if (phase >= 2 && phase < 7) {
            up(&b);
            give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
            expect(&b, "F");
        }
        if (phase >= 3 && phase < 7)
            fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
        drain(&b);
        if (phase >= 4 && phase < 7)
            fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
        drain(&b);
        if (phase >= 5 && phase < 7)
            fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
        drain(&b);
        if (phase == 6)
            fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
        if (phase == 7)
            fedn__client_engine_assigned(b.engine, b.now, FEDN__ASSIGN_WAIT, 0, "wait");
        drain(&b);
        fedn__client_engine_stop(b.engine, b.now);
        expect(&b, wanted[phase]);
        done(&b);
    }
}

static fedn_status new_engine(void *arg)
{
    fedn__client_engine *engine = NULL;
    fedn_error err;
    const fedn__client_settings settings = {.heartbeat_ms = 1};

    (void)arg;
    fedn_status rc = fedn__client_engine_new(&settings, &engine, &err);
    fedn__client_engine_free(engine);
    return rc;
}

static void engine_survives_failing_allocations(void **state)
{
    (void)state;
    test_fail_each_allocation(new_engine, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_is_fetched_run_uploaded_answered),
        cmocka_unit_test(the_newest_model_is_not_fetched_again),
        cmocka_unit_test(a_model_that_comes_with_its_task_is_kept_not_fetched),
        cmocka_unit_test(a_model_that_cannot_be_kept_for_lack_of_memory_is_tried_again),
        cmocka_unit_test(an_announcement_that_carries_its_update_is_repeated_as_it_was),
        cmocka_unit_test(repeated_task_is_left_alone),
        cmocka_unit_test(tasks_without_a_correlation_id_are_all_done),
        cmocka_unit_test(newer_round_cancels_the_running_one),
        cmocka_unit_test(refused_progress_cancels_the_callback),
        cmocka_unit_test(newer_round_drops_what_waits_and_what_is_under_way),
        cmocka_unit_test(lost_connection_repeats_the_step_not_the_callback),
        cmocka_unit_test(failing_step_is_tried_again_then_reported),
        cmocka_unit_test(busy_combiner_is_asked_until_the_round_is_over),
        cmocka_unit_test(hopeless_step_is_reported_at_once),
        cmocka_unit_test(task_that_cannot_be_done_is_reported_without_a_fetch),
        cmocka_unit_test(full_queue_refuses),
        cmocka_unit_test(heartbeats_go_on_while_a_callback_runs),
        cmocka_unit_test(pauses_grow_and_a_new_assignment_is_asked_for),
        cmocka_unit_test(named_combiner_is_dialled_for_ever),
        cmocka_unit_test(connection_that_lasted_starts_the_pauses_anew),
        cmocka_unit_test(other_combiner_gets_no_answer_to_old_tasks),
        cmocka_unit_test(reducer_that_is_not_ready_is_asked_every_3_s),
        cmocka_unit_test(unreachable_reducer_is_warned_about_once_per_change),
        cmocka_unit_test(refusals_end_it_with_their_text),
        cmocka_unit_test(nothing_happens_after_a_stop),
        cmocka_unit_test(stop_in_every_phase),
        cmocka_unit_test(engine_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
