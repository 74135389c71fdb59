/* SPDX-License-Identifier: Apache-2.0
 * A combiner's link against a scripted reducer: greeting, cuts with and without memory on the other
 * side, refusals, bounds, and a close that is not in a hurry. */
#include "fake_tier.h"
#include "test.h"

#include "core/clock.h"
#include "core/limits.h"
#include "core/thread.h"
#include "core/uuid.h"
#include "roles/combiner/uplink.h"
#include <stdlib.h>

#define BOUND_NS (20 * INT64_C(1000000000))

typedef struct rig {
    fake_tier *tier;
    fedn__loop *loop;
    fedn__uplink *uplink;
    fedn__log log;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    uint32_t ups;
    uint32_t messages;
    char rounds[256]; /* the round ids of orders, in their order */
    char lines[4096]; /* of the log */
    int32_t gone;
} rig;

static void note(rig *r, uint32_t *counter)
{
    pthread_mutex_lock(&r->mutex);
    ++*counter;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
}

static void await(rig *r, const uint32_t *counter, uint32_t count)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&r->mutex);
    while (*counter < count)
        if (!fedn__cond_wait(&r->cond, &r->mutex, deadline))
            fail_msg("%u instead of %u", (unsigned)*counter, (unsigned)count);
    pthread_mutex_unlock(&r->mutex);
}

static void on_up(void *user_data)
{
    rig *r = user_data;
    note(r, &r->ups);
}

static void on_message(void *user_data, const Fedn__Tier__V1__Down *message)
{
    rig *r = user_data;

    pthread_mutex_lock(&r->mutex);
    assert_int_equal(message->body_case, FEDN__TIER__V1__DOWN__BODY_START);
    strncat(r->rounds, message->start->round_id, sizeof r->rounds - strlen(r->rounds) - 1);
    pthread_mutex_unlock(&r->mutex);
    note(r, &r->messages);
}

static void on_log(int32_t level, const char *component, const char *line, void *user_data)
{
    rig *r = user_data;

    (void)level;
    (void)component;
    pthread_mutex_lock(&r->mutex);
    snprintf(r->lines + strlen(r->lines), sizeof r->lines - strlen(r->lines), "%s\n", line);
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
}

static int32_t logged(rig *r, const char *word)
{
    int32_t times = 0;

    pthread_mutex_lock(&r->mutex);
    for (const char *at = strstr(r->lines, word); at; at = strstr(at + 1, word))
        times++;
    pthread_mutex_unlock(&r->mutex);
    return times;
}

static void await_log(rig *r, const char *word)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&r->mutex);
    while (!strstr(r->lines, word))
        if (!fedn__cond_wait(&r->cond, &r->mutex, deadline))
            fail_msg("no line says \"%s\": %s", word, r->lines);
    pthread_mutex_unlock(&r->mutex);
}

static void start(void *arg)
{
    fedn__uplink_start(((rig *)arg)->uplink, 12080);
}

static fedn_status make_uplink(rig *r, fedn_error *err)
{
    static const fedn__uplink_events events = {.up = on_up, .message = on_message};
    char target[64];
    fedn__uplink_options options = {.target = target,
                                    .name = "c1",
                                    .combiner_id = "33333333-3333-4333-8333-333333333333",
                                    .host = "combiner.example",
                                    .fqdn = "",
                                    .max_clients = 100,
                                    .reconnect_max_ms = 100,
                                    .log = &r->log};

    snprintf(target, sizeof target, "127.0.0.1:%d", (int)fake_tier_port(r->tier));
    return fedn__uplink_new(r->loop, &options, &events, r, &r->uplink, err);
}

static rig *rig_new(void)
{
    fedn_error err;
    rig *r = calloc(1, sizeof *r);

    pthread_mutex_init(&r->mutex, NULL);
    fedn__cond_init(&r->cond);
    r->log = (fedn__log){.fn = on_log, .user_data = r, .level = FEDN_LOG_DEBUG};
    r->tier = fake_tier_new();
    assert_ok(fedn__loop_new("uplink", NULL, &r->loop, &err), &err);
    assert_ok(make_uplink(r, &err), &err);
    return r;
}

static rig *rig_linked(void)
{
    rig *r = rig_new();

    fedn__loop_call(r->loop, start, r);
    await(r, &r->ups, 1);
    return r;
}

static void on_gone(void *user_data)
{
    rig *r = user_data;

    pthread_mutex_lock(&r->mutex);
    r->gone = 1;
    pthread_mutex_unlock(&r->mutex);
}

static void close_now(void *arg)
{
    rig *r = arg;
    fedn__uplink_close(r->uplink, 20000, on_gone, r);
}

static void rig_close(rig *r)
{
    fedn__loop_call(r->loop, close_now, r);
    fedn__loop_free(r->loop); /* which waits for what runs */
    assert_int_equal(r->gone, 1);
    r->loop = NULL;
}

static void rig_free(rig *r)
{
    if (r->loop)
        rig_close(r);
    fake_tier_free(r->tier);
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

typedef struct sending {
    rig *r;
    uint32_t first;
    uint32_t count;
    uint64_t bytes; /* of each */
    int32_t record;
    fedn_status rc;
    uint32_t taken;
} sending;

static void do_send(void *arg)
{
    sending *s = arg;
    Fedn__Tier__V1__Event event = FEDN__TIER__V1__EVENT__INIT;
    Fedn__Tier__V1__Event *list[] = {&event};
    Fedn__Tier__V1__Events events = FEDN__TIER__V1__EVENTS__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;
    char kind[16];
    char *json = calloc(1, s->bytes + 1);

    memset(json, 'x', s->bytes);
    event.kind = kind;
    event.json = json;
    events.n_events = 1;
    events.events = list;
    up.body_case = FEDN__TIER__V1__UP__BODY_EVENTS;
    up.events = &events;
    s->rc = FEDN_OK;
    for (s->taken = 0; s->rc == FEDN_OK && s->taken < s->count; s->taken += s->rc == FEDN_OK) {
        snprintf(kind, sizeof kind, "%u", (unsigned)(s->first + s->taken));
        s->rc = s->record ? fedn__uplink_send_record(s->r->uplink, &up)
                          : fedn__uplink_send(s->r->uplink, &up);
    }
    free(json);
}

static void send_some(rig *r, uint32_t first, uint32_t count)
{
    sending s = {.r = r, .first = first, .count = count, .bytes = 10};

    fedn__loop_call(r->loop, do_send, &s);
    assert_int_equal(s.rc, FEDN_OK);
}

/* The messages "0", "1", ... came once each, in order; after a loss of memory some came twice. */
static void assert_came(rig *r, uint32_t count)
{
    char kind[16];

    for (uint32_t i = 0; i < count; i++) {
        snprintf(kind, sizeof kind, "%u", (unsigned)i);
        const Fedn__Tier__V1__Up *up = fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_EVENTS, i);
        assert_string_equal(up->events->events[0]->kind, kind);
    }
    assert_int_equal(fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_EVENTS), count);
}

static const Fedn__Tier__V1__Hello *hello(rig *r, uint32_t nth)
{
    return fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_HELLO, nth)->hello;
}

/* ---- greeting ---- */

static void the_greeting_says_who_it_is(void **state)
{
    rig *r = rig_linked();
    const Fedn__Tier__V1__Hello *said = hello(r, 0);
    fedn__uuid uuid;

    (void)state;
    assert_int_equal(said->protocol, 1);
    assert_string_equal(said->name, "c1");
    assert_string_equal(said->host, "combiner.example");
    assert_int_equal(said->port, 12080);
    assert_int_equal(said->max_clients, 100);
    assert_true(fedn__uuid_parse(said->link_id, &uuid));
    assert_int_equal(said->last_seq_seen, 0);
    rig_free(r);
}

static void a_refusal_is_logged_once_and_ends_when_the_reducer_relents(void **state)
{
    rig *r = rig_new();

    (void)state;
    fake_tier_refuse(r->tier, "another combiner of the name c1 is attached");
    fedn__loop_call(r->loop, start, r);
    hello(r, 3);
    assert_int_equal(logged(r, "refuses: another combiner of the name c1 is attached"), 1);
    assert_int_equal(r->ups, 0);
    fake_tier_refuse(r->tier, NULL);
    await(r, &r->ups, 1);
    rig_free(r);
}

static void what_does_not_begin_with_a_welcome_is_hung_up_on(void **state)
{
    rig *r = rig_new();

    (void)state;
    fake_tier_skip_welcome(r->tier, 1);
    fedn__loop_call(r->loop, start, r);
    hello(r, 0);
    fake_tier_start_round(r->tier, "1", "m");
    await_log(r, "does not begin with a welcome");
    fake_tier_skip_welcome(r->tier, 0);
    fake_tier_forget(r->tier);
    await(r, &r->ups, 1);
    assert_int_equal(r->messages, 0);
    rig_free(r);
}

/* ---- cuts ---- */

static void what_was_sent_before_the_first_welcome_and_during_a_cut_arrives_once(void **state)
{
    rig *r = rig_new();

    (void)state;
    send_some(r, 0, 3);
    fedn__loop_call(r->loop, start, r);
    await(r, &r->ups, 1);
    assert_came(r, 3);
    for (uint32_t cut = 0; cut < 5; cut++) {
        fake_tier_cut(r->tier);
        send_some(r, 3 + 10 * cut, 10);
        await(r, &r->ups, cut + 2);
        assert_came(r, 13 + 10 * cut);
    }
    assert_string_equal(hello(r, 0)->link_id, hello(r, 5)->link_id);
    assert_int_equal(logged(r, "no link to the reducer"), 5);
    assert_int_equal(logged(r, "linked to the reducer"), 5);
    rig_free(r);
}

static void more_than_a_stream_queues_may_wait(void **state)
{
    rig *r = rig_linked();
    sending s = {.r = r, .count = 2000, .bytes = 1000};

    (void)state;
    fake_tier_cut(r->tier);
    fake_tier_await_ends(r->tier, 1);
    fedn__loop_call(r->loop, do_send, &s);
    assert_int_equal(s.rc, FEDN_OK);
    assert_came(r, 2000);
    assert_int_equal(fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_HELLO), 2);
    rig_free(r);
}

static void a_reducer_without_memory_is_told_all_that_it_did_not_acknowledge(void **state)
{
    rig *r = rig_linked();

    (void)state;
    send_some(r, 0, 3);
    assert_came(r, 3);
    fake_tier_start_round(r->tier, "a", "m");
    await(r, &r->messages, 1); /* after which everything is acknowledged */
    fake_tier_hold(r->tier, 1);
    send_some(r, 3, 2);
    fake_tier_forget(r->tier);
    fake_tier_cut(r->tier);
    fake_tier_await_ends(r->tier, 1);
    fake_tier_hold(r->tier, 0);
    await(r, &r->ups, 2);
    fake_tier_start_round(r->tier, "b", "m"); /* number 1 again */
    await(r, &r->messages, 2);
    assert_string_equal(r->rounds, "ab");
    fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_EVENTS, 4);
    assert_int_equal(hello(r, 1)->last_seq_seen, 1);
    rig_free(r);
}

static void a_reducer_that_claims_what_was_never_sent_gets_a_new_link(void **state)
{
    rig *r = rig_linked();

    (void)state;
    send_some(r, 0, 1);
    assert_came(r, 1);
    fake_tier_claim(r->tier, 99);
    fake_tier_cut(r->tier);
    await_log(r, "has seen other messages than were sent");
    fake_tier_forget(r->tier); /* as it does for a link that it does not know */
    await(r, &r->ups, 2);
    assert_string_not_equal(hello(r, 0)->link_id, hello(r, 2)->link_id);
    assert_int_equal(hello(r, 2)->last_seq_seen, 0);
    rig_free(r);
}

static void orders_come_once_and_a_gap_makes_it_link_anew(void **state)
{
    rig *r = rig_linked();
    Fedn__Tier__V1__RoundStart start_2 = FEDN__TIER__V1__ROUND_START__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;

    (void)state;
    fake_tier_start_round(r->tier, "1", "m");
    await(r, &r->messages, 1);
    start_2.round_id = (char *)(uintptr_t) "2";
    down.body_case = FEDN__TIER__V1__DOWN__BODY_START;
    down.start = &start_2;
    fake_tier_send_as(r->tier, &down, 1); /* repeated */
    fake_tier_send_as(r->tier, &down, 3);
    await_log(r, "skipped messages");
    await(r, &r->ups, 2);
    assert_int_equal(hello(r, 1)->last_seq_seen, 1);
    fake_tier_send_as(r->tier, &down, 2);
    await(r, &r->messages, 2);
    assert_string_equal(r->rounds, "12");
    rig_free(r);
}

/* ---- bounds ---- */

static void what_waits_is_bounded_and_records_leave_room_for_reports(void **state)
{
    rig *r = rig_new(); /* never linked */
    sending records = {.r = r, .count = 100, .bytes = FEDN__MIB, .record = 1};
    sending reports = {.r = r, .count = 100, .bytes = FEDN__MIB};
    sending huge = {.r = r, .count = 1, .bytes = FEDN__LIMIT_TIER_BYTES};

    (void)state;
    fedn__loop_call(r->loop, do_send, &records);
    assert_int_equal(records.rc, FEDN_ERR_LIMIT);
    assert_in_range(records.taken, 40, 48);
    fedn__loop_call(r->loop, do_send, &reports);
    assert_int_equal(reports.rc, FEDN_ERR_LIMIT);
    assert_in_range(records.taken + reports.taken, 60, 64);
    fedn__loop_call(r->loop, do_send, &huge);
    assert_int_equal(huge.rc, FEDN_ERR_INVALID);
    rig_free(r);
}

/* ---- the end ---- */

static void a_close_lets_the_other_side_take_up_what_waits(void **state)
{
    rig *r = rig_linked();

    (void)state;
    send_some(r, 0, 500);
    rig_close(r);
    assert_came(r, 500);
    rig_free(r);
}

static void close_at_once(void *arg)
{
    rig *r = arg;
    fedn__uplink_close(r->uplink, 0, on_gone, r);
}

static void a_close_does_not_wait_for_a_reducer_that_does_not_read(void **state)
{
    rig *r = rig_linked();

    (void)state;
    fake_tier_hold(r->tier, 1);
    send_some(r, 0, 100);
    fedn__loop_call(r->loop, close_at_once, r);
    fedn__loop_free(r->loop);
    r->loop = NULL;
    assert_int_equal(r->gone, 1);
    rig_free(r);
}

static void a_link_that_was_never_there_is_closed_at_once(void **state)
{
    rig *r = rig_new();

    (void)state;
    rig_close(r);
    rig_free(r);
}

static fedn_status dial_and_send(void *arg)
{
    rig *r = arg;
    fedn_error err;
    sending s = {.r = r, .count = 2, .bytes = 10};

    r->gone = 0;
    fedn_status rc = make_uplink(r, &err);
    if (rc != FEDN_OK)
        return rc;
    fedn__loop_call(r->loop, do_send, &s);
    fedn__loop_call(r->loop, close_now, r);
    assert_int_equal(r->gone, 1);
    return s.rc;
}

static void every_allocation_may_fail(void **state)
{
    rig *r = rig_linked();

    (void)state;
    fedn__loop_call(r->loop, close_now, r);
    fedn__loop_free(r->loop);
    fake_tier_await_ends(r->tier, 1); /* which would be counted too */
    fedn_error err;
    assert_ok(fedn__loop_new("uplink", NULL, &r->loop, &err), &err);
    test_fail_each_allocation(dial_and_send, r);
    fedn__loop_free(r->loop);
    r->loop = NULL;
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greeting_says_who_it_is),
        cmocka_unit_test(a_refusal_is_logged_once_and_ends_when_the_reducer_relents),
        cmocka_unit_test(what_does_not_begin_with_a_welcome_is_hung_up_on),
        cmocka_unit_test(what_was_sent_before_the_first_welcome_and_during_a_cut_arrives_once),
        cmocka_unit_test(more_than_a_stream_queues_may_wait),
        cmocka_unit_test(a_reducer_without_memory_is_told_all_that_it_did_not_acknowledge),
        cmocka_unit_test(a_reducer_that_claims_what_was_never_sent_gets_a_new_link),
        cmocka_unit_test(orders_come_once_and_a_gap_makes_it_link_anew),
        cmocka_unit_test(what_waits_is_bounded_and_records_leave_room_for_reports),
        cmocka_unit_test(a_close_lets_the_other_side_take_up_what_waits),
        cmocka_unit_test(a_close_does_not_wait_for_a_reducer_that_does_not_read),
        cmocka_unit_test(a_link_that_was_never_there_is_closed_at_once),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
