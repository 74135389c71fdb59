/* SPDX-License-Identifier: Apache-2.0
 * Names, types and shapes of the tensors of a round. */
#include "aggregate/layout.h"

#include "core/error.h"
#include <string.h>

fedn_status fedn__layout_copy(const fedn__source *source, fedn__index *to, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    fedn__index_init(to, 1);
    for (uint32_t i = 0; rc == FEDN_OK && i < fedn__source_count(source); i++) {
        const fedn__tensor_info *info = fedn__source_info(source, i);
        fedn__entry *entry = NULL;
        rc = fedn__index_add(to, info->name, info->dtype, info->rank, info->shape, &entry, err);
    }
    if (rc != FEDN_OK) {
        fedn__index_done(to);
        fedn__index_init(to, 1);
    }
    return rc;
}

static fedn_status check_count(uint32_t expected, const char *reference, uint32_t got,
                               const char *what, fedn_error *err)
{
    if (got == expected)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_FORMAT, "the %s has %u tensors, expected %u as in %s", what,
                       got, expected, reference);
}

static fedn_status check_tensor(const fedn__tensor_info *expected, const char *reference,
                                const fedn__tensor_info *got, uint32_t index, const char *what,
                                fedn_error *err)
{
    char expected_text[FEDN__TENSOR_TEXT];
    char got_text[FEDN__TENSOR_TEXT];

    if (strcmp(got->name, expected->name) != 0)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "tensor %u of the %s is named '%.120s', expected '%.120s' as in %s",
                           index, what, got->name, expected->name, reference);
    if (got->dtype == expected->dtype && got->rank == expected->rank &&
        (got->rank == 0 || memcmp(got->shape, expected->shape, 8 * (size_t)got->rank) == 0))
        return FEDN_OK;
    fedn__tensor_text(expected, expected_text);
    fedn__tensor_text(got, got_text);
    return fedn__error(err, FEDN_ERR_FORMAT,
                       "tensor %u '%.80s' of the %s is %s, expected %s as in %s", index, got->name,
                       what, got_text, expected_text, reference);
}

fedn_status fedn__layout_check_source(const fedn__index *expected, const char *reference,
                                      const fedn__source *got, uint32_t skip, const char *what,
                                      fedn_error *err)
{
    fedn_status rc =
        check_count(expected->count, reference, fedn__source_count(got) - skip, what, err);

    for (uint32_t i = 0; rc == FEDN_OK && i < expected->count; i++)
        rc = check_tensor(&expected->entries[i].info, reference, fedn__source_info(got, skip + i),
                          skip + i, what, err);
    return rc;
}

fedn_status fedn__layout_check_index(const fedn__index *expected, const char *reference,
                                     const fedn__index *got, const char *what, fedn_error *err)
{
    fedn_status rc = check_count(expected->count, reference, got->count, what, err);

    for (uint32_t i = 0; rc == FEDN_OK && i < expected->count; i++)
        rc = check_tensor(&expected->entries[i].info, reference, &got->entries[i].info, i, what,
                          err);
    return rc;
}
