/* SPDX-License-Identifier: Apache-2.0
 * What a fuzz target is: one function that takes any bytes, and the seeds to start from. The same
 * file is a libFuzzer target under clang and, with driver.c, a test under any compiler. */
#ifndef FEDN__FUZZ_H
#define FEDN__FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Must return 0; what is wrong ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define FUZZ_SEED_BYTES 65536

/* Writes the nth seed (0 is the first) and returns its length; 0 when there are no more. */
size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES]);

/* As assert(), in every build. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_failed(#condition, __FILE__, __LINE__);                                           \
    } while (0)

_Noreturn void fuzz_failed(const char *condition, const char *file, int line);

#endif
