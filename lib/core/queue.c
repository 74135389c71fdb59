/* SPDX-License-Identifier: Apache-2.0
 * A bounded queue of pointers between threads. */
#include "core/queue.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/thread.h"

struct fedn__queue {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    void **items; /* ring */
    uint64_t limit;
    uint64_t head;
    uint64_t count;
    int32_t closed;
};

fedn_status fedn__queue_new(uint64_t limit, fedn__queue **ret, fedn_error *err)
{
    *ret = NULL;
    fedn__queue *queue = fedn__alloc_zero(sizeof *queue);
    void **items = fedn__alloc_array(limit, sizeof *items);
    if (!queue || !items) {
        fedn__free(items);
        fedn__free(queue);
        return fedn__error_nomem(err);
    }
    pthread_mutex_init(&queue->mutex, NULL);
    fedn__cond_init(&queue->cond);
    queue->items = items;
    queue->limit = limit;
    *ret = queue;
    return FEDN_OK;
}

void fedn__queue_free(fedn__queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->cond);
    pthread_mutex_destroy(&queue->mutex);
    fedn__free(queue->items);
    fedn__free(queue);
}

fedn_status fedn__queue_push(fedn__queue *queue, void *item)
{
    fedn_status rc = FEDN_OK;

    pthread_mutex_lock(&queue->mutex);
    if (queue->closed) {
        rc = FEDN_ERR_CANCELLED;
    } else if (queue->count == queue->limit) {
        rc = FEDN_ERR_LIMIT;
    } else {
        queue->items[(queue->head + queue->count++) % queue->limit] = item;
        pthread_cond_signal(&queue->cond);
    }
    pthread_mutex_unlock(&queue->mutex);
    return rc;
}

fedn_status fedn__queue_pop(fedn__queue *queue, int64_t deadline_ns, void **ret)
{
    fedn_status rc = FEDN_OK;

    *ret = NULL;
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == 0 && !queue->closed && rc == FEDN_OK)
        if (!fedn__cond_wait(&queue->cond, &queue->mutex, deadline_ns))
            rc = FEDN_ERR_TIMEOUT;
    if (queue->count > 0) {
        *ret = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->limit;
        queue->count--;
        rc = FEDN_OK;
    } else if (queue->closed) {
        rc = FEDN_ERR_CANCELLED;
    }
    pthread_mutex_unlock(&queue->mutex);
    return rc;
}

void fedn__queue_close(fedn__queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = 1;
    pthread_cond_broadcast(&queue->cond);
    pthread_mutex_unlock(&queue->mutex);
}

uint64_t fedn__queue_count(fedn__queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    uint64_t count = queue->count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}
