/* SPDX-License-Identifier: Apache-2.0
 * Rules from shared objects that a configuration names. */
#ifndef FEDN__AGGREGATE_PLUGIN_H
#define FEDN__AGGREGATE_PLUGIN_H

#include <fedn/error.h>

/* Loads each of the comma-separated files and registers its rule, for the whole process; a rule
 * that the same file has registered already is fine. `property` names the list in errors, all of
 * which are FEDN_ERR_INVALID but for FEDN_ERR_NOMEM. */
fedn_status fedn__aggregator_load_plugins(const char *paths, const char *property, fedn_error *err);

#endif
