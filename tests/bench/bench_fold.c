/* SPDX-License-Identifier: Apache-2.0
 * How fast updates are folded from npz files, beside memcpy and the bare loop in the same run, and
 * how much memory that takes: bench_fold [MB of one update] [updates] */
#include "aggregate/aggregator.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "core/fs.h"
#include "model/kernels.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES   4 /* folded in turn */
#define TENSORS 8
#define REPEATS 15 /* of what is compared with */

static void must(fedn_status rc, const fedn_error *err)
{
    if (rc == FEDN_OK)
        return;
    fprintf(stderr, "bench_fold: %s\n", err->message);
    exit(1);
}

static double peak_mib(void)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (file)
        fclose(file);
    return kib / 1024;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void print_rates(const char *what, double *seconds, uint32_t count, double bytes)
{
    qsort(seconds, count, sizeof *seconds, compare);
    printf("%-34s %6.2f GB/s  (%.2f to %.2f, %u runs)\n", what, bytes / seconds[count / 2] / 1e9,
           bytes / seconds[count - 1] / 1e9, bytes / seconds[0] / 1e9, count);
}

static double seconds_since(int64_t start_ns)
{
    return (double)(fedn__clock_ns() - start_ns) / 1e9;
}

static void write_update(const char *path, const char *format, uint64_t elements, uint32_t seed)
{
    fedn_model *model = NULL;
    fedn_error err;
    uint64_t n = elements / TENSORS;
    void *data = NULL;

    must(fedn_model_new(&model, &err), &err);
    for (uint32_t t = 0; t < TENSORS; t++) {
        must(fedn_model_add(model, NULL, FEDN_DTYPE_F32, 1, &n, NULL, &data, &err), &err);
        for (uint64_t i = 0; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            ((float *)data)[i] = (float)(int32_t)seed * 0x1p-31f;
        }
    }
    must(fedn_model_save(model, path, format, &err), &err);
    fedn_model_unref(model);
}

static void fold_file(fedn_aggregator *aggregator, const char *path)
{
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;
    fedn_error err;

    must(fedn__blob_from_file(path, &blob, &err), &err);
    must(fedn__source_open(blob, "npz", &source, &err), &err);
    must(fedn__aggregator_add_source(aggregator, source, 100, &err), &err);
    fedn__source_free(source);
    fedn__blob_unref(blob);
}

static void bench_files(char *const *paths, const char *result, uint64_t elements, uint32_t updates)
{
    double bytes = (double)elements * 4;
    double *seconds = fedn__alloc_array(updates, sizeof *seconds);
    fedn_aggregator *aggregator = NULL;
    fedn_error err;

    must(fedn_aggregator_new("fedavg", NULL, &aggregator, &err), &err);
    double before = peak_mib();
    for (uint32_t i = 0; i < updates; i++) {
        int64_t start = fedn__clock_ns();
        fold_file(aggregator, paths[i % FILES]);
        seconds[i] = seconds_since(start);
    }
    printf("%-34s %6.2f GB/s\n", "first update, fresh memory", bytes / seconds[0] / 1e9);
    print_rates("further updates, checks and all", seconds + 1, updates - 1, bytes);
    int64_t start = fedn__clock_ns();
    must(fedn__aggregator_finish_file(aggregator, "npz", result, &err), &err);
    printf("%-34s %6.3f s\n", "finish into a file, with fsync", seconds_since(start));
    start = fedn__clock_ns();
    fold_file(aggregator, paths[0]);
    printf("%-34s %6.2f GB/s\n", "first update of the next round",
           bytes / seconds_since(start) / 1e9);
    printf("%-34s %6.0f MiB (before: %.0f), %.2f times the model\n", "peak memory (VmHWM)",
           peak_mib(), before, (peak_mib() - before) * 1048576 / bytes);
    fedn_aggregator_free(aggregator);
    fedn__free(seconds);
}

/* As np.savez_compressed writes them, and with it FEDn's Python client. */
static void bench_deflated(const char *path, uint64_t elements)
{
    double seconds[REPEATS];
    fedn_aggregator *aggregator = NULL;
    fedn_error err;

    write_update(path, "npz-deflate", elements, 0);
    must(fedn_aggregator_new("fedavg", NULL, &aggregator, &err), &err);
    fold_file(aggregator, path);
    for (uint32_t i = 0; i < REPEATS; i++) {
        int64_t start = fedn__clock_ns();
        fold_file(aggregator, path);
        seconds[i] = seconds_since(start);
    }
    print_rates("further updates, deflated", seconds, REPEATS, (double)elements * 4);
    fedn_aggregator_free(aggregator);
}

static void bench_loops(uint64_t elements)
{
    double seconds[4][REPEATS];
    double *sum = fedn__alloc_pages(elements * 8);
    float *x = fedn__alloc_pages(elements * 4);
    float *y = fedn__alloc_pages(elements * 4);

    if (!sum || !x || !y)
        exit(1);
    for (uint64_t i = 0; i < elements; i++)
        x[i] = (float)i;
    memset(y, 1, elements * 4);
    fedn__kernel_set(FEDN_DTYPE_F32, sum, NULL, x, 3, elements);
    for (uint32_t i = 0; i < REPEATS; i++) {
        int64_t start = fedn__clock_ns();
        memcpy(y, x, elements * 4);
        seconds[0][i] = seconds_since(start);
        start = fedn__clock_ns();
        fedn__kernel_add(FEDN_DTYPE_F32, sum, NULL, y, 3, elements);
        seconds[1][i] = seconds_since(start);
        start = fedn__clock_ns();
        if (fedn__kernel_first_bad(FEDN_DTYPE_F32, y, elements) != elements)
            exit(1);
        seconds[2][i] = seconds_since(start);
        start = fedn__clock_ns();
        fedn__kernel_mean(FEDN_DTYPE_F32, sum, NULL, (fedn__weight){3, 0}, y, elements);
        seconds[3][i] = seconds_since(start);
    }
    print_rates("memcpy", seconds[0], REPEATS, (double)elements * 4);
    print_rates("sum loop alone", seconds[1], REPEATS, (double)elements * 4);
    print_rates("finiteness loop alone", seconds[2], REPEATS, (double)elements * 4);
    print_rates("mean loop alone", seconds[3], REPEATS, (double)elements * 4);
    fedn__free_pages(sum, elements * 8);
    fedn__free_pages(x, elements * 4);
    fedn__free_pages(y, elements * 4);
}

/* What wrote the files and ran the loops does not count: the kernel forgets the peak so far. */
static void reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");

    if (file) {
        fputs("5", file);
        fclose(file);
    }
}

int main(int argc, char **argv)
{
    uint64_t megabytes = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
    uint32_t updates = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 50;
    uint64_t elements = megabytes * 1000000 / 4 / TENSORS * TENSORS;
    char *scratch = NULL, *paths[FILES] = {NULL}, *result = NULL;
    fedn_error err;

    if (megabytes < 1 || megabytes > 100000 || updates < 2 || updates > 100000) {
        fprintf(stderr, "usage: bench_fold [MB of one update] [updates, 2 or more]\n");
        return 2;
    }
    must(fedn__fs_temp_dir(NULL, "fedn-bench-", &scratch, &err), &err);
    for (uint32_t i = 0; i < FILES; i++) {
        paths[i] = fedn__strf("%s/%u.npz", scratch, i);
        write_update(paths[i], "npz", elements, i);
    }
    result = fedn__strf("%s/result.npz", scratch);
    printf("%u updates of %llu MB float32\n", updates, (unsigned long long)megabytes);
    bench_loops(elements);
    reset_peak();
    bench_files(paths, result, elements, updates);
    bench_deflated(paths[0], elements);
    for (uint32_t i = 0; i < FILES; i++)
        fedn__free(paths[i]);
    fedn__free(result);
    must(fedn__fs_remove_tree(scratch, &err), &err);
    fedn__free(scratch);
    return 0;
}
