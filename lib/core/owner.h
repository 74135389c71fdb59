/* SPDX-License-Identifier: Apache-2.0
 * From a member that a callback was given to the struct that holds it. */
#ifndef FEDN__CORE_OWNER_H
#define FEDN__CORE_OWNER_H

#include <stddef.h>

#define FEDN__OWNER(pointer, type, member)                                                         \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
