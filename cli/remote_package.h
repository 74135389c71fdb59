/* SPDX-License-Identifier: Apache-2.0
 * The reducer's compute package, brought here. */
#ifndef CLI_REMOTE_PACKAGE_H
#define CLI_REMOTE_PACKAGE_H

#include "cli.h"

/* Its folder below client.state_dir, checked and unpacked; what is there already stays if it is the
 * same. Waits until the reducer has one. FEDN_ERR_DENIED: a checksum is not as it should be. */
fedn_status remote_package_fetch(const cli_line *cli, char *dir, size_t bytes, fedn_error *err);

#endif
