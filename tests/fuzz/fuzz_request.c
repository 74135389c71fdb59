/* SPDX-License-Identifier: Apache-2.0
 * The first line and the headers of a request from anybody: its target, its query or form, its
 * range. The input is "target LF range". */
#include "fuzz.h"

#include "core/alloc.h"
#include "core/text.h"
#include "http/range.h"
#include "http/router.h"
#include <string.h>

static void handle(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    (void)service;
    (void)request;
    (void)response;
}

static const fedn__http_route routes[] = {
    {"GET", "/health", handle, 0},
    {"GET", "/api/v1/{entity}", handle, 0},
    {"GET", "/api/v1/{entity}/{id}", handle, 0},
    {"GET", "/api/v1/models/leaf-nodes", handle, 0},
    {"POST", "/api/v1/models", handle, 1},
};

static void check_target(const char *text)
{
    fedn__target target;
    fedn__route_found found;
    fedn_error err = {0};
    fedn_status rc = fedn__target_parse(text, &target, &err);

    if (rc != FEDN_OK) {
        FUZZ_CHECK(err.message[0]);
        fedn__target_done(&target);
        return;
    }
    FUZZ_CHECK(target.segment_count <= FEDN__LIMIT_HTTP_SEGMENTS + 1);
    FUZZ_CHECK(target.query_count <= FEDN__LIMIT_HTTP_PAIRS);
    for (uint32_t i = 0; i < target.query_count; i++) {
        const fedn__pair *pair = &target.query[i];
        FUZZ_CHECK(fedn__text_is_utf8(pair->name, strlen(pair->name)));
        FUZZ_CHECK(fedn__text_is_utf8(pair->value, strlen(pair->value)));
    }
    fedn__router_find(routes, sizeof routes / sizeof routes[0], "/fedn/net", "GET", &target,
                      &found);
    if (found.route && strstr(found.route->path, "{id}")) {
        const char *id = fedn__router_param(&found, "id");
        FUZZ_CHECK(id && *id && !strchr(id, '/') && fedn__text_is_utf8(id, strlen(id)));
    }
    FUZZ_CHECK(!found.route || !found.allow[0]);
    fedn__target_done(&target);
}

static void check_range(const char *text)
{
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX / 2};

    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t first = 0;
        uint64_t count = sizes[i];
        int32_t status = fedn__range_parse(text, sizes[i], &first, &count);
        FUZZ_CHECK(status == 200 || status == 206 || status == 416);
        FUZZ_CHECK(first <= sizes[i] && count <= sizes[i] - first);
        FUZZ_CHECK(status != 206 || count > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = fedn__strndup((const char *)data, bytes);

    FUZZ_CHECK(text);
    char *range = strchr(text, '\n');
    if (range)
        *range++ = 0;
    check_target(text);
    if (range)
        check_range(range);
    fedn__free(text);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char *const texts[] = {
        "/api/v1/sessions/?name=a%20b&session_config.rounds__gt=5\nbytes=0-99",
        "//fedn/net/api/v1/models/%41%C3%BC/download?x\nbytes=-5",
        "http://host:80/api/v1/clients/count?sender.role=CLIENT&status=online/\nbytes=10-",
        "/a/%2F/b?%00=%zz&a=1&a=2#f\nbytes=18446744073709551615-0",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s?&&==&\nbytes=1-2,3-4",
        "/health?\xff\xfe=\xc3\nitems=1-2",
    };

    if (nth >= sizeof texts / sizeof texts[0])
        return 0;
    memcpy(to, texts[nth], strlen(texts[nth]));
    return strlen(texts[nth]);
}
