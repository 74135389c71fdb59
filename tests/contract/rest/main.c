/* SPDX-License-Identifier: Apache-2.0
 * FEDn's REST API at a real reducer, request for request. The cases are the JSON files beside this
 * one. One that has "requests" is asked of each of them; "${name}" stands for what a case before it
 * has kept. At the end every operation of the reducer's own OpenAPI document must have been asked.
 *
 * usage: contract_rest FOLDER_OF_THE_CASES
 */
#include "shape.h"
#include "test.h"
#include "wire.h"

#include <fedn/fedn.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { TEXT = 1024, ASKED_MOST = 1024 };

#define BOUNDARY "----contract"

static const char *const nouns[] = {"system",   "models",  "sessions", "clients",
                                    "packages", "records", "retired"};

static struct {
    const char *cases;
    char *dir;
    fedn_reducer *reducer;
    fedn_combiner *combiner;
    int32_t port;
    json_t *kept;
    char asked[ASKED_MOST][TEXT]; /* "GET /api/v1/models" */
    size_t asked_count;
    int failed;
} run;

static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);

    return text ? text : "";
}

/* ---- what is sent ---- */

/* "${name}" in a text by what was kept; the caller frees. */
static char *fill_text(const char *text)
{
    char *filled = calloc(1, 4 * TEXT);
    size_t used = 0;

    while (*text && used < 4 * TEXT - TEXT) {
        const char *end = strncmp(text, "${", 2) == 0 ? strchr(text, '}') : NULL;
        char name[64];
        if (!end) {
            filled[used++] = *text++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)(end - text) - 2, text + 2);
        const char *value = json_string_value(json_object_get(run.kept, name));
        used += (size_t)snprintf(filled + used, TEXT, "%s", value ? value : "(nothing was kept)");
        text = end + 1;
    }
    return filled;
}

static json_t *fill(const json_t *value)
{
    json_t *fresh = NULL;
    json_t *member = NULL;
    const char *name = NULL;
    size_t i = 0;

    if (json_is_string(value)) {
        char *text = fill_text(json_string_value(value));
        fresh = json_string(text);
        free(text);
        return fresh;
    }
    if (json_is_array(value)) {
        fresh = json_array();
        json_array_foreach((json_t *)(uintptr_t)value, i, member)
        {
            json_array_append_new(fresh, fill(member));
        }
        return fresh;
    }
    if (!json_is_object(value))
        return json_deep_copy(value);
    fresh = json_object();
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        char *key = fill_text(name);
        json_object_set_new(fresh, key, fill(member));
        free(key);
    }
    return fresh;
}

/* Appends bytes to a body. */
static void add(char **body, size_t *bytes, const void *data, size_t more)
{
    *body = realloc(*body, *bytes + more + 1);
    assert_non_null(*body);
    memcpy(*body + *bytes, data, more);
    *bytes += more;
    (*body)[*bytes] = 0;
}

/* A multipart form; the field "file" names a file of the scratch folder. */
static char *form_of(const json_t *fields, size_t *ret_bytes)
{
    char *body = NULL;
    char head[TEXT];
    const char *name = NULL;
    json_t *value = NULL;

    *ret_bytes = 0;
    json_object_foreach((json_t *)(uintptr_t)fields, name, value)
    {
        const char *text = text_of(value);
        int is_file = strcmp(name, "file") == 0;
        uint64_t size = strlen(text);
        char path[TEXT];
        snprintf(path, sizeof path, "%s/%s", run.dir, text);
        char *data = is_file ? test_read_file(path, &size) : strdup(text);
        snprintf(head, sizeof head,
                 "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"%s%s%s\r\n\r\n",
                 name, is_file ? "; filename=\"" : "", is_file ? text : "", is_file ? "\"" : "");
        add(&body, ret_bytes, head, strlen(head));
        add(&body, ret_bytes, data, (size_t)size);
        add(&body, ret_bytes, "\r\n", 2);
        free(data);
    }
    add(&body, ret_bytes, "--" BOUNDARY "--\r\n", strlen(BOUNDARY) + 6);
    return body;
}

/* Method and path without query, repeated and trailing slashes. */
static void note_asked(const char *method, const char *target)
{
    char *to = run.asked[run.asked_count++];
    size_t used = (size_t)snprintf(to, TEXT, "%s ", method);

    assert_true(run.asked_count < ASKED_MOST);
    for (const char *c = target; *c && *c != '?' && used < TEXT - 1; c++)
        if (*c != '/' || (c[1] && c[1] != '/' && c[1] != '?'))
            to[used++] = *c;
    to[used] = 0;
}

static answer ask(const char *method, const char *target, const json_t *item)
{
    const json_t *json = json_object_get(item, "json");
    const json_t *form = json_object_get(item, "form");
    const char *text = json_string_value(json_object_get(item, "body"));
    const char *type = json   ? "application/json"
                       : form ? "multipart/form-data; boundary=" BOUNDARY
                              : NULL;
    size_t bytes = text ? strlen(text) : 0;
    char *body = json   ? json_dumps(json, JSON_ENCODE_ANY)
                 : form ? form_of(form, &bytes)
                 : text ? strdup(text)
                        : NULL;

    if (json)
        bytes = strlen(body);
    note_asked(method, target);
    answer got = wire_send(run.port, method, target, json_object_get(item, "headers"), type, body,
                           bytes, json_is_true(json_object_get(item, "endless")));
    free(body);
    return got;
}

/* ---- what comes back ---- */

static int headers_fit(const json_t *wanted, const answer *got, char *why, size_t room)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
    {
        char found[TEXT] = "";
        wire_header(got, name, found, sizeof found);
        if (strcmp(found, text_of(value)) != 0) {
            snprintf(why, room, "%s is \"%s\"", name, found);
            return 0;
        }
    }
    return 1;
}

/* "result.0.package_id" of the answer, under its name for later cases. */
static void keep(const json_t *wanted, json_t *found)
{
    const char *name = NULL;
    json_t *path = NULL;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, path)
    {
        char text[TEXT];
        char *save = NULL;
        json_t *value = found;
        snprintf(text, sizeof text, "%s", text_of(path));
        for (char *part = strtok_r(text, ".", &save); part; part = strtok_r(NULL, ".", &save))
            value = json_is_array(value) ? json_array_get(value, strtoul(part, NULL, 10))
                                         : json_object_get(value, part);
        json_object_set(run.kept, name, value);
    }
}

static int body_fits(const json_t *item, const answer *got, char *why, size_t room)
{
    const json_t *text = json_object_get(item, "text");
    const json_t *shape = json_object_get(item, "answer");
    int ok = 0;

    if (text && strcmp(got->body, text_of(text)) != 0)
        snprintf(why, room, "the body is %.200s", got->body);
    if (text || !shape)
        return !text || strcmp(got->body, text_of(text)) == 0;
    json_t *found =
        json_loadb(got->body, got->bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!found)
        snprintf(why, room, "the body is no JSON: %.200s", got->body);
    else if (got->body[got->bytes - 1] != '\n')
        snprintf(why, room, "no line feed at the end");
    else if (!shape_is_sorted(found))
        snprintf(why, room, "members are not sorted: %.200s", got->body);
    else
        ok = shape_fits(shape, found, "the answer", why, room);
    if (found)
        keep(json_object_get(item, "keep"), found);
    json_decref(found);
    return ok;
}

static void try_request(const json_t *item, const char *request)
{
    json_t *filled = fill(item);
    char *line = fill_text(request);
    char *target = strchr(line, ' ');
    int wanted = (int)json_integer_value(json_object_get(item, "status"));
    char why[TEXT] = "";

    assert_non_null(target);
    *target++ = 0;
    answer got = ask(line, target, filled);
    int ok = got.status == wanted;
    if (!ok)
        snprintf(why, sizeof why, "status %d, not %d: %.200s", got.status, wanted, got.body);
    ok = ok && headers_fit(json_object_get(filled, "has"), &got, why, sizeof why) &&
         body_fits(filled, &got, why, sizeof why);
    if (!ok) {
        print_error("%s: %s: %s\n", text_of(json_object_get(item, "name")), request, why);
        run.failed++;
    }
    wire_done(&got);
    free(line);
    json_decref(filled);
}

static void try_noun(const char *noun)
{
    char path[TEXT];
    json_t *item = NULL;
    json_t *request = NULL;
    size_t i = 0;
    size_t j = 0;

    snprintf(path, sizeof path, "%s/%s.json", run.cases, noun);
    json_t *cases = json_load_file(path, 0, NULL);
    if (!json_is_array(cases))
        fail_msg("%s cannot be read", path);
    json_array_foreach(cases, i, item)
    {
        if (json_object_get(item, "request"))
            try_request(item, text_of(json_object_get(item, "request")));
        json_array_foreach(json_object_get(item, "requests"), j, request)
        {
            try_request(item, text_of(request));
        }
    }
    json_decref(cases);
}

static void every_case_is_answered_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nouns / sizeof nouns[0]; i++)
        try_noun(nouns[i]);
    print_message("%zu requests, %d failed\n", run.asked_count, run.failed);
    assert_true(run.asked_count > 200);
    assert_int_equal(run.failed, 0);
}

/* ---- whether all was asked ---- */

/* 0: the path of the document does not fit; else larger for the more literal one. */
static unsigned fit(const char *path, const char *asked)
{
    unsigned score = 1;

    while (*path && *asked) {
        size_t a = 1 + strcspn(path + 1, "/");
        size_t b = 1 + strcspn(asked + 1, "/");
        int literal = path[1] != '{';
        if (literal && (a != b || memcmp(path, asked, a) != 0))
            return 0;
        score = score << 1 | (unsigned)literal;
        path += a;
        asked += b;
    }
    return *path || *asked ? 0 : score;
}

/* Marks the operation that a request was for. */
static void mark(json_t *paths, const char *request)
{
    char method[16] = "";
    const char *target = strchr(request, ' ') + 1;
    const char *path = NULL;
    json_t *item = NULL;
    json_t *best = NULL;
    unsigned most = 0;

    for (size_t i = 0; request[i] != ' ' && i < sizeof method - 1; i++)
        method[i] = (char)(request[i] | 0x20);
    json_object_foreach(paths, path, item)
    {
        unsigned score = json_object_get(item, method) ? fit(path, target) : 0;
        if (score > most) {
            most = score;
            best = json_object_get(item, method);
        }
    }
    if (best)
        json_object_set_new(best, "asked", json_true());
}

static void no_operation_is_left_out(void **state)
{
    (void)state;
    answer got = wire_send(run.port, "GET", "/api/v1/openapi.json", NULL, NULL, NULL, 0, 0);
    json_t *document = json_loadb(got.body, got.bytes, 0, NULL);
    json_t *paths = json_object_get(document, "paths");
    const char *path = NULL;
    const char *method = NULL;
    json_t *item = NULL;
    json_t *operation = NULL;
    int missing = 0;

    assert_true(json_object_size(paths) > 100);
    for (size_t i = 0; i < run.asked_count; i++)
        mark(paths, run.asked[i]);
    json_object_foreach(paths, path, item)
    {
        json_object_foreach(item, method, operation)
        {
            if (json_object_get(operation, "asked"))
                continue;
            print_error("no case asks for %s %s\n", method, path);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
    json_decref(document);
    wire_done(&got);
}

/* ---- the network ---- */

static void set(fedn_config *config, const char *name, const char *value)
{
    fedn_error err;

    assert_ok(fedn_config_set(config, name, value, &err), &err);
}

/* The files that forms name. */
static void make_files(void)
{
    static const char plan[] = "entry_points:\n  train:\n    command: cp\n";
    static const float values[] = {0.5f, -2};
    uint64_t two = 2;
    fedn_model *model = NULL;
    char path[TEXT];
    char folder[TEXT - 64];
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "0", FEDN_DTYPE_F32, 1, &two, values, NULL, &err), &err);
    snprintf(path, sizeof path, "%s/seed.npz", run.dir);
    assert_ok(fedn_model_save(model, path, "npz", &err), &err);
    fedn_model_unref(model);
    snprintf(folder, sizeof folder, "%s/folder", run.dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(path, sizeof path, "%s/fedn.yaml", folder);
    test_write_file(path, plan, sizeof plan - 1);
    snprintf(path, sizeof path, "%s/package.tgz", run.dir);
    assert_ok(fedn_package_create(folder, path, NULL, &err), &err);
    snprintf(path, sizeof path, "%s/package.tar.gz", run.dir);
    test_write_file(path, "no archive", 10);
}

static void start_combiner(const char *reducer)
{
    fedn_config *config = NULL;
    char path[TEXT];
    fedn_error err;

    assert_ok(fedn_config_new(&config, &err), &err);
    snprintf(path, sizeof path, "%s/combiner", run.dir);
    set(config, "log.level", "error");
    set(config, "combiner.state_dir", path);
    set(config, "combiner.listen", "127.0.0.1:0");
    set(config, "combiner.name", "edge");
    set(config, "combiner.host", "combiner.example");
    set(config, "combiner.reducer", reducer);
    assert_ok(fedn_combiner_new(config, &run.combiner, &err), &err);
    assert_ok(fedn_combiner_start(run.combiner, &err), &err);
    fedn_config_free(config);
}

static fedn_status until_attached(const char *json, void *user_data)
{
    (void)user_data;
    return strstr(json, "\"edge\"") ? FEDN_ERR_CANCELLED : FEDN_OK;
}

/* The cases begin when the combiner is attached. */
static void await_combiner(const char *url)
{
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    fedn_error err;

    assert_ok(fedn_config_new(&config, &err), &err);
    set(config, "control.url", url);
    assert_ok(fedn_control_new(config, &control, &err), &err);
    assert_int_equal(fedn_control_watch(control, NULL, 0, until_attached, NULL, &err),
                     FEDN_ERR_CANCELLED);
    fedn_control_free(control);
    fedn_config_free(config);
}

static int start(void **state)
{
    fedn_config *config = NULL;
    char text[TEXT];
    fedn_error err;

    (void)state;
    run.dir = test_scratch();
    run.kept = json_object();
    make_files();
    assert_ok(fedn_config_new(&config, &err), &err);
    snprintf(text, sizeof text, "%s/reducer", run.dir);
    set(config, "log.level", "error");
    set(config, "reducer.state_dir", text);
    set(config, "reducer.listen", "127.0.0.1:0");
    set(config, "reducer.http_listen", "127.0.0.1:0");
    set(config, "reducer.url_prefix", "/fedn/net");
    assert_ok(fedn_reducer_new(config, &run.reducer, &err), &err);
    assert_ok(fedn_reducer_start(run.reducer, &err), &err);
    fedn_config_free(config);
    run.port = fedn_reducer_http_port(run.reducer);
    snprintf(text, sizeof text, "127.0.0.1:%d", (int)fedn_reducer_port(run.reducer));
    start_combiner(text);
    snprintf(text, sizeof text, "http://127.0.0.1:%d", (int)run.port);
    await_combiner(text);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fedn_combiner_free(run.combiner);
    fedn_reducer_free(run.reducer);
    json_decref(run.kept);
    test_scratch_done(run.dir);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_answered_as_it_says),
        cmocka_unit_test(no_operation_is_left_out),
    };

    if (argc != 2)
        return 2;
    run.cases = argv[1];
    return cmocka_run_group_tests(tests, start, stop);
}
