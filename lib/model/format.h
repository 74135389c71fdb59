/* SPDX-License-Identifier: Apache-2.0
 * The table of model formats: the built-in ones and those plugged in. */
#ifndef FEDN__MODEL_FORMAT_H
#define FEDN__MODEL_FORMAT_H

#include "model/source_impl.h"
#include "model/writer_impl.h"
#include <fedn/ext/model_format.h>

struct fedn__format {
    const char *name;
    const char *alias; /* FEDn's name of the same; may be NULL */
    fedn_dtype dtype;  /* of the raw formats */
    fedn_status (*open)(fedn__source *source, const fedn__format *format, fedn_error *err);
    const fedn__writer_ops *writer;
    const fedn_model_format *custom; /* plugged in: its table */
    void *user_data;
};

/* FEDN_ERR_UNSUPPORTED with the known names if there is none such. FEDn's helper of split learning,
 * whose files are no models, is refused by name. */
fedn_status fedn__format_find(const char *name, const fedn__format **ret, fedn_error *err);
/* npz or safetensors by the first bytes; never a raw format, which nothing tells from noise. */
fedn_status fedn__format_recognise(const fedn__input *input, const fedn__format **ret,
                                   fedn_error *err);

#endif
