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
    uint64_t max_bytes;   /* of all updates together; 0: as many as the disk takes */
} fedn__shelf_limits;

/* Makes the directory and locks it against other processes. What an earlier process left is there
 * until the sweep. */
fedn_status fedn__shelf_open(const char *dir, const fedn__shelf_limits *limits, fedn__shelf **ret,
                             fedn_error *err);
void fedn__shelf_close(fedn__shelf *shelf);

/* A client begins to upload an update: where to. `owner` is who calls; "" if it did not say. An
 * upload of the same owner under the same id gives way. FEDN_ERR_DENIED: the id is somebody else's;
 * FEDN_ERR_STATE: it is being folded; FEDN_ERR_UNAVAILABLE: too many uploads, or bytes of them.
 * Caller frees the path. */
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
/* An update of this id is being uploaded. */
int32_t fedn__shelf_is_coming(const fedn__shelf *shelf, const char *id);
/* The digest of a complete update's bytes; if it is kept and came once more, of those that came. */
fedn_status fedn__shelf_digest(const fedn__shelf *shelf, const char *id,
                               uint8_t ret[FEDN__DIGEST_BYTES], fedn_error *err);
/* Takes one that passed the check for folding: it stays, the shelf's, until fedn__shelf_folded().
 * Until then the same again. NULL: it has gone, or comes once more, since it was checked. */
fedn__blob *fedn__shelf_take(fedn__shelf *shelf, const char *id);
/* One that is being folded stays as long as its round, see fedn__shelf_retire(); its bytes are let
 * go of, a file of them stays. */
void fedn__shelf_keep(fedn__shelf *shelf, const char *id);
/* From now on the bytes of what is kept stay as well (1), or no longer (0). */
void fedn__shelf_hold(fedn__shelf *shelf, int32_t hold);
/* The bytes of one that is kept and held, a new reference. */
fedn_status fedn__shelf_kept(const fedn__shelf *shelf, const char *id, fedn__blob **ret,
                             fedn_error *err);
/* What its client says of an update, as JSON; one that finds no memory is not described. */
void fedn__shelf_describe(fedn__shelf *shelf, const char *id, const char *text);
const char *fedn__shelf_description(const fedn__shelf *shelf, const char *id); /* NULL: none */
/* It is folded, or cannot be: one that is not kept goes. */
void fedn__shelf_folded(fedn__shelf *shelf, const char *id);
/* Removes a complete update that is neither kept nor being folded. */
void fedn__shelf_drop(fedn__shelf *shelf, const char *id);
/* The round of those that are kept is over: they go with fedn__shelf_forget() of what this returns.
 */
uint64_t fedn__shelf_retire(fedn__shelf *shelf);
/* Of those that are kept and not retired. */
uint64_t fedn__shelf_kept_bytes(const fedn__shelf *shelf);
void fedn__shelf_forget(fedn__shelf *shelf, uint64_t retired);

/* What an earlier process kept is kept again, an update as if it had passed the check. `blob` NULL:
 * it is in its file. FEDN_ERR_IO, FEDN_ERR_NOT_FOUND: there is none. */
fedn_status fedn__shelf_adopt(fedn__shelf *shelf, const char *id, const char *owner,
                              fedn__blob *blob, fedn_error *err);
fedn_status fedn__shelf_adopt_model(fedn__shelf *shelf, const char *id, fedn__blob *blob,
                                    const uint8_t digest[FEDN__DIGEST_BYTES], fedn_error *err);
void fedn__shelf_adopt_partial(fedn__shelf *shelf, const char *id);
/* Removes every file that nobody knows of. */
fedn_status fedn__shelf_sweep(fedn__shelf *shelf, fedn_error *err);

/* Global models. Path for a download; caller frees. */
char *fedn__shelf_model_path(const fedn__shelf *shelf, const char *id);
/* What was downloaded, a large one to that path; those used last are kept. */
fedn_status fedn__shelf_add_model(fedn__shelf *shelf, const char *id, fedn__blob *blob,
                                  fedn_error *err);
/* These stay, whatever is used besides. */
void fedn__shelf_pin_models(fedn__shelf *shelf, char (*ids)[FEDN__UUID_TEXT], uint32_t count);
/* New reference, or FEDN_ERR_NOT_FOUND. */
fedn_status fedn__shelf_model(fedn__shelf *shelf, const char *id, fedn__blob **ret,
                              fedn_error *err);

/* "<dir>/partials/<id>"; caller frees. */
char *fedn__shelf_partial_path(const fedn__shelf *shelf, const char *id);

#endif
