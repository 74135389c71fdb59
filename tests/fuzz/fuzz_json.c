/* SPDX-License-Identifier: Apache-2.0
 * JSON from anybody: what is taken is bounded, and its text means the same. */
#include "fuzz.h"

#include "core/alloc.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/text.h"
#include <string.h>

static uint32_t depth_of(const json_t *value)
{
    const char *key = NULL;
    json_t *child = NULL;
    size_t at = 0;
    uint32_t deepest = 0;

    json_object_foreach((json_t *)(uintptr_t)value, key, child)
    {
        uint32_t depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    json_array_foreach(value, at, child)
    {
        uint32_t depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return json_is_object(value) || json_is_array(value) ? deepest + 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fedn_error err;
    json_t *value = NULL;
    json_t *again = NULL;

    fedn_status rc = fedn__json_parse((const char *)data, bytes, 0, "input", &value, &err);
    if (rc != FEDN_OK) {
        FUZZ_CHECK(!value && err.code == rc && err.message[0]);
        FUZZ_CHECK(fedn__text_is_line(err.message, sizeof err.message));
        return 0;
    }
    FUZZ_CHECK(json_is_object(value) && depth_of(value) <= FEDN__LIMIT_JSON_DEPTH);
    char *text = fedn__json_text(value);
    FUZZ_CHECK(text);
    FUZZ_CHECK(fedn__json_parse(text, strlen(text), 0, "text", &again, &err) == FEDN_OK);
    FUZZ_CHECK(json_equal(value, again));
    json_decref(again);
    json_decref(value);
    fedn__free(text);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char *const texts[] = {
        "{\"session_id\":\"a\",\"rounds\":5,\"round_timeout\":1.5e2,\"validate\":true,\"x\":null}",
        "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
        "{\"\\u00fc\\\\\\\"[{\":\"\\ud83d\\ude00\",\"n\":-9223372036854775808}",
        "{\"a\":{\"b\":{\"c\":[1,2.0,\"3\",false,{}]}},\"d\":[]}",
    };

    if (nth >= sizeof texts / sizeof texts[0])
        return 0;
    memcpy(to, texts[nth], strlen(texts[nth]));
    return strlen(texts[nth]);
}
