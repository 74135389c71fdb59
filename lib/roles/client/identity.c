/* SPDX-License-Identifier: Apache-2.0
 * The client's id and name. */
#include "roles/client/identity.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include "core/text.h"
#include "core/uuid.h"
#include <stdio.h>
#include <string.h>

int32_t fedn__identity_is_id(const char *text)
{
    uint64_t len = text ? strlen(text) : 0;

    if (len == 0 || len > FEDN__LIMIT_ID_BYTES)
        return 0;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            return 0;
    return 1;
}

static fedn_status fresh(char **ret, fedn_error *err)
{
    char text[FEDN__UUID_TEXT];

    fedn__uuid_new_text(text);
    *ret = fedn__strdup(text);
    return *ret ? FEDN_OK : fedn__error_nomem(err);
}

static fedn_status create(const char *path, char **ret, fedn_error *err)
{
    char line[FEDN__UUID_TEXT + 1];

    fedn_status rc = fresh(ret, err);
    if (rc != FEDN_OK)
        return rc;
    int len = snprintf(line, sizeof line, "%s\n", *ret);
    return fedn__fs_write_file(path, line, (uint64_t)len, 1, err);
}

static fedn_status check_kept(const char *path, const char *id, fedn_error *err)
{
    if (fedn__identity_is_id(id))
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_FORMAT,
                       "%s does not hold an id of 1 to %d printable characters: remove it for a "
                       "new identity",
                       path, FEDN__LIMIT_ID_BYTES);
}

static fedn_status kept(const char *state_dir, char **ret, fedn_error *err)
{
    char *path = fedn__fs_join(state_dir, "client_id");
    if (!path)
        return fedn__error_nomem(err);
    fedn_status rc = fedn__fs_read(path, 256, ret, NULL, err);
    if (rc == FEDN_OK) {
        (*ret)[strcspn(*ret, "\r\n")] = 0;
        rc = check_kept(path, *ret, err);
    } else if (rc == FEDN_ERR_NOT_FOUND) {
        rc = create(path, ret, err);
    }
    fedn__free(path);
    return rc;
}

static fedn_status take_name(const char *name, fedn__identity *identity, fedn_error *err)
{
    if (!name[0])
        identity->name = fedn__strf("client-%.8s", identity->id);
    else if (fedn__text_is_line(name, FEDN__LIMIT_NAME_BYTES))
        identity->name = fedn__strdup(name);
    else
        return fedn__error(err, FEDN_ERR_INVALID,
                           "client.name must be one line of at most %d bytes of UTF-8",
                           FEDN__LIMIT_NAME_BYTES);
    return identity->name ? FEDN_OK : fedn__error_nomem(err);
}

static fedn_status take_id(const char *id, const char *state_dir, char **ret, fedn_error *err)
{
    if (id[0] && !fedn__identity_is_id(id))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "client.id \"%.80s\" is not 1 to %d printable ASCII characters", id,
                           FEDN__LIMIT_ID_BYTES);
    if (id[0]) {
        *ret = fedn__strdup(id);
        return *ret ? FEDN_OK : fedn__error_nomem(err);
    }
    return state_dir ? kept(state_dir, ret, err) : fresh(ret, err);
}

fedn_status fedn__identity_load(const char *id, const char *name, const char *state_dir,
                                fedn__identity *ret, fedn_error *err)
{
    fedn__identity identity = {NULL, NULL};

    *ret = identity;
    fedn_status rc = take_id(id, state_dir, &identity.id, err);
    if (rc == FEDN_OK)
        rc = take_name(name, &identity, err);
    if (rc != FEDN_OK) {
        fedn__identity_done(&identity);
        return rc;
    }
    *ret = identity;
    return FEDN_OK;
}

void fedn__identity_done(fedn__identity *identity)
{
    fedn__free(identity->id);
    fedn__free(identity->name);
    identity->id = NULL;
    identity->name = NULL;
}
