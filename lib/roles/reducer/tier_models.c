/* SPDX-License-Identifier: Apache-2.0
 * Model files between combiners and the reducer: partials come, global models go. */
#include "roles/reducer/tier_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include <string.h>

int32_t fedn__tier_has_partial(const fedn__tier_link *link, const char *partial_id)
{
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(link->uploaded[i], partial_id) == 0)
            return 1;
    return 0;
}

char *fedn__tier_partial(fedn__tier_link *link, const char *partial_id)
{
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(link->uploaded[i], partial_id) == 0)
            link->uploaded[i][0] = 0;
    return fedn__fs_join(link->tier->options.partials, partial_id);
}

/* The oldest of more than four that were never reported is dropped. */
static void note_upload(fedn__tier_link *link, const char *id)
{
    memcpy(link->uploading, id, FEDN__UUID_TEXT);
    if (fedn__tier_has_partial(link, id))
        return;
    char *place = link->uploaded[link->uploads++ % 4];
    if (*place) {
        char *path = fedn__tier_partial(link, place);
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
                                       .service = tier};
}
