/* SPDX-License-Identifier: Apache-2.0
 * The hash map against a plain list, through growth and deletion. */
#include "test.h"

#include "core/map.h"

static void keys_are_copied_replaced_and_removed(void **state)
{
    (void)state;
    fedn__map map;
    char key[] = "client";
    int one = 1;
    int two = 2;

    fedn__map_init(&map);
    assert_null(fedn__map_get(&map, key));
    assert_null(fedn__map_remove(&map, key));
    assert_int_equal(fedn__map_set(&map, key, &one), FEDN_OK);
    key[0] = 'x';
    assert_ptr_equal(fedn__map_get(&map, "client"), &one);
    assert_null(fedn__map_get(&map, key));
    assert_int_equal(fedn__map_set(&map, "client", &two), FEDN_OK);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(fedn__map_remove(&map, "client"), &two);
    assert_null(fedn__map_get(&map, "client"));
    assert_int_equal(map.count, 0);
    assert_int_equal(fedn__map_set(&map, "", &one), FEDN_OK);
    assert_ptr_equal(fedn__map_get(&map, ""), &one);
    fedn__map_done(&map);
    fedn__map_done(&map);
}

enum { KEYS = 400 };

static void check_against(const fedn__map *map, void *const values[KEYS])
{
    char key[16];
    uint32_t seen = 0;
    uint64_t place = 0;
    uint32_t expected = 0;
    const char *walked = NULL;
    void *value = NULL;

    for (uint32_t i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key-%u", i);
        assert_ptr_equal(fedn__map_get(map, key), values[i]);
        expected += values[i] != NULL;
    }
    while (fedn__map_next(map, &place, &walked, &value)) {
        assert_ptr_equal(fedn__map_get(map, walked), value);
        seen++;
    }
    assert_int_equal(seen, expected);
    assert_int_equal(map->count, expected);
}

static void a_long_random_history_agrees_with_a_plain_list(void **state)
{
    (void)state;
    static char cells[KEYS];
    void *values[KEYS] = {NULL};
    uint64_t random = 12345;
    fedn__map map;
    char key[16];

    fedn__map_init(&map);
    for (uint32_t step = 0; step < 20000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t i = (uint32_t)(random >> 33) % KEYS;
        snprintf(key, sizeof key, "key-%u", i);
        if (random >> 63) {
            assert_int_equal(fedn__map_set(&map, key, &cells[step % KEYS]), FEDN_OK);
            values[i] = &cells[step % KEYS];
        } else {
            assert_ptr_equal(fedn__map_remove(&map, key), values[i]);
            values[i] = NULL;
        }
        if (step % 1000 == 0)
            check_against(&map, values);
    }
    check_against(&map, values);
    fedn__map_done(&map);
}

static fedn_status fill(void *arg)
{
    fedn__map map;
    char key[16];
    fedn_status rc = FEDN_OK;
    uint32_t stored = 0;

    fedn__map_init(&map);
    for (uint32_t i = 0; i < 30 && rc == FEDN_OK; i++) {
        snprintf(key, sizeof key, "%u", i);
        rc = fedn__map_set(&map, key, arg);
        stored += rc == FEDN_OK;
    }
    assert_int_equal(map.count, stored);
    for (uint32_t i = 0; i < stored; i++) {
        snprintf(key, sizeof key, "%u", i);
        assert_ptr_equal(fedn__map_get(&map, key), arg);
    }
    fedn__map_done(&map);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    int cell = 0;
    test_fail_each_allocation(fill, &cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_copied_replaced_and_removed),
        cmocka_unit_test(a_long_random_history_agrees_with_a_plain_list),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
