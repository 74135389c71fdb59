/* SPDX-License-Identifier: Apache-2.0
 * Chunk messages of model transfer from anybody, cut anywhere. */
#include "fuzz.h"

#include "fedn.pb-c.h"
#include "rpc/chunk.h"
#include <stdlib.h>
#include <string.h>

/* Pieces of a length that the message itself decides. */
static uint64_t cut(const uint8_t *data, size_t bytes, uint64_t run, fedn__piece *pieces)
{
    uint64_t count = 0;

    for (size_t at = 0; at < bytes; at += run, count++) {
        pieces[count].data = data + at;
        pieces[count].bytes = bytes - at < run ? bytes - at : run;
    }
    return count;
}

static void check_data(const fedn__chunk *chunk, const ProtobufCBinaryData *expected)
{
    uint64_t at = 0;

    FUZZ_CHECK(chunk->data_bytes == expected->len);
    for (uint64_t i = 0; i < chunk->data_count; i++) {
        FUZZ_CHECK(chunk->data[i].bytes <= expected->len - at);
        FUZZ_CHECK(memcmp(chunk->data[i].data, expected->data + at, chunk->data[i].bytes) == 0);
        at += chunk->data[i].bytes;
    }
    FUZZ_CHECK(at == expected->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fedn__chunk chunk;
    fedn__chunk again;
    fedn_error err;

    if (bytes < 1)
        return 0;
    uint64_t run = data[0] % 64 + 1;
    int32_t kind = data[0] / 64 % 2;
    data++;
    bytes--;
    fedn__piece *pieces = malloc((bytes + 1) * sizeof *pieces);
    fedn__piece *scratch = malloc((bytes + 1) * sizeof *scratch);
    fedn__piece *whole = malloc(2 * sizeof *whole);
    FUZZ_CHECK(pieces && scratch && whole);
    fedn_status rc =
        fedn__chunk_parse(kind, pieces, cut(data, bytes, run, pieces), scratch, &chunk, &err);
    FUZZ_CHECK(rc == FEDN_OK || (rc == FEDN_ERR_FORMAT && err.message[0]));
    /* how it is cut makes no difference */
    fedn__piece one = {data, bytes};
    FUZZ_CHECK(fedn__chunk_parse(kind, &one, bytes ? 1 : 0, whole, &again, &err) == rc);
    if (rc == FEDN_OK && kind == FEDN__CHUNK_REQUEST) {
        /* and protobuf-c, where it takes the message, reads the same */
        Fedn__ModelRequest *message = fedn__model_request__unpack(NULL, bytes, data);
        FUZZ_CHECK(strcmp(chunk.id, again.id) == 0 && chunk.status == again.status);
        if (message) {
            FUZZ_CHECK(strcmp(chunk.id, message->id) == 0);
            FUZZ_CHECK(chunk.resumable == message->resumable && chunk.offset == message->offset);
            FUZZ_CHECK(!chunk.has_digest ||
                       memcmp(chunk.digest, message->digest.data, sizeof chunk.digest) == 0);
            check_data(&chunk, &message->data);
            check_data(&again, &message->data);
            fedn__model_request__free_unpacked(message, NULL);
        }
    }
    free(pieces);
    free(scratch);
    free(whole);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char id[] = "0b5c2f0e-9d3a-4c8f-8e7a-1f2e3d4c5b6a";
    static const struct {
        int32_t kind;
        int32_t status;
        uint64_t bytes;
    } seeds[] = {{0, 1, 100}, {0, 0, 0}, {1, 1, 1000}, {1, 3, 0}, {0, 1, 1}};

    if (nth >= sizeof seeds / sizeof seeds[0])
        return 0;
    to[0] = (uint8_t)(seeds[nth].kind * 64 + 7);
    const fedn__chunk_words words = {.id = id,
                                     .client_id = nth % 2 ? NULL : "a client",
                                     .status = seeds[nth].status,
                                     .resumable = nth % 2 == 0,
                                     .offset = nth * 1000003,
                                     .digest = nth % 3 ? (const uint8_t *)id : NULL};
    uint64_t head = fedn__chunk_head(seeds[nth].kind, &words, seeds[nth].bytes, to + 1);
    memset(to + 1 + head, 'd', seeds[nth].bytes);
    return (size_t)(1 + head + seeds[nth].bytes);
}
