/* SPDX-License-Identifier: Apache-2.0
 * Targets and routes: decoding, slashes, precedence, wrong methods. */
#include "http/router.h"
#include "test.h"
#include <stdlib.h>

static void nothing(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    (void)service;
    (void)request;
    (void)response;
}

static const fedn__http_route routes[] = {
    {"GET", "/health", nothing, 0},
    {"GET", "/api/v1/models/", nothing, 0},
    {"POST", "/api/v1/models", nothing, 1},
    {"GET", "/api/v1/models/{id}", nothing, 0},
    {"GET", "/api/v1/models/active", nothing, 0},
    {"PUT", "/api/v1/models/active", nothing, 0},
    {"GET", "/api/v1/models/{id}/{what}", nothing, 0},
    {"GET", "/api/v1/models/{id}/download", nothing, 0},
    {"GET", "/", nothing, 0},
};

enum { COUNT = sizeof routes / sizeof *routes, DETAIL = 256 };

static const char *found_path(const char *prefix, const char *method, const char *text, char *allow,
                              char *id)
{
    fedn__target target;
    fedn__route_found found;
    fedn_error err;

    assert_ok(fedn__target_parse(text, &target, &err), &err);
    fedn__router_find(routes, COUNT, prefix, method, &target, &found);
    snprintf(allow, DETAIL, "%s", found.allow);
    const char *value = found.route ? fedn__router_param(&found, "id") : NULL;
    snprintf(id, DETAIL, "%s", value ? value : "");
    fedn__target_done(&target);
    return found.route ? found.route->path : NULL;
}

static void paths_find_their_route(void **state)
{
    static const struct {
        const char *method;
        const char *target;
        const char *path;   /* NULL: none */
        const char *detail; /* the id, or the methods allowed */
    } rows[] = {
        {"GET", "/health", "/health", ""},
        {"HEAD", "/health", "/health", ""},
        {"GET", "/", "/", ""},
        {"GET", "", "/", ""},
        {"GET", "//", "/", ""},
        {"GET", "/api/v1/models", "/api/v1/models/", ""},
        {"GET", "//api///v1/models//", "/api/v1/models/", ""},
        {"POST", "/api/v1/models/", "/api/v1/models", ""},
        {"GET", "/api/v1/models?x=/health", "/api/v1/models/", ""},
        {"GET", "/api/v1/models/abc", "/api/v1/models/{id}", "abc"},
        {"GET", "/api/v1/models/a%20b%C3%BC/", "/api/v1/models/{id}", "a b\u00fc"},
        {"GET", "/api/v1/models/a+b", "/api/v1/models/{id}", "a+b"},
        {"GET", "/api/v1/models/%7Bid%7D", "/api/v1/models/{id}", "{id}"},
        {"GET", "/api/v1/models/..", "/api/v1/models/{id}", ".."},
        {"GET", "/api/v1/models/a%2Fb", NULL, ""},
        {"GET", "/api/v1%2Fmodels/a", NULL, ""},
        {"GET", "/api/v1/models/active", "/api/v1/models/active", ""},
        {"GET", "/api/v1/models/x/download", "/api/v1/models/{id}/download", "x"},
        {"GET", "/api/v1/models/x/y", "/api/v1/models/{id}/{what}", "x"},
        {"GET", "/api/v1/mode%6Cs", "/api/v1/models/", ""},
        {"GET", "/API/v1/models", NULL, ""},
        {"GET", "/nowhere", NULL, ""},
        {"GET", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", NULL, ""},
        {"POST", "/health", NULL, "GET, HEAD"},
        {"get", "/health", NULL, "GET, HEAD"},
        {"DELETE", "/api/v1/models/active", NULL, "GET, HEAD, PUT"},
        {"PATCH", "/api/v1/models", NULL, "GET, HEAD, POST"},
        {"GET", "http://host:80/health?a", "/health", ""},
        {"GET", "http://host", "/", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char allow[DETAIL];
        char id[DETAIL];
        const char *path = found_path(NULL, rows[i].method, rows[i].target, allow, id);
        const char *detail = path ? id : allow;
        if ((path == NULL) != (rows[i].path == NULL) || (path && strcmp(path, rows[i].path) != 0) ||
            strcmp(detail, rows[i].detail) != 0)
            fail_msg("%s %s: %s, %s", rows[i].method, rows[i].target, path ? path : "none", detail);
    }
}

static void prefix_is_optional(void **state)
{
    char allow[DETAIL];
    char id[DETAIL];

    (void)state;
    assert_string_equal(found_path("/my/net/", "GET", "/my/net/health", allow, id), "/health");
    assert_string_equal(found_path("/my/net", "GET", "/health", allow, id), "/health");
    assert_string_equal(found_path("/my/net", "GET", "/my/net/api/v1/models/m", allow, id),
                        "/api/v1/models/{id}");
    assert_string_equal(id, "m");
    assert_null(found_path("/my/net", "GET", "/my/health", allow, id));
    assert_null(found_path("/my/net", "POST", "/my/net/health", allow, id));
    assert_string_equal(allow, "GET, HEAD");
    assert_string_equal(found_path("/api", "GET", "/api/v1/models", allow, id), "/api/v1/models/");
}

static void query_is_decoded_in_order(void **state)
{
    static const char *const expected[][2] = {{"a", "1"},
                                              {"b c", "x y"},
                                              {"a", "2"},
                                              {"empty", ""},
                                              {"flag", ""},
                                              {"eq", "1=2"},
                                              {"sender.role", "\u00fc&="}};
    fedn__target target;
    fedn_error err;

    (void)state;
    assert_ok(
        fedn__target_parse("/x/y?a=1&b+c=x%20y&&a=2&empty=&flag&eq=1=2&sender.role=%c3%BC%26%3D#f",
                           &target, &err),
        &err);
    assert_string_equal(target.path, "/x/y");
    assert_int_equal(target.query_count, 7);
    for (uint32_t i = 0; i < target.query_count; i++) {
        assert_string_equal(target.query[i].name, expected[i][0]);
        assert_string_equal(target.query[i].value, expected[i][1]);
    }
    fedn__target_done(&target);
}

static void broken_targets_are_refused(void **state)
{
    static const char *const targets[] = {"/%",       "/%4",      "/%zz",   "/a%00b",
                                          "/%80",     "/x?a=%",   "/x?%=1", "/x?a=%0",
                                          "/x?a=%00", "/x?a=%ff", "/\xff",  "/%c0%af"};
    fedn__target target;
    fedn_error err;

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        assert_fails(fedn__target_parse(targets[i], &target, &err), FEDN_ERR_FORMAT, &err, "UTF-8");
        fedn__target_done(&target);
    }
}

static void too_many_parameters_are_refused(void **state)
{
    char text[2 * FEDN__LIMIT_HTTP_PAIRS + 4] = "/?";
    fedn__target target;
    fedn_error err;

    (void)state;
    for (int i = 0; i < FEDN__LIMIT_HTTP_PAIRS; i++)
        memcpy(text + 2 + (ptrdiff_t)2 * i, "a&", 3);
    assert_ok(fedn__target_parse(text, &target, &err), &err);
    assert_int_equal(target.query_count, FEDN__LIMIT_HTTP_PAIRS);
    fedn__target_done(&target);
    text[2 * FEDN__LIMIT_HTTP_PAIRS + 2] = 'b';
    assert_fails(fedn__target_parse(text, &target, &err), FEDN_ERR_LIMIT, &err, "64 parameters");
    fedn__target_done(&target);
}

static fedn_status parse_once(void *arg)
{
    fedn__target target;

    (void)arg;
    fedn_status rc = fedn__target_parse("/a/b?c=d", &target, NULL);
    fedn__target_done(&target);
    return rc;
}

static void failed_allocations_are_survived(void **state)
{
    (void)state;
    test_fail_each_allocation(parse_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_route),
        cmocka_unit_test(prefix_is_optional),
        cmocka_unit_test(query_is_decoded_in_order),
        cmocka_unit_test(broken_targets_are_refused),
        cmocka_unit_test(too_many_parameters_are_refused),
        cmocka_unit_test(failed_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
