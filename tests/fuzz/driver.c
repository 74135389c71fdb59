/* SPDX-License-Identifier: Apache-2.0
 * Runs a fuzz target without libFuzzer: its seeds, the files that are named, then mutations of all
 * of them from a number, so that a failure can be had again.
 *
 * usage: fuzz_<target> [-n <mutations>] [-s <number>] [-w <directory for the seeds>] [file ...] */
#include "fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_INPUTS 4096

typedef struct input {
    uint8_t *data;
    size_t bytes;
} input;

static input inputs[MOST_INPUTS];
static uint32_t input_count;
static uint64_t state;

/* What to say when the process ends in the present run. */
static char running[96];
static size_t running_bytes;

/* splitmix64 */
static uint64_t random_below(uint64_t n)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % n;
}

static void add_input(const uint8_t *data, size_t bytes)
{
    if (input_count == MOST_INPUTS)
        return;
    uint8_t *copy = malloc(bytes ? bytes : 1);
    FUZZ_CHECK(copy);
    memcpy(copy, data, bytes);
    inputs[input_count++] = (input){copy, bytes};
}

static void add_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");

    if (!file) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(2);
    }
    add_input(data, fread(data, 1, sizeof data, file));
    fclose(file);
}

static void write_seed(const char *dir, uint32_t nth, const uint8_t *data, size_t bytes)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/seed-%u", dir, nth);
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file);
    FUZZ_CHECK(fwrite(data, 1, bytes, file) == bytes);
    FUZZ_CHECK(fclose(file) == 0);
}

static void add_seeds(const char *dir)
{
    static uint8_t data[FUZZ_SEED_BYTES];
    size_t bytes = 0;

    for (uint32_t nth = 0; (bytes = fuzz_seed(nth, data)) > 0; nth++) {
        FUZZ_CHECK(bytes <= sizeof data);
        add_input(data, bytes);
        if (dir)
            write_seed(dir, nth, data, bytes);
    }
}

/* Bytes of a number that decoders trip over. */
static void put_number(uint8_t *at, size_t room)
{
    static const uint64_t numbers[] = {
        0,          1,          0x7f,       0x80,      0xff, 0x7fff, 0xffff, 0x7fffffff,
        0xffffffff, 0x80000000, UINT64_MAX, INT64_MAX, 64,   128,    1000,   (uint64_t)1 << 60};
    uint64_t number = numbers[random_below(sizeof numbers / sizeof numbers[0])];
    size_t bytes = (size_t)1 << random_below(4);

    number += random_below(3) - 1;
    memcpy(at, &number, bytes < room ? bytes : room);
}

/* One change in place or in length; returns the new length. */
static size_t mutate(uint8_t *data, size_t bytes, size_t room)
{
    size_t at = bytes ? random_below(bytes) : 0;
    size_t n = bytes ? random_below(bytes - at < 64 ? bytes - at + 1 : 64) : 0;
    const input *other = &inputs[random_below(input_count)];

    switch (random_below(8)) {
    case 0:
        if (bytes)
            data[at] ^= (uint8_t)(1u << random_below(8));
        return bytes;
    case 1:
        if (bytes)
            data[at] = (uint8_t)random_below(256);
        return bytes;
    case 2:
        put_number(data + at, bytes - at);
        return bytes;
    case 3: /* cut out */
        memmove(data + at, data + at + n, bytes - at - n);
        return bytes - n;
    case 4: /* twice */
        if (bytes + n > room)
            return bytes;
        memmove(data + at + n, data + at, bytes - at);
        return bytes + n;
    case 5: /* the end off */
        return random_below(4) ? bytes : at;
    case 6: /* a piece of another input, over this one */
        if (other->bytes && bytes) {
            size_t from = random_below(other->bytes);
            size_t most = other->bytes - from < bytes - at ? other->bytes - from : bytes - at;
            memcpy(data + at, other->data + from, random_below(most + 1));
        }
        return bytes;
    default: /* one place moved to another */
        if (bytes) {
            size_t to = random_below(bytes - n + 1);
            memmove(data + to, data + at, n);
        }
        return bytes;
    }
}

/* A buffer of exactly the length, so that a byte too far is seen by the sanitizer. */
static void run(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = malloc(bytes ? bytes : 1);

    FUZZ_CHECK(exact);
    memcpy(exact, data, bytes);
    FUZZ_CHECK(LLVMFuzzerTestOneInput(exact, bytes) == 0);
    free(exact);
}

static void run_mutation(uint64_t seed)
{
    static uint8_t data[2 * FUZZ_SEED_BYTES];

    state = seed;
    running_bytes = (size_t)snprintf(running, sizeof running, "run again with -n 1 -s %llu\n",
                                     (unsigned long long)seed);
    const input *from = &inputs[random_below(input_count)];
    size_t bytes = from->bytes < FUZZ_SEED_BYTES ? from->bytes : FUZZ_SEED_BYTES;
    memcpy(data, from->data, bytes);
    for (uint64_t changes = 1 + random_below(6); changes > 0; changes--)
        bytes = mutate(data, bytes, sizeof data);
    run(data, bytes);
}

/* abort() in a target: says which mutation it was. */
static void tell_number(int number)
{
    ssize_t ignored = write(2, running, running_bytes);
    (void)ignored;
    signal(number, SIG_DFL);
    raise(number);
}

int main(int argc, char **argv)
{
    uint64_t mutations = 0;
    uint64_t seed = 1;
    const char *dir = NULL;

    for (int i = 1; i < argc; i++) {
        int more = i + 1 < argc;
        if (more && strcmp(argv[i], "-n") == 0)
            mutations = strtoull(argv[++i], NULL, 10);
        else if (more && strcmp(argv[i], "-s") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (more && strcmp(argv[i], "-w") == 0)
            dir = argv[++i];
        else
            add_file(argv[i]);
    }
    signal(SIGABRT, tell_number);
    add_seeds(dir);
    for (uint32_t i = 0; i < input_count; i++)
        run(inputs[i].data, inputs[i].bytes);
    for (uint64_t i = 0; i < mutations && input_count; i++)
        run_mutation(seed + i);
    running_bytes = 0;
    printf("%u inputs, %llu mutations from %llu on\n", input_count, (unsigned long long)mutations,
           (unsigned long long)seed);
    for (uint32_t i = 0; i < input_count; i++)
        free(inputs[i].data);
    return 0;
}
