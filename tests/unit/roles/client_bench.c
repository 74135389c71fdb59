/* SPDX-License-Identifier: Apache-2.0
 * A client's engine on a bench; see client_bench.h. */
#include "client_bench.h"

static const char letters[] = {
    [FEDN__CLIENT_ASSIGN] = 'A',    [FEDN__CLIENT_DIAL] = 'D',   [FEDN__CLIENT_HANG_UP] = 'H',
    [FEDN__CLIENT_HEARTBEAT] = 'b', [FEDN__CLIENT_FETCH] = 'F',  [FEDN__CLIENT_RUN] = 'R',
    [FEDN__CLIENT_CANCEL] = 'X',    [FEDN__CLIENT_UPLOAD] = 'U', [FEDN__CLIENT_ANSWER] = 'S',
    [FEDN__CLIENT_RELEASE] = '-',   [FEDN__CLIENT_REFUSE] = 'Q', [FEDN__CLIENT_LOG] = 'w',
    [FEDN__CLIENT_FINISHED] = '.',  [FEDN__CLIENT_KEEP] = 'K',
};

void bench_drain(bench *b)
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
        if (action.order) {
            b->moved = action.moved;
            snprintf(b->correlation, sizeof b->correlation, "%s", action.order->correlation_id);
        }
    }
    b->trace[len] = 0;
}

void bench_new(bench *b, const char *direct)
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

void bench_free(bench *b)
{
    fedn__client_engine_free(b->engine);
}

fedn__order *bench_order(fedn_task_type type, const char *correlation, const char *round,
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

void bench_give(bench *b, fedn_task_type type, const char *correlation, const char *round,
                const char *model)
{
    fedn__client_engine_order(b->engine, b->now, b->dial,
                              bench_order(type, correlation, round, model));
}

void bench_assigned(bench *b, const char *target)
{
    fedn__client_engine_assigned(b->engine, b->now, FEDN__ASSIGNED, FEDN_OK, target);
}

void bench_up(bench *b)
{
    fedn__client_engine_opened(b->engine, b->now, b->dial);
    expect(b, "");
    fedn__client_engine_heartbeat(b->engine, b->now, b->dial, FEDN_OK, "");
    expect(b, "");
}

void bench_connected(bench *b)
{
    bench_new(b, NULL);
    expect(b, "A");
    bench_assigned(b, "host:1");
    expect(b, "Db");
    bench_up(b);
}

void bench_closed(bench *b, fedn_status status)
{
    fedn__client_engine_closed(b->engine, b->now, b->dial, status, "gone");
}

void bench_wait(bench *b, int64_t most)
{
    int64_t due = fedn__client_engine_deadline(b->engine);

    assert_true(due >= b->now && due <= b->now + most);
    b->now = due;
    fedn__client_engine_tick(b->engine, b->now);
}
