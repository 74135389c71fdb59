/* SPDX-License-Identifier: Apache-2.0
 * A listener that keeps models in a directory, for the tests of model transfer. */
#ifndef FEDN__TEST_DEPOT_H
#define FEDN__TEST_DEPOT_H

#include "core/blob.h"
#include "core/thread.h"
#include "rig.h"

#define ID       "0b5c2f0e-9d3a-4c8f-8e7a-1f2e3d4c5b6a"
#define OTHER_ID "1b5c2f0e-9d3a-4c8f-8e7a-1f2e3d4c5b6a" /* refused */

/* It notes "accept", "stored<status>" and "stored<status>:<bytes>:<id>". */
typedef struct test_depot {
    test_rig rig;
    fedn__transfer_host host;
    char *dir;
    char *parts; /* where parts may be kept; the host does not, unless a test says so */
    uint64_t max_bytes;
    fedn_status find_rc;               /* instead of looking */
    int32_t quiet;                     /* notes nothing */
    uint8_t whole[FEDN__DIGEST_BYTES]; /* for a test's own host.whole */
    uint64_t wanted_bytes;
    fedn_status wanted_rc;
    fedn__blob **wanted_keep;
    fedn__blob **keep;    /* a reference to what was stored last; NULL: not wanted */
    const char *store_in; /* instead of the directory; set before the first call */
} test_depot;

int depot_setup(void **state);
int depot_teardown(void **state);
void depot_host(test_depot *depot); /* sets the host's functions */
void depot_limit(test_depot *depot, uint64_t max_bytes);
/* Models up to that size stay in memory; where a reference goes to what is stored next. */
void depot_keep(test_depot *depot, uint64_t memory_bytes, fedn__blob **keep);
void depot_find(test_depot *depot, fedn_status rc);
/* How many of a file and its part are there. */
int depot_files(const char *dir, const char *name);
void depot_assert_file(const char *dir, const char *name, const void *data, uint64_t bytes);
uint8_t *depot_pattern(uint64_t bytes); /* free() it */

typedef struct test_move {
    test_depot *depot;
    fedn__blob *blob;  /* upload */
    int32_t resume;    /* upload: asks first */
    const char *path;  /* download */
    const char *parts; /* download: where what came stays */
    const char *id;
    uint64_t max_bytes;
    uint64_t memory_bytes;
    fedn__blob **keep; /* a reference to what was downloaded; NULL: not wanted */
    fedn_status rc;
    fedn_error err;
    uint64_t bytes;
    fedn__transfer *transfer;
    fedn__flag done;
} test_move;

void depot_move_begin(test_move *move);
void depot_move_wait(test_move *move);
fedn_status depot_upload(test_depot *depot, const char *id, const void *data, uint64_t bytes,
                         fedn_error *err);
fedn_status depot_download(test_depot *depot, const char *id, const char *path, uint64_t max_bytes,
                           fedn_error *err);

#endif
