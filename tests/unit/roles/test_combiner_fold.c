/* SPDX-License-Identifier: Apache-2.0
 * The aggregate of a round on its lane: real models and rules, answers in the order of asking. */
#include "test.h"

#include "core/clock.h"
#include "core/thread.h"
#include "roles/combiner/fold.h"
#include <fedn/model.h>
#include <stdlib.h>
#include <unistd.h>

#define BOUND_NS (20 * INT64_C(1000000000))

typedef struct rig {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__fold *fold;
    char *dir;
    char partial[512];
    fedn_status rc; /* of the last submit */
    fedn_status (*submit)(struct rig *rig);

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    uint32_t answers;
    char ids[256]; /* of the answers, in their order */
    fedn__fold_result last;
} rig;

static void on_answer(const fedn__fold_result *result, const char *id, void *user_data)
{
    rig *r = user_data;

    pthread_mutex_lock(&r->mutex);
    r->answers++;
    r->last = *result;
    snprintf(r->ids + strlen(r->ids), sizeof r->ids - strlen(r->ids), "%s ", id);
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
}

/* The result of the count'th answer, which is the last that was asked for. */
static const fedn__fold_result *answer(rig *r, uint32_t count)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&r->mutex);
    while (r->answers < count)
        if (!fedn__cond_wait(&r->cond, &r->mutex, deadline))
            fail_msg("answer %u does not come", (unsigned)count);
    pthread_mutex_unlock(&r->mutex);
    return &r->last;
}

static void do_submit(void *arg)
{
    rig *r = arg;
    r->rc = r->submit(r);
}

static void submit(rig *r, fedn_status (*step)(rig *r))
{
    r->submit = step;
    fedn__loop_call(r->loop, do_submit, r);
    assert_int_equal(r->rc, FEDN_OK);
}

static fedn_status open_fold(rig *r)
{
    return fedn__fold_new(r->loop, r->pool, &r->fold, NULL);
}

static void rig_init(rig *r)
{
    fedn_error err;

    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->mutex, NULL);
    fedn__cond_init(&r->cond);
    r->dir = test_scratch();
    snprintf(r->partial, sizeof r->partial, "%s/partial", r->dir);
    assert_ok(fedn__loop_new("fold", NULL, &r->loop, &err), &err);
    assert_ok(fedn__pool_new(2, "fold-w", &r->pool, &err), &err);
}

static void rig_done(rig *r)
{
    fedn__pool_free(r->pool);
    fedn__loop_free(r->loop);
    fedn__fold_free(r->fold);
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->mutex);
    test_scratch_done(r->dir);
}

static void setup(rig *r)
{
    rig_init(r);
    submit(r, open_fold);
}

static fedn_status make_blob(uint64_t elements, float value, fedn__blob **ret)
{
    fedn_model *model = NULL;
    void *tensor = NULL;
    void *data = NULL;
    uint64_t bytes = 0;
    fedn_error err;

    fedn_status rc = fedn_model_new(&model, &err);
    if (rc == FEDN_OK)
        rc = fedn_model_add(model, "w", FEDN_DTYPE_F32, 1, &elements, NULL, &tensor, &err);
    for (uint64_t i = 0; rc == FEDN_OK && i < elements; i++)
        ((float *)tensor)[i] = value;
    if (rc == FEDN_OK)
        rc = fedn_model_encode(model, "npz", &data, &bytes, &err);
    if (rc == FEDN_OK)
        rc = fedn__blob_from_memory(data, bytes, ret, &err);
    if (rc != FEDN_OK)
        fedn_free(data);
    fedn_model_unref(model);
    return rc;
}

static fedn_status begin_with(rig *r, const char *rule, const char *kwargs)
{
    fedn__blob *global = NULL;

    fedn_status rc = make_blob(4, 0, &global);
    if (rc == FEDN_OK)
        rc = fedn__fold_begin(r->fold, rule, kwargs, "", global, "round", on_answer, r);
    fedn__blob_unref(global);
    return rc;
}

static fedn_status begin(rig *r)
{
    return begin_with(r, "fedavg", "");
}

static fedn_status add(rig *r, const char *id, uint64_t elements, float value, double weight)
{
    fedn__blob *update = NULL;

    fedn_status rc = make_blob(elements, value, &update);
    if (rc == FEDN_OK)
        rc = fedn__fold_add(r->fold, update, id, weight, NULL, NULL, on_answer, r);
    fedn__blob_unref(update);
    return rc;
}

static fedn_status add_one(rig *r)
{
    return add(r, "one", 4, 1, 10);
}

static fedn_status add_three(rig *r)
{
    return add(r, "three", 4, 3, 30);
}

static fedn_status add_other_shape(rig *r)
{
    return add(r, "misshapen", 5, 1, 10);
}

static fedn_status add_no_model(rig *r)
{
    fedn__blob *update = NULL;

    fedn_status rc = fedn__blob_copy("no model", 8, &update, NULL);
    if (rc == FEDN_OK)
        rc = fedn__fold_add(r->fold, update, "garbage", 1, NULL, NULL, on_answer, r);
    fedn__blob_unref(update);
    return rc;
}

static fedn_status save(rig *r)
{
    return fedn__fold_save(r->fold, r->partial, "partial", on_answer, r);
}

static fedn_status reset(rig *r)
{
    return fedn__fold_reset(r->fold);
}

static void a_round_is_begun_added_to_and_saved_in_the_order_of_asking(void **state)
{
    rig r;

    (void)state;
    setup(&r);
    submit(&r, begin);
    submit(&r, add_one);
    submit(&r, add_other_shape);
    submit(&r, add_three);
    submit(&r, save);
    const fedn__fold_result *saved = answer(&r, 5);
    assert_int_equal(saved->status, FEDN_OK);
    assert_true(saved->weight == 40);
    assert_int_equal(saved->count, 2);
    assert_true(saved->seconds >= 0);
    assert_string_equal(r.ids, "round one misshapen three partial ");
    assert_int_equal(access(r.partial, R_OK), 0);
    rig_done(&r);
}

static void an_update_that_does_not_fit_says_why_and_costs_nothing(void **state)
{
    rig r;

    (void)state;
    setup(&r);
    submit(&r, begin);
    submit(&r, add_other_shape);
    assert_int_equal(answer(&r, 2)->status, FEDN_ERR_FORMAT);
    test_assert_words(r.last.err.message, "w 5");
    submit(&r, add_no_model);
    assert_int_equal(answer(&r, 3)->status, FEDN_ERR_FORMAT);
    submit(&r, add_one);
    assert_int_equal(answer(&r, 4)->status, FEDN_OK);
    submit(&r, save);
    assert_int_equal(answer(&r, 5)->count, 1);
    rig_done(&r);
}

static void a_reset_forgets_the_round_and_the_next_begins_from_nothing(void **state)
{
    rig r;

    (void)state;
    setup(&r);
    submit(&r, begin);
    submit(&r, add_one);
    submit(&r, reset);
    submit(&r, begin);
    submit(&r, add_three);
    submit(&r, save);
    const fedn__fold_result *saved = answer(&r, 5);
    assert_int_equal(saved->count, 1);
    assert_true(saved->weight == 30);
    rig_done(&r);
}

static void a_save_ends_the_round_and_one_of_nothing_fails(void **state)
{
    rig r;

    (void)state;
    setup(&r);
    submit(&r, begin);
    submit(&r, add_one);
    submit(&r, save);
    assert_int_equal(answer(&r, 3)->status, FEDN_OK);
    unlink(r.partial);
    submit(&r, save);
    assert_int_not_equal(answer(&r, 4)->status, FEDN_OK);
    assert_int_not_equal(access(r.partial, F_OK), 0);
    rig_done(&r);
}

static void a_directory_that_is_gone_fails_the_save(void **state)
{
    rig r;

    (void)state;
    setup(&r);
    snprintf(r.partial, sizeof r.partial, "%s/absent/partial", r.dir);
    submit(&r, begin);
    submit(&r, add_one);
    submit(&r, save);
    assert_int_not_equal(answer(&r, 3)->status, FEDN_OK);
    test_assert_words(r.last.err.message, "absent/partial");
    rig_done(&r);
}

static fedn_status begin_unknown(rig *r)
{
    return begin_with(r, "no-such-rule", "");
}

static fedn_status begin_bad_parameters(rig *r)
{
    return begin_with(r, "fedavg", "{\"no_such_parameter\": 1}");
}

static fedn_status begin_no_model(rig *r)
{
    fedn__blob *global = NULL;

    fedn_status rc = fedn__blob_copy("no model", 8, &global, NULL);
    if (rc == FEDN_OK)
        rc = fedn__fold_begin(r->fold, "fedavg", "", "", global, "round", on_answer, r);
    fedn__blob_unref(global);
    return rc;
}

static void after_a_begin_that_fails_nothing_is_added_until_one_succeeds(void **state)
{
    fedn_status (*const failing[])(rig *) = {begin_unknown, begin_bad_parameters, begin_no_model};
    const char *const words[] = {"no-such-rule", "no_such_parameter", "global_model"};
    rig r;
    uint32_t count = 0;

    (void)state;
    setup(&r);
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        submit(&r, begin); /* one that was there before does not help */
        submit(&r, failing[i]);
        count += 2;
        assert_int_not_equal(answer(&r, count)->status, FEDN_OK);
        test_assert_words(r.last.err.message, words[i]);
        submit(&r, add_one);
        assert_int_equal(answer(&r, ++count)->status, FEDN_ERR_STATE);
        submit(&r, save);
        assert_int_equal(answer(&r, ++count)->status, FEDN_ERR_STATE);
    }
    submit(&r, begin);
    submit(&r, add_one);
    count += 2;
    assert_int_equal(answer(&r, count)->status, FEDN_OK);
    rig_done(&r);
}

static void what_was_asked_for_is_done_at_a_stop(void **state)
{
    rig r;

    (void)state;
    setup(&r);
    submit(&r, begin);
    for (int i = 0; i < 20; i++)
        submit(&r, add_one);
    submit(&r, save);
    rig_done(&r); /* without waiting: nothing leaks, every answer has come */
    assert_int_equal(r.answers, 22);
}

static fedn_status one_round(rig *r)
{
    fedn_status (*const steps[])(rig *) = {open_fold, begin, add_one, add_three, reset};
    fedn_status rc = FEDN_OK;

    for (size_t i = 0; rc == FEDN_OK && i < sizeof steps / sizeof steps[0]; i++)
        rc = steps[i](r);
    return rc;
}

static fedn_status nothing(rig *r)
{
    (void)r;
    return FEDN_OK;
}

static fedn_status scenario(void *arg)
{
    fedn__loop *loop = ((rig *)arg)->loop;
    rig r = {.loop = loop, .submit = one_round};

    pthread_mutex_init(&r.mutex, NULL);
    fedn__cond_init(&r.cond);
    fedn_status rc = fedn__pool_new(1, "fold-w", &r.pool, NULL);
    if (rc == FEDN_OK) {
        fedn__loop_call(loop, do_submit, &r);
        rc = r.rc;
    }
    fedn__pool_free(r.pool);
    r.submit = nothing; /* what was done on the pool is answered before this */
    fedn__loop_call(loop, do_submit, &r);
    fedn__fold_free(r.fold);
    pthread_cond_destroy(&r.cond);
    pthread_mutex_destroy(&r.mutex);
    if (rc == FEDN_OK && r.last.status != FEDN_OK)
        rc = r.last.status; /* the last answer's: of an addition, or of what spoilt it */
    return rc == FEDN_ERR_STATE ? FEDN_ERR_NOMEM : rc;
}

static void every_allocation_may_fail(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    test_fail_each_allocation(scenario, &r);
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_is_begun_added_to_and_saved_in_the_order_of_asking),
        cmocka_unit_test(an_update_that_does_not_fit_says_why_and_costs_nothing),
        cmocka_unit_test(a_reset_forgets_the_round_and_the_next_begins_from_nothing),
        cmocka_unit_test(a_save_ends_the_round_and_one_of_nothing_fails),
        cmocka_unit_test(a_directory_that_is_gone_fails_the_save),
        cmocka_unit_test(after_a_begin_that_fails_nothing_is_added_until_one_succeeds),
        cmocka_unit_test(what_was_asked_for_is_done_at_a_stop),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
