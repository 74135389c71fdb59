/* SPDX-License-Identifier: Apache-2.0
 * The table of aggregation rules: built-in ones, and those that the application registered. */
#include "aggregate/aggregator.h"
#include "aggregate/rule.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES  63
/* A table of the first release: without what was added behind it since. */
#define LEAST_BYTES offsetof(fedn_aggregator_impl, save_state)

static const fedn__rule *const built_in[] = {&fedn__rule_fedavg, &fedn__rule_fedopt};

#define BUILT_IN (sizeof built_in / sizeof built_in[0])

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static fedn__rule registered[FEDN__LIMIT_REGISTRY]; /* guarded by mutex; a row never changes */
static uint32_t registered_count;                   /* guarded by mutex */

/* With the mutex held. */
static const fedn__rule *row(uint32_t place)
{
    if (place < BUILT_IN)
        return built_in[place];
    return place - BUILT_IN < registered_count ? &registered[place - BUILT_IN] : NULL;
}

static const fedn__rule *find(const char *name)
{
    const fedn__rule *rule = NULL;

    for (uint32_t i = 0; (rule = row(i)) != NULL; i++)
        if (strcmp(rule->name, name) == 0)
            break;
    return rule;
}

static void list_names(char *to, uint64_t room)
{
    const fedn__rule *rule = NULL;
    uint64_t used = 0;

    for (uint32_t i = 0; (rule = row(i)) != NULL && used < room; i++) {
        int n = snprintf(to + used, (size_t)(room - used), "%s%s", i ? ", " : "", rule->name);
        used += n > 0 ? (uint64_t)n : 0;
    }
}

fedn_status fedn__rule_find(const char *name, const fedn__rule **ret, fedn_error *err)
{
    char names[400] = "";
    int32_t printable = fedn__text_is_line(name, NAME_BYTES);

    pthread_mutex_lock(&mutex);
    *ret = find(name);
    if (!*ret)
        list_names(names, sizeof names);
    pthread_mutex_unlock(&mutex);
    if (*ret)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_NOT_FOUND, "no aggregator '%s'; known: %s",
                       printable ? name : "?", names);
}

fedn_status fedn__aggregator_known(const char *name, fedn_error *err)
{
    const fedn__rule *rule = NULL;

    return fedn__rule_find(name, &rule, err);
}

static int32_t is_rule_name(const char *name)
{
    if (!fedn__text_is_name(name, NAME_BYTES))
        return 0;
    for (const char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            return 0;
    return 1;
}

static fedn_status check_impl(const fedn_aggregator_impl *impl, fedn_error *err)
{
    if (!impl || impl->struct_size < LEAST_BYTES)
        return fedn__error(err, FEDN_ERR_INVALID, "aggregator table of %llu bytes, expected %llu",
                           (unsigned long long)(impl ? impl->struct_size : 0),
                           (unsigned long long)sizeof *impl);
    if (!is_rule_name(impl->name))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "the name of an aggregator is 1 to %d of a-z, 0-9, '_' and '-'",
                           NAME_BYTES);
    if (!impl->create || !impl->destroy || !impl->add || !impl->save || !impl->merge ||
        !impl->finish || !impl->reset)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "aggregator '%s' lacks a function; only begin is optional", impl->name);
    if (impl->struct_size > LEAST_BYTES &&
        (impl->struct_size < sizeof *impl || !impl->save_state != !impl->load_state))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "aggregator '%s' has one of save_state and load_state; it takes both or "
                           "none",
                           impl->name);
    return FEDN_OK;
}

fedn_status fedn_aggregator_register(const fedn_aggregator_impl *impl, void *user_data,
                                     fedn_error *err)
{
    fedn_status rc = check_impl(impl, err);
    if (rc != FEDN_OK)
        return rc;
    pthread_mutex_lock(&mutex);
    if (find(impl->name)) {
        rc = fedn__error(err, FEDN_ERR_EXISTS, "an aggregator '%s' exists already", impl->name);
    } else if (registered_count == FEDN__LIMIT_REGISTRY) {
        rc = fedn__error(err, FEDN_ERR_LIMIT, "no room for aggregator '%s': %d are registered",
                         impl->name, FEDN__LIMIT_REGISTRY);
    } else {
        fedn__rule *rule = &registered[registered_count];
        *rule = fedn__rule_custom;
        rule->name = impl->name;
        if (impl->struct_size < sizeof *impl || !impl->save_state) {
            rule->save_state = NULL;
            rule->load_state = NULL;
            rule->forget = NULL;
        }
        rule->impl = impl;
        rule->user_data = user_data;
        registered_count++;
    }
    pthread_mutex_unlock(&mutex);
    return rc;
}
