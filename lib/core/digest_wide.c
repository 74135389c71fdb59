/* SPDX-License-Identifier: Apache-2.0
 * Adding to a digest with 256 bits at a time, three times as fast as what every x86-64 has: with
 * that, a model that arrives would be stored a tenth more slowly. */
#include "core/digest_wide.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2")
#define XXH_INLINE_ALL
#include <xxhash.h>

int32_t fedn__digest_has_wide(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

void fedn__digest_add_wide(void *state, const void *data, uint64_t bytes)
{
    (void)XXH3_128bits_update(state, data, (size_t)bytes);
}
#else
int32_t fedn__digest_has_wide(void)
{
    return 0;
}

void fedn__digest_add_wide(void *state, const void *data, uint64_t bytes)
{
    (void)state;
    (void)data;
    (void)bytes;
}
#endif
