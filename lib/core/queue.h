/* SPDX-License-Identifier: Apache-2.0
 * A bounded queue of pointers between threads; waiting has a deadline. */
#ifndef FEDN__CORE_QUEUE_H
#define FEDN__CORE_QUEUE_H

#include <fedn/error.h>

typedef struct fedn__queue fedn__queue;

fedn_status fedn__queue_new(uint64_t limit, fedn__queue **ret, fedn_error *err);
void fedn__queue_free(fedn__queue *queue); /* must be empty or its items released by the caller */
/* FEDN_ERR_LIMIT full; FEDN_ERR_CANCELLED closed. Never blocks. */
fedn_status fedn__queue_push(fedn__queue *queue, void *item);
/* Waits until `deadline_ns` (monotonic; INT64_MAX for ever; 0 looks only).
 * FEDN_ERR_TIMEOUT; FEDN_ERR_CANCELLED closed and empty. */
fedn_status fedn__queue_pop(fedn__queue *queue, int64_t deadline_ns, void **ret);
void fedn__queue_close(fedn__queue *queue); /* wakes every waiter */
uint64_t fedn__queue_count(fedn__queue *queue);

#endif
