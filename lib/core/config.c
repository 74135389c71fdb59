/* SPDX-License-Identifier: Apache-2.0
 * Setting and reading properties; every value is checked against its row when it is set. */
#include "core/config.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

struct fedn_config {
    uint32_t count;
    char *values[]; /* by row of the table; NULL: the default */
};

static uint32_t table_rows(void)
{
    uint32_t rows = 0;
    while (fedn__properties[rows].name)
        rows++;
    return rows;
}

static int32_t find(const char *name)
{
    for (int32_t i = 0; fedn__properties[i].name; i++)
        if (strcmp(fedn__properties[i].name, name) == 0)
            return i;
    return -1;
}

fedn_status fedn_config_new(fedn_config **ret, fedn_error *err)
{
    uint32_t rows = table_rows();

    if (!ret)
        return fedn__error(err, FEDN_ERR_INVALID, "the place for the configuration must be given");
    *ret = fedn__alloc_zero(sizeof(fedn_config) + rows * sizeof(char *));
    if (!*ret)
        return fedn__error_nomem(err);
    (*ret)->count = rows;
    return FEDN_OK;
}

void fedn_config_free(fedn_config *config)
{
    if (!config)
        return;
    for (uint32_t i = 0; i < config->count; i++)
        fedn__free(config->values[i]);
    fedn__free(config);
}

fedn_status fedn__config_copy(const fedn_config *config, fedn_config **ret, fedn_error *err)
{
    fedn_config *copy = NULL;

    *ret = NULL;
    fedn_status rc = fedn_config_new(&copy, err);
    for (uint32_t i = 0; copy && i < config->count; i++) {
        copy->values[i] = fedn__strdup(config->values[i]);
        if (config->values[i] && !copy->values[i])
            rc = fedn__error_nomem(err);
    }
    if (rc == FEDN_OK) {
        *ret = copy;
        copy = NULL;
    }
    fedn_config_free(copy);
    return rc;
}

void fedn__config_swap(fedn_config *a, fedn_config *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        char *value = a->values[i];
        a->values[i] = b->values[i];
        b->values[i] = value;
    }
}

static const char *type_name(const fedn__property *row)
{
    static const char *const names[] = {"string", "integer", "number", "boolean"};
    return names[row->type];
}

/* Allowed values in words. */
static void range_text(const fedn__property *row, char *text, size_t bytes)
{
    static const char *const unit_names[] = {"", " bytes", " ms"};

    text[0] = 0;
    if (row->type == FEDN__BOOLEAN)
        snprintf(text, bytes, "true or false");
    else if (row->choices)
        snprintf(text, bytes, "%s", row->choices);
    else if (row->type == FEDN__STRING)
        snprintf(text, bytes, "at most %.0f bytes", row->max);
    else
        snprintf(text, bytes, row->type == FEDN__INTEGER ? "%.0f..%.0f%s" : "%.15g..%.15g%s",
                 row->min, row->max, unit_names[row->unit]);
}

typedef struct unit {
    const char *suffix;
    double factor;
} unit;

static double unit_factor(const fedn__property *row, const char *suffix)
{
    static const unit bytes[] = {
        {"k", 1024.0},       {"K", 1024.0},       {"m", 1048576.0},       {"M", 1048576.0},
        {"g", 1073741824.0}, {"G", 1073741824.0}, {"T", 1099511627776.0}, {NULL, 0}};
    static const unit millis[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
    const unit *table = row->unit == FEDN__UNIT_BYTES ? bytes : millis;

    if (!*suffix)
        return 1;
    if (row->unit == FEDN__UNIT_NONE)
        return 0;
    for (; table->suffix; table++)
        if (strcmp(table->suffix, suffix) == 0)
            return table->factor;
    return 0;
}

/* Of ASCII alone: the application's locale must not change what a name or a suffix is. */
static int32_t is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* 1 if the text is a number of the row, in the row's unit. */
static int32_t parse_number(const fedn__property *row, const char *text, double *ret)
{
    char digits[64];
    double factor = 1;
    size_t len = strlen(text);
    size_t end = len;

    while (end > 0 && is_letter(text[end - 1]))
        end--;
    if (end == 0 || end >= sizeof digits)
        return 0;
    factor = unit_factor(row, text + end);
    memcpy(digits, text, end);
    digits[end] = 0;
    if (factor == 0 || !fedn__text_to_f64(digits, ret))
        return 0;
    *ret *= factor;
    if (row->type == FEDN__INTEGER && *ret != floor(*ret))
        return 0;
    return *ret >= row->min && *ret <= row->max;
}

static int32_t parse_boolean(const char *text, int32_t *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes",   "0",
                                        "1",     "off",  "on", "False", "True"};
    for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], text) == 0) {
            *ret = i % 2;
            return 1;
        }
    }
    return 0;
}

static int32_t is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *c = choices; c; c = strchr(c, '|')) {
        if (*c == '|')
            c++;
        size_t word = strcspn(c, "|");
        if (word == len && strncmp(c, value, len) == 0)
            return 1;
    }
    return 0;
}

static int32_t is_allowed(const fedn__property *row, const char *value)
{
    double number = 0;
    int32_t boolean = 0;

    if (row->type == FEDN__BOOLEAN)
        return parse_boolean(value, &boolean);
    if (row->type != FEDN__STRING)
        return parse_number(row, value, &number);
    if (row->choices)
        return is_choice(row->choices, value);
    return !*value || fedn__text_is_line(value, (uint64_t)row->max);
}

/* Values that must not show up in an error, which ends up in logs. */
static int32_t is_secret(const char *name)
{
    const char *last = strrchr(name, '.');
    return last && strcmp(last, ".token") == 0;
}

static const char *nearest(const char *name)
{
    const char *best = fedn__properties[0].name;
    uint32_t least = UINT32_MAX;

    for (int32_t i = 0; fedn__properties[i].name; i++) {
        uint32_t distance = fedn__text_distance(name, fedn__properties[i].name);
        if (distance < least) {
            least = distance;
            best = fedn__properties[i].name;
        }
    }
    return best;
}

fedn_status fedn_config_set(fedn_config *config, const char *name, const char *value,
                            fedn_error *err)
{
    char range[128];

    if (!config || !name || !value)
        return fedn__error(err, FEDN_ERR_INVALID, "configuration, name and value must be given");
    int32_t at = find(name);
    if (at < 0)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "there is no property \"%.100s\": did you mean \"%s\"?", name,
                           nearest(name));
    const fedn__property *row = &fedn__properties[at];
    if (!is_allowed(row, value)) {
        range_text(row, range, sizeof range);
        return fedn__error(err, FEDN_ERR_INVALID, "%s: \"%.100s\" is not allowed (%s: %s)", name,
                           is_secret(name) ? "***" : value, type_name(row), range);
    }
    char *copy = fedn__strdup(value);
    if (!copy)
        return fedn__error_nomem(err);
    fedn__free(config->values[at]);
    config->values[at] = copy;
    return FEDN_OK;
}

static const char *value_at(const fedn_config *config, int32_t at)
{
    return config->values[at] ? config->values[at] : fedn__properties[at].initial;
}

const char *fedn_config_get(const fedn_config *config, const char *name)
{
    int32_t at = config && name ? find(name) : -1;
    return at < 0 ? NULL : value_at(config, at);
}

/* FEDN_COMBINER_LISTEN for "combiner.listen" */
static int32_t is_variable_of(const char *variable, const char *name)
{
    if (!fedn__text_starts(variable, "FEDN_"))
        return 0;
    variable += 5;
    for (; *name; name++, variable++) {
        char wanted = *name == '.' ? '_' : is_letter(*name) ? (char)(*name & ~0x20) : *name;
        if (*variable != wanted)
            return 0;
    }
    return *variable == '=';
}

/* The value of the row's variable, NULL if the environment has none; getenv would need its name. */
static const char *find_variable(const char *name, const char **ret_variable)
{
    for (char **variable = environ; variable && *variable; variable++) {
        if (is_variable_of(*variable, name)) {
            *ret_variable = *variable;
            return strchr(*variable, '=') + 1;
        }
    }
    return NULL;
}

fedn_status fedn_config_load_env(fedn_config *config, fedn_error *err)
{
    fedn_config *fresh = NULL;

    if (!config)
        return fedn__error(err, FEDN_ERR_INVALID, "a configuration must be given");
    fedn_status rc = fedn__config_copy(config, &fresh, err);
    for (uint32_t i = 0; rc == FEDN_OK && i < fresh->count; i++) {
        const char *variable = NULL;
        const char *value = find_variable(fedn__properties[i].name, &variable);
        if (!value)
            continue;
        rc = fedn_config_set(fresh, fedn__properties[i].name, value, err);
        if (rc == FEDN_ERR_INVALID) {
            char what[128];
            snprintf(what, sizeof what, "environment variable %.*s", (int)strcspn(variable, "="),
                     variable);
            fedn__error_prefix(err, rc, what);
        }
    }
    if (rc == FEDN_OK)
        fedn__config_swap(config, fresh);
    fedn_config_free(fresh);
    return rc;
}

void fedn_config_each(const fedn_config *config, const char *prefix, fedn_config_each_fn fn,
                      void *user_data)
{
    char range[128];

    for (uint32_t i = 0; config && fn && i < config->count; i++) {
        const fedn__property *row = &fedn__properties[i];
        if (prefix && !fedn__text_starts(row->name, prefix))
            continue;
        range_text(row, range, sizeof range);
        fn(row->name, type_name(row), range, row->initial, value_at(config, (int32_t)i), row->doc,
           user_data);
    }
}

const char *fedn__config_string(const fedn_config *config, const char *name)
{
    const char *value = fedn_config_get(config, name);
    assert(value);
    return value;
}

double fedn__config_number(const fedn_config *config, const char *name)
{
    int32_t at = find(name);
    double value = 0;

    assert(at >= 0 && fedn__properties[at].type != FEDN__STRING);
    int32_t parsed = parse_number(&fedn__properties[at], value_at(config, at), &value);
    assert(parsed);
    (void)parsed;
    return value;
}

int64_t fedn__config_integer(const fedn_config *config, const char *name)
{
    return (int64_t)fedn__config_number(config, name);
}

int32_t fedn__config_boolean(const fedn_config *config, const char *name)
{
    int32_t value = 0;
    int32_t parsed = parse_boolean(fedn__config_string(config, name), &value);
    assert(parsed);
    (void)parsed;
    return value;
}
