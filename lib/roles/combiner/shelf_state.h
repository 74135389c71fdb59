/* SPDX-License-Identifier: Apache-2.0
 * The inside of the shelf, shared by its files and nobody else. */
#ifndef FEDN__ROLES_COMBINER_SHELF_STATE_H
#define FEDN__ROLES_COMBINER_SHELF_STATE_H

#include "core/map.h"
#include "roles/combiner/shelf.h"

/* Global models: the round's, those of validations and predictions, and in an asynchronous session
 * the older ones that updates may start from. */
#define MODELS_KEPT 6
#define MODELS_ROOM (MODELS_KEPT + FEDN__LIMIT_STALENESS)

enum { UPDATE_RECEIVING, UPDATE_WAITING, UPDATE_FOLDING, UPDATE_KEPT };

typedef struct fedn__shelf_update {
    struct fedn__shelf_update *next; /* of those that wait, oldest first */
    struct fedn__shelf_update *previous;
    char id[FEDN__UUID_TEXT];
    char *owner;
    char *description; /* NULL: none */
    char *path;        /* of a large one */
    fedn__blob *blob;  /* NULL while it is being received */
    int32_t state;
    int32_t in_file;
    uint64_t bytes; /* once it is complete */
    int64_t stored_ms;
    int32_t kept;            /* as long as its round */
    uint64_t epoch;          /* of its round, counted by retiring */
    int32_t receiving_again; /* while it is kept: only to be compared */
    int32_t came_again;
    uint8_t again[FEDN__DIGEST_BYTES]; /* digest of what came */
} fedn__shelf_update;

typedef struct fedn__shelf_model_entry {
    char id[FEDN__UUID_TEXT];
    char *path;
    fedn__blob *blob;
} fedn__shelf_model_entry;

struct fedn__shelf {
    char *dirs[3]; /* updates, models, partials */
    int lock_fd;
    fedn__shelf_limits limits;
    fedn__map updates;
    fedn__shelf_update *oldest; /* of those that wait */
    fedn__shelf_update *newest;
    uint32_t receiving;
    uint32_t waiting;
    uint64_t epoch;
    int32_t holds;                    /* the bytes of what is kept */
    uint64_t bytes;                   /* of all updates that are complete */
    uint64_t kept_bytes;              /* of those that are kept and not retired */
    char partial_id[FEDN__UUID_TEXT]; /* one of before that the sweep leaves; "": none */
    char pins[FEDN__LIMIT_STALENESS + 1][FEDN__UUID_TEXT]; /* models that stay */
    uint32_t pin_count;
    uint32_t models_kept;
    fedn__shelf_model_entry models[MODELS_ROOM]; /* used last first */
};

enum { UPDATES_DIR, MODELS_DIR, PARTIALS_DIR };

/* Makes an entry that is being received. */
fedn_status fedn__shelf_add_update(fedn__shelf *shelf, const char *id, const char *owner,
                                   fedn_error *err);
/* FEDN_ERR_UNAVAILABLE: limits.max_bytes are used up. */
fedn_status fedn__shelf_has_room(fedn__shelf *shelf, fedn_error *err);
/* With its file. */
void fedn__shelf_discard(fedn__shelf *shelf, fedn__shelf_update *u);
/* shelf_keep.c: one that is kept comes once more, and has come (`blob` NULL: has not). */
fedn_status fedn__shelf_accept_again(fedn__shelf *shelf, fedn__shelf_update *u, char **ret_path,
                                     fedn_error *err);
fedn_status fedn__shelf_stored_again(fedn__shelf *shelf, fedn__shelf_update *u, fedn__blob *blob,
                                     fedn_error *err);
/* The file of one that came again. */
void fedn__shelf_remove_again(const fedn__shelf *shelf, const char *id);
/* shelf_models.c: at the end; the files stay for the next process. */
void fedn__shelf_models_done(fedn__shelf *shelf);

#endif
