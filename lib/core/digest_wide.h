/* SPDX-License-Identifier: Apache-2.0
 * Adding to a digest's state with wider vectors, where the compiler and the processor have them. */
#ifndef FEDN__CORE_DIGEST_WIDE_H
#define FEDN__CORE_DIGEST_WIDE_H

#include <stdint.h>

int32_t fedn__digest_has_wide(void);
/* `state` is an XXH3_state_t. Only if there is a wide one. */
void fedn__digest_add_wide(void *state, const void *data, uint64_t bytes);

#endif
