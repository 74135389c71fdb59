/* SPDX-License-Identifier: Apache-2.0
 * Comparing an answer with its shape. */
#include "shape.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UUID "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
#define DATE                                                                                       \
    "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "                             \
    "[0-9]{2}:[0-9]{2}:[0-9]{2} GMT$"
#define ISO "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]+Z$"

static int matches(const json_t *value, const char *pattern)
{
    regex_t regex;

    if (!json_is_string(value) || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return 0;
    int found = regexec(&regex, json_string_value(value), 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

/* -1: there is no such kind. */
static int is_kind(const char *kind, const json_t *value)
{
    if (strcmp(kind, "any") == 0)
        return 1;
    if (strcmp(kind, "text") == 0)
        return json_string_length(value) > 0;
    if (strcmp(kind, "uuid") == 0)
        return matches(value, UUID);
    if (strcmp(kind, "date") == 0)
        return matches(value, DATE);
    if (strcmp(kind, "iso") == 0)
        return matches(value, ISO);
    if (strcmp(kind, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(kind, "number") == 0)
        return json_is_number(value);
    if (strcmp(kind, "object") == 0)
        return json_is_object(value);
    return strcmp(kind, "list") == 0 ? json_is_array(value) : -1;
}

static int wrong(const json_t *shape, const json_t *value, const char *where, char *why,
                 size_t room)
{
    char *wanted = json_dumps(shape, JSON_ENCODE_ANY | JSON_COMPACT);
    char *got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    snprintf(why, room, "%s is %.200s, not %.200s", where, got ? got : "nothing",
             wanted ? wanted : "nothing");
    free(got);
    free(wanted);
    return 0;
}

/* "<kind>" or "<kind?>". */
static int is_word(const json_t *shape, char kind[16], int *optional)
{
    const char *text = json_string_value(shape);
    size_t bytes = text ? strlen(text) : 0;

    if (bytes < 3 || bytes > 16 || text[0] != '<' || text[bytes - 1] != '>')
        return 0;
    *optional = text[bytes - 2] == '?';
    snprintf(kind, 16, "%.*s", (int)bytes - 2 - *optional, text + 1);
    return 1;
}

static int members_fit(const json_t *shape, const json_t *value, const char *where, char *why,
                       size_t room)
{
    const char *name = NULL;
    json_t *member = NULL;
    char below[512];

    if (json_object_size(value) != json_object_size(shape))
        return wrong(shape, value, where, why, room);
    json_object_foreach((json_t *)(uintptr_t)shape, name, member)
    {
        snprintf(below, sizeof below, "%.400s.%.100s", where, name);
        if (!json_object_get(value, name))
            return wrong(shape, value, where, why, room);
        if (!shape_fits(member, json_object_get(value, name), below, why, room))
            return 0;
    }
    return 1;
}

int shape_fits(const json_t *shape, const json_t *value, const char *where, char *why, size_t room)
{
    char kind[16];
    char below[512];
    int optional = 0;

    if (is_word(shape, kind, &optional))
        return (optional && json_is_null(value)) || is_kind(kind, value) == 1
                   ? 1
                   : wrong(shape, value, where, why, room);
    if (json_is_object(shape) && json_is_object(value))
        return members_fit(shape, value, where, why, room);
    if (!json_is_array(shape) || !json_is_array(value))
        return json_equal(shape, value) ? 1 : wrong(shape, value, where, why, room);
    if (json_array_size(shape) != json_array_size(value))
        return wrong(shape, value, where, why, room);
    for (size_t i = 0; i < json_array_size(shape); i++) {
        snprintf(below, sizeof below, "%.400s[%zu]", where, i);
        if (!shape_fits(json_array_get(shape, i), json_array_get(value, i), below, why, room))
            return 0;
    }
    return 1;
}

int shape_is_sorted(const json_t *value)
{
    const char *before = "";
    const char *name = NULL;
    json_t *member = NULL;
    size_t i = 0;

    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        if (strcmp(before, name) > 0 || !shape_is_sorted(member))
            return 0;
        before = name;
    }
    json_array_foreach((json_t *)(uintptr_t)value, i, member)
    {
        if (!shape_is_sorted(member))
            return 0;
    }
    return 1;
}
