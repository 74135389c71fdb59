/* SPDX-License-Identifier: Apache-2.0
 * The commands of a compute package's fedn.yaml, run as FEDn does. */
#ifndef CLI_ENTRY_POINT_H
#define CLI_ENTRY_POINT_H

#include "runner.h"
#include <fedn/package.h>

/* Makes the virtual environment that the package wants; one that is there with the same
 * requirements stays. */
fedn_status entry_point_prepare(const fedn_package *package, fedn_error *err);
/* Removes it, if it was made by entry_point_prepare(). */
fedn_status entry_point_clear(const fedn_package *package, fedn_error *err);
/* The command of an entry point, in the package's folder and environment; *ret is NULL if there is
 * none. */
fedn_status entry_point_command(const fedn_package *package, const char *name, runner_command **ret,
                                fedn_error *err);
/* Runs it with these arguments; SIGTERM and SIGINT end it. Nothing if there is none. */
fedn_status entry_point_run(const fedn_package *package, const char *name, const char *const *args,
                            fedn_error *err);
/* A script of ours with "$@", in the same way. */
fedn_status entry_point_script(const char *script, const char *const *args, fedn_error *err);

#endif
