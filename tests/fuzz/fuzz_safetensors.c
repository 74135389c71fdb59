/* SPDX-License-Identifier: Apache-2.0
 * .safetensors files from anybody. */
#include "models.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_model(data, bytes, "safetensors");
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char *const headers[] = {
        ("{\"__metadata__\":{\"a\":\"}\\\"\"},\"b\":{\"dtype\":\"F16\",\"shape\":[2],"
         "\"data_offsets\":[4,8]},\"a/"
         "x\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}} "),
        "{}",
        "{\"w\":{\"data_offsets\":[0,8],\"shape\":[1,2,4],\"dtype\":\"BOOL\"}}",
    };
    if (nth == 0)
        return fuzz_model_seed("safetensors", to);
    if (nth > sizeof headers / sizeof headers[0])
        return 0;
    size_t length = strlen(headers[nth - 1]);
    memset(to, 0, 8 + length + 8);
    to[0] = (uint8_t)(length & 0xff);
    to[1] = (uint8_t)(length >> 8);
    memcpy(to + 8, headers[nth - 1], length);
    return 8 + length + 8;
}
