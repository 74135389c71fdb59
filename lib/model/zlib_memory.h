/* SPDX-License-Identifier: Apache-2.0
 * zlib on the library's allocator. */
#ifndef FEDN__MODEL_ZLIB_MEMORY_H
#define FEDN__MODEL_ZLIB_MEMORY_H

#include <zlib.h>

/* Before inflateInit2() or deflateInit2(): clears the stream and sets where its memory comes from.
 */
void fedn__zlib_memory(z_stream *stream);

#endif
