/* SPDX-License-Identifier: Apache-2.0
 * zlib on the library's allocator. */
#include "model/zlib_memory.h"

#include "core/alloc.h"
#include <string.h>

static voidpf allocate(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return fedn__alloc_array(items, size);
}

static void release(voidpf opaque, voidpf memory)
{
    (void)opaque;
    fedn__free(memory);
}

void fedn__zlib_memory(z_stream *stream)
{
    memset(stream, 0, sizeof *stream);
    stream->zalloc = allocate;
    stream->zfree = release;
}
