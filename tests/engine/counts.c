/* SPDX-License-Identifier: Apache-2.0
 * Adding up and printing. */
#include "counts.h"

#include <stdio.h>

void counts_add(counts *to, const counts *more)
{
#define COUNT_ADD(name, text) to->name += more->name;
    COUNTS(COUNT_ADD)
#undef COUNT_ADD
}

void counts_print(const counts *all)
{
#define COUNT_PRINT(name, text) printf("%12llu %s\n", (unsigned long long)all->name, text);
    COUNTS(COUNT_PRINT)
#undef COUNT_PRINT
}
