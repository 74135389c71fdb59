/* SPDX-License-Identifier: Apache-2.0
 * What the targets of the model formats share. */
#include "models.h"

#include "core/alloc.h"
#include "model/source_impl.h"
#include <string.h>

#define MOST_BYTES (8 << 20) /* a deflated file may honestly stand for much more */

static void check_same(const fedn_model *a, const fedn_model *b)
{
    FUZZ_CHECK(fedn_model_count(a) == fedn_model_count(b));
    for (uint32_t i = 0; i < fedn_model_count(a); i++) {
        FUZZ_CHECK(strcmp(fedn_model_name(a, i), fedn_model_name(b, i)) == 0);
        FUZZ_CHECK(fedn_model_dtype(a, i) == fedn_model_dtype(b, i));
        FUZZ_CHECK(fedn_model_rank(a, i) == fedn_model_rank(b, i));
        FUZZ_CHECK(memcmp(fedn_model_shape(a, i), fedn_model_shape(b, i),
                          (size_t)fedn_model_rank(a, i) * 8) == 0);
        FUZZ_CHECK(memcmp(fedn_model_data(a, i), fedn_model_data(b, i), fedn_model_bytes(a, i)) ==
                   0);
    }
}

static void check_round_trip(fedn_model *model, const char *format)
{
    fedn_model *back = NULL;
    void *data = NULL;
    uint64_t bytes = 0;

    FUZZ_CHECK(fedn_model_encode(model, format, &data, &bytes, NULL) == FEDN_OK);
    FUZZ_CHECK(fedn_model_decode(data, bytes, NULL, &back, NULL) == FEDN_OK);
    check_same(model, back);
    fedn_model_unref(back);
    fedn_free(data);
}

/* A failure has one line of text, and a code that says whose fault it is. */
static void check_error(fedn_status rc, const fedn_error *err)
{
    FUZZ_CHECK(rc == FEDN_ERR_FORMAT || rc == FEDN_ERR_LIMIT || rc == FEDN_ERR_UNSUPPORTED);
    FUZZ_CHECK(err->code == rc && err->message[0] && !strchr(err->message, '\n'));
}

static void check_load(fedn__source *source, fedn_error *err)
{
    fedn_model *model = NULL;

    fedn_status rc = fedn__source_load(source, 0, &model, err);
    if (rc == FEDN_OK) {
        check_round_trip(model, "npz");
        check_round_trip(model, "safetensors");
    } else {
        check_error(rc, err);
        FUZZ_CHECK(!model);
    }
    fedn_model_unref(model);
}

/* Elements that are kept are those that a read gives, or both are refused. */
static void check_kept(fedn__source *source, fedn__source *kept)
{
    fedn__source_keep(kept, MOST_BYTES);
    for (uint32_t i = 0; i < fedn__source_count(source); i++) {
        uint64_t bytes = fedn__source_info(source, i)->bytes;
        uint8_t *wanted = fedn__alloc(bytes + 1);
        uint8_t *to = fedn__alloc(bytes + 1);
        const void *at = NULL;
        fedn_status rc = fedn__source_read(source, i, 0, wanted, bytes, NULL);
        for (int again = 0; again < 2; again++) {
            FUZZ_CHECK(fedn__source_view(kept, i, 0, to, bytes, &at, NULL) == rc);
            FUZZ_CHECK(rc != FEDN_OK || memcmp(at, wanted, bytes) == 0);
        }
        fedn__free(wanted);
        fedn__free(to);
    }
}

void fuzz_model(const uint8_t *data, size_t bytes, const char *format)
{
    int64_t before = fedn__alloc_outstanding();
    fedn__source *source = NULL;
    fedn__source *kept = NULL;
    fedn_error err;

    fedn_status rc = fedn__source_open_memory(data, bytes, format, &source, &err);
    if (rc != FEDN_OK) {
        check_error(rc, &err);
    } else if (fedn__source_bytes(source) <= MOST_BYTES) {
        FUZZ_CHECK(fedn__source_open_memory(data, bytes, format, &kept, &err) == FEDN_OK);
        check_kept(source, kept);
        check_load(source, &err);
        /* again without checksums, which hardly a mutation gets right */
        for (uint32_t i = 0; i < source->index.count; i++)
            source->index.entries[i].member.checked = 1;
        check_load(source, &err);
    }
    fedn__source_free(kept);
    fedn__source_free(source);
    FUZZ_CHECK(fedn__alloc_outstanding() == before);
}

size_t fuzz_model_seed(const char *format, uint8_t to[FUZZ_SEED_BYTES])
{
    static const uint64_t shape[3] = {2, 1, 3};
    fedn_model *model = NULL;
    void *data = NULL;
    uint64_t bytes = 0;

    FUZZ_CHECK(fedn_model_new(&model, NULL) == FEDN_OK);
    for (fedn_dtype dtype = FEDN_DTYPE_F16; dtype <= FEDN_DTYPE_BOOL; dtype++)
        FUZZ_CHECK(fedn_model_add(model, NULL, dtype, (uint32_t)dtype % 4, shape, NULL, NULL,
                                  NULL) == FEDN_OK);
    FUZZ_CHECK(fedn_model_encode(model, format, &data, &bytes, NULL) == FEDN_OK);
    FUZZ_CHECK(bytes <= FUZZ_SEED_BYTES);
    memcpy(to, data, bytes);
    fedn_free(data);
    fedn_model_unref(model);
    return bytes;
}
