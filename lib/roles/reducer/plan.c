/* SPDX-License-Identifier: Apache-2.0
 * Checking session settings, and writing them as FEDn's clients read them. */
#include "roles/reducer/plan.h"

#include "aggregate/aggregator.h"
#include "core/alloc.h"
#include "core/buffer.h"
#include "core/config.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/literal.h"
#include "core/text.h"
#include "model/format.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT, NUMBER, SWITCH };

/* The members of a session_config, in FEDn's words; all but the last are properties. */
static const struct {
    const char *key;
    int32_t type;
    int32_t empty_is_null;
} members[] = {
    {"aggregator", TEXT, 0},
    {"aggregator_kwargs", TEXT, 1},
    {"round_timeout", NUMBER, 0},
    {"buffer_size", NUMBER, 0},
    {"rounds", NUMBER, 0},
    {"delete_models_storage", SWITCH, 0},
    {"clients_required", NUMBER, 0},
    {"requested_clients", NUMBER, 0},
    {"mode", TEXT, 0},
    {"max_staleness", NUMBER, 0},
    {"staleness_exponent", NUMBER, 0},
    {"ask", NUMBER, 0},
    {"straggler_quantile", NUMBER, 0},
    {"straggler_factor", NUMBER, 0},
    {"validate", SWITCH, 0},
    {"helper_type", TEXT, 0},
    {"model_id", TEXT, 1},
    {"server_functions", TEXT, 1},
};

enum { MEMBERS = sizeof members / sizeof members[0] };

static int32_t find_member(const char *key)
{
    for (int32_t i = 0; i < MEMBERS; i++)
        if (strcmp(members[i].key, key) == 0)
            return i;
    return -1;
}

static fedn_status unknown_key(const char *key, fedn_error *err)
{
    const char *best = members[0].key;
    uint32_t least = UINT32_MAX;

    for (int32_t i = 0; i < MEMBERS; i++) {
        uint32_t distance = fedn__text_distance(key, members[i].key);
        if (distance < least) {
            least = distance;
            best = members[i].key;
        }
    }
    return fedn__error(err, FEDN_ERR_INVALID,
                       "session_config has no setting \"%.64s\": did you mean \"%s\"?", key, best);
}

/* The shortest text that reads back as the number. */
static void number_text(double number, char text[32])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            return;
    }
}

/* A value as the text that a property takes. */
static char *value_text(const json_t *value)
{
    char text[32];

    if (json_is_string(value))
        return fedn__strdup(json_string_value(value));
    if (json_is_boolean(value))
        return fedn__strdup(json_is_true(value) ? "true" : "false");
    if (json_is_real(value)) {
        number_text(json_real_value(value), text);
        return fedn__strdup(text);
    }
    return fedn__json_text(value);
}

static json_t *number_value(const char *text)
{
    int64_t integer = 0;
    double number = 0;

    if (fedn__text_to_i64(text, &integer))
        return json_integer(integer);
    return fedn__text_to_f64(text, &number) ? json_real(number) : NULL;
}

/* A checked text as a value of the setting's type. */
static fedn_status typed_value(const fedn_config *config, int32_t member, json_t **ret,
                               fedn_error *err)
{
    char name[64];
    const char *text = NULL;

    snprintf(name, sizeof name, "session.%s", members[member].key);
    text = fedn_config_get(config, name);
    if (members[member].type == SWITCH)
        *ret = json_boolean(fedn__config_boolean(config, name));
    else if (members[member].type == NUMBER)
        *ret = number_value(text);
    else if (members[member].empty_is_null && !*text)
        *ret = json_null();
    else if (strcmp(members[member].key, "aggregator_kwargs") == 0)
        return fedn__literal_object(text, "aggregator_kwargs", ret, err);
    else
        *ret = json_string(text);
    return *ret ? FEDN_OK : fedn__error_nomem(err);
}

/* Python source, which the hooks service beside a combiner runs. */
static fedn_status set_server_functions(json_t *config, const json_t *value, fedn_error *err)
{
    uint64_t bytes = json_string_length(value);

    if (!json_is_null(value) && !json_is_string(value))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "session_config: server_functions must be a text of Python source");
    if (bytes > FEDN__LIMIT_SOURCE_BYTES)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "session_config: server_functions is %llu bytes long, at most %d",
                           (unsigned long long)bytes, FEDN__LIMIT_SOURCE_BYTES);
    json_t *copy = bytes ? json_string(json_string_value(value)) : json_null();
    return json_object_set_new(config, "server_functions", copy) == 0 ? FEDN_OK
                                                                      : fedn__error_nomem(err);
}

fedn_status fedn__plan_set(json_t *config, const char *key, const json_t *value, fedn_error *err)
{
    int32_t member = find_member(key);
    fedn_config *scratch = NULL;
    char *text = NULL;
    json_t *typed = NULL;
    const fedn__format *format = NULL;
    char name[64];
    fedn_status rc = FEDN_OK;

    if (member < 0)
        return unknown_key(key, err);
    if (member == MEMBERS - 1)
        return set_server_functions(config, value, err);
    if (json_is_null(value))
        return FEDN_OK;
    snprintf(name, sizeof name, "session.%s", key);
    text = value_text(value);
    rc = text ? fedn_config_new(&scratch, err) : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(scratch, name, text, err);
    if (rc == FEDN_OK)
        rc = typed_value(scratch, member, &typed, err);
    if (rc == FEDN_OK && strcmp(key, "aggregator") == 0)
        rc = fedn__aggregator_known(json_string_value(typed), err);
    if (rc == FEDN_OK && strcmp(key, "helper_type") == 0)
        rc = fedn__format_find(json_string_value(typed), &format, err);
    if (rc == FEDN_OK && json_object_set(config, key, typed) != 0)
        rc = fedn__error_nomem(err);
    json_decref(typed);
    fedn__free(text);
    fedn_config_free(scratch);
    return rc;
}

static fedn_status add_defaults(json_t *config, fedn_error *err)
{
    fedn_config *defaults = NULL;
    fedn_status rc = fedn_config_new(&defaults, err);

    for (int32_t i = 0; rc == FEDN_OK && i < MEMBERS; i++) {
        json_t *value = NULL;
        if (i == MEMBERS - 1 || strcmp(members[i].key, "rounds") == 0)
            value = json_null(); /* rounds: how many is said at the start */
        else
            rc = typed_value(defaults, i, &value, err);
        if (rc == FEDN_OK && json_object_set_new(config, members[i].key, value) != 0)
            rc = fedn__error_nomem(err);
    }
    fedn_config_free(defaults);
    return rc;
}

/* The rule takes its parameters: later than here a round would fail by them. */
static fedn_status check_aggregator(const json_t *config, fedn_error *err)
{
    char *kwargs = fedn__plan_kwargs(config);
    fedn_aggregator *aggregator = NULL;
    fedn_status rc = kwargs ? fedn_aggregator_new(fedn__json_string(config, "aggregator", "fedavg"),
                                                  kwargs, &aggregator, err)
                            : fedn__error_nomem(err);

    fedn_aggregator_free(aggregator);
    fedn__free(kwargs);
    return rc;
}

fedn_status fedn__plan_check(const json_t *given, json_t **ret, fedn_error *err)
{
    json_t *config = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    fedn_status rc = config ? add_defaults(config, err) : fedn__error_nomem(err);

    *ret = NULL;
    if (rc == FEDN_OK && given && !json_is_object(given))
        rc = fedn__error(err, FEDN_ERR_INVALID, "session_config is not a JSON object");
    json_object_foreach((json_t *)(uintptr_t)given, key, value)
    {
        if (rc == FEDN_OK)
            rc = fedn__plan_set(config, key, value, err);
    }
    if (rc == FEDN_OK)
        rc = check_aggregator(config, err);
    if (rc == FEDN_OK) {
        *ret = config;
        config = NULL;
    }
    json_decref(config);
    return rc;
}

fedn_status fedn__plan_client_ids(const char *text, json_t **ret, fedn_error *err)
{
    json_t *ids = json_array();
    fedn_status rc = ids ? FEDN_OK : fedn__error_nomem(err);

    *ret = NULL;
    while (rc == FEDN_OK && *text) {
        char id[FEDN__LIMIT_NAME_BYTES + 1];
        text += strspn(text, " ,");
        size_t bytes = strcspn(text, ",");
        size_t trimmed = bytes;
        while (trimmed > 0 && text[trimmed - 1] == ' ')
            trimmed--;
        snprintf(id, sizeof id, "%.*s", (int)(trimmed < sizeof id ? trimmed : sizeof id), text);
        if (trimmed > FEDN__LIMIT_ID_BYTES || (trimmed && !fedn__text_is_line(id, trimmed)))
            rc = fedn__error(err, FEDN_ERR_INVALID,
                             "client_ids: \"%.64s\" is not 1..%d printable bytes", id,
                             FEDN__LIMIT_ID_BYTES);
        else if (json_array_size(ids) == FEDN__LIMIT_ROUND_CLIENTS)
            rc = fedn__error(err, FEDN_ERR_LIMIT, "client_ids: more than %d",
                             FEDN__LIMIT_ROUND_CLIENTS);
        else if (trimmed && json_array_append_new(ids, json_string(id)) != 0)
            rc = fedn__error_nomem(err);
        text += bytes;
    }
    if (rc == FEDN_OK && json_array_size(ids) > 0) {
        *ret = ids;
        ids = NULL;
    }
    json_decref(ids);
    return rc;
}

char *fedn__plan_kwargs(const json_t *config)
{
    const json_t *kwargs = json_object_get(config, "aggregator_kwargs");
    return json_is_object(kwargs) ? fedn__json_text(kwargs) : fedn__strdup("");
}

json_t *fedn__plan_round(const json_t *config, const char *session_id, const char *round_id,
                         const char *model_id, const json_t *client_ids)
{
    json_t *plan = json_deep_copy(config);
    json_t *more = json_pack("{s:s, s:s, s:s, s:s, s:i}", "session_id", session_id, "round_id",
                             round_id, "model_id", model_id, "task", "training", "rounds", 1);
    int failed = !plan || !more || json_object_update(plan, more) != 0;

    json_decref(more);
    if (!failed && client_ids)
        failed = json_object_set_new(plan, "selected_clients", json_deep_copy(client_ids)) != 0;
    if (failed) {
        json_decref(plan);
        return NULL;
    }
    return plan;
}

static fedn_status add_python(fedn__buffer *to, const json_t *value);

static fedn_status add_python_text(fedn__buffer *to, const char *text)
{
    fedn_status rc = fedn__buffer_add(to, "'", 1);

    for (; rc == FEDN_OK && *text; text++) {
        if (*text == '\'' || *text == '\\')
            rc = fedn__buffer_add(to, "\\", 1);
        if (rc == FEDN_OK && *text == '\n')
            rc = fedn__buffer_add(to, "\\n", 2);
        else if (rc == FEDN_OK)
            rc = fedn__buffer_add(to, text, 1);
    }
    return rc == FEDN_OK ? fedn__buffer_add(to, "'", 1) : rc;
}

static fedn_status add_python_items(fedn__buffer *to, const json_t *value)
{
    const char *key = NULL;
    const char *comma = "";
    json_t *item = NULL;
    size_t i = 0;
    fedn_status rc = fedn__buffer_add_text(to, json_is_array(value) ? "[" : "{");

    json_array_foreach(value, i, item)
    {
        if (rc == FEDN_OK)
            rc = fedn__buffer_add_text(to, i ? ", " : "");
        if (rc == FEDN_OK)
            rc = add_python(to, item);
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if (rc == FEDN_OK)
            rc = fedn__buffer_add_text(to, comma);
        if (rc == FEDN_OK)
            rc = add_python_text(to, key);
        if (rc == FEDN_OK)
            rc = fedn__buffer_add_text(to, ": ");
        if (rc == FEDN_OK)
            rc = add_python(to, item);
        comma = ", ";
    }
    return rc == FEDN_OK ? fedn__buffer_add_text(to, json_is_array(value) ? "]" : "}") : rc;
}

/* As Python's repr() writes it. */
static fedn_status add_python(fedn__buffer *to, const json_t *value)
{
    char text[32];

    if (json_is_string(value))
        return add_python_text(to, json_string_value(value));
    if (json_is_integer(value))
        return fedn__buffer_add_format(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_real(value)) {
        number_text(json_real_value(value), text);
        fedn_status rc = fedn__buffer_add_text(to, text);
        return rc == FEDN_OK && !strpbrk(text, ".en") ? fedn__buffer_add_text(to, ".0") : rc;
    }
    if (json_is_boolean(value))
        return fedn__buffer_add_text(to, json_is_true(value) ? "True" : "False");
    if (json_is_null(value))
        return fedn__buffer_add_text(to, "None");
    return add_python_items(to, value);
}

static json_t *python_text(const json_t *value)
{
    fedn__buffer text;
    json_t *ret = NULL;

    if (json_is_string(value))
        return json_string(json_string_value(value));
    fedn__buffer_init(&text, 64 * FEDN__MIB);
    if (add_python(&text, value) == FEDN_OK && fedn__buffer_text(&text))
        ret = json_string(fedn__buffer_text(&text));
    fedn__buffer_done(&text);
    return ret;
}

json_t *fedn__plan_task(const json_t *round_config)
{
    json_t *task = json_object();
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)round_config, key, value)
    {
        if (task && json_object_set_new(task, key, python_text(value)) != 0) {
            json_decref(task);
            task = NULL;
        }
    }
    return task;
}
