/* SPDX-License-Identifier: Apache-2.0
 * Parameters from anybody: what is taken is an object, and its text as JSON means the same. */
#include "fuzz.h"

#include "core/alloc.h"
#include "core/literal.h"
#include "core/text.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fedn_error err;
    json_t *value = NULL;
    json_t *again = NULL;
    char *input = fedn__strndup((const char *)data, bytes);

    FUZZ_CHECK(input);
    fedn_status rc = fedn__literal_object(input, "input", &value, &err);
    fedn__free(input);
    if (rc != FEDN_OK) {
        FUZZ_CHECK(!value && err.code == rc && err.message[0]);
        FUZZ_CHECK(fedn__text_is_line(err.message, sizeof err.message));
        return 0;
    }
    FUZZ_CHECK(json_is_object(value));
    char *text = fedn__json_text(value);
    FUZZ_CHECK(text);
    FUZZ_CHECK(fedn__literal_object(text, "text", &again, &err) == FEDN_OK);
    FUZZ_CHECK(json_equal(value, again));
    json_decref(again);
    json_decref(value);
    fedn__free(text);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char *const texts[] = {
        "{'serveropt': 'yogi', 'learning_rate': 1e-3, 'beta1': .9, 'tau': 1, 'x': None,}",
        "{\"a\": [True, False, None, -1, +2.5E-3], 'b': {'c': [[[]]]}}",
        "{'\\u00fc\\x41\\\\': 'it\\'s', \"d\": \"\\\"\\n\\r\\t\"}",
        "{\"session\": true, \"n\": null}",
        "None",
    };

    if (nth >= sizeof texts / sizeof texts[0])
        return 0;
    memcpy(to, texts[nth], strlen(texts[nth]));
    return strlen(texts[nth]);
}
