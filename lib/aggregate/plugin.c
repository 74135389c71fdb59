/* SPDX-License-Identifier: Apache-2.0
 * Rules from shared objects. */
#include "aggregate/plugin.h"

#include "aggregate/rule.h"
#include "core/alloc.h"
#include "core/error.h"
#include <dlfcn.h>
#include <string.h>

static int32_t is_same(const fedn_aggregator_impl *impl)
{
    const fedn__rule *rule = NULL;

    return fedn__rule_find(impl->name, &rule, NULL) == FEDN_OK && rule->impl == impl;
}

static fedn_status take(void *object, const char *path, const char *property, fedn_error *err)
{
    const fedn_aggregator_plugin_table *table = dlsym(object, "fedn_aggregator_plugin");
    fedn_error why = {0};

    if (!table)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "%s: \"%.300s\" does not export fedn_aggregator_plugin, which a plug-in "
                           "of an aggregator must",
                           property, path);
    if (table->abi_version != FEDN_AGGREGATOR_PLUGIN_ABI)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "%s: \"%.300s\" has version %u of the plug-in table, expected %u: build "
                           "it anew",
                           property, path, (unsigned)table->abi_version,
                           (unsigned)FEDN_AGGREGATOR_PLUGIN_ABI);
    fedn_status rc = fedn_aggregator_register(table->impl, table->user_data, &why);
    if (rc == FEDN_OK || (rc == FEDN_ERR_EXISTS && is_same(table->impl)))
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_INVALID, "%s: \"%.200s\": %.200s", property, path,
                       why.message);
}

/* What was registered stays in use as long as the process, and so does its file. */
static fedn_status load(const char *path, const char *property, fedn_error *err)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!object) {
        const char *why = dlerror();
        return fedn__error(err, FEDN_ERR_INVALID, "%s: \"%.200s\" cannot be loaded: %.250s",
                           property, path, why ? why : "no reason given");
    }
    fedn_status rc = take(object, path, property, err);
    if (rc != FEDN_OK)
        dlclose(object);
    return rc;
}

fedn_status fedn__aggregator_load_plugins(const char *paths, const char *property, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    while (rc == FEDN_OK && *paths) {
        paths += strspn(paths, ", ");
        size_t bytes = strcspn(paths, ",");
        char *path = bytes ? fedn__strndup(paths, bytes) : NULL;
        if (bytes)
            rc = path ? load(path, property, err) : fedn__error_nomem(err);
        fedn__free(path);
        paths += bytes;
    }
    return rc;
}
