/* SPDX-License-Identifier: Apache-2.0
 * The Range header. */
#include "http/range.h"
#include "test.h"

static void ranges_are_understood(void **state)
{
    static const struct {
        const char *header;
        uint64_t size;
        int32_t status;
        uint64_t first;
        uint64_t count;
    } rows[] = {
        {NULL, 10, 200, 0, 0},
        {"bytes=0-0", 10, 206, 0, 1},
        {"bytes=2-5", 10, 206, 2, 4},
        {"Bytes=2-", 10, 206, 2, 8},
        {"bytes=-3", 10, 206, 7, 3},
        {"bytes=-30", 10, 206, 0, 10},
        {"bytes=9-9", 10, 206, 9, 1},
        {"bytes=9-99", 10, 206, 9, 1},
        {"bytes=0-18446744073709551615", 10, 206, 0, 10},
        {"bytes=0-99999999999999999999999", 10, 206, 0, 10},
        {"bytes=99999999999999999999999-", 10, 416, 0, 0},
        {"bytes=10-", 10, 416, 0, 0},
        {"bytes=10-12", 10, 416, 0, 0},
        {"bytes=-0", 10, 416, 0, 0},
        {"bytes=5-2", 10, 416, 0, 0},
        {"bytes=0-", 0, 416, 0, 0},
        {"bytes=-1", 0, 416, 0, 0},
        {"bytes=", 10, 416, 0, 0},
        {"bytes=-", 10, 416, 0, 0},
        {"bytes=a-b", 10, 416, 0, 0},
        {"bytes=1-2x", 10, 416, 0, 0},
        {"bytes=1", 10, 416, 0, 0},
        {"bytes=1--2", 10, 416, 0, 0},
        {"lines=1-2", 10, 200, 0, 0},
        {"bytes=0-1,4-5", 10, 200, 0, 0},
        {"", 10, 200, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t first = 0;
        uint64_t count = 0;
        int32_t status = fedn__range_parse(rows[i].header, rows[i].size, &first, &count);
        if (status != rows[i].status || first != rows[i].first || count != rows[i].count)
            fail_msg("%s of %d: %d, %llu + %llu", rows[i].header, (int)rows[i].size, (int)status,
                     (unsigned long long)first, (unsigned long long)count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_understood),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
