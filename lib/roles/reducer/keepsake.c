/* SPDX-License-Identifier: Apache-2.0
 * An aggregator's state in files. */
#include "roles/reducer/keepsake.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/text.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

void fedn__keepsake_init(fedn__keepsake *self, const char *dir)
{
    memset(self, 0, sizeof *self);
    self->dir = dir;
}

void fedn__keepsake_session(fedn__keepsake *self, const char *run_id)
{
    snprintf(self->run_id, sizeof self->run_id, "%s", run_id);
    self->model_id[0] = 0;
}

/* Caller frees; NULL out of memory. */
static char *file_name(const fedn__keepsake *self, const char *model_id)
{
    return fedn__strf("%s-%s.npz", self->run_id, model_id);
}

/* What cannot be removed now is tried again with the next round. */
static void remove_others(const fedn__keepsake *self, const char *name)
{
    DIR *dir = opendir(self->dir);
    const struct dirent *entry = NULL;

    while (dir && (entry = readdir(dir)) != NULL) {
        char *path = entry->d_name[0] != '.' && strcmp(entry->d_name, name) != 0
                         ? fedn__fs_join(self->dir, entry->d_name)
                         : NULL;
        if (path)
            fedn__fs_unlink(path, NULL);
        fedn__free(path);
    }
    if (dir)
        closedir(dir);
}

static fedn_status load(const fedn__keepsake *self, fedn_aggregator *aggregator, const char *name,
                        fedn_error *err)
{
    char *path = fedn__fs_join(self->dir, name);
    fedn_status rc =
        path ? fedn__aggregator_load_state(aggregator, path, err) : fedn__error_nomem(err);

    fedn__free(path);
    if (rc != FEDN_OK && rc != FEDN_ERR_NOMEM)
        fedn__error_prefix(err, rc, "what the aggregator kept with the model is lost");
    return rc;
}

fedn_status fedn__keepsake_use(fedn__keepsake *self, fedn_aggregator *aggregator,
                               const char *model_id, int32_t is_first, fedn_error *err)
{
    char *name = NULL;
    fedn_status rc = FEDN_OK;

    if (!fedn__aggregator_has_state(aggregator))
        return FEDN_OK;
    name = file_name(self, model_id);
    if (!name)
        return fedn__error_nomem(err);
    if (is_first)
        fedn__aggregator_forget(aggregator);
    else if (strcmp(self->model_id, model_id) != 0)
        rc = load(self, aggregator, name, err);
    if (rc == FEDN_OK) {
        snprintf(self->model_id, sizeof self->model_id, "%s", model_id);
        remove_others(self, name);
    }
    fedn__free(name);
    return rc;
}

void fedn__keepsake_move(fedn__keepsake *self)
{
    self->model_id[0] = 0;
}

fedn_status fedn__keepsake_store(fedn__keepsake *self, fedn_aggregator *aggregator,
                                 const char *model_id, fedn_error *err)
{
    char *name = NULL;
    char *path = NULL;
    fedn_status rc = FEDN_ERR_NOMEM;

    if (!fedn__aggregator_has_state(aggregator))
        return FEDN_OK;
    name = file_name(self, model_id);
    path = name ? fedn__fs_join(self->dir, name) : NULL;
    rc = path ? fedn__fs_mkdirs(self->dir, err) : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_save_state(aggregator, path, err);
    if (rc == FEDN_OK)
        snprintf(self->model_id, sizeof self->model_id, "%s", model_id);
    fedn__free(path);
    fedn__free(name);
    return rc;
}
