/* SPDX-License-Identifier: Apache-2.0
 * Model files between combiners and the reducer: partials come, global models go. */
#include "roles/reducer/tier_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/text.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The place of a partial among those that this combiner uploaded lately; NULL: none. */
static char *find_upload(fedn__tier_link *link, const char *partial_id)
{
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(link->uploaded[i], partial_id) == 0)
            return link->uploaded[i];
    return NULL;
}

int32_t fedn__tier_has_partial(const fedn__tier_link *link, const char *partial_id)
{
    char *path = fedn__fs_join(link->tier->options.partials, partial_id);
    int32_t found = path && access(path, R_OK) == 0;

    fedn__free(path);
    for (fedn__tier_link *other = link->tier->links; found && other; other = other->next)
        if (other != link && find_upload(other, partial_id))
            found = 0;
    return found;
}

char *fedn__tier_partial(fedn__tier *tier, const char *partial_id)
{
    for (fedn__tier_link *link = tier->links; link; link = link->next) {
        char *place = find_upload(link, partial_id);
        if (place)
            *place = 0;
    }
    return fedn__fs_join(tier->options.partials, partial_id);
}

static int32_t is_uploading(const fedn__tier *tier, const char *file)
{
    for (const fedn__tier_link *link = tier->links; link; link = link->next)
        if (link->uploading[0] && fedn__text_starts(file, link->uploading))
            return 1;
    return 0;
}

void fedn__tier_sweep(fedn__tier *tier)
{
    DIR *dir = opendir(tier->options.partials);

    if (!dir) {
        fedn__log_write(tier->options.log, FEDN_LOG_WARNING, "reducer", "cannot list %s: error %d",
                        tier->options.partials, errno);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (!is_uploading(tier, entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0); /* fails on "." and "..", which is right */
    closedir(dir);
    for (fedn__tier_link *link = tier->links; link; link = link->next)
        for (uint32_t i = 0; i < 4; i++)
            if (strcmp(link->uploaded[i], link->uploading) != 0)
                link->uploaded[i][0] = 0;
}

/* The oldest of more than four that were never reported is dropped. */
static void note_upload(fedn__tier_link *link, const char *id)
{
    memcpy(link->uploading, id, FEDN__UUID_TEXT);
    if (find_upload(link, id))
        return;
    char *place = link->uploaded[link->uploads++ % 4];
    if (*place) {
        char *path = fedn__fs_join(link->tier->options.partials, place);
        if (path)
            fedn__fs_unlink(path, NULL);
        fedn__free(path);
    }
    memcpy(place, id, FEDN__UUID_TEXT);
}

static fedn_status accept_partial(void *service, fedn__call *call, const char *id, char **ret_path,
                                  uint64_t *ret_max_bytes, fedn_error *err)
{
    fedn__tier *tier = service;
    const char *name = fedn__call_metadata(call, "combiner");
    fedn__tier_link *link = name ? fedn__tier_find_name(tier, name) : NULL;

    if (!link || !link->call)
        return fedn__error(err, FEDN_ERR_DENIED, "combiner \"%.64s\" is not attached",
                           name ? name : "");
    *ret_path = fedn__fs_join(tier->options.partials, id);
    if (!*ret_path)
        return fedn__error_nomem(err);
    note_upload(link, id);
    tier->events.upload(tier->user_data, link, 1);
    /* sums are kept in up to twice the width of the model's values, with text beside them */
    *ret_max_bytes = 2 * tier->options.max_model_bytes + FEDN__LIMIT_PARTIAL_TEXT;
    return FEDN_OK;
}

static void stored_partial(void *service, const char *id, fedn_status status, fedn__blob *blob,
                           const fedn_error *err)
{
    const fedn__tier *tier = service;

    (void)blob;
    for (fedn__tier_link *link = tier->links; link; link = link->next) {
        if (strcmp(link->uploading, id) != 0)
            continue;
        link->uploading[0] = 0;
        tier->events.upload(tier->user_data, link, 0);
    }
    if (status != FEDN_OK)
        fedn__log_write(tier->options.log, FEDN_LOG_WARNING, "reducer", "upload of %s: %s", id,
                        err ? err->message : fedn_status_string(status));
}

static fedn_status find_model(void *service, fedn__call *call, const char *id, fedn__blob **ret,
                              fedn_error *err)
{
    const fedn__tier *tier = service;
    fedn__uuid uuid;

    (void)call;
    if (!fedn__uuid_parse(id, &uuid))
        return fedn__error(err, FEDN_ERR_NOT_FOUND, "model \"%.64s\" is not a UUID", id);
    return fedn__blobs_get(tier->options.blobs, &uuid, ret, err);
}

void fedn__tier_host_init(fedn__tier *tier)
{
    tier->host = (fedn__transfer_host){.loop = tier->options.loop,
                                       .pool = tier->options.pool,
                                       .accept = accept_partial,
                                       .stored = stored_partial,
                                       .find = find_model,
                                       .durable = 1,
                                       .parts = tier->options.parts,
                                       .owner_key = "combiner",
                                       .service = tier};
}
