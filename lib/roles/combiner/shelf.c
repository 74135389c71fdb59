/* SPDX-License-Identifier: Apache-2.0
 * Models that a combiner holds: updates, global models, partials. */
#include "roles/combiner/shelf.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/map.h"
#include <assert.h>
#include <string.h>
#include <unistd.h>

#define MODELS_KEPT 6 /* global models: the round's, those of validations and predictions */

enum { RECEIVING, WAITING, FOLDING };

typedef struct update {
    struct update *next; /* of those that wait, oldest first */
    struct update *previous;
    char id[FEDN__UUID_TEXT];
    char *owner;
    char *path;       /* of a large one */
    fedn__blob *blob; /* NULL while it is being received */
    int32_t state;
} update;

typedef struct model {
    char id[FEDN__UUID_TEXT];
    char *path;
    fedn__blob *blob;
} model;

struct fedn__shelf {
    char *dirs[3]; /* updates, models, partials */
    int lock_fd;
    fedn__shelf_limits limits;
    fedn__map updates;
    update *oldest; /* of those that wait */
    update *newest;
    uint32_t receiving;
    uint32_t waiting;
    model models[MODELS_KEPT]; /* used last first */
};

static const char *const dir_names[3] = {"updates", "models", "partials"};

static void update_free(update *u)
{
    if (!u)
        return;
    fedn__blob_unref(u->blob);
    fedn__free(u->owner);
    fedn__free(u->path);
    fedn__free(u);
}

static void model_done(model *m)
{
    if (m->blob && fedn__blob_fd(m->blob) >= 0)
        unlink(m->path);
    fedn__free(m->path);
    fedn__blob_unref(m->blob);
    memset(m, 0, sizeof *m);
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
    fedn__map_init(&shelf->updates);
    fedn_status rc = fedn__fs_mkdirs(dir, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_lock(dir, &shelf->lock_fd, err);
    for (uint32_t i = 0; rc == FEDN_OK && i < 3; i++) {
        shelf->dirs[i] = fedn__fs_join(dir, dir_names[i]);
        rc = shelf->dirs[i] ? fedn__fs_remove_tree(shelf->dirs[i], err) : fedn__error_nomem(err);
        if (rc == FEDN_OK)
            rc = fedn__fs_mkdirs(shelf->dirs[i], err);
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
        update *u = value;
        unlink(u->path);
        update_free(u);
    }
    fedn__map_done(&shelf->updates);
    for (uint32_t i = 0; i < MODELS_KEPT; i++)
        model_done(&shelf->models[i]);
    for (uint32_t i = 0; i < 3; i++)
        fedn__free(shelf->dirs[i]);
    if (shelf->lock_fd >= 0)
        close(shelf->lock_fd);
    fedn__free(shelf);
}

static void begin_waiting(fedn__shelf *shelf, update *u)
{
    u->state = WAITING;
    u->previous = shelf->newest;
    u->next = NULL;
    if (shelf->newest)
        shelf->newest->next = u;
    else
        shelf->oldest = u;
    shelf->newest = u;
    shelf->waiting++;
}

static void end_waiting(fedn__shelf *shelf, update *u)
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

static void forget(fedn__shelf *shelf, update *u)
{
    if (u->state == WAITING)
        end_waiting(shelf, u);
    else if (u->state == RECEIVING)
        shelf->receiving--;
    fedn__map_remove(&shelf->updates, u->id);
    update_free(u);
}

static void discard(fedn__shelf *shelf, update *u)
{
    if (u->blob && fedn__blob_fd(u->blob) >= 0)
        unlink(u->path);
    forget(shelf, u);
}

/* Why an id that is known cannot be uploaded now; FEDN_OK if it may be replaced. */
static fedn_status check_known(const update *u, const char *owner, fedn_error *err)
{
    if (strcmp(u->owner, owner) != 0)
        return fedn__error(err, FEDN_ERR_DENIED, "model update %s belongs to another client",
                           u->id);
    if (u->state == FOLDING)
        return fedn__error(err, FEDN_ERR_STATE, "model update %s is being folded", u->id);
    return FEDN_OK;
}

static fedn_status add_update(fedn__shelf *shelf, const char *id, const char *owner,
                              fedn_error *err)
{
    update *u = fedn__alloc_zero(sizeof *u);
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
static void receive_again(fedn__shelf *shelf, update *u)
{
    end_waiting(shelf, u);
    if (fedn__blob_fd(u->blob) >= 0)
        unlink(u->path);
    u->blob = fedn__blob_unref(u->blob);
    u->state = RECEIVING;
    shelf->receiving++;
}

fedn_status fedn__shelf_accept(fedn__shelf *shelf, const char *id, const char *owner,
                               char **ret_path, fedn_error *err)
{
    update *u = fedn__map_get(&shelf->updates, id);
    int32_t receiving = u && u->state == RECEIVING;
    fedn_status rc = FEDN_OK;

    *ret_path = NULL;
    if (u)
        rc = check_known(u, owner, err);
    if (rc == FEDN_OK && !receiving && shelf->receiving >= shelf->limits.max_uploads)
        rc = fedn__error(err, FEDN_ERR_UNAVAILABLE,
                         "combiner.max_uploads %u uploads are in progress: try again",
                         (unsigned)shelf->limits.max_uploads);
    if (rc != FEDN_OK)
        return rc;
    *ret_path = fedn__fs_join(shelf->dirs[0], id);
    if (!*ret_path)
        return fedn__error_nomem(err);
    if (!u)
        rc = add_update(shelf, id, owner, err);
    else if (!receiving)
        receive_again(shelf, u);
    if (rc != FEDN_OK) {
        fedn__free(*ret_path);
        *ret_path = NULL;
    }
    return rc;
}

/* A file that nobody knows: its entry went with an upload that this one was to replace. */
static void remove_stray(const fedn__shelf *shelf, const char *id)
{
    char *path = fedn__fs_join(shelf->dirs[0], id);

    if (path)
        unlink(path);
    fedn__free(path);
}

static void complete(fedn__shelf *shelf, update *u, fedn__blob *blob)
{
    shelf->receiving--;
    u->blob = fedn__blob_ref(blob);
    begin_waiting(shelf, u);
    /* updates that were never announced do not fill memory and disk */
    if (shelf->waiting > shelf->limits.max_waiting)
        discard(shelf, shelf->oldest);
}

void fedn__shelf_stored(fedn__shelf *shelf, const char *id, fedn__blob *blob)
{
    update *u = fedn__map_get(&shelf->updates, id);

    if (!u) {
        remove_stray(shelf, id);
        return;
    }
    if (u->state != RECEIVING)
        return;
    if (!blob) {
        discard(shelf, u);
        return;
    }
    complete(shelf, u, blob);
}

fedn_status fedn__shelf_put(fedn__shelf *shelf, const char *id, const char *owner, fedn__blob *blob,
                            fedn_error *err)
{
    update *u = fedn__map_get(&shelf->updates, id);
    fedn_status rc = FEDN_OK;

    if (u)
        rc = check_known(u, owner, err);
    if (rc == FEDN_OK && u && u->state == RECEIVING)
        rc = fedn__error(err, FEDN_ERR_STATE, "model update %s is still being uploaded", id);
    if (rc == FEDN_OK && !u)
        rc = add_update(shelf, id, owner, err);
    else if (rc == FEDN_OK)
        receive_again(shelf, u);
    if (rc == FEDN_OK)
        complete(shelf, fedn__map_get(&shelf->updates, id), blob);
    return rc;
}

fedn_status fedn__shelf_check(const fedn__shelf *shelf, const char *id, const char *owner,
                              fedn_error *err)
{
    const update *u = fedn__map_get(&shelf->updates, id);

    if (!u)
        return fedn__error(err, FEDN_ERR_NOT_FOUND, "model update %s was not uploaded", id);
    if (*u->owner && strcmp(u->owner, owner) != 0)
        return fedn__error(err, FEDN_ERR_DENIED, "model update %s belongs to another client", id);
    if (u->state != WAITING)
        return fedn__error(err, FEDN_ERR_STATE, "model update %s is still being %s", id,
                           u->state == FOLDING ? "folded" : "uploaded");
    return FEDN_OK;
}

fedn__blob *fedn__shelf_take(fedn__shelf *shelf, const char *id)
{
    update *u = fedn__map_get(&shelf->updates, id);

    assert(u && u->state == WAITING);
    end_waiting(shelf, u);
    u->state = FOLDING;
    return u->blob;
}

void fedn__shelf_folded(fedn__shelf *shelf, const char *id)
{
    update *u = fedn__map_get(&shelf->updates, id);

    assert(u && u->state == FOLDING);
    discard(shelf, u);
}

void fedn__shelf_drop(fedn__shelf *shelf, const char *id)
{
    update *u = fedn__map_get(&shelf->updates, id);

    if (u && u->state == WAITING)
        discard(shelf, u);
}

char *fedn__shelf_model_path(const fedn__shelf *shelf, const char *id)
{
    return fedn__fs_join(shelf->dirs[1], id);
}

static void put_first(fedn__shelf *shelf, const model *m, uint32_t from)
{
    memmove(&shelf->models[1], &shelf->models[0], from * sizeof shelf->models[0]);
    shelf->models[0] = *m;
}

fedn_status fedn__shelf_add_model(fedn__shelf *shelf, const char *id, fedn__blob *blob,
                                  fedn_error *err)
{
    model fresh = {.path = fedn__shelf_model_path(shelf, id)};

    if (!fresh.path)
        return fedn__error_nomem(err);
    fresh.blob = fedn__blob_ref(blob);
    memcpy(fresh.id, id, sizeof fresh.id);
    model_done(&shelf->models[MODELS_KEPT - 1]); /* readers keep their reference */
    put_first(shelf, &fresh, MODELS_KEPT - 1);
    return FEDN_OK;
}

fedn_status fedn__shelf_model(fedn__shelf *shelf, const char *id, fedn__blob **ret, fedn_error *err)
{
    *ret = NULL;
    for (uint32_t i = 0; i < MODELS_KEPT; i++) {
        model found = shelf->models[i];
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
    return fedn__fs_join(shelf->dirs[2], id);
}
