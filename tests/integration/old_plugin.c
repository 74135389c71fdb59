/* SPDX-License-Identifier: Apache-2.0
 * A plug-in of another version. */
#include <fedn/ext/aggregator_impl.h>
#include <stddef.h>

FEDN_API extern const fedn_aggregator_plugin_table fedn_aggregator_plugin;
const fedn_aggregator_plugin_table fedn_aggregator_plugin = {FEDN_AGGREGATOR_PLUGIN_ABI + 1, NULL,
                                                             NULL};
