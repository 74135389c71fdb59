/* SPDX-License-Identifier: Apache-2.0
 * What the recorder and its transactions share: tickets from the inside. */
#ifndef FEDN__ROLES_REDUCER_BATCH_H
#define FEDN__ROLES_REDUCER_BATCH_H

#include "roles/reducer/recorder.h"

typedef struct fedn__entry {
    struct fedn__entry *next;
    int32_t op;
    int32_t kind;
    char *id;
    json_t *document;
} fedn__entry;

struct fedn__ticket {
    fedn__ticket *next;
    fedn__entry *first;
    fedn__entry **last;
    uint32_t count;
    int32_t broken; /* memory ran out while it was filled */
    int32_t brief;  /* fails with the store, see fedn__recorder_try() */
    fedn__ticket_fn done;
    void *user_data;
    fedn_status status;
    fedn_error err;
};

/* The tickets from `first` up to `end` (NULL: all), in one transaction. */
fedn_status fedn__batch_write(fedn__store *store, fedn__ticket *first, const fedn__ticket *end,
                              fedn_error *err);

#endif
