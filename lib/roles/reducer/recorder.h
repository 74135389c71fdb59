/* SPDX-License-Identifier: Apache-2.0
 * The one writer of the reducer's record store: tickets of changes, applied in order on a worker,
 * all that wait in one transaction. While the store cannot be written (it is locked, its disk full
 * or read-only) they wait, and it is tried again with pauses that grow. Loop thread only. */
#ifndef FEDN__ROLES_REDUCER_RECORDER_H
#define FEDN__ROLES_REDUCER_RECORDER_H

#include "rpc/loop.h"
#include "store/records.h"

typedef struct fedn__recorder fedn__recorder;
typedef struct fedn__ticket fedn__ticket; /* changes that are applied together */

enum {
    FEDN__RECORD_PUT,
    FEDN__RECORD_PATCH,    /* members are set in what is there, or make a new record */
    FEDN__RECORD_LEAVE,    /* the same, unless the record says another "combiner" */
    FEDN__RECORD_RENAME,   /* the same; others of the kind with the same "name" are removed */
    FEDN__RECORD_ACTIVATE, /* the same, as the one of its kind that is "active" */
    FEDN__RECORD_OFFLINE,  /* every online client of the combiner named `id` (NULL: of all) */
    FEDN__RECORD_REMOVE    /* without a document; of an absent record: nothing */
};

/* On the loop; `err` is valid during the call. The ticket is gone after it. */
typedef void (*fedn__ticket_fn)(void *user_data, fedn_status status, const fedn_error *err);

/* Any thread. `done` NULL: a failure is logged. NULL: out of memory. */
fedn__ticket *fedn__ticket_new(fedn__ticket_fn done, void *user_data);
/* Any thread, before the ticket is submitted. Takes over `document`; running out of memory (a NULL
 * document too) makes the ticket fail as a whole. A NULL ticket takes it over as well. */
void fedn__ticket_add(fedn__ticket *ticket, int32_t op, int32_t kind, const char *id,
                      json_t *document);
/* What it stands for could not even be begun: it fails with FEDN_ERR_NOMEM. NULL allowed. */
void fedn__ticket_break(fedn__ticket *ticket);

typedef struct fedn__recorder_options {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__store *store;
    const fedn__log *log;
    void (*settled)(void *user_data); /* after the tickets of one transaction were told */
    void *user_data;
} fedn__recorder_options;

fedn_status fedn__recorder_new(const fedn__recorder_options *options, fedn__recorder **ret,
                               fedn_error *err);
/* What waits is tried once more, and fails if the store cannot be written. */
void fedn__recorder_close(fedn__recorder *recorder);
void fedn__recorder_free(fedn__recorder *recorder); /* must be idle; NULL allowed */
/* Takes the ticket over. NULL (out of memory when it was made) is logged. */
void fedn__recorder_submit(fedn__recorder *recorder, fedn__ticket *ticket);
/* The same for who wants to know it if the store cannot be written, instead of waiting for it. */
void fedn__recorder_try(fedn__recorder *recorder, fedn__ticket *ticket);
int32_t fedn__recorder_is_idle(const fedn__recorder *recorder);
/* Changes that wait or are being written. */
uint64_t fedn__recorder_backlog(const fedn__recorder *recorder);

#endif
