/* SPDX-License-Identifier: Apache-2.0
 * Status texts and error messages: pinned numbers, one line, UTF-8, no overflow. */
#include "test.h"

#include "core/error.h"
#include "core/text.h"
#include <errno.h>

static void codes_and_the_struct_are_pinned(void **state)
{
    (void)state;
    assert_int_equal(sizeof(fedn_error), 512);
    assert_int_equal(offsetof(fedn_error, message), 8);
    assert_int_equal(FEDN_OK, 0);
    assert_int_equal(FEDN_ERR_NOMEM, -1);
    assert_int_equal(FEDN_ERR_FORMAT, -8);
    assert_int_equal(FEDN_ERR_INTERNAL, -18);
}

static void every_code_has_a_text_and_other_numbers_do_not(void **state)
{
    (void)state;
    for (fedn_status code = -18; code <= 0; code++) {
        assert_string_not_equal(fedn_status_string(code), "unknown status");
        for (fedn_status other = code + 1; other <= 0; other++)
            assert_string_not_equal(fedn_status_string(code), fedn_status_string(other));
    }
    assert_string_equal(fedn_status_string(-19), "unknown status");
    assert_string_equal(fedn_status_string(1), "unknown status");
}

static void what_a_caller_got_wrong_is_not_worth_a_retry(void **state)
{
    (void)state;
    static const fedn_status never[] = {FEDN_OK,           FEDN_ERR_INVALID,     FEDN_ERR_STATE,
                                        FEDN_ERR_FORMAT,   FEDN_ERR_UNSUPPORTED, FEDN_ERR_AUTH,
                                        FEDN_ERR_DENIED,   FEDN_ERR_NOT_FOUND,   FEDN_ERR_EXISTS,
                                        FEDN_ERR_CALLBACK, FEDN_ERR_PROTOCOL,    FEDN_ERR_INTERNAL};

    for (uint32_t i = 0; i < sizeof never / sizeof never[0]; i++)
        assert_int_equal(fedn_status_is_retryable(never[i]), 0);
    assert_int_equal(fedn_status_is_retryable(FEDN_ERR_UNAVAILABLE), 1);
    assert_int_equal(fedn_status_is_retryable(FEDN_ERR_TIMEOUT), 1);
}

static void a_message_is_one_line_of_utf8_whatever_went_in(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {{"plain", "plain"},
                 {"two\nlines\r\n", "two lines  "},
                 {"tab\tbell\a\x7f", "tab bell  "},
                 {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
                 {"bad \xff\xfe byte", "bad ?? byte"},
                 {"overlong \xc0\xaf", "overlong ??"},
                 {"cut \xe2\x82 off", "cut ?? off"},
                 {"cut at the end \xe2\x82", "cut at the end "},
                 {"%s%n%d", "%s%n%d"},
                 {"", ""}};

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn_error err = {0};
        assert_int_equal(fedn_error_set(&err, FEDN_ERR_CALLBACK, cases[i].in), FEDN_ERR_CALLBACK);
        assert_string_equal(err.message, cases[i].out);
        assert_int_equal(err.code, FEDN_ERR_CALLBACK);
        assert_int_equal(err.detail, 0);
    }
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    char text[1200];
    fedn_error err;

    for (uint32_t lead = 0; lead < 4; lead++) {
        memset(text, 'a', lead);
        for (uint32_t i = lead; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 5);
        fedn_error_set(&err, FEDN_ERR_IO, text);
        uint64_t bytes = strlen(err.message);
        assert_true(bytes > 498 && bytes < FEDN_ERROR_MESSAGE_BYTES);
        assert_int_equal(fedn__text_is_utf8(err.message, bytes), 1);
        assert_memory_equal(err.message, text, bytes);
    }
}

static void no_error_and_no_text_are_allowed(void **state)
{
    (void)state;
    fedn_error err;

    assert_int_equal(fedn_error_set(NULL, FEDN_ERR_IO, "x"), FEDN_ERR_IO);
    assert_int_equal(fedn_error_set(&err, FEDN_ERR_IO, NULL), FEDN_ERR_IO);
    assert_string_equal(err.message, "input or output failed");
    assert_int_equal(fedn__error(NULL, FEDN_ERR_IO, "%d", 1), FEDN_ERR_IO);
    assert_int_equal(fedn__error_errno(NULL, ENOENT, "x"), FEDN_ERR_NOT_FOUND);
    assert_int_equal(fedn__error_prefix(NULL, FEDN_ERR_IO, "x"), FEDN_ERR_IO);
    assert_int_equal(fedn__error_nomem(NULL), FEDN_ERR_NOMEM);
}

static void errno_chooses_the_code_and_is_kept_as_the_detail(void **state)
{
    (void)state;
    static const struct {
        int number;
        fedn_status status;
    } cases[] = {{ENOENT, FEDN_ERR_NOT_FOUND}, {ENOSPC, FEDN_ERR_IO},    {EDQUOT, FEDN_ERR_IO},
                 {EACCES, FEDN_ERR_DENIED},    {EPERM, FEDN_ERR_DENIED}, {ENOMEM, FEDN_ERR_NOMEM},
                 {EIO, FEDN_ERR_IO},           {EISDIR, FEDN_ERR_IO},    {99999, FEDN_ERR_IO}};

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn_error err;
        assert_fails(fedn__error_errno(&err, cases[i].number, "cannot open %s", "model"),
                     cases[i].status, &err, "cannot_open_model:");
        assert_int_equal(err.detail, cases[i].number);
    }
}

static void a_prefix_keeps_the_reason_and_the_detail(void **state)
{
    (void)state;
    fedn_error err;
    char what[600];

    fedn__error_detail(&err, FEDN_ERR_STORE, 19, "row 5");
    assert_int_equal(fedn__error_prefix(&err, FEDN_ERR_FORMAT, "session\n7"), FEDN_ERR_FORMAT);
    assert_string_equal(err.message, "session 7: row 5");
    assert_int_equal(err.code, FEDN_ERR_FORMAT);
    assert_int_equal(err.detail, 19);
    memset(what, 'w', sizeof what);
    what[sizeof what - 1] = 0;
    fedn__error_detail(&err, FEDN_ERR_STORE, 19, "row 5");
    fedn__error_prefix(&err, FEDN_ERR_STORE, what);
    assert_int_equal(strlen(err.message), FEDN_ERROR_MESSAGE_BYTES - 1);
    assert_int_equal(err.detail, 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_the_struct_are_pinned),
        cmocka_unit_test(every_code_has_a_text_and_other_numbers_do_not),
        cmocka_unit_test(what_a_caller_got_wrong_is_not_worth_a_retry),
        cmocka_unit_test(a_message_is_one_line_of_utf8_whatever_went_in),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(no_error_and_no_text_are_allowed),
        cmocka_unit_test(errno_chooses_the_code_and_is_kept_as_the_detail),
        cmocka_unit_test(a_prefix_keeps_the_reason_and_the_detail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
