/* SPDX-License-Identifier: Apache-2.0
 * Foreign text: UTF-8, numbers, names, times, addresses. */
#include "test.h"

#include "core/text.h"
#include <locale.h>
#include <stdlib.h>

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
        int32_t good;
    } cases[] = {
        {"", 0, 1},
        {"plain", 5, 1},
        {"\xc3\xbc", 2, 1},
        {"\xe2\x82\xac", 3, 1},
        {"\xf0\x9f\x98\x80", 4, 1},
        {"\xf4\x8f\xbf\xbf", 4, 1},
        {"a\0b", 3, 0},
        {"\x80", 1, 0},
        {"\xc3", 1, 0},
        {"\xc3(", 2, 0},
        {"\xe2\x82", 2, 0},
        {"\xf0\x9f\x98", 3, 0},
        {"\xc0\xaf", 2, 0},
        {"\xc1\xbf", 2, 0},
        {"\xe0\x80\xaf", 3, 0},
        {"\xf0\x80\x80\xaf", 4, 0},
        {"\xed\xa0\x80", 3, 0},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf8\x88\x80\x80\x80", 5, 0},
        {"\xff", 1, 0},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* a copy of its exact size, so that reading past the end is seen by the sanitizer */
        char *copy = malloc(cases[i].bytes + !cases[i].bytes);
        memcpy(copy, cases[i].text, cases[i].bytes);
        if (fedn__text_is_utf8(copy, cases[i].bytes) != cases[i].good)
            fail_msg("case %u", i);
        free(copy);
    }
}

static void lines_and_names_are_bounded_and_clean(void **state)
{
    (void)state;
    assert_int_equal(fedn__text_is_line("client \xc3\xbc", 9), 1);
    assert_int_equal(fedn__text_is_line("client \xc3\xbc", 8), 0);
    assert_int_equal(fedn__text_is_line("", 8), 0);
    assert_int_equal(fedn__text_is_line("a\nb", 8), 0);
    assert_int_equal(fedn__text_is_line("a\x7f", 8), 0);
    assert_int_equal(fedn__text_is_line("\xff", 8), 0);
    assert_int_equal(fedn__text_is_line(NULL, 8), 0);
    assert_int_equal(fedn__text_is_name("Combiner_1-a", 63), 1);
    assert_int_equal(fedn__text_is_name("abc", 2), 0);
    static const char *const bad[] = {"", "a b", "../x", "a.b", "a/b", "\xc3\xbc", "a\n"};
    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fedn__text_is_name(bad[i], 63), 0);
    assert_int_equal(fedn__text_is_name(NULL, 63), 0);
}

static void integers_are_whole_texts_within_range(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "--1",
                                      "1 ",
                                      " 1",
                                      "1.0",
                                      "0x10",
                                      "1e3",
                                      "a",
                                      "+-1",
                                      "- 1",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    int64_t value = 77;

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (fedn__text_to_i64(bad[i], &value))
            fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(fedn__text_to_i64(NULL, &value), 0);
    assert_int_equal(value, 77);
    assert_int_equal(fedn__text_to_i64("-9223372036854775808", &value), 1);
    assert_true(value == INT64_MIN);
    assert_int_equal(fedn__text_to_i64("+12", &value), 1);
    assert_int_equal(value, 12);
    assert_int_equal(fedn__text_to_i64("007", &value), 1);
    assert_int_equal(value, 7);
}

static void counts_have_no_sign(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-1", "+1", " 1", "1x", "18446744073709551616"};
    uint64_t value = 77;

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fedn__text_to_u64(bad[i], &value), 0);
    assert_int_equal(fedn__text_to_u64(NULL, &value), 0);
    assert_int_equal(value, 77);
    assert_int_equal(fedn__text_to_u64("18446744073709551615", &value), 1);
    assert_true(value == UINT64_MAX);
}

static void numbers_are_finite_and_mind_no_locale(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "nan", "inf", "1,5", "0x1p3", "1e999",
                                      "1 ", ".",   "e5",  "1e",  "--1",   "1.2.3"};
    static const char *const locales[] = {"C", "de_DE.UTF-8", "fr_FR.UTF-8", "tr_TR.UTF-8"};
    double value = 77;

    for (uint32_t l = 0; l < 4; l++) {
        setlocale(LC_ALL, locales[l]); /* absent ones leave the present one: still a test */
        for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
            if (fedn__text_to_f64(bad[i], &value))
                fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(fedn__text_to_f64("-1.5e2", &value), 1);
        assert_true(value == -150.0);
        assert_int_equal(fedn__text_to_f64(".5", &value), 1);
        assert_true(value == 0.5);
    }
    setlocale(LC_ALL, "C");
    assert_int_equal(fedn__text_to_f64(NULL, &value), 0);
}

static void texts_are_compared_with_null_as_a_value(void **state)
{
    (void)state;
    assert_int_equal(fedn__text_equal(NULL, NULL), 1);
    assert_int_equal(fedn__text_equal(NULL, ""), 0);
    assert_int_equal(fedn__text_equal("a", "a"), 1);
    assert_int_equal(fedn__text_equal("a", "b"), 0);
    assert_int_equal(fedn__text_starts("combiner.listen", "combiner."), 1);
    assert_int_equal(fedn__text_starts("com", "combiner."), 0);
    assert_int_equal(fedn__text_starts("x", ""), 1);
}

static void distance_counts_edits(void **state)
{
    (void)state;
    static char longer[200];

    assert_int_equal(fedn__text_distance("", ""), 0);
    assert_int_equal(fedn__text_distance("abc", ""), 3);
    assert_int_equal(fedn__text_distance("", "abc"), 3);
    assert_int_equal(fedn__text_distance("kitten", "sitting"), 3);
    assert_int_equal(fedn__text_distance("flaw", "lawn"), 2);
    memset(longer, 'a', sizeof longer - 1);
    assert_int_equal(fedn__text_distance(longer, "b"), 64);
}

static void times_are_written_in_three_ways(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *iso, *space, *http;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z", "1970-01-01 00:00:00.000000",
         "Thu, 01 Jan 1970 00:00:00 GMT"},
        {1795487995884622, "2026-11-24T02:39:55.884622Z", "2026-11-24 02:39:55.884622",
         "Tue, 24 Nov 2026 02:39:55 GMT"},
        {951782400000000, "2000-02-29T00:00:00.000000Z", "2000-02-29 00:00:00.000000",
         "Tue, 29 Feb 2000 00:00:00 GMT"},
        {-1, "1969-12-31T23:59:59.999999Z", "1969-12-31 23:59:59.999999",
         "Wed, 31 Dec 1969 23:59:59 GMT"},
        {-1000000, "1969-12-31T23:59:59.000000Z", "1969-12-31 23:59:59.000000",
         "Wed, 31 Dec 1969 23:59:59 GMT"},
    };
    char text[FEDN__TIME_TEXT];

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn__text_iso_time(cases[i].us, text);
        assert_string_equal(text, cases[i].iso);
        fedn__text_space_time(cases[i].us, text);
        assert_string_equal(text, cases[i].space);
        fedn__text_http_time(cases[i].us, text);
        assert_string_equal(text, cases[i].http);
    }
    /* the farthest times must only fit */
    fedn__text_iso_time(INT64_MIN, text);
    fedn__text_http_time(INT64_MAX, text);
    assert_true(strlen(text) < FEDN__TIME_TEXT);
}

static void sizes_are_written_for_people(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {312, "312 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1536, "1.5 KiB"},
                 {(uint64_t)1 << 30, "1.0 GiB"},
                 {UINT64_MAX, "16.0 EiB"}};
    char text[FEDN__BYTES_TEXT];

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn__text_bytes(cases[i].bytes, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void addresses_split_into_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fedn_status status;
        const char *host;
        uint16_t port;
    } cases[] = {
        {"localhost:12080", FEDN_OK, "localhost", 12080},
        {"[::1]:80", FEDN_OK, "::1", 80},
        {":0", FEDN_OK, "", 0},
        {"a:65535", FEDN_OK, "a", 65535},
        {"a:65536", FEDN_ERR_INVALID, "", 0},
        {"a:", FEDN_ERR_INVALID, "", 0},
        {"a", FEDN_ERR_INVALID, "", 0},
        {"", FEDN_ERR_INVALID, "", 0},
        {"a:-1", FEDN_ERR_INVALID, "", 0},
        {"a:8 0", FEDN_ERR_INVALID, "", 0},
        {"::1:80", FEDN_ERR_INVALID, "", 0},
        {"[::1]", FEDN_ERR_INVALID, "", 0},
        {"a-host-that-is-longer-than-the-room:1", FEDN_ERR_LIMIT, "", 0},
        {NULL, FEDN_ERR_INVALID, "", 0},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn_error err;
        char host[16] = "";
        uint16_t port = 0;
        fedn_status rc = fedn__text_host_port(cases[i].text, host, sizeof host, &port, &err);
        if (rc != cases[i].status)
            fail_msg("case %u: %d", i, (int)rc);
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(lines_and_names_are_bounded_and_clean),
        cmocka_unit_test(integers_are_whole_texts_within_range),
        cmocka_unit_test(counts_have_no_sign),
        cmocka_unit_test(numbers_are_finite_and_mind_no_locale),
        cmocka_unit_test(texts_are_compared_with_null_as_a_value),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(times_are_written_in_three_ways),
        cmocka_unit_test(sizes_are_written_for_people),
        cmocka_unit_test(addresses_split_into_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
