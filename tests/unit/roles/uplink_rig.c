/* SPDX-License-Identifier: Apache-2.0
 * A link against a scripted reducer; see uplink_rig.h. */
#include "uplink_rig.h"

#include "core/clock.h"
#include "core/thread.h"
#include <stdlib.h>

#define BOUND_NS (20 * INT64_C(1000000000))

static void note(rig *r, uint32_t *counter)
{
    pthread_mutex_lock(&r->mutex);
    ++*counter;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
}

void rig_await(rig *r, const uint32_t *counter, uint32_t count)
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

int32_t rig_logged(rig *r, const char *word)
{
    int32_t times = 0;

    pthread_mutex_lock(&r->mutex);
    for (const char *at = strstr(r->lines, word); at; at = strstr(at + 1, word))
        times++;
    pthread_mutex_unlock(&r->mutex);
    return times;
}

void rig_await_log(rig *r, const char *word)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&r->mutex);
    while (!strstr(r->lines, word))
        if (!fedn__cond_wait(&r->cond, &r->mutex, deadline))
            fail_msg("no line says \"%s\": %s", word, r->lines);
    pthread_mutex_unlock(&r->mutex);
}

void rig_start(void *arg)
{
    fedn__uplink_start(((rig *)arg)->uplink, 12080);
}

static void on_report_taken(void *user_data)
{
    rig *r = user_data;

    note(r, &r->reports_taken);
}

static const char *held_round(void *user_data)
{
    const rig *r = user_data;

    return r->held_round;
}

fedn_status rig_make_uplink(rig *r, fedn_error *err)
{
    static const fedn__uplink_events events = {.up = on_up,
                                               .message = on_message,
                                               .report_taken = on_report_taken,
                                               .held_round = held_round};
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

rig *rig_new(void)
{
    fedn_error err;
    rig *r = calloc(1, sizeof *r);

    pthread_mutex_init(&r->mutex, NULL);
    fedn__cond_init(&r->cond);
    r->log = (fedn__log){.fn = on_log, .user_data = r, .level = FEDN_LOG_DEBUG};
    r->tier = fake_tier_new();
    assert_ok(fedn__loop_new("uplink", NULL, &r->loop, &err), &err);
    assert_ok(rig_make_uplink(r, &err), &err);
    return r;
}

rig *rig_linked(void)
{
    rig *r = rig_new();

    fedn__loop_call(r->loop, rig_start, r);
    rig_await(r, &r->ups, 1);
    return r;
}

void rig_on_gone(void *user_data)
{
    rig *r = user_data;

    pthread_mutex_lock(&r->mutex);
    r->gone = 1;
    pthread_mutex_unlock(&r->mutex);
}

void rig_close_now(void *arg)
{
    rig *r = arg;
    fedn__uplink_close(r->uplink, 20000, rig_on_gone, r);
}

void rig_close(rig *r)
{
    fedn__loop_call(r->loop, rig_close_now, r);
    fedn__loop_free(r->loop); /* which waits for what runs */
    assert_int_equal(r->gone, 1);
    r->loop = NULL;
}

void rig_free(rig *r)
{
    if (r->loop)
        rig_close(r);
    fake_tier_free(r->tier);
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

void rig_do_send(void *arg)
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

void rig_send_some(rig *r, uint32_t first, uint32_t count)
{
    sending s = {.r = r, .first = first, .count = count, .bytes = 10};

    fedn__loop_call(r->loop, rig_do_send, &s);
    assert_int_equal(s.rc, FEDN_OK);
}

void rig_assert_came(rig *r, uint32_t count)
{
    char kind[16];

    for (uint32_t i = 0; i < count; i++) {
        snprintf(kind, sizeof kind, "%u", (unsigned)i);
        const Fedn__Tier__V1__Up *up = fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_EVENTS, i);
        assert_string_equal(up->events->events[0]->kind, kind);
    }
    assert_int_equal(fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_EVENTS), count);
}

const Fedn__Tier__V1__Hello *rig_hello(rig *r, uint32_t nth)
{
    return fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_HELLO, nth)->hello;
}
