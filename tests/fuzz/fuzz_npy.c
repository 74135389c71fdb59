/* SPDX-License-Identifier: Apache-2.0
 * Headers of .npy from anybody. */
#include "fuzz.h"

#include "model/npy.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fedn__npy npy;
    fedn_error err;
    uint64_t length = 0;

    fedn_status rc = fedn__npy_length(data, bytes, &length, &err);
    if (rc != FEDN_OK)
        return 0;
    FUZZ_CHECK(length >= 10 && length <= 12 + FEDN__LIMIT_NPY_HEADER);
    rc = fedn__npy_parse(data, bytes, &npy, &err);
    if (rc != FEDN_OK) {
        FUZZ_CHECK(err.code == rc && err.message[0]);
        return 0;
    }
    FUZZ_CHECK(npy.rank <= FEDN_MODEL_MAX_RANK && fedn_dtype_bytes(npy.dtype));
    /* what we write of it says the same */
    uint8_t written[FEDN__NPY_WRITTEN];
    fedn__npy again;
    uint64_t n = fedn__npy_write(written, npy.dtype, npy.rank, npy.shape);
    FUZZ_CHECK(fedn__npy_parse(written, n, &again, &err) == FEDN_OK);
    FUZZ_CHECK(again.dtype == npy.dtype && again.rank == npy.rank);
    FUZZ_CHECK(memcmp(again.shape, npy.shape, (size_t)npy.rank * 8) == 0);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char *const texts[] = {
        "\x93NUMPY\x01?{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }    \n",
        "\x93NUMPY\x02?{'descr': '>i8', 'fortran_order': True, 'shape': (7,), }\n",
        "\x93NUMPY\x03?{'shape':(3L,1),\"descr\":\"|V2\",'fortran_order':False}",
        "\x93NUMPY\x01?{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (), }\n",
    };
    if (nth >= sizeof texts / sizeof texts[0])
        return 0;
    const char *text = texts[nth] + 8;
    size_t length = strlen(text);
    size_t prefix = texts[nth][6] == 1 ? 10 : 12;
    memset(to, 0, prefix);
    memcpy(to, texts[nth], 7);
    to[8] = (uint8_t)length;
    memcpy(to + prefix, text, length);
    return prefix + length;
}
