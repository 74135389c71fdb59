/* SPDX-License-Identifier: Apache-2.0
 * A client's rules in random worlds: events lost, repeated, late and out of order, combiners that
 * come and go, stops at any moment. What must hold is asserted after every step. */
#include "test.h"

#include "roles/client/engine.h"
#include <stdlib.h>

enum { TASKS = 24, PENDING = 64, STEPS = 400, SEEDS = 400 };

/* An event on its way to the client. */
typedef struct event {
    int32_t type; /* of the action that it answers; 0: none */
    uint64_t dial;
    uint64_t step;
    uint32_t number; /* of the task */
} event;

typedef struct world {
    fedn__client_engine *engine;
    uint64_t random;
    int64_t now;
    int32_t taken[TASKS + 1]; /* the combiner has taken an answer to this task */
    event pending[PENDING];
    uint32_t count;
    uint64_t dial; /* number of the open channel, 0: none */
    int32_t assigning;
    int32_t running; /* callbacks */
    uint64_t run_step;
    uint64_t active; /* step of the fetch, upload or answer on the open channel */
    int32_t stopped;
    int32_t kind; /* nothing fails any more */
    int32_t actions;
    uint32_t newest; /* model that the client has, counted from 1; 0: none */
    const char *target;
} world;

static uint32_t draw(world *w, uint32_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 33) % below;
}

static uint32_t number_of(const fedn__order *order)
{
    return (uint32_t)strtoul(order->correlation_id, NULL, 10);
}

static uint32_t model_of(uint32_t number)
{
    return number / 5 + 1;
}

static void expect_event(world *w, const fedn__client_action *action)
{
    if (w->count == PENDING) /* the oldest is lost for good: it was stale */
        memmove(&w->pending[0], &w->pending[1], --w->count * sizeof w->pending[0]);
    event *added = &w->pending[w->count++];
    added->type = action->type;
    added->dial = action->dial;
    added->step = action->step;
    added->number = action->order ? number_of(action->order) : 0;
}

static void on_call(world *w, const fedn__client_action *action)
{
    assert_true(w->dial != 0 && action->dial == w->dial);
    if (action->type != FEDN__CLIENT_HEARTBEAT) {
        assert_int_equal(w->active, 0);
        assert_int_equal(w->running, 0);
        w->active = action->step;
        assert_int_equal(w->taken[number_of(action->order)], 0);
    }
    expect_event(w, action);
}

/* The shell does it at once, and may be out of memory. */
static void keep(world *w, const fedn__client_action *action)
{
    int32_t fails = !w->kind && draw(w, 8) == 0;

    assert_non_null(action->order->model);
    assert_true(!w->running && !w->active);
    assert_int_not_equal(w->newest, model_of(number_of(action->order)));
    if (!fails)
        w->newest = model_of(number_of(action->order));
    fedn__client_engine_fetched(w->engine, w->now, action->step, fails ? FEDN_ERR_NOMEM : FEDN_OK,
                                fails ? "memory" : "");
}

static void take_action(world *w, const fedn__client_action *action)
{
    assert_int_equal(w->stopped, 0);
    w->actions++;
    switch (action->type) {
    case FEDN__CLIENT_ASSIGN:
        assert_true(w->dial == 0 && !w->assigning);
        w->assigning = 1;
        break;
    case FEDN__CLIENT_DIAL:
        assert_true(w->dial == 0 && !w->assigning);
        w->dial = action->dial;
        break;
    case FEDN__CLIENT_HANG_UP:
        assert_true(w->dial != 0);
        w->dial = 0;
        w->active = 0;
        break;
    case FEDN__CLIENT_FETCH:
        assert_null(action->order->model);
        assert_int_not_equal(w->newest, model_of(number_of(action->order)));
        on_call(w, action);
        break;
    case FEDN__CLIENT_HEARTBEAT:
    case FEDN__CLIENT_UPLOAD:
    case FEDN__CLIENT_ANSWER:
        on_call(w, action);
        break;
    case FEDN__CLIENT_KEEP:
        keep(w, action);
        break;
    case FEDN__CLIENT_RUN:
        assert_true(!w->running && !w->active);
        assert_int_equal(w->taken[number_of(action->order)], 0);
        assert_int_equal(w->newest, model_of(number_of(action->order)));
        w->running = 1;
        w->run_step = action->step;
        break;
    case FEDN__CLIENT_RELEASE:
        assert_int_equal(w->running, 0);
        w->active = 0;
        break;
    case FEDN__CLIENT_REFUSE:
    case FEDN__CLIENT_CANCEL:
        assert_non_null(action->order);
        break;
    case FEDN__CLIENT_FINISHED:
        assert_int_equal(w->dial, 0);
        w->stopped = 1;
        break;
    default:
        break;
    }
}

static void drain(world *w)
{
    fedn__client_action action;

    while (fedn__client_engine_next(w->engine, &action))
        take_action(w, &action);
    int64_t due = fedn__client_engine_deadline(w->engine);
    if (w->stopped)
        assert_true(due == INT64_MAX);
    else if (!w->assigning && !w->dial)
        assert_true(due != INT64_MAX); /* never waits for nothing */
}

static fedn__order *make_order(uint32_t number, int32_t with_model)
{
    fedn__order *order = fedn__alloc_zero(sizeof *order);

    order->type = (fedn_task_type)(number % 4 == 3 ? FEDN_TASK_VALIDATE : FEDN_TASK_TRAIN);
    order->correlation_id = fedn__strf("%u", number);
    order->session_id = fedn__strdup("s");
    order->round_id = fedn__strf("%u", number / 3);
    order->model_id = fedn__strf("model %u", model_of(number));
    if (with_model) {
        order->model = fedn__alloc_zero(4);
        order->model_bytes = 4;
    }
    order->config = fedn__strdup("{}");
    order->format = fedn__strdup("");
    order->combiner = fedn__strdup("c");
    if (number % 7 == 6)
        order->fault = fedn__strdup("bad");
    return order;
}

static void hand_out(world *w)
{
    fedn__client_engine_order(w->engine, w->now, draw(w, 8) ? w->dial : w->dial - 1,
                              make_order(draw(w, TASKS), (int32_t)draw(w, 2)));
}

static const fedn_status outcomes[] = {
    FEDN_OK,           FEDN_OK,          FEDN_OK,        FEDN_OK,
    FEDN_OK,           FEDN_ERR_TIMEOUT, FEDN_ERR_LIMIT, FEDN_ERR_UNAVAILABLE,
    FEDN_ERR_INTERNAL,
};

static fedn_status any_outcome(world *w)
{
    return outcomes[draw(w, sizeof outcomes / sizeof outcomes[0])];
}

/* Delivers an event; it may be stale, and stays in the list at times to come once more. */
static void deliver(world *w, uint32_t index, fedn_status status, int32_t again)
{
    event e = w->pending[index];

    if (!again)
        w->pending[index] = w->pending[--w->count];
    if (e.step == w->active && e.type != FEDN__CLIENT_HEARTBEAT) {
        w->active = 0;
        if (e.type == FEDN__CLIENT_ANSWER && status == FEDN_OK)
            w->taken[e.number] = 1;
        if (e.type == FEDN__CLIENT_FETCH && status == FEDN_OK)
            w->newest = model_of(e.number);
    }
    switch (e.type) {
    case FEDN__CLIENT_HEARTBEAT:
        fedn__client_engine_heartbeat(w->engine, w->now, e.dial, status, "beat");
        break;
    case FEDN__CLIENT_FETCH:
        fedn__client_engine_fetched(w->engine, w->now, e.step, status, "fetch");
        break;
    case FEDN__CLIENT_UPLOAD:
        fedn__client_engine_uploaded(w->engine, w->now, e.step, status, "upload");
        break;
    default:
        fedn__client_engine_answered(w->engine, w->now, e.step, status,
                                     status != FEDN_OK ? "answer" : "");
        break;
    }
}

static void callback_returns(world *w, fedn_status status)
{
    w->running = 0;
    fedn__client_engine_ran(w->engine, w->now, status, (int32_t)draw(w, 2),
                            status == FEDN_OK ? "" : "callback");
}

static void assignment_comes(world *w, int32_t outcome)
{
    static const char *const targets[] = {"one:1", "one:1", "one:1", "two:2"};
    const char *text = outcome == FEDN__ASSIGNED ? targets[draw(w, 4)] : "no";

    w->assigning = 0;
    if (outcome == FEDN__ASSIGNED && w->target && strcmp(w->target, text) != 0)
        memset(w->taken, 0, sizeof w->taken); /* they may all come again */
    if (outcome == FEDN__ASSIGNED)
        w->target = text;
    fedn__client_engine_assigned(w->engine, w->now, outcome, FEDN_ERR_UNAVAILABLE, text);
}

static void tick(world *w, int64_t forward)
{
    w->now += forward;
    fedn__client_engine_tick(w->engine, w->now);
    assert_true(fedn__client_engine_deadline(w->engine) > w->now);
}

static void one_step(world *w)
{
    switch (draw(w, 12)) {
    case 0:
    case 1:
        tick(w, draw(w, 500));
        break;
    case 2:
    case 3:
        hand_out(w);
        break;
    case 4:
        fedn__client_engine_opened(w->engine, w->now, w->dial - draw(w, 2));
        break;
    case 5:
        if (draw(w, 4) == 0)
            fedn__client_engine_closed(w->engine, w->now, w->dial, any_outcome(w), "closed");
        break;
    case 6:
        if (w->assigning)
            assignment_comes(w, FEDN__ASSIGNED + (int32_t)draw(w, 3));
        break;
    case 7:
    case 8:
        if (w->running && !draw(w, 4))
            fedn__client_engine_unwanted(w->engine, w->now, w->run_step - draw(w, 2), "over");
        else if (w->running && !draw(w, 2))
            callback_returns(w, draw(w, 4) ? FEDN_OK : FEDN_ERR_CALLBACK);
        break;
    default:
        if (w->count)
            deliver(w, draw(w, w->count), any_outcome(w), draw(w, 10) == 0);
        break;
    }
    drain(w);
}

/* From here on the world is kind: every task that is handed out must come to its end. */
static void settle(world *w)
{
    w->kind = 1;
    for (int i = 0; i < 2000; i++) {
        if (w->assigning)
            assignment_comes(w, FEDN__ASSIGNED);
        else if (w->running)
            callback_returns(w, FEDN_OK);
        else if (w->count)
            deliver(w, w->count - 1, FEDN_OK, 0);
        else if (w->dial)
            fedn__client_engine_opened(w->engine, w->now, w->dial);
        drain(w);
        int64_t due = fedn__client_engine_deadline(w->engine);
        if (!w->assigning && !w->running && !w->count && due != INT64_MAX && due > w->now)
            w->now = due;
        tick(w, 0);
        drain(w);
    }
    assert_true(w->dial != 0);
    assert_true(!w->running && !w->active);
    int32_t before = w->actions;
    fedn__client_engine_order(w->engine, w->now, w->dial, make_order(TASKS, 0));
    drain(w);
    assert_true(w->actions > before); /* idle, and ready for more */
}

static void world_new(world *w, uint64_t seed, const char *direct)
{
    fedn_error err;
    const fedn__client_settings settings = {.heartbeat_ms = 200,
                                            .reconnect_min_ms = 10,
                                            .reconnect_max_ms = 300,
                                            .seed = seed,
                                            .direct = direct,
                                            .has_train = 1,
                                            .has_validate = 1};

    memset(w, 0, sizeof *w);
    w->random = seed * 0x9e3779b97f4a7c15u + 1;
    w->now = 1000;
    assert_ok(fedn__client_engine_new(&settings, &w->engine, &err), &err);
    fedn__client_engine_start(w->engine, w->now);
    drain(w);
}

static void random_worlds_break_no_rule(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world w;
        world_new(&w, seed, seed % 3 ? NULL : "direct:1");
        for (int i = 0; i < STEPS; i++)
            one_step(&w);
        settle(&w);
        fedn__client_engine_free(w.engine);
    }
}

static void stop_at_any_step_is_the_last_word(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world w;
        world_new(&w, seed, NULL);
        uint32_t steps = draw(&w, STEPS);
        for (uint32_t i = 0; i < steps; i++)
            one_step(&w);
        fedn__client_engine_stop(w.engine, w.now);
        drain(&w);
        assert_int_equal(w.stopped, 1);
        for (int i = 0; i < 100; i++)
            one_step(&w); /* any action fails the test */
        fedn__client_engine_free(w.engine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_worlds_break_no_rule),
        cmocka_unit_test(stop_at_any_step_is_the_last_word),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
