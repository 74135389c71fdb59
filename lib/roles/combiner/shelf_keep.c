/* SPDX-License-Identifier: Apache-2.0
 * Updates that stay on a combiner's shelf until their round is over, across a restart if need be.
 */
#include "roles/combiner/shelf_state.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/text.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UNANNOUNCED_MS 60000    /* after it an update that nobody announces gives way to others */
#define AGAIN          ".again" /* behind the id: a file that is only compared */

fedn_status fedn__shelf_has_room(fedn__shelf *shelf, fedn_error *err)
{
    int64_t since = fedn__clock_ms() - UNANNOUNCED_MS;

    while (shelf->limits.max_bytes > 0 && shelf->bytes >= shelf->limits.max_bytes &&
           shelf->oldest && shelf->oldest->stored_ms < since)
        fedn__shelf_discard(shelf, shelf->oldest);
    if (shelf->limits.max_bytes == 0 || shelf->bytes < shelf->limits.max_bytes)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_UNAVAILABLE,
                       "combiner.max_spool_bytes: updates of %llu bytes are here, %llu may be: try "
                       "again later",
                       (unsigned long long)shelf->bytes,
                       (unsigned long long)shelf->limits.max_bytes);
}

uint64_t fedn__shelf_kept_bytes(const fedn__shelf *shelf)
{
    return shelf->kept_bytes;
}

void fedn__shelf_keep(fedn__shelf *shelf, const char *id)
{
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (!u || u->state != UPDATE_FOLDING)
        return;
    if (!u->kept) {
        u->epoch = shelf->epoch;
        shelf->kept_bytes += u->bytes;
    }
    u->kept = 1;
    u->state = UPDATE_KEPT;
    if (!shelf->holds || u->in_file)
        u->blob = fedn__blob_unref(u->blob);
}

void fedn__shelf_hold(fedn__shelf *shelf, int32_t hold)
{
    shelf->holds = hold;
}

fedn_status fedn__shelf_kept(const fedn__shelf *shelf, const char *id, fedn__blob **ret,
                             fedn_error *err)
{
    const fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (u && u->kept && u->in_file)
        return fedn__blob_from_file(u->path, ret, err);
    if (!u || !u->kept || !u->blob)
        return fedn__error(err, FEDN_ERR_NOT_FOUND, "update %s is not here any more", id);
    *ret = fedn__blob_ref(u->blob);
    return FEDN_OK;
}

void fedn__shelf_describe(fedn__shelf *shelf, const char *id, const char *text)
{
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (!u)
        return;
    fedn__free(u->description);
    u->description = fedn__strdup(text);
}

const char *fedn__shelf_description(const fedn__shelf *shelf, const char *id)
{
    const fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    return u ? u->description : NULL;
}

uint64_t fedn__shelf_retire(fedn__shelf *shelf)
{
    shelf->kept_bytes = 0;
    return shelf->epoch++;
}

/* One whose time is over; NULL: none. */
static fedn__shelf_update *find_retired(const fedn__shelf *shelf, uint64_t retired)
{
    uint64_t place = 0;
    void *value = NULL;

    while (fedn__map_next(&shelf->updates, &place, NULL, &value)) {
        fedn__shelf_update *u = value;
        if (u->kept && u->epoch <= retired)
            return u;
    }
    return NULL;
}

void fedn__shelf_forget(fedn__shelf *shelf, uint64_t retired)
{
    fedn__shelf_update *u = NULL;

    while ((u = find_retired(shelf, retired)) != NULL) {
        u->kept = 0;
        if (u->receiving_again)
            shelf->receiving--;
        u->receiving_again = 0;
        if (u->state == UPDATE_KEPT) /* else it goes when it is folded */
            fedn__shelf_discard(shelf, u);
    }
}

fedn_status fedn__shelf_accept_again(fedn__shelf *shelf, fedn__shelf_update *u, char **ret_path,
                                     fedn_error *err)
{
    *ret_path = fedn__strf("%s%s", u->path, AGAIN);
    if (!*ret_path)
        return fedn__error_nomem(err);
    if (!u->receiving_again)
        shelf->receiving++;
    u->receiving_again = 1;
    return FEDN_OK;
}

void fedn__shelf_remove_again(const fedn__shelf *shelf, const char *id)
{
    char *path = fedn__strf("%s/%s%s", shelf->dirs[UPDATES_DIR], id, AGAIN);

    if (path)
        unlink(path);
    fedn__free(path);
}

fedn_status fedn__shelf_stored_again(fedn__shelf *shelf, fedn__shelf_update *u, fedn__blob *blob,
                                     fedn_error *err)
{
    fedn_status rc = blob ? fedn__blob_digest(blob, u->again, err) : FEDN_OK;

    if (u->receiving_again)
        shelf->receiving--;
    u->receiving_again = 0;
    u->came_again = blob && rc == FEDN_OK;
    if (blob && fedn__blob_fd(blob) >= 0)
        fedn__shelf_remove_again(shelf, u->id);
    return rc;
}

/* ---- what an earlier process left ---- */

static fedn_status open_kept(const char *path, fedn__blob *blob, fedn__blob **ret, fedn_error *err)
{
    if (!blob)
        return fedn__blob_from_file(path, ret, err);
    *ret = fedn__blob_ref(blob);
    return FEDN_OK;
}

fedn_status fedn__shelf_adopt(fedn__shelf *shelf, const char *id, const char *owner,
                              fedn__blob *blob, fedn_error *err)
{
    if (fedn__map_get(&shelf->updates, id))
        return fedn__error(err, FEDN_ERR_EXISTS, "model update %s is named twice", id);
    fedn_status rc = fedn__shelf_add_update(shelf, id, owner, err);
    if (rc != FEDN_OK)
        return rc;
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);
    rc = open_kept(u->path, blob, &u->blob, err);
    if (rc != FEDN_OK) {
        fedn__shelf_discard(shelf, u);
        return rc;
    }
    shelf->receiving--;
    u->in_file = fedn__blob_fd(u->blob) >= 0;
    u->bytes = fedn__blob_bytes(u->blob);
    shelf->bytes += u->bytes;
    shelf->kept_bytes += u->bytes;
    u->kept = 1;
    u->epoch = shelf->epoch;
    u->state = UPDATE_FOLDING; /* it is, first of all */
    return FEDN_OK;
}

fedn_status fedn__shelf_adopt_model(fedn__shelf *shelf, const char *id, fedn__blob *blob,
                                    const uint8_t digest[FEDN__DIGEST_BYTES], fedn_error *err)
{
    uint8_t found[FEDN__DIGEST_BYTES];
    fedn__blob *here = NULL;
    char *path = fedn__shelf_model_path(shelf, id);
    fedn_status rc = path ? open_kept(path, blob, &here, err) : fedn__error_nomem(err);

    if (rc == FEDN_OK)
        rc = fedn__blob_digest(here, found, err);
    if (rc == FEDN_OK && memcmp(found, digest, sizeof found) != 0)
        rc = fedn__error(err, FEDN_ERR_FORMAT, "%s is not what it was", path);
    if (rc == FEDN_OK)
        rc = fedn__shelf_add_model(shelf, id, here, err);
    fedn__blob_unref(here);
    fedn__free(path);
    return rc;
}

void fedn__shelf_adopt_partial(fedn__shelf *shelf, const char *id)
{
    snprintf(shelf->partial_id, sizeof shelf->partial_id, "%s", id);
}

static int32_t is_known(const fedn__shelf *shelf, uint32_t dir, const char *name)
{
    if (dir == PARTIALS_DIR)
        return strcmp(shelf->partial_id, name) == 0;
    if (dir == UPDATES_DIR)
        return fedn__map_get(&shelf->updates, name) != NULL;
    for (uint32_t i = 0; dir == MODELS_DIR && i < MODELS_ROOM; i++)
        if (shelf->models[i].path && strcmp(shelf->models[i].id, name) == 0)
            return 1;
    return 0;
}

static fedn_status sweep_dir(const fedn__shelf *shelf, uint32_t which, fedn_error *err)
{
    fedn_status rc = FEDN_OK;
    const struct dirent *entry = NULL;
    DIR *dir = opendir(shelf->dirs[which]);

    if (!dir)
        return fedn__error_errno(err, errno, "cannot list %s", shelf->dirs[which]);
    while (rc == FEDN_OK &&
           (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): its own stream */
        if (entry->d_name[0] == '.' || is_known(shelf, which, entry->d_name))
            continue;
        char *path = fedn__fs_join(shelf->dirs[which], entry->d_name);
        rc = path ? fedn__fs_unlink(path, err) : fedn__error_nomem(err);
        fedn__free(path);
    }
    closedir(dir);
    return rc;
}

fedn_status fedn__shelf_sweep(fedn__shelf *shelf, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    for (uint32_t i = 0; rc == FEDN_OK && i < 3; i++)
        rc = sweep_dir(shelf, i, err);
    return rc;
}
