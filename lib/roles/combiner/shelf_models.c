/* SPDX-License-Identifier: Apache-2.0
 * Global models and partials on a combiner's shelf. */
#include "roles/combiner/shelf_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include <string.h>
#include <unistd.h>

static void model_done(fedn__shelf_model_entry *m, int32_t remove)
{
    if (remove && m->blob && fedn__blob_fd(m->blob) >= 0)
        unlink(m->path);
    fedn__free(m->path);
    fedn__blob_unref(m->blob);
    memset(m, 0, sizeof *m);
}

void fedn__shelf_models_done(fedn__shelf *shelf)
{
    for (uint32_t i = 0; i < MODELS_ROOM; i++)
        model_done(&shelf->models[i], 0);
}

char *fedn__shelf_model_path(const fedn__shelf *shelf, const char *id)
{
    return fedn__fs_join(shelf->dirs[MODELS_DIR], id);
}

static int32_t is_pinned(const fedn__shelf *shelf, const char *id)
{
    for (uint32_t i = 0; i < shelf->pin_count; i++)
        if (strcmp(shelf->pins[i], id) == 0)
            return 1;
    return 0;
}

void fedn__shelf_pin_models(fedn__shelf *shelf, char (*ids)[FEDN__UUID_TEXT], uint32_t count)
{
    uint32_t most = sizeof shelf->pins / sizeof shelf->pins[0];

    shelf->pin_count = count < most ? count : most;
    for (uint32_t i = 0; i < shelf->pin_count; i++)
        memcpy(shelf->pins[i], ids[i], FEDN__UUID_TEXT);
    shelf->models_kept =
        MODELS_KEPT + (count < FEDN__LIMIT_STALENESS ? count : FEDN__LIMIT_STALENESS);
    for (uint32_t i = shelf->models_kept; i < MODELS_ROOM; i++)
        if (!is_pinned(shelf, shelf->models[i].id))
            model_done(&shelf->models[i], 1);
}

static void put_first(fedn__shelf *shelf, const fedn__shelf_model_entry *m, uint32_t from)
{
    memmove(&shelf->models[1], &shelf->models[0], from * sizeof shelf->models[0]);
    shelf->models[0] = *m;
}

fedn_status fedn__shelf_add_model(fedn__shelf *shelf, const char *id, fedn__blob *blob,
                                  fedn_error *err)
{
    fedn__shelf_model_entry fresh = {.path = fedn__shelf_model_path(shelf, id)};

    if (!fresh.path)
        return fedn__error_nomem(err);
    fresh.blob = fedn__blob_ref(blob);
    memcpy(fresh.id, id, sizeof fresh.id);
    uint32_t last = shelf->models_kept - 1;
    while (last > 0 && is_pinned(shelf, shelf->models[last].id))
        last--;
    model_done(&shelf->models[last], 1); /* readers keep their reference */
    put_first(shelf, &fresh, last);
    return FEDN_OK;
}

fedn_status fedn__shelf_model(fedn__shelf *shelf, const char *id, fedn__blob **ret, fedn_error *err)
{
    *ret = NULL;
    for (uint32_t i = 0; i < MODELS_ROOM; i++) {
        fedn__shelf_model_entry found = shelf->models[i];
        if (found.path && strcmp(found.id, id) == 0) {
            *ret = fedn__blob_ref(found.blob);
            put_first(shelf, &found, i);
            return FEDN_OK;
        }
    }
    return fedn__error(err, FEDN_ERR_NOT_FOUND, "model %s is not here", id);
}

char *fedn__shelf_partial_path(const fedn__shelf *shelf, const char *id)
{
    return fedn__fs_join(shelf->dirs[PARTIALS_DIR], id);
}
