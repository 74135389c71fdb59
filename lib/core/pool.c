/* SPDX-License-Identifier: Apache-2.0
 * A fixed pool of standing worker threads. */
#include "core/pool.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/thread.h"
#include <assert.h>

struct fedn__pool {
    pthread_mutex_t mutex; /* guards all below, and every lane used with the pool */
    pthread_cond_t cond;
    fedn__job *head; /* jobs without a lane */
    fedn__job **tail;
    fedn__lane *lanes; /* lanes with a job ready and none running */
    fedn__lane **lanes_tail;
    int32_t stopping;
    int32_t lane_turn; /* lanes and loose jobs take turns: neither starves the other */
    uint32_t threads;
    pthread_t ids[];
};

static void lane_ready(fedn__pool *pool, fedn__lane *lane)
{
    lane->next = NULL;
    *pool->lanes_tail = lane;
    pool->lanes_tail = &lane->next;
}

static fedn__job *take_from_lane(fedn__pool *pool, fedn__lane **ret_lane)
{
    fedn__lane *lane = pool->lanes;
    pool->lanes = lane->next;
    if (!pool->lanes)
        pool->lanes_tail = &pool->lanes;
    fedn__job *job = lane->head;
    lane->head = job->next;
    if (!lane->head)
        lane->tail = &lane->head;
    *ret_lane = lane;
    return job;
}

static fedn__job *take(fedn__pool *pool, fedn__lane **ret_lane)
{
    *ret_lane = NULL;
    if (pool->lanes && (!pool->head || (pool->lane_turn ^= 1)))
        return take_from_lane(pool, ret_lane);
    fedn__job *job = pool->head;
    if (job) {
        pool->head = job->next;
        if (!pool->head)
            pool->tail = &pool->head;
    }
    return job;
}

static void *work(void *arg)
{
    fedn__pool *pool = arg;

    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        fedn__lane *lane = NULL;
        fedn__job *job = take(pool, &lane);
        if (!job) {
            if (pool->stopping)
                break;
            pthread_cond_wait(&pool->cond, &pool->mutex);
            continue;
        }
        pthread_mutex_unlock(&pool->mutex);
        job->fn(job);
        pthread_mutex_lock(&pool->mutex);
        if (lane) {
            lane->busy = 0;
            if (lane->head) {
                lane->busy = 1;
                lane_ready(pool, lane);
                pthread_cond_signal(&pool->cond);
            }
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

fedn_status fedn__pool_new(uint32_t threads, const char *name, fedn__pool **ret, fedn_error *err)
{
    assert(threads > 0);
    *ret = NULL;
    fedn__pool *pool = fedn__alloc_zero(sizeof *pool + threads * sizeof pool->ids[0]);
    if (!pool)
        return fedn__error_nomem(err);
    pthread_mutex_init(&pool->mutex, NULL);
    fedn__cond_init(&pool->cond);
    pool->tail = &pool->head;
    pool->lanes_tail = &pool->lanes;
    for (uint32_t i = 0; i < threads; i++) {
        fedn_status rc = fedn__thread_start(&pool->ids[i], name, work, pool, err);
        if (rc != FEDN_OK) {
            fedn__pool_free(pool);
            return rc;
        }
        pool->threads++;
    }
    *ret = pool;
    return FEDN_OK;
}

void fedn__pool_submit(fedn__pool *pool, fedn__job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->mutex);
    *pool->tail = job;
    pool->tail = &job->next;
    pthread_cond_signal(&pool->cond);
    pthread_mutex_unlock(&pool->mutex);
}

void fedn__lane_init(fedn__lane *lane)
{
    lane->next = NULL;
    lane->head = NULL;
    lane->tail = &lane->head;
    lane->busy = 0;
}

void fedn__lane_submit(fedn__pool *pool, fedn__lane *lane, fedn__job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->mutex);
    *lane->tail = job;
    lane->tail = &job->next;
    if (!lane->busy) {
        lane->busy = 1;
        lane_ready(pool, lane);
        pthread_cond_signal(&pool->cond);
    }
    pthread_mutex_unlock(&pool->mutex);
}

void fedn__pool_free(fedn__pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = 1;
    pthread_cond_broadcast(&pool->cond);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->threads; i++)
        pthread_join(pool->ids[i], NULL);
    pthread_cond_destroy(&pool->cond);
    pthread_mutex_destroy(&pool->mutex);
    fedn__free(pool);
}
