/* SPDX-License-Identifier: Apache-2.0
 * A combiner between a scripted reducer and a scripted client: cuts of its link, orders that cannot
 * be carried out, refusals. */
#include "combiner_rig.h"

#include <stdlib.h>

static void a_round_goes_on_without_the_reducer_and_its_report_comes_later(void **state)
{
    rig *r = rig_in_round();
    uint32_t nth = fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_ROSTER);
    char path[512];
    uint64_t bytes = 0;

    (void)state;
    fake_tier_refuse(r->tier, "not now");
    fake_tier_cut(r->tier);
    fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_HELLO, 2); /* it comes back, in vain */
    rig_upload_update(r);
    rig_announce(r, "1", "RECEIVED " UPDATE);
    assert_int_equal(fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_REPORT), 0);
    fake_tier_refuse(r->tier, NULL);
    const Fedn__Tier__V1__RoundReport *said = rig_report(r, 0);
    assert_string_equal(said->error, "");
    assert_int_equal(said->count, 1);
    assert_int_equal(said->accepted, 1);
    assert_true(said->weight == 10);
    assert_string_equal(said->clients[0]->client_id, "ann");
    assert_string_equal(said->clients[0]->name, "Ann");
    fake_tier_upload_path(r->tier, said->partial_id, path);
    free(test_read_file(path, &bytes));
    assert_true(bytes > 0);
    /* the reducer took everybody for gone: the whole roster came again */
    const Fedn__Tier__V1__Roster *roster =
        fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_ROSTER, nth)->roster;
    assert_int_equal(roster->active, 1);
    assert_int_equal(roster->n_changes, 1);
    assert_true(roster->changes[0]->online);
    rig_free(r);
}

static void a_reducer_that_lost_its_memory_gets_the_report_again(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    rig_upload_update(r);
    fake_tier_hold(r->tier, 1); /* the report goes nowhere */
    rig_announce(r, "1", "RECEIVED");
    fake_tier_forget(r->tier);
    fake_tier_cut(r->tier);
    fake_tier_hold(r->tier, 0);
    assert_string_equal(rig_report(r, 0)->round_id, "1");
    rig_announce(r, "1", "RECEIVED"); /* the same answer to the same update */
    rig_free(r);
}

static void a_model_that_is_not_there_fails_the_round_at_once(void **state)
{
    rig *r = rig_new();

    (void)state;
    fake_tier_start_round(r->tier, "1", MODEL);
    test_assert_words(rig_report(r, 0)->error, MODEL);
    rig_free(r);
}

static void an_order_that_makes_no_sense_is_answered_by_a_report(void **state)
{
    rig *r = rig_new();

    (void)state;
    fake_tier_start_round(r->tier, "1", "../../etc/passwd");
    const Fedn__Tier__V1__RoundReport *said = rig_report(r, 0);
    assert_string_equal(said->round_id, "1");
    assert_string_not_equal(said->error, "");
    rig_free(r);
}

static void a_rule_that_is_not_known_fails_the_round(void **state)
{
    rig *r = rig_new();
    Fedn__Tier__V1__RoundStart start = FEDN__TIER__V1__ROUND_START__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    uint32_t nth = 0;

    (void)state;
    rig_offer_model(r);
    rig_open_tasks(r);
    rig_await_roster(r, &nth, 1);
    start.session_id = (char *)(uintptr_t) "22222222-2222-4222-8222-222222222222";
    start.round_id = (char *)(uintptr_t) "1";
    start.model_id = (char *)(uintptr_t)MODEL;
    start.aggregator = (char *)(uintptr_t) "no-such-rule";
    start.round_timeout_ms = 20000;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_START;
    down.start = &start;
    fake_tier_send(r->tier, &down);
    test_assert_words(rig_report(r, 0)->error, "no-such-rule");
    rig_free(r);
}

static void a_client_that_comes_back_gets_its_task_again(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    rig_cancel(r);
    rig_await(r, &r->heard.ended, 1);
    rig_open_tasks(r);
    rig_await(r, &r->heard.task_count, 2);
    assert_string_equal(r->heard.tasks[0]->correlation_id, r->heard.tasks[1]->correlation_id);
    rig_open_tasks(r); /* a second stream: the first is ended */
    rig_await_end(r, 2, FEDN__RPC_UNAVAILABLE);
    rig_free(r);
}

/* Halves the file, or changes an element of its tensor. */
static void damage(uint8_t *data, uint64_t *bytes, int32_t halve)
{
    uint8_t *header = memchr(data, '\x93', *bytes);

    assert_non_null(header);
    header[128] ^= 1; /* the first element */
    if (halve)
        *bytes /= 2;
}

static void a_damaged_update_is_refused_and_costs_only_its_round(void **state)
{
    static const char *const words[] = {"REFUSED " UPDATE " \"0\" CRC-32",
                                        "REFUSED " UPDATE " npz"};
    (void)state;

    for (int32_t halve = 0; halve < 2; halve++) {
        rig *r = rig_in_round();
        void *data = NULL;
        uint64_t bytes = 0;
        rig_encode(2, &data, &bytes);
        damage(data, &bytes, halve);
        rig_upload(r, data, bytes);
        rig_announce(r, "1", words[halve]);
        assert_int_equal(rig_report(r, 0)->accepted, 0);
        fake_tier_start_round(r->tier, "2", MODEL);
        rig_await(r, &r->heard.task_count, 2);
        rig_upload_update(r);
        rig_announce(r, "2", "RECEIVED " UPDATE);
        assert_int_equal(rig_report(r, 1)->accepted, 1);
        fedn_free(data);
        rig_free(r);
    }
}

static void an_upload_that_hangs_gives_way_to_the_next_try(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    rig_half_upload(r);
    rig_upload_update(r);
    rig_announce(r, "1", "RECEIVED");
    rig_free(r);
}

static void a_port_in_use_is_named_with_its_property(void **state)
{
    rig *r = rig_new();
    fedn_config *config = rig_configuration(r);
    fedn_combiner *second = NULL;
    fedn_error err;
    char value[512];

    (void)state;
    snprintf(value, sizeof value, "127.0.0.1:%d", (int)fedn_combiner_port(r->combiner));
    rig_set(config, "combiner.listen", value);
    snprintf(value, sizeof value, "%s/c2", r->dir);
    rig_set(config, "combiner.state_dir", value);
    assert_ok(fedn_combiner_new(config, &second, &err), &err);
    snprintf(value, sizeof value, "combiner.listen %d", (int)fedn_combiner_port(r->combiner));
    assert_fails(fedn_combiner_start(second, &err), FEDN_ERR_IO, &err, value);
    fedn_combiner_free(second);
    fedn_config_free(config);
    rig_free(r);
}

static void a_directory_in_use_is_named(void **state)
{
    rig *r = rig_new();
    fedn_config *config = rig_configuration(r);
    fedn_combiner *second = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn_combiner_new(config, &second, &err), &err);
    assert_fails(fedn_combiner_start(second, &err), FEDN_ERR_STATE, &err,
                 "combiner.state_dir in_use_by_process");
    fedn_combiner_free(second);
    fedn_config_free(config);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_goes_on_without_the_reducer_and_its_report_comes_later),
        cmocka_unit_test(a_reducer_that_lost_its_memory_gets_the_report_again),
        cmocka_unit_test(a_model_that_is_not_there_fails_the_round_at_once),
        cmocka_unit_test(an_order_that_makes_no_sense_is_answered_by_a_report),
        cmocka_unit_test(a_rule_that_is_not_known_fails_the_round),
        cmocka_unit_test(a_client_that_comes_back_gets_its_task_again),
        cmocka_unit_test(a_damaged_update_is_refused_and_costs_only_its_round),
        cmocka_unit_test(an_upload_that_hangs_gives_way_to_the_next_try),
        cmocka_unit_test(a_port_in_use_is_named_with_its_property),
        cmocka_unit_test(a_directory_in_use_is_named),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
