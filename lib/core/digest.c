/* SPDX-License-Identifier: Apache-2.0
 * XXH3-128 of bytes as they come. */
#define XXH_INLINE_ALL /* the state's layout is then what was compiled, whatever is installed */
#include "core/digest.h"

#include "core/alloc.h"
#include "core/digest_wide.h"
#include <string.h>
#include <xxhash.h>

enum { ALIGNMENT = 64 }; /* of the state, for vectors; an allocator promises 16 */

struct fedn__digest {
    XXH3_state_t *state; /* inside of `room` */
    uint8_t room[sizeof(XXH3_state_t) + ALIGNMENT - 1];
};

static void canonical(XXH128_hash_t hash, uint8_t ret[FEDN__DIGEST_BYTES])
{
    XXH128_canonical_t bytes;

    XXH128_canonicalFromHash(&bytes, hash);
    memcpy(ret, bytes.digest, FEDN__DIGEST_BYTES);
}

fedn__digest *fedn__digest_new(void)
{
    fedn__digest *sums = fedn__alloc(sizeof *sums);

    if (!sums)
        return NULL;
    uintptr_t at = ((uintptr_t)sums->room + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    sums->state = (XXH3_state_t *)(sums->room + (at - (uintptr_t)sums->room));
    XXH3_INITSTATE(sums->state);
    (void)XXH3_128bits_reset(sums->state);
    return sums;
}

void fedn__digest_free(fedn__digest *sums)
{
    fedn__free(sums);
}

void fedn__digest_add(fedn__digest *sums, const void *data, uint64_t bytes)
{
    if (bytes && fedn__digest_has_wide())
        fedn__digest_add_wide(sums->state, data, bytes);
    else if (bytes)
        (void)XXH3_128bits_update(sums->state, data, (size_t)bytes);
}

void fedn__digest_value(const fedn__digest *sums, uint8_t ret[FEDN__DIGEST_BYTES])
{
    canonical(XXH3_128bits_digest(sums->state), ret);
}

void fedn__digest_of(const void *data, uint64_t bytes, uint8_t ret[FEDN__DIGEST_BYTES])
{
    canonical(XXH3_128bits(bytes ? data : "", (size_t)bytes), ret);
}
