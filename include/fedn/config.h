/* SPDX-License-Identifier: Apache-2.0
 * Configuration: one table of named properties for library, command line, file and environment. */
#ifndef FEDN_CONFIG_H
#define FEDN_CONFIG_H

#include <fedn/error.h>

typedef struct fedn_config fedn_config;

/**
 * Called once per property, in table order.
 *
 * @param name     full name, "combiner.listen"; static text
 * @param type     "string", "integer", "number" or "boolean"
 * @param range    allowed values in words, "1..100000"; "" if any
 * @param initial  default as text
 * @param value    present value as text
 * @param doc      one line
 */
typedef void (*fedn_config_each_fn)(const char *name, const char *type, const char *range,
                                    const char *initial, const char *value, const char *doc,
                                    void *user_data);

FEDN_BEGIN_DECLS

/**
 * A configuration in which every property has its default.
 *
 * @param ret  one configuration; NULL on failure
 * @return FEDN_OK; FEDN_ERR_NOMEM
 * Owns: caller frees with fedn_config_free().   Thread: owner.   Blocks: no.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_config_new(fedn_config **ret, fedn_error *err);

/** Release a configuration; NULL is allowed. Thread: owner. Since: 0.1 */
FEDN_API void fedn_config_free(fedn_config *config);

/**
 * Set one property from text.
 *
 * @param config  borrowed
 * @param name    full name, "client.heartbeat_ms"
 * @param value   text; integers take the suffixes k, M, G (1024) where the unit is bytes, and
 *                ms, s, m, h where it is milliseconds; booleans are true/false, yes/no, 1/0
 * @return FEDN_OK; FEDN_ERR_INVALID unknown name (the text names the nearest known one) or a value
 *         outside the range (the text names the range); FEDN_ERR_NOMEM
 * Owns: nothing.   Thread: owner.   Blocks: no.   Since: 0.1
 */
FEDN_API fedn_status fedn_config_set(fedn_config *config, const char *name, const char *value,
                                     fedn_error *err);

/**
 * The present value as text, NULL for an unknown name.
 *
 * Owns: the configuration's, valid until it is set again or freed.   Thread: owner.   Since: 0.1
 */
FEDN_API const char *fedn_config_get(const fedn_config *config, const char *name);

/**
 * Load a YAML file: nested maps ("combiner: {listen: ...}") or dotted names.
 *
 * @return FEDN_OK; FEDN_ERR_NOT_FOUND, FEDN_ERR_DENIED, FEDN_ERR_IO the file; FEDN_ERR_FORMAT not
 *         YAML; FEDN_ERR_INVALID a property (the text names file, line and property);
 *         FEDN_ERR_LIMIT; FEDN_ERR_NOMEM. On failure the configuration is as before.
 * Owns: nothing.   Thread: owner.   Blocks: reads the file.   Since: 0.1
 */
FEDN_API fedn_status fedn_config_load_file(fedn_config *config, const char *path, fedn_error *err);

/**
 * Take FEDN_COMBINER_LISTEN and its like from the environment for every property of the table;
 * other FEDN_* variables are left alone. On failure the configuration is as before.
 *
 * @return FEDN_OK; FEDN_ERR_INVALID a value (the text names the variable); FEDN_ERR_NOMEM
 * Owns: nothing.   Thread: owner, and nobody may call setenv meanwhile.   Since: 0.1
 */
FEDN_API fedn_status fedn_config_load_env(fedn_config *config, fedn_error *err);

/**
 * Call `fn` for every property whose name begins with `prefix` ("combiner."; "" for all).
 *
 * Owns: nothing.   Thread: owner.   Blocks: as long as fn does.   Since: 0.1
 */
FEDN_API void fedn_config_each(const fedn_config *config, const char *prefix,
                               fedn_config_each_fn fn, void *user_data);

FEDN_END_DECLS
#endif
