/* SPDX-License-Identifier: Apache-2.0
 * Models that a combiner holds, small ones in memory, large ones in files: updates that came in,
 * global models that go out, partials that go up. Loop thread only. */
#ifndef FEDN__ROLES_COMBINER_SHELF_H
#define FEDN__ROLES_COMBINER_SHELF_H

#include "core/blob.h"
#include "core/uuid.h"

typedef struct fedn__shelf fedn__shelf;

typedef struct fedn__shelf_limits {
    uint32_t max_uploads; /* in progress */
    uint32_t max_waiting; /* complete, not announced yet */
} fedn__shelf_limits;

/* Makes the directory, locks it against other processes, removes what a crash left. */
fedn_status fedn__shelf_open(const char *dir, const fedn__shelf_limits *limits, fedn__shelf **ret,
                             fedn_error *err);
void fedn__shelf_close(fedn__shelf *shelf);

/* A client begins to upload an update: where to. `owner` is who calls; "" if it did not say. An
 * upload of the same owner under the same id gives way. FEDN_ERR_DENIED: the id is somebody else's;
 * FEDN_ERR_STATE: it is being folded; FEDN_ERR_UNAVAILABLE: too many uploads. Caller frees the
 * path. */
fedn_status fedn__shelf_accept(fedn__shelf *shelf, const char *id, const char *owner,
                               char **ret_path, fedn_error *err);
/* The upload is complete in `blob`, or nothing of it is left (NULL). */
void fedn__shelf_stored(fedn__shelf *shelf, const char *id, fedn__blob *blob);
/* One that came whole, with its announcement: as if it had been uploaded. FEDN_ERR_DENIED: the id
 * is somebody else's; FEDN_ERR_STATE: it is being uploaded or folded. */
fedn_status fedn__shelf_put(fedn__shelf *shelf, const char *id, const char *owner, fedn__blob *blob,
                            fedn_error *err);
/* Is there a complete update of this owner? FEDN_ERR_NOT_FOUND, FEDN_ERR_STATE still being uploaded
 * or folded, FEDN_ERR_DENIED another owner's. */
fedn_status fedn__shelf_check(const fedn__shelf *shelf, const char *id, const char *owner,
                              fedn_error *err);
/* Takes one that passed the check for folding: it stays, the shelf's, until fedn__shelf_folded().
 */
fedn__blob *fedn__shelf_take(fedn__shelf *shelf, const char *id);
void fedn__shelf_folded(fedn__shelf *shelf, const char *id);
/* Removes a complete update that is not being folded. */
void fedn__shelf_drop(fedn__shelf *shelf, const char *id);

/* Global models. Path for a download; caller frees. */
char *fedn__shelf_model_path(const fedn__shelf *shelf, const char *id);
/* What was downloaded, a large one to that path; those used last are kept. */
fedn_status fedn__shelf_add_model(fedn__shelf *shelf, const char *id, fedn__blob *blob,
                                  fedn_error *err);
/* New reference, or FEDN_ERR_NOT_FOUND. */
fedn_status fedn__shelf_model(fedn__shelf *shelf, const char *id, fedn__blob **ret,
                              fedn_error *err);

/* "<dir>/partials/<id>"; caller frees. */
char *fedn__shelf_partial_path(const fedn__shelf *shelf, const char *id);

#endif
