/* SPDX-License-Identifier: Apache-2.0
 * Records of rounds as a table, for sessions and rounds. */
#ifndef CLI_ROUNDS_H
#define CLI_ROUNDS_H

#include <jansson.h>

/* A table of the array of rounds, or `empty`. */
void rounds_print(json_t *rounds, const char *empty);

#endif
