/* SPDX-License-Identifier: Apache-2.0
 * The end of a target that found something wrong. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

void fuzz_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}
