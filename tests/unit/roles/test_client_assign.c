/* SPDX-License-Identifier: Apache-2.0
 * Addresses, and what each answer to a request for a combiner means. */
#include "test.h"

#include "roles/client/assign.h"

static const fedn__assign_request request = {.api_url = "https://fed.example"};

static void url_gets_a_scheme_and_loses_slashes(void **state)
{
    static const struct {
        const char *api_url;
        const char *url;
    } cases[] = {
        {"http://h:8092", "http://h:8092/api/v1/clients/add"},
        {"https://h/prefix//", "https://h/prefix/api/v1/clients/add"},
        {"localhost:8092", "http://localhost:8092/api/v1/clients/add"},
        {"127.0.0.1:8092/", "http://127.0.0.1:8092/api/v1/clients/add"},
        {"fed.example", "https://fed.example/api/v1/clients/add"},
    };
    char *url = NULL;
    fedn_error err;

    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(fedn__assign_url(cases[i].api_url, &url, &err), &err);
        assert_string_equal(url, cases[i].url);
        fedn__free(url);
    }
    assert_fails(fedn__assign_url("file:///etc", &url, &err), FEDN_ERR_INVALID, &err, "file");
    assert_fails(fedn__assign_url("//", &url, &err), FEDN_ERR_INVALID, &err, "client.api_url");
}

static void address_of_a_named_combiner(void **state)
{
    fedn__address address;
    fedn_error err;

    (void)state;
    assert_ok(fedn__address_parse("10.0.0.1:12080", &address, &err), &err);
    assert_string_equal(address.target, "10.0.0.1:12080");
    assert_int_equal(address.tls, 0);
    assert_ok(fedn__address_parse("host:443", &address, &err), &err);
    assert_int_equal(address.tls, 1);
    assert_ok(fedn__address_parse("[::1]:12080", &address, &err), &err);
    assert_string_equal(address.target, "[::1]:12080");
    assert_fails(fedn__address_parse("host:0", &address, &err), FEDN_ERR_INVALID, &err, "port");
    assert_fails(fedn__address_parse("unix:/x:1", &address, &err), FEDN_ERR_INVALID, &err, "");
}

static void assigned_combiner_is_taken_apart(void **state)
{
    static const struct {
        const char *body;
        const char *target;
        const char *host;
        int32_t tls;
    } cases[] = {
        {"{\"host\":\"h\",\"port\":12080,\"fqdn\":null,\"client_id\":\"i\"}", "h:12080", "h", 0},
        {"{\"host\":\"h\",\"port\":12080,\"fqdn\":\"\",\"client_id\":\"i\"}", "h:12080", "h", 0},
        {"{\"host\":\"h\",\"port\":\"443\"}", "h:443", "h", 1},
        {"{\"host\":\"h\",\"port\":12080,\"fqdn\":\"f.example\"}", "f.example:443", "h", 1},
        {"{\"fqdn\":\"f.example\"}", "f.example:443", "f.example", 1},
    };
    fedn__assignment found;

    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn__assign_read(&request, 200, cases[i].body, &found);
        assert_int_equal(found.outcome, FEDN__ASSIGNED);
        assert_string_equal(found.address.target, cases[i].target);
        assert_string_equal(found.address.host, cases[i].host);
        assert_int_equal(found.address.tls, cases[i].tls);
    }
}

static void answers_are_told_apart(void **state)
{
    static const struct {
        int32_t http;
        const char *body;
        int32_t outcome;
        fedn_status status;
        const char *words;
    } cases[] = {
        {203, "{\"message\":\"no package\"}", FEDN__ASSIGN_WAIT, FEDN_ERR_UNAVAILABLE,
         "no_package"},
        {400, "{\"message\":\"bad name\"}", FEDN__ASSIGN_REFUSED, FEDN_ERR_INVALID, "bad_name"},
        {400, "{\"message\":\"No combiner available.\"}", FEDN__ASSIGN_TROUBLE,
         FEDN_ERR_UNAVAILABLE, "combiner"},
        {401, "not json", FEDN__ASSIGN_REFUSED, FEDN_ERR_AUTH, "401"},
        {403, "{}", FEDN__ASSIGN_REFUSED, FEDN_ERR_DENIED, "403"},
        {404, "{}", FEDN__ASSIGN_REFUSED, FEDN_ERR_INVALID, "404"},
        {500, "{}", FEDN__ASSIGN_TROUBLE, FEDN_ERR_UNAVAILABLE, "500"},
        {200, "[1]", FEDN__ASSIGN_TROUBLE, FEDN_ERR_PROTOCOL, "object"},
        {200, "{\"host\":\"h\"}", FEDN__ASSIGN_TROUBLE, FEDN_ERR_PROTOCOL, "port"},
        {200, "{\"host\":\"a/b\",\"port\":1}", FEDN__ASSIGN_TROUBLE, FEDN_ERR_PROTOCOL, "a/b"},
        {200, "{\"host\":\"h\",\"port\":70000}", FEDN__ASSIGN_TROUBLE, FEDN_ERR_PROTOCOL, "70000"},
        {200, "{\"host\":\"h\",\"port\":1,\"client_id\":\"a b\"}", FEDN__ASSIGN_TROUBLE,
         FEDN_ERR_PROTOCOL, "client_id"},
    };
    fedn__assignment found;

    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn__assign_read(&request, cases[i].http, cases[i].body, &found);
        assert_int_equal(found.outcome, cases[i].outcome);
        assert_int_equal(found.err.code, cases[i].status);
        test_assert_words(found.err.message, cases[i].words);
        test_assert_words(found.err.message, "https://fed.example");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_gets_a_scheme_and_loses_slashes),
        cmocka_unit_test(address_of_a_named_combiner),
        cmocka_unit_test(assigned_combiner_is_taken_apart),
        cmocka_unit_test(answers_are_told_apart),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
