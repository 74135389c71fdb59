/* SPDX-License-Identifier: Apache-2.0
 * Requests of a control client: how they are written, and what becomes of answers and failures. */
#include "site.h"

#include "core/fs.h"
#include <stdlib.h>

static void a_url_is_joined_whatever_its_end(void **state)
{
    site *self = *state;
    const char *forms[] = {"%s", "%s/", "%s//", "bare"};

    for (uint32_t i = 0; i < 4; i++) {
        char url[96];
        fedn_error err;
        snprintf(url, sizeof url, "%s%s", strcmp(forms[i], "bare") ? self->url : self->url + 7,
                 i == 1   ? "/"
                 : i == 2 ? "//"
                          : "");
        fedn_control *control = site_control(url, "");
        assert_ok(fedn_control_request(control, "GET", "status", NULL, NULL, &err), &err);
        assert_string_equal(self->asked, "GET /api/v1/status");
        fedn_control_free(control);
    }
}

static void an_answer_comes_as_text(void **state)
{
    site *self = *state;
    fedn_control *control = site_control(self->url, "secret");
    char *json = NULL;
    fedn_error err;

    self->answer = "[1, 2]";
    assert_ok(
        fedn_control_request(control, "PATCH", "sessions/a-b", "{\"status\": 1}", &json, &err),
        &err);
    assert_string_equal(json, "[1, 2]");
    assert_string_equal(
        self->asked, "PATCH /api/v1/sessions/a-b Authorization=Bearer secret body={\"status\": 1}");
    fedn_free(json);
    fedn_control_free(control);
}

static void a_page_of_a_list_is_asked_for_in_headers(void **state)
{
    site *self = *state;
    fedn_control *control = site_control(self->url, "");
    char *json = NULL;
    fedn_error err;

    assert_ok(fedn_control_list(control, "models", NULL, 0, 0, &json, &err), &err);
    assert_string_equal(self->asked, "GET /api/v1/models/");
    fedn_free(json);
    assert_ok(fedn_control_list(control, "rounds", "status=Failed", 20, 10, &json, &err), &err);
    assert_string_equal(self->asked, "GET /api/v1/rounds/ X-Limit=10 X-Skip=20");
    fedn_free(json);
    fedn_control_free(control);
}

static void a_refusal_becomes_a_status_and_its_text(void **state)
{
    static const struct {
        int32_t http;
        const char *answer;
        fedn_status status;
        const char *words;
    } cases[] = {
        {400, "{\"message\": \"A session is already running!\"}", FEDN_ERR_INVALID,
         "already_running!"},
        {401, "{\"message\": \"no token\"}", FEDN_ERR_AUTH, "no_token"},
        {403, "{\"error\": \"not you\"}", FEDN_ERR_DENIED, "not_you"},
        {404, "{\"message\": \"Entity with id: 7 not found\"}", FEDN_ERR_NOT_FOUND, "id:_7_not"},
        {404, "<html>nothing</html>", FEDN_ERR_NOT_FOUND, "/api/v1/status 404"},
        {405, "", FEDN_ERR_UNSUPPORTED, "405"},
        {409, "{\"message\": \"now\\nnot\"}", FEDN_ERR_STATE, "now not"},
        {410, "{}", FEDN_ERR_UNSUPPORTED, "410"},
        {413, "{}", FEDN_ERR_LIMIT, "413"},
        {418, "{}", FEDN_ERR_PROTOCOL, "418 not_a_reducer"},
        {500, "{\"message\": \"An unexpected error occurred\"}", FEDN_ERR_UNAVAILABLE,
         "unexpected"},
        {503, "{\"message\": 5}", FEDN_ERR_UNAVAILABLE, "503"},
        {504, "{}", FEDN_ERR_TIMEOUT, "504"},
        {200, "<html>login</html>", FEDN_ERR_PROTOCOL, "not_a_reducer"},
        {200, "", FEDN_ERR_PROTOCOL, "not_a_reducer"},
    };
    site *self = *state;
    fedn_control *control = site_control(self->url, "");
    fedn_error err;

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *json = NULL;
        self->status = cases[i].http;
        self->answer = cases[i].answer;
        assert_fails(fedn_control_request(control, "GET", "status", NULL, &json, &err),
                     cases[i].status, &err, cases[i].words);
        assert_int_equal(err.detail, cases[i].http);
        assert_string_equal(json, cases[i].answer);
        fedn_free(json);
    }
    fedn_control_free(control);
}

static void an_unreachable_reducer_is_named(void **state)
{
    fedn_control *control = site_control("http://127.0.0.1:1", "");
    fedn_error err;

    (void)state;
    assert_fails(fedn_control_request(control, "GET", "status", NULL, NULL, &err),
                 FEDN_ERR_UNAVAILABLE, &err, "http://127.0.0.1:1");
    fedn_control_free(control);
}

static void an_empty_url_is_refused(void **state)
{
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn_config_new(&config, &err), &err);
    assert_ok(fedn_config_set(config, "control.url", "", &err), &err);
    assert_fails(fedn_control_new(config, &control, &err), FEDN_ERR_INVALID, &err, "control.url");
    assert_null(control);
    fedn_config_free(config);
}

static void ids_are_escaped(void **state)
{
    char *text = fedn_control_escape("a/b c..%\xc3\xa9~-_9");

    (void)state;
    assert_string_equal(text, "a%2Fb%20c%2E%2E%25%C3%A9~-_9");
    fedn_free(text);
}

static fedn_status ignore(const char *json, void *unused)
{
    (void)json;
    (void)unused;
    return FEDN_OK;
}

/* Nobody listens: everything that the client does on its own. */
static fedn_status ask_nobody(void *unused)
{
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    char *json = NULL;
    char *text = NULL;
    char *id = NULL;
    fedn_error err;

    (void)unused;
    fedn_status rc = fedn_config_new(&config, &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.url", "http://127.0.0.1:1", &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.token", "t", &err);
    if (rc == FEDN_OK)
        rc = fedn_control_new(config, &control, &err);
    if (rc == FEDN_OK && !(text = fedn_control_escape("a b")))
        rc = FEDN_ERR_NOMEM;
    if (rc == FEDN_OK)
        rc = fedn_control_list(control, "models", "a=b", 1, 1, &json, &err);
    if (rc == FEDN_ERR_UNAVAILABLE)
        rc = fedn_control_model_pull(control, "m-1", "/nowhere/at/all", NULL, NULL, &err);
    if (rc != FEDN_OK && rc != FEDN_ERR_NOMEM)
        rc = fedn_control_model_push(control, "/nowhere/at/all", NULL, "x", NULL, NULL, &id, &err);
    if (rc != FEDN_OK && rc != FEDN_ERR_NOMEM)
        rc = fedn_control_watch(control, "s-1", 0, ignore, NULL, &err);
    assert_true(!json && !id);
    fedn_free(text);
    fedn_control_free(control);
    fedn_config_free(config);
    return rc == FEDN_ERR_UNAVAILABLE ? FEDN_OK : rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(ask_nobody, NULL);
}

static fedn_status every_call(void *arg)
{
    site *self = arg;
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    char *json = NULL;
    char *path = NULL;
    char *id = NULL;
    fedn_error err;

    self->answer = "{\"model_id\": \"newest\", \"result\": [{\"model_id\": \"newest\"}]}";
    fedn_status rc = fedn_config_new(&config, &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.url", self->url, &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.token", "t", &err);
    if (rc == FEDN_OK)
        rc = fedn_control_new(config, &control, &err);
    if (rc == FEDN_OK)
        rc = fedn_control_list(control, "models", "a=b", 1, 1, &json, &err);
    if (rc == FEDN_OK) {
        path = fedn__fs_join(self->dir, "oom.npz");
        rc = path ? FEDN_OK : FEDN_ERR_NOMEM;
    }
    if (rc == FEDN_OK)
        rc = fedn_control_model_pull(control, NULL, path, NULL, NULL, &err);
    if (rc == FEDN_OK)
        rc = fedn_control_model_push(control, path, NULL, "x", NULL, NULL, &id, &err);
    fedn__free(path);
    fedn_free(json);
    fedn_free(id);
    fedn_control_free(control);
    fedn_config_free(config);
    return rc;
}

/* With a server that allocates as well: its failures become 5xx answers or cut connections, so no
 * NOMEM can be demanded. */
static void running_out_of_memory_is_survived(void **state)
{
    site *self = *state;

    for (uint64_t nth = 1; nth < 2000; nth++) {
        fedn__alloc_fail_at(nth);
        fedn_status rc = every_call(self);
        uint64_t asked = fedn__alloc_fail_at(0);
        if (asked < nth) {
            assert_int_equal(rc, FEDN_OK);
            return;
        }
        if (rc == FEDN_ERR_INVALID || rc == FEDN_ERR_INTERNAL)
            fail_msg("allocation %d failed: status %d", (int)nth, (int)rc);
    }
    fail_msg("the scenario never ran through");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_url_is_joined_whatever_its_end),
        TEST(an_answer_comes_as_text),
        TEST(a_page_of_a_list_is_asked_for_in_headers),
        TEST(a_refusal_becomes_a_status_and_its_text),
        TEST(an_unreachable_reducer_is_named),
        TEST(an_empty_url_is_refused),
        TEST(ids_are_escaped),
        TEST(each_allocation_may_fail),
        TEST(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
