/* SPDX-License-Identifier: Apache-2.0
 * Configuration files from anybody: all values are taken or none, and what is taken is allowed. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include "core/config.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    char path[64];
    fedn_config *config = NULL;
    fedn_error err;

    if (fd < 0)
        fd = memfd_create("config", 0);
    FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, bytes, 0) == (ssize_t)bytes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    FUZZ_CHECK(fedn_config_new(&config, &err) == FEDN_OK);
    fedn_status rc = fedn_config_load_file(config, path, &err);
    if (rc != FEDN_OK)
        FUZZ_CHECK(err.code == rc && fedn__text_is_line(err.message, sizeof err.message));
    for (const fedn__property *row = fedn__properties; row->name; row++) {
        char value[4097];
        snprintf(value, sizeof value, "%s", fedn_config_get(config, row->name));
        if (rc != FEDN_OK)
            FUZZ_CHECK(strcmp(value, row->initial) == 0);
        else
            FUZZ_CHECK(fedn_config_set(config, row->name, value, &err) == FEDN_OK);
    }
    fedn_config_free(config);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char *const texts[] = {
        "combiner:\n  listen: \"127.0.0.1:0\"\n  max_clients: 7\nclient.name: n\n",
        "%YAML 1.1\n---\n{client: {heartbeat_ms: 2s, max_model_bytes: 1.5G}, log.level: debug}\n",
        "session: &s\n  rounds: 3\n  validate: no\n  round_timeout: 2.5\nclient:\n",
        "a: &a {b: *a}\n",
        "reducer:\n  store: >-\n    folded\n    text\n  network_id: 'it''s'\n# end\n",
    };

    if (nth >= sizeof texts / sizeof texts[0])
        return 0;
    memcpy(to, texts[nth], strlen(texts[nth]));
    return strlen(texts[nth]);
}
