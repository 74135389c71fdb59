/* SPDX-License-Identifier: Apache-2.0
 * The record store: checks what comes in, then asks the backend that the URL named. */
#include "store/records.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include "store/match.h"
#include <assert.h>
#include <string.h>

static const fedn__store_backend *const backends[] = {&fedn__store_mem, &fedn__store_sqlite, NULL};

struct fedn__store {
    const fedn__store_backend *backend;
    void *self;
};

static const fedn__store_backend *find_backend(const char *url, const char **ret_rest)
{
    for (int i = 0; backends[i]; i++) {
        size_t len = strlen(backends[i]->scheme);
        if (strncmp(url, backends[i]->scheme, len) == 0 && url[len] == ':') {
            *ret_rest = url + len + 1;
            return backends[i];
        }
    }
    return NULL;
}

fedn_status fedn__store_open(const char *url, fedn__store **ret, fedn_error *err)
{
    const char *rest = NULL;

    *ret = NULL;
    const fedn__store_backend *backend = find_backend(url, &rest);
    if (!backend)
        return fedn__error(
            err, FEDN_ERR_INVALID,
            "store \"%.*s\" has an unknown scheme: use \"sqlite:<file>\" or \"mem:\"",
            (int)strcspn(url, ":"), url);
    fedn__store *store = fedn__alloc_zero(sizeof *store);
    if (!store)
        return fedn__error_nomem(err);
    fedn_status rc = backend->open(rest, &store->self, err);
    if (rc != FEDN_OK) {
        fedn__free(store);
        return rc;
    }
    store->backend = backend;
    *ret = store;
    return FEDN_OK;
}

void fedn__store_close(fedn__store *store)
{
    if (!store)
        return;
    store->backend->close(store->self);
    fedn__free(store);
}

/* Only what every backend can give back unchanged is taken: `depth` more levels, no NUL in texts.
 */
static int32_t is_storable(const json_t *value, int32_t depth)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (json_is_string(value))
        return strlen(json_string_value(value)) == json_string_length(value);
    if ((json_is_object(value) || json_is_array(value)) && depth == 0)
        return 0;
    /* jansson's walk takes no const, and changes nothing */
    json_object_foreach((json_t *)(uintptr_t)value, key,
                        member) if (!is_storable(member, depth - 1)) return 0;
    json_array_foreach(value, i, member) if (!is_storable(member, depth - 1)) return 0;
    return 1;
}

static fedn_status check_change(const fedn__change *change, fedn_error *err)
{
    const fedn__kind *kind = fedn__kind_get(change->kind);

    assert(kind);
    if (!fedn__text_is_line(change->id, FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "%s of %s must be 1 to %d bytes of printable UTF-8", kind->key,
                           kind->entity, FEDN__LIMIT_NAME_BYTES);
    if (!change->document)
        return FEDN_OK;
    if (!json_is_object(change->document) || !is_storable(change->document, FEDN__LIMIT_JSON_DEPTH))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "%s \"%s\" is no object of at most %d levels without NUL in its texts",
                           kind->entity, change->id, FEDN__LIMIT_JSON_DEPTH);
    uint64_t bytes = json_dumpb(change->document, NULL, 0, JSON_COMPACT);
    if (bytes > FEDN__LIMIT_RECORD_BYTES)
        return fedn__error(err, FEDN_ERR_LIMIT, "%s \"%s\" has %llu bytes, over the limit of %llu",
                           kind->entity, change->id, (unsigned long long)bytes,
                           (unsigned long long)FEDN__LIMIT_RECORD_BYTES);
    return FEDN_OK;
}

fedn_status fedn__store_apply(fedn__store *store, const fedn__change *changes, uint32_t count,
                              fedn_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        fedn_status rc = check_change(&changes[i], err);
        if (rc != FEDN_OK)
            return rc;
    }
    return count ? store->backend->apply(store->self, changes, count, err) : FEDN_OK;
}

fedn_status fedn__store_get(fedn__store *store, int32_t kind, const char *id, json_t **ret,
                            fedn_error *err)
{
    assert(fedn__kind_get(kind));
    *ret = NULL;
    fedn_status rc = fedn__text_is_line(id, FEDN__LIMIT_NAME_BYTES)
                         ? store->backend->get(store->self, kind, id, ret, err)
                         : FEDN_ERR_NOT_FOUND;
    /* the words that FEDn's own server uses, which its tools show */
    if (rc == FEDN_ERR_NOT_FOUND)
        return fedn__error(err, rc, "Entity with id: %.*s not found", FEDN__LIMIT_NAME_BYTES, id);
    return rc;
}

fedn_status fedn__store_list(fedn__store *store, int32_t kind, const fedn__query *query,
                             json_t **ret, uint64_t *ret_count, fedn_error *err)
{
    static const fedn__query everything;

    assert(fedn__kind_get(kind));
    if (ret)
        *ret = NULL;
    if (!query)
        query = &everything;
    fedn_status rc = fedn__match_check(query, err);
    return rc == FEDN_OK ? store->backend->list(store->self, kind, query, ret, ret_count, err) : rc;
}
