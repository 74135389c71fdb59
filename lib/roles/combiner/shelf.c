/* SPDX-License-Identifier: Apache-2.0
 * Models that a combiner holds: updates, global models, partials. */
#include "roles/combiner/shelf_state.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include <string.h>
#include <unistd.h>

static const char *const dir_names[3] = {"updates", "models", "partials"};

static void update_free(fedn__shelf_update *u)
{
    if (!u)
        return;
    fedn__blob_unref(u->blob);
    fedn__free(u->owner);
    fedn__free(u->description);
    fedn__free(u->path);
    fedn__free(u);
}

fedn_status fedn__shelf_open(const char *dir, const fedn__shelf_limits *limits, fedn__shelf **ret,
                             fedn_error *err)
{
    *ret = NULL;
    fedn__shelf *shelf = fedn__alloc_zero(sizeof *shelf);
    if (!shelf)
        return fedn__error_nomem(err);
    shelf->lock_fd = -1;
    shelf->limits = *limits;
    fedn__shelf_pin_models(shelf, NULL, 0);
    fedn__map_init(&shelf->updates);
    fedn_status rc = fedn__fs_mkdirs(dir, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_lock(dir, &shelf->lock_fd, err);
    for (uint32_t i = 0; rc == FEDN_OK && i < 3; i++) {
        shelf->dirs[i] = fedn__fs_join(dir, dir_names[i]);
        rc = shelf->dirs[i] ? fedn__fs_mkdirs(shelf->dirs[i], err) : fedn__error_nomem(err);
    }
    if (rc != FEDN_OK)
        fedn__shelf_close(shelf);
    else
        *ret = shelf;
    return rc;
}

void fedn__shelf_close(fedn__shelf *shelf)
{
    uint64_t place = 0;
    void *value = NULL;

    if (!shelf)
        return;
    while (fedn__map_next(&shelf->updates, &place, NULL, &value)) {
        fedn__shelf_update *u = value;
        if (u->in_file && !u->kept)
            unlink(u->path);
        update_free(u);
    }
    fedn__map_done(&shelf->updates);
    fedn__shelf_models_done(shelf);
    for (uint32_t i = 0; i < 3; i++)
        fedn__free(shelf->dirs[i]);
    if (shelf->lock_fd >= 0)
        close(shelf->lock_fd);
    fedn__free(shelf);
}

static void begin_waiting(fedn__shelf *shelf, fedn__shelf_update *u)
{
    u->state = UPDATE_WAITING;
    u->previous = shelf->newest;
    u->next = NULL;
    if (shelf->newest)
        shelf->newest->next = u;
    else
        shelf->oldest = u;
    shelf->newest = u;
    shelf->waiting++;
}

static void end_waiting(fedn__shelf *shelf, fedn__shelf_update *u)
{
    if (u->previous)
        u->previous->next = u->next;
    else
        shelf->oldest = u->next;
    if (u->next)
        u->next->previous = u->previous;
    else
        shelf->newest = u->previous;
    shelf->waiting--;
}

static void forget(fedn__shelf *shelf, fedn__shelf_update *u)
{
    if (u->state == UPDATE_WAITING)
        end_waiting(shelf, u);
    else if (u->state == UPDATE_RECEIVING)
        shelf->receiving--;
    shelf->bytes -= u->bytes;
    fedn__map_remove(&shelf->updates, u->id);
    update_free(u);
}

void fedn__shelf_discard(fedn__shelf *shelf, fedn__shelf_update *u)
{
    if (u->in_file)
        unlink(u->path);
    forget(shelf, u);
}

/* Why an id that is known cannot be uploaded now; FEDN_OK if it may be replaced. */
static fedn_status check_known(const fedn__shelf_update *u, const char *owner, fedn_error *err)
{
    if (strcmp(u->owner, owner) != 0)
        return fedn__error(err, FEDN_ERR_DENIED, "model update %s belongs to another client",
                           u->id);
    if (u->state == UPDATE_FOLDING && !u->kept)
        return fedn__error(err, FEDN_ERR_STATE, "model update %s is being folded", u->id);
    return FEDN_OK;
}

fedn_status fedn__shelf_add_update(fedn__shelf *shelf, const char *id, const char *owner,
                                   fedn_error *err)
{
    fedn__shelf_update *u = fedn__alloc_zero(sizeof *u);
    if (!u)
        return fedn__error_nomem(err);
    memcpy(u->id, id, sizeof u->id);
    u->owner = fedn__strdup(owner);
    u->path = fedn__fs_join(shelf->dirs[0], id);
    if (!u->owner || !u->path || fedn__map_set(&shelf->updates, id, u) != FEDN_OK) {
        update_free(u);
        return fedn__error_nomem(err);
    }
    shelf->receiving++;
    return FEDN_OK;
}

/* What waits gives way to what comes. */
static void receive_again(fedn__shelf *shelf, fedn__shelf_update *u)
{
    end_waiting(shelf, u);
    if (u->in_file)
        unlink(u->path);
    u->in_file = 0;
    shelf->bytes -= u->bytes;
    u->bytes = 0;
    u->blob = fedn__blob_unref(u->blob);
    u->state = UPDATE_RECEIVING;
    shelf->receiving++;
}

fedn_status fedn__shelf_accept(fedn__shelf *shelf, const char *id, const char *owner,
                               char **ret_path, fedn_error *err)
{
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);
    int32_t receiving = u && u->state == UPDATE_RECEIVING;
    fedn_status rc = FEDN_OK;

    *ret_path = NULL;
    if (u)
        rc = check_known(u, owner, err);
    receiving |= u && u->receiving_again;
    if (rc == FEDN_OK && !receiving && shelf->receiving >= shelf->limits.max_uploads)
        rc = fedn__error(err, FEDN_ERR_UNAVAILABLE,
                         "combiner.max_uploads %u uploads are in progress: try again",
                         (unsigned)shelf->limits.max_uploads);
    if (rc != FEDN_OK)
        return rc;
    if (u && u->kept)
        return fedn__shelf_accept_again(shelf, u, ret_path, err);
    rc = fedn__shelf_has_room(shelf, err);
    if (rc != FEDN_OK)
        return rc;
    u = fedn__map_get(&shelf->updates, id); /* it may have given way */
    *ret_path = fedn__fs_join(shelf->dirs[0], id);
    if (!*ret_path)
        return fedn__error_nomem(err);
    if (!u)
        rc = fedn__shelf_add_update(shelf, id, owner, err);
    else if (!receiving)
        receive_again(shelf, u);
    if (rc != FEDN_OK) {
        fedn__free(*ret_path);
        *ret_path = NULL;
    }
    return rc;
}

/* A file that nobody knows: its entry went with an upload that this one was to replace, or with the
 * round of the one that came again. */
static void remove_stray(const fedn__shelf *shelf, const char *id)
{
    char *path = fedn__fs_join(shelf->dirs[0], id);

    if (path)
        unlink(path);
    fedn__free(path);
    fedn__shelf_remove_again(shelf, id);
}

static void complete(fedn__shelf *shelf, fedn__shelf_update *u, fedn__blob *blob)
{
    shelf->receiving--;
    u->blob = fedn__blob_ref(blob);
    u->stored_ms = fedn__clock_ms();
    u->bytes = fedn__blob_bytes(blob);
    shelf->bytes += u->bytes;
    u->in_file = fedn__blob_fd(blob) >= 0;
    begin_waiting(shelf, u);
    /* updates that were never announced do not fill memory and disk */
    if (shelf->waiting > shelf->limits.max_waiting)
        fedn__shelf_discard(shelf, shelf->oldest);
}

void fedn__shelf_stored(fedn__shelf *shelf, const char *id, fedn__blob *blob)
{
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (!u) {
        remove_stray(shelf, id);
        return;
    }
    if (u->kept)
        (void)fedn__shelf_stored_again(shelf, u, blob, NULL);
    if (u->state != UPDATE_RECEIVING) {
        fedn__shelf_remove_again(shelf, id);
        return;
    }
    if (!blob) {
        fedn__shelf_discard(shelf, u);
        return;
    }
    complete(shelf, u, blob);
}

fedn_status fedn__shelf_put(fedn__shelf *shelf, const char *id, const char *owner, fedn__blob *blob,
                            fedn_error *err)
{
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);
    fedn_status rc = FEDN_OK;

    if (u)
        rc = check_known(u, owner, err);
    if (rc == FEDN_OK && u && u->kept)
        return fedn__shelf_stored_again(shelf, u, blob, err);
    if (rc == FEDN_OK)
        rc = fedn__shelf_has_room(shelf, err);
    u = fedn__map_get(&shelf->updates, id); /* it may have given way */
    if (rc == FEDN_OK && u && u->state == UPDATE_RECEIVING)
        rc = fedn__error(err, FEDN_ERR_STATE, "model update %s is still being uploaded", id);
    if (rc == FEDN_OK && !u)
        rc = fedn__shelf_add_update(shelf, id, owner, err);
    else if (rc == FEDN_OK)
        receive_again(shelf, u);
    if (rc == FEDN_OK)
        complete(shelf, fedn__map_get(&shelf->updates, id), blob);
    return rc;
}

fedn_status fedn__shelf_check(const fedn__shelf *shelf, const char *id, const char *owner,
                              fedn_error *err)
{
    const fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (!u)
        return fedn__error(err, FEDN_ERR_NOT_FOUND, "model update %s was not uploaded", id);
    if (*u->owner && strcmp(u->owner, owner) != 0)
        return fedn__error(err, FEDN_ERR_DENIED, "model update %s belongs to another client", id);
    if (u->state != UPDATE_WAITING && u->state != UPDATE_KEPT)
        return fedn__error(err, FEDN_ERR_STATE, "model update %s is still being %s", id,
                           u->state == UPDATE_FOLDING ? "folded" : "uploaded");
    return FEDN_OK;
}

int32_t fedn__shelf_is_coming(const fedn__shelf *shelf, const char *id)
{
    const fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    return u && u->state == UPDATE_RECEIVING;
}

fedn__blob *fedn__shelf_take(fedn__shelf *shelf, const char *id)
{
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (!u || (u->state != UPDATE_WAITING && u->state != UPDATE_FOLDING))
        return NULL;
    if (u->state == UPDATE_WAITING)
        end_waiting(shelf, u);
    u->state = UPDATE_FOLDING;
    return u->blob;
}

void fedn__shelf_folded(fedn__shelf *shelf, const char *id)
{
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (!u || u->state != UPDATE_FOLDING)
        return;
    if (u->kept)
        fedn__shelf_keep(shelf, id);
    else
        fedn__shelf_discard(shelf, u);
}

fedn_status fedn__shelf_digest(const fedn__shelf *shelf, const char *id,
                               uint8_t ret[FEDN__DIGEST_BYTES], fedn_error *err)
{
    const fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (u && u->came_again) {
        memcpy(ret, u->again, FEDN__DIGEST_BYTES);
        return FEDN_OK;
    }
    if (!u || !u->blob)
        return fedn__error(err, FEDN_ERR_NOT_FOUND, "model update %s has no bytes here", id);
    return fedn__blob_digest(u->blob, ret, err);
}

void fedn__shelf_drop(fedn__shelf *shelf, const char *id)
{
    fedn__shelf_update *u = fedn__map_get(&shelf->updates, id);

    if (u && u->state == UPDATE_WAITING)
        fedn__shelf_discard(shelf, u);
}
