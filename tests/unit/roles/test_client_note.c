/* SPDX-License-Identifier: Apache-2.0
 * What may be said beside a task, and how busy the machine is. */
#include "test.h"

#include "core/limits.h"
#include "roles/client/note.h"
#include "roles/client/usage.h"
#include <math.h>

static void notes_that_no_combiner_would_take_are_invalid(void **state)
{
    char longest[FEDN__LIMIT_TEXT_BYTES + 2];
    const struct {
        fedn__note what;
        const char *words;
    } cases[] = {
        {{.kind = FEDN__NOTE_METRIC, .name = ""}, "metric 255"},
        {{.kind = FEDN__NOTE_METRIC, .name = NULL}, "metric 255"},
        {{.kind = FEDN__NOTE_TELEMETRY, .name = "two\nlines"}, "telemetry one_line"},
        {{.kind = FEDN__NOTE_METRIC, .name = "loss", .value = NAN}, "metric loss nan finite"},
        {{.kind = FEDN__NOTE_TELEMETRY, .name = "heat", .value = INFINITY}, "heat inf finite"},
        {{.kind = FEDN__NOTE_ATTRIBUTE, .name = "site", .text = NULL}, "site 4096"},
        {{.kind = FEDN__NOTE_ATTRIBUTE, .name = "site", .text = "\xff"}, "site UTF-8"},
        {{.kind = FEDN__NOTE_ATTRIBUTE, .name = "site", .text = longest}, "site 4096"},
    };

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[FEDN__LIMIT_TEXT_BYTES + 1] = 0;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn__note *note = NULL;
        fedn_error err = {0};
        assert_fails(fedn__note_new(&cases[i].what, &note, &err), FEDN_ERR_INVALID, &err,
                     cases[i].words);
        assert_null(note);
    }
    fedn__note_free(NULL);
}

static fedn_status make(void *arg)
{
    const fedn__note what = {.kind = FEDN__NOTE_ATTRIBUTE, .name = "site", .text = ""};
    fedn__note *note = NULL;

    (void)arg;
    fedn_status rc = fedn__note_new(&what, &note, NULL);
    if (rc == FEDN_OK)
        assert_string_equal(note->text, "");
    fedn__note_free(note);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(make, NULL);
}

static void use_is_in_percent(void **state)
{
    fedn__usage usage = {0};
    double percent = -1;

    (void)state;
    if (fedn__usage_cpu(&usage, &percent))
        assert_true(percent >= 0 && percent <= 100);
    if (fedn__usage_memory(&percent))
        assert_true(percent > 0 && percent <= 100);
    usage.all = UINT64_MAX; /* a machine whose counters went back */
    assert_false(fedn__usage_cpu(&usage, &percent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_that_no_combiner_would_take_are_invalid),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(use_is_in_percent),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
