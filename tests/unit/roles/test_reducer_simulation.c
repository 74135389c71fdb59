/* SPDX-License-Identifier: Apache-2.0
 * The reducer's engine under random histories from a seed: reports lost, late and doubled, links
 * cut, combiners restarted, sessions stopped at any time; what must hold is checked after every
 * event. */
#include "roles/reducer/engine.h"

#include "test.h"
#include <stdlib.h>

enum { COMBINERS = 6, ROUNDS_MAX = 4096, PENDING = 64 };

typedef struct pending { /* a merge or commit that the lane still owes */
    int32_t commit;
    uint64_t round;
    uint32_t part;
} pending;

typedef struct world {
    uint64_t seed;
    int64_t now;
    fedn__reducer_engine *engine;
    fedn__reducer_combiner *combiners[COMBINERS];
    uint64_t asked[COMBINERS]; /* newest round each was asked for, and has not reported */
    pending pending[PENDING];
    uint32_t pending_count;
    /* what was seen */
    uint8_t merges[ROUNDS_MAX][COMBINERS];
    uint8_t ends[ROUNDS_MAX];
    uint64_t last_opened;
    uint64_t open_round; /* 0: none */
    char newest[FEDN__UUID_TEXT];
    uint64_t models;
    uint32_t sessions_started, sessions_ended, committed;
} world;

static uint32_t roll(world *w, uint32_t sides)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % sides;
}

static uint32_t index_of(const world *w, const fedn__reducer_combiner *combiner)
{
    for (uint32_t i = 0; i < COMBINERS; i++)
        if (w->combiners[i] == combiner)
            return i;
    fail_msg("an action names an unknown combiner");
    return 0;
}

static void owe(world *w, int32_t commit, uint64_t round, uint32_t part)
{
    assert_true(w->pending_count < PENDING);
    w->pending[w->pending_count++] = (pending){commit, round, part};
}

static void on_round(world *w, const fedn__reducer_action *action)
{
    const fedn__reducer_round *round = action->round;

    if (action->type == FEDN__REDUCER_ROUND_OPENED) {
        assert_int_equal(round->id, w->last_opened + 1); /* one line of rounds */
        assert_int_equal(w->open_round, 0);              /* one at a time */
        assert_string_equal(round->model_id, w->newest); /* one line of models */
        w->last_opened = w->open_round = round->id;
        assert_true(round->id < ROUNDS_MAX);
    } else if (action->type == FEDN__REDUCER_ROUND_ENDED) {
        assert_int_equal(++w->ends[round->id], 1); /* ends once */
        assert_int_equal(round->id, w->open_round);
        assert_true(round->state >= FEDN__ROUND_FINISHED);
        assert_true(round->state != FEDN__ROUND_FAILED || round->message[0]);
        w->open_round = 0;
    } else if (action->type == FEDN__REDUCER_MERGE) {
        assert_int_equal(round->id, w->open_round); /* only into its round */
        uint32_t who = index_of(w, round->parts[action->part].combiner);
        assert_int_equal(++w->merges[round->id][who], 1); /* at most once */
        owe(w, 0, round->id, action->part);
    } else if (action->type == FEDN__REDUCER_COMMIT) {
        assert_int_equal(round->id, w->open_round);
        owe(w, 1, round->id, 0);
    }
}

static void drain(world *w)
{
    fedn__reducer_action action;

    while (fedn__reducer_engine_next(w->engine, &action)) {
        const fedn__reducer_session *session = fedn__reducer_engine_session(w->engine);
        if (action.type == FEDN__REDUCER_SESSION_CHANGED &&
            session->status != FEDN__SESSION_STARTED) {
            w->sessions_ended++;
            assert_int_equal(w->open_round, 0);
            assert_true(session->status == FEDN__SESSION_FINISHED || session->message[0]);
        } else if (action.type == FEDN__REDUCER_SEND_START) {
            assert_true(action.combiner->attachment != 0);
            assert_true(action.combiner->active >= session->clients_required);
            w->asked[index_of(w, action.combiner)] = action.round->id;
        } else if (action.round) {
            on_round(w, &action);
        }
    }
}

/* A session that runs has a round that waits or works for a named reason, or has a deadline. */
static void check(const world *w)
{
    const fedn__reducer_round *round = fedn__reducer_engine_round(w->engine);
    const fedn__reducer_session *session = fedn__reducer_engine_session(w->engine);
    uint32_t merging = 0;
    uint32_t uploading = 0;
    uint32_t owed = 0;

    assert_int_equal(w->sessions_started - w->sessions_ended,
                     fedn__reducer_engine_is_running(w->engine));
    if (!fedn__reducer_engine_is_running(w->engine)) {
        assert_true(fedn__reducer_engine_deadline(w->engine) == INT64_MAX);
        return;
    }
    assert_int_equal(round->id, w->open_round);
    for (uint32_t i = 0; i < round->count; i++) {
        merging += round->parts[i].state == FEDN__PART_MERGING;
        uploading += round->parts[i].state == FEDN__PART_ASKED &&
                     round->parts[i].combiner->patient_ms == INT64_MAX;
    }
    for (uint32_t i = 0; i < w->pending_count; i++)
        owed += w->pending[i].round == round->id;
    if (round->state == FEDN__ROUND_COMMITTING)
        assert_int_equal(owed, 1);
    else if (fedn__reducer_engine_deadline(w->engine) == INT64_MAX)
        assert_true(uploading > 0 || (merging > 0 && merging == owed) ||
                    (round->state == FEDN__ROUND_WAITING && session->met));
    assert_true(round->state != FEDN__ROUND_WAITING || session->message[0]);
}

static void attach(world *w, uint32_t i, int32_t fresh)
{
    char name[8];
    char link[FEDN__LIMIT_ID_BYTES + 1];
    fedn__reducer_hello hello = {.name = name,
                                 .combiner_id = name,
                                 .link_id = link,
                                 .protocol = FEDN__TIER_PROTOCOL,
                                 .max_clients = 8};
    int32_t resumed = 0;
    fedn_error err;

    snprintf(name, sizeof name, "c%u", (unsigned)i);
    snprintf(link, sizeof link, "%s", fresh || !w->combiners[i] ? "" : w->combiners[i]->link_id);
    if (!*link)
        snprintf(link, sizeof link, "l%u", roll(w, 1u << 30));
    assert_ok(
        fedn__reducer_engine_attach(w->engine, w->now, &hello, &w->combiners[i], &resumed, &err),
        &err);
    if (fresh)
        w->asked[i] = 0;
}

static void send_report(world *w, uint32_t i)
{
    fedn__reducer_report report = {.round = roll(w, 4) ? w->asked[i] : roll(w, 8) + w->last_opened,
                                   .partial_id = roll(w, 4) ? w->newest : "",
                                   .error = roll(w, 2) ? "" : "broken",
                                   .expected = 3,
                                   .accepted = roll(w, 4)};
    uint32_t times = 1 + (roll(w, 3) == 0);
    int32_t taken = 0;

    for (; times > 0; times--)
        assert_int_equal(
            fedn__reducer_engine_report(w->engine, w->now, w->combiners[i], &report, &taken),
            FEDN_OK);
}

static void settle_one(world *w)
{
    if (w->pending_count == 0)
        return;
    uint32_t at = 0; /* the lane answers in order */
    pending done = w->pending[at];
    fedn_status status = roll(w, 8) ? FEDN_OK : FEDN_ERR_FORMAT;
    memmove(w->pending, w->pending + 1, --w->pending_count * sizeof done);
    if (!done.commit) {
        fedn__reducer_engine_merged(w->engine, w->now, done.round, done.part, status, "malformed");
        return;
    }
    if (status == FEDN_OK) {
        snprintf(w->newest, sizeof w->newest, "00000000-0000-4000-8000-%012llu",
                 (unsigned long long)++w->models);
        w->committed++;
    }
    fedn__reducer_engine_committed(w->engine, w->now, done.round, status, w->newest, "disk full");
}

static void start(world *w)
{
    fedn__reducer_session session = {.rounds = 1 + roll(w, 4),
                                     .round_timeout_ms = 1 + roll(w, 300),
                                     .clients_required = roll(w, 4),
                                     .validate = (int32_t)roll(w, 2)};
    fedn_error err;

    snprintf(session.session_id, sizeof session.session_id, "s");
    snprintf(session.model_id, sizeof session.model_id, "%s", w->newest);
    fedn_status rc = fedn__reducer_engine_start(w->engine, w->now, &session, &err);
    if (rc == FEDN_OK)
        w->sessions_started++;
    else
        assert_int_equal(rc, FEDN_ERR_STATE);
}

static void step(world *w)
{
    uint32_t i = roll(w, COMBINERS);
    fedn__reducer_combiner *combiner = w->combiners[i];
    int64_t deadline = fedn__reducer_engine_deadline(w->engine);

    switch (roll(w, 13)) {
    case 0:
        attach(w, i, roll(w, 2) == 0);
        break;
    case 1:
        if (combiner && combiner->attachment)
            fedn__reducer_engine_detach(w->engine, w->now, combiner,
                                        combiner->attachment - roll(w, 2));
        break;
    case 2:
        if (combiner)
            fedn__reducer_engine_roster(w->engine, w->now, combiner, roll(w, 6));
        break;
    case 3:
        start(w);
        break;
    case 4:
        if (roll(w, 20) == 0)
            fedn__reducer_engine_stop(w->engine, w->now, "s", "asked to");
        break;
    case 5:
        if (deadline != INT64_MAX && roll(w, 3) == 0 && deadline > w->now)
            w->now = deadline;
        fedn__reducer_engine_tick(w->engine, w->now);
        break;
    case 6:
    case 7:
    case 8:
        settle_one(w);
        break;
    case 9:
        if (combiner && combiner->attachment)
            fedn__reducer_engine_upload(w->engine, w->now, combiner, (int32_t)roll(w, 2));
        break;
    default:
        if (combiner)
            send_report(w, i);
    }
    w->now += roll(w, 4);
    drain(w);
    check(w);
}

static void every_history_keeps_the_rules(void **state)
{
    static const fedn__reducer_settings settings = {
        .first_round = 1, .grace_ms = 20, .gone_ms = 50, .max_failures = 3};
    uint32_t committed = 0;
    uint32_t ended = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        world *w = calloc(1, sizeof *w);
        fedn_error err;
        w->seed = seed;
        snprintf(w->newest, sizeof w->newest, "00000000-0000-4000-8000-000000000000");
        assert_ok(fedn__reducer_engine_new(&settings, &w->engine, &err), &err);
        for (uint32_t i = 0; i < 5000 && w->last_opened < ROUNDS_MAX - 8; i++)
            step(w);
        /* left alone it comes to an end */
        for (uint32_t k = 0; k < COMBINERS; k++)
            if (w->combiners[k])
                fedn__reducer_engine_upload(w->engine, w->now, w->combiners[k], 0);
        /* with time, and a combiner that never answers */
        attach(w, 0, 1);
        fedn__reducer_engine_roster(w->engine, w->now, w->combiners[0], 6);
        drain(w);
        for (uint32_t i = 0; i < 200 && fedn__reducer_engine_is_running(w->engine); i++) {
            int64_t deadline = fedn__reducer_engine_deadline(w->engine);
            if (w->pending_count > 0)
                settle_one(w);
            else if (deadline > w->now)
                w->now = deadline;
            fedn__reducer_engine_tick(w->engine, w->now);
            drain(w);
            check(w);
        }
        assert_false(fedn__reducer_engine_is_running(w->engine));
        committed += w->committed;
        ended += w->sessions_ended;
        fedn__reducer_engine_free(w->engine);
        free(w);
    }
    assert_true(committed > 100); /* the histories are not all failures */
    assert_true(ended > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_history_keeps_the_rules)};
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
