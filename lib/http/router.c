/* SPDX-License-Identifier: Apache-2.0
 * Taking a request target apart and finding its route. */
#include "http/router.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include <string.h>

static int32_t hex_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return at ? (int32_t)(at - digits) : -1;
}

/* Percent-decoding in place; 0 on a broken escape, NUL or bytes that are no UTF-8. */
static int32_t decode(char *text, int32_t plus_is_space)
{
    char *to = text;

    for (const char *c = text; *c; c++) {
        if (*c == '%') {
            int32_t high = hex_of(c[1]);
            int32_t low = high >= 0 ? hex_of(c[2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return 0;
            *to++ = (char)(high << 4 | low);
            c += 2;
        } else {
            *to++ = *c == '+' && plus_is_space ? ' ' : *c;
        }
    }
    *to = 0;
    return fedn__text_is_utf8(text, (uint64_t)(to - text));
}

fedn_status fedn__pairs_parse(char *text, fedn__pair *pairs, uint32_t *ret_count, fedn_error *err)
{
    uint32_t count = 0;
    char *save = NULL;

    for (char *name = strtok_r(text, "&", &save); name; name = strtok_r(NULL, "&", &save)) {
        char *value = strchr(name, '=');
        if (value)
            *value++ = 0;
        else
            value = name + strlen(name);
        if (count == FEDN__LIMIT_HTTP_PAIRS)
            return fedn__error(err, FEDN_ERR_LIMIT, "more than %d parameters",
                               FEDN__LIMIT_HTTP_PAIRS);
        if (!decode(name, 1) || !decode(value, 1))
            return fedn__error(err, FEDN_ERR_FORMAT, "parameter %u is not percent-encoded UTF-8",
                               (unsigned)count + 1);
        pairs[count++] = (fedn__pair){name, value};
    }
    *ret_count = count;
    return FEDN_OK;
}

/* Empty segments count for nothing: that is the repeated and the trailing slash. A segment with a
 * slash of its own ("%2F") belongs to no route. */
static fedn_status split_path(char *path, fedn__target *target, fedn_error *err)
{
    char *save = NULL;

    for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (!decode(part, 0))
            return fedn__error(err, FEDN_ERR_FORMAT, "the path is not percent-encoded UTF-8");
        if (target->segment_count == FEDN__LIMIT_HTTP_SEGMENTS || strchr(part, '/')) {
            target->segment_count = FEDN__LIMIT_HTTP_SEGMENTS + 1;
            return FEDN_OK;
        }
        target->segments[target->segment_count++] = part;
    }
    return FEDN_OK;
}

/* A proxy may send "http://host/path". */
static const char *without_authority(const char *text)
{
    if (fedn__text_starts(text, "http://") || fedn__text_starts(text, "https://")) {
        text = strchr(text, ':') + 3;
        text += strcspn(text, "/?");
    }
    return text;
}

fedn_status fedn__target_parse(const char *text, fedn__target *ret, fedn_error *err)
{
    memset(ret, 0, sizeof *ret);
    text = without_authority(text);
    uint64_t path_bytes = strcspn(text, "?#");
    /* the path as it was sent, the same to be decoded, the query to be decoded */
    uint64_t bytes = strlen(text);
    ret->text = fedn__alloc_zero(path_bytes + 1 + bytes + 2);
    if (!ret->text)
        return fedn__error_nomem(err);
    memcpy(ret->text, text, path_bytes);
    ret->path = ret->text;
    char *path = ret->text + path_bytes + 1;
    memcpy(path, text, path_bytes);
    char *query = path + path_bytes + 1;
    if (text[path_bytes] == '?')
        memcpy(query, text + path_bytes + 1, strcspn(text + path_bytes + 1, "#"));
    fedn_status rc = split_path(path, ret, err);
    if (rc == FEDN_OK)
        rc = fedn__pairs_parse(query, ret->query, &ret->query_count, err);
    return rc;
}

void fedn__target_done(fedn__target *target)
{
    fedn__free(target->text);
    target->text = NULL;
}

/* The next segment of a path in a table; its length, 0 at the end. */
static uint32_t next_segment(const char **path, const char **ret)
{
    *path += strspn(*path, "/");
    *ret = *path;
    uint32_t len = (uint32_t)strcspn(*path, "/");
    *path += len;
    return len;
}

/* How well the path fits: 0 not at all, else a bit for each literal, the first the highest, so that
 * the larger number is the more literal match from the left. */
static uint32_t fit(const char *path, const char *const *segments, uint32_t count)
{
    uint32_t literal = 1u << 31;
    uint32_t score = 1;
    const char *part = NULL;
    uint32_t len = 0;
    uint32_t at = 0;

    while ((len = next_segment(&path, &part)) > 0) {
        if (at == count)
            return 0;
        if (*part != '{') {
            if (strlen(segments[at]) != len || memcmp(segments[at], part, len) != 0)
                return 0;
            score |= literal;
        }
        literal >>= 1;
        at++;
    }
    return at == count ? score : 0;
}

static void add_allowed(char *allow, const char *method)
{
    static const uint64_t room = sizeof((fedn__route_found *)0)->allow;
    if (!strstr(allow, method)) {
        if (allow[0])
            strncat(allow, ", ", room - strlen(allow) - 1);
        strncat(allow, method, room - strlen(allow) - 1);
    }
    if (strcmp(method, "GET") == 0)
        add_allowed(allow, "HEAD");
}

static void find_in(const fedn__http_route *routes, uint32_t count, const char *method,
                    const char *const *segments, uint32_t segment_count, fedn__route_found *ret)
{
    uint32_t best = 0;

    memset(ret, 0, sizeof *ret);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t score = fit(routes[i].path, segments, segment_count);
        if (score == 0)
            continue;
        if (strcmp(routes[i].method, method) != 0)
            add_allowed(ret->allow, routes[i].method);
        else if (score > best) {
            best = score;
            ret->route = &routes[i];
            ret->segments = segments;
        }
    }
}

/* How many segments of the target the prefix takes; 0 if it is not there. */
static uint32_t prefix_segments(const char *prefix, const fedn__target *target)
{
    const char *part = NULL;
    uint32_t len = 0;
    uint32_t at = 0;

    while ((len = next_segment(&prefix, &part)) > 0) {
        if (at == target->segment_count || strlen(target->segments[at]) != len ||
            memcmp(target->segments[at], part, len) != 0)
            return 0;
        at++;
    }
    return at;
}

void fedn__router_find(const fedn__http_route *routes, uint32_t count, const char *prefix,
                       const char *method, const fedn__target *target, fedn__route_found *ret)
{
    memset(ret, 0, sizeof *ret);
    if (target->segment_count > FEDN__LIMIT_HTTP_SEGMENTS)
        return;
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    uint32_t skip = prefix ? prefix_segments(prefix, target) : 0;
    if (skip)
        find_in(routes, count, method, target->segments + skip, target->segment_count - skip, ret);
    if (!ret->route && !*ret->allow)
        find_in(routes, count, method, target->segments, target->segment_count, ret);
    if (ret->route)
        ret->allow[0] = 0;
}

const char *fedn__router_param(const fedn__route_found *found, const char *name)
{
    const char *path = found->route->path;
    const char *part = NULL;
    uint32_t len = 0;

    for (uint32_t at = 0; (len = next_segment(&path, &part)) > 0; at++)
        if (*part == '{' && strlen(name) == len - 2 && memcmp(part + 1, name, len - 2) == 0)
            return found->segments[at];
    return NULL;
}
