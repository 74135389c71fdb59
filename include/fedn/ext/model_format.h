/* SPDX-License-Identifier: Apache-2.0
 * For writers of a model format: the function table to fill in and register. The promise of ext/
 * is weaker than that of the other headers: a table may grow (see struct_size). */
#ifndef FEDN_EXT_MODEL_FORMAT_H
#define FEDN_EXT_MODEL_FORMAT_H

#include <fedn/model.h>

/** Takes the next encoded bytes; anything but FEDN_OK must end the encoding. */
typedef fedn_status (*fedn_model_write_fn)(const void *data, uint64_t bytes, void *sink,
                                           fedn_error *err);

/** One file format. Functions must be safe to call from several threads at once. */
typedef struct fedn_model_format {
    uint64_t struct_size; /* sizeof(fedn_model_format) */
    const char *name;     /* [a-z0-9_-]{1,63} */

    /* add every tensor of the `bytes` at `data` to the empty model `into`; the bytes are foreign:
     * check everything */
    fedn_status (*decode)(const void *data, uint64_t bytes, fedn_model *into, void *user_data,
                          fedn_error *err);
    /* hand the encoded model to `write`, front to back, in pieces of any size */
    fedn_status (*encode)(const fedn_model *model, fedn_model_write_fn write, void *sink,
                          void *user_data, fedn_error *err);
} fedn_model_format;

FEDN_BEGIN_DECLS

/**
 * Add a format under its name, for the whole process.
 *
 * @param format     borrowed, must stay valid as long as the process
 * @param user_data  handed to both functions
 * @return FEDN_OK; FEDN_ERR_INVALID the table; FEDN_ERR_EXISTS the name; FEDN_ERR_LIMIT
 * Owns: nothing changes hands.   Thread: any.   Since: 0.1
 */
FEDN_API fedn_status fedn_model_format_register(const fedn_model_format *format, void *user_data,
                                                fedn_error *err);

FEDN_END_DECLS
#endif
