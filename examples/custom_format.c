/* SPDX-License-Identifier: Apache-2.0
 * A model format of one's own: one flat tensor as text, a number on each line. */
#include <fedn/ext/model_format.h>
#include <fedn/fedn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 32 };

static fedn_status decode(const void *data, uint64_t bytes, fedn_model *into, void *user_data,
                          fedn_error *err)
{
    double *values = NULL;
    uint64_t count = 0;
    const char *at = data;
    const char *end = at + bytes;

    (void)user_data;
    for (uint64_t i = 0; i < bytes; i++)
        count += at[i] == '\n';
    fedn_status rc =
        fedn_model_add(into, NULL, FEDN_DTYPE_F64, 1, &count, NULL, (void **)&values, err);
    for (uint64_t i = 0; rc == FEDN_OK && i < count; i++) {
        char line[LINE] = "";
        char *stop = NULL;
        size_t length = (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) - at);
        if (length < LINE)
            memcpy(line, at, length);
        values[i] = strtod(line, &stop);
        if (!*line || *stop || !isfinite(values[i]))
            rc = fedn_error_set(err, FEDN_ERR_FORMAT, "a line that is no number");
        at += length + 1;
    }
    return rc;
}

static fedn_status encode(const fedn_model *model, fedn_model_write_fn write, void *sink,
                          void *user_data, fedn_error *err)
{
    const double *values = fedn_model_data(model, 0);
    fedn_status rc = FEDN_OK;

    (void)user_data;
    if (fedn_model_count(model) != 1 || fedn_model_dtype(model, 0) != FEDN_DTYPE_F64)
        return fedn_error_set(err, FEDN_ERR_UNSUPPORTED, "text holds one tensor of float64");
    for (uint64_t i = 0; rc == FEDN_OK && i < fedn_model_elements(model, 0); i++) {
        char line[LINE];
        int length = snprintf(line, sizeof line, "%.17g\n", values[i]);
        rc = write(line, (uint64_t)length, sink, err);
    }
    return rc;
}

int main(void)
{
    static const fedn_model_format format = {sizeof format, "text", decode, encode};
    static const char text[] = "0.5\n-1.25\n3\n";
    fedn_model *model = NULL;
    void *again = NULL;
    uint64_t bytes = 0;
    fedn_error err = {0};

    fedn_status rc = fedn_model_format_register(&format, NULL, &err);
    if (rc == FEDN_OK)
        rc = fedn_model_decode(text, sizeof text - 1, "text", &model, &err);
    if (rc == FEDN_OK)
        rc = fedn_model_encode(model, "text", &again, &bytes, &err);
    if (rc == FEDN_OK)
        printf("%.*s", (int)bytes, (const char *)again);
    else
        fprintf(stderr, "custom_format: %s\n", err.message);
    fedn_free(again);
    fedn_model_unref(model);
    return rc == FEDN_OK ? 0 : 1;
}
