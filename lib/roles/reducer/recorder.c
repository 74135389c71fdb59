/* SPDX-License-Identifier: Apache-2.0
 * Writing records: one transaction at a time, with everything that came meanwhile in the next. */
#include "roles/reducer/batch.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/owner.h"
#include <assert.h>
#include <string.h>

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000

struct fedn__recorder {
    fedn__recorder_options options;
    fedn__lane lane;
    fedn__work work;
    int32_t busy;
    fedn__ticket *waiting;
    fedn__ticket **waiting_last;
    fedn__ticket *writing; /* the worker's while busy */
    uint64_t backlog;
    fedn__timer timer; /* the next try at a store that cannot be written */
    int64_t pause_ms;  /* before it; 0: the store is fine */
    int32_t resting;   /* until the timer fires */
    int32_t closing;
};

fedn__ticket *fedn__ticket_new(fedn__ticket_fn done, void *user_data)
{
    fedn__ticket *ticket = fedn__alloc_zero(sizeof *ticket);

    if (ticket) {
        ticket->last = &ticket->first;
        ticket->done = done;
        ticket->user_data = user_data;
    }
    return ticket;
}

static void ticket_free(fedn__ticket *ticket)
{
    while (ticket->first) {
        fedn__entry *item = ticket->first;
        ticket->first = item->next;
        json_decref(item->document);
        fedn__free(item->id);
        fedn__free(item);
    }
    fedn__free(ticket);
}

void fedn__ticket_add(fedn__ticket *ticket, int32_t op, int32_t kind, const char *id,
                      json_t *document)
{
    fedn__entry *item = ticket ? fedn__alloc_zero(sizeof *item) : NULL;

    if (item)
        item->id = fedn__strdup(id);
    if (!item || (id && !item->id) || (op < FEDN__RECORD_OFFLINE && !document)) {
        json_decref(document);
        if (item)
            fedn__free(item->id);
        fedn__free(item);
        if (ticket)
            ticket->broken = 1;
        return;
    }
    item->op = op;
    item->kind = kind;
    item->document = document;
    *ticket->last = item;
    ticket->last = &item->next;
    ticket->count++;
}

void fedn__ticket_break(fedn__ticket *ticket)
{
    if (ticket)
        ticket->broken = 1;
}

static fedn__recorder *of_work(fedn__work *work)
{
    return FEDN__OWNER(work, fedn__recorder, work);
}

/* The store as a whole, and not what was to be written. */
static int32_t is_fault(fedn_status status, const fedn_error *err)
{
    return err->detail != 0 && (status == FEDN_ERR_STATE || status == FEDN_ERR_LIMIT ||
                                status == FEDN_ERR_DENIED || status == FEDN_ERR_STORE);
}

/* On a worker. What fails together is tried one by one, so that a bad ticket stands alone; behind a
 * fault of the store nothing is tried, so that the order stays. */
static void on_work(fedn__work *work)
{
    fedn__recorder *recorder = of_work(work);
    fedn__ticket *first = recorder->writing;
    fedn_error err = {0};
    fedn_status rc = fedn__batch_write(recorder->options.store, first, NULL, &err);
    int32_t alone = rc != FEDN_OK && first->next && !is_fault(rc, &err);

    for (fedn__ticket *ticket = first; ticket; ticket = ticket->next) {
        if (alone) {
            err = (fedn_error){0};
            rc = fedn__batch_write(recorder->options.store, ticket, ticket->next, &err);
            alone = rc == FEDN_OK || !is_fault(rc, &err);
        }
        ticket->status = rc;
        ticket->err = err;
    }
}

static void write_next(fedn__recorder *recorder)
{
    if (recorder->busy || recorder->resting || !recorder->waiting)
        return;
    recorder->busy = 1;
    recorder->writing = recorder->waiting;
    recorder->waiting = NULL;
    recorder->waiting_last = &recorder->waiting;
    fedn__work_submit(&recorder->work, recorder->options.loop, recorder->options.pool,
                      &recorder->lane);
}

static void on_timer(fedn__timer *timer, void *user_data)
{
    fedn__recorder *recorder = user_data;

    (void)timer;
    recorder->resting = 0;
    write_next(recorder);
}

/* Each fault is said once. */
static void rest(fedn__recorder *recorder, const fedn_error *why)
{
    if (recorder->pause_ms == 0)
        fedn__log_write(recorder->options.log, FEDN_LOG_ERROR, "reducer",
                        "%s; nothing is acknowledged until it is written, trying again",
                        why->message);
    recorder->pause_ms = recorder->pause_ms == 0 ? PAUSE_MIN_MS : 2 * recorder->pause_ms;
    if (recorder->pause_ms > PAUSE_MAX_MS)
        recorder->pause_ms = PAUSE_MAX_MS;
    recorder->resting =
        fedn__loop_timer_set(recorder->options.loop, &recorder->timer,
                             fedn__clock_ns() + recorder->pause_ms * 1000000) == FEDN_OK;
}

static void recovered(fedn__recorder *recorder)
{
    if (recorder->pause_ms > 0)
        fedn__log_write(recorder->options.log, FEDN_LOG_INFO, "reducer",
                        "the store is written again");
    recorder->pause_ms = 0;
}

/* Tickets that the store could not take wait once more, before all that came since; the others
 * are left to be told. */
static fedn__ticket *set_aside(fedn__recorder *recorder, fedn__ticket *ticket)
{
    fedn__ticket *told = NULL;
    fedn__ticket **told_last = &told;
    fedn__ticket *kept = NULL;
    fedn__ticket **kept_last = &kept;
    const fedn_error *why = NULL;

    for (fedn__ticket *next = NULL; ticket; ticket = next) {
        int32_t keep = is_fault(ticket->status, &ticket->err);
        next = ticket->next;
        ticket->next = NULL;
        if (keep)
            why = &ticket->err;
        keep = keep && !ticket->brief && !recorder->closing;
        *(keep ? kept_last : told_last) = ticket;
        *(keep ? &kept_last : &told_last) = &ticket->next;
    }
    if (kept) {
        if (!recorder->waiting)
            recorder->waiting_last = kept_last;
        *kept_last = recorder->waiting;
        recorder->waiting = kept;
    }
    if (!why)
        recovered(recorder);
    else if (kept)
        rest(recorder, why);
    return told;
}

static void tell(fedn__recorder *recorder, fedn__ticket *ticket)
{
    recorder->backlog -= ticket->count;
    if (ticket->done)
        ticket->done(ticket->user_data, ticket->status, &ticket->err);
    else if (ticket->status != FEDN_OK)
        fedn__log_write(recorder->options.log, FEDN_LOG_ERROR, "reducer",
                        "%u records could not be written: %s", (unsigned)ticket->count,
                        ticket->err.message);
    ticket_free(ticket);
}

static void on_done(fedn__work *work)
{
    fedn__recorder *recorder = of_work(work);
    fedn__ticket *ticket = set_aside(recorder, recorder->writing);

    recorder->writing = NULL;
    recorder->busy = 0;
    write_next(recorder); /* the disk does not wait for those who are told */
    while (ticket) {
        fedn__ticket *next = ticket->next;
        tell(recorder, ticket);
        ticket = next;
    }
    recorder->options.settled(recorder->options.user_data);
}

fedn_status fedn__recorder_new(const fedn__recorder_options *options, fedn__recorder **ret,
                               fedn_error *err)
{
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return fedn__error_nomem(err);
    (*ret)->options = *options;
    (*ret)->waiting_last = &(*ret)->waiting;
    (*ret)->work.work = on_work;
    (*ret)->work.done = on_done;
    (*ret)->timer.fn = on_timer;
    (*ret)->timer.user_data = *ret;
    fedn__lane_init(&(*ret)->lane);
    return FEDN_OK;
}

void fedn__recorder_close(fedn__recorder *recorder)
{
    recorder->closing = 1;
    recorder->resting = 0;
    fedn__loop_timer_cancel(recorder->options.loop, &recorder->timer);
    write_next(recorder);
}

void fedn__recorder_free(fedn__recorder *recorder)
{
    if (!recorder)
        return;
    assert(fedn__recorder_is_idle(recorder));
    fedn__free(recorder);
}

void fedn__recorder_submit(fedn__recorder *recorder, fedn__ticket *ticket)
{
    if (!ticket) {
        fedn__log_write(recorder->options.log, FEDN_LOG_ERROR, "reducer",
                        "records are lost: out of memory");
        return;
    }
    ticket->next = NULL;
    *recorder->waiting_last = ticket;
    recorder->waiting_last = &ticket->next;
    recorder->backlog += ticket->count;
    write_next(recorder);
}

void fedn__recorder_try(fedn__recorder *recorder, fedn__ticket *ticket)
{
    if (ticket)
        ticket->brief = 1;
    fedn__recorder_submit(recorder, ticket);
}

int32_t fedn__recorder_is_idle(const fedn__recorder *recorder)
{
    return !recorder->busy && !recorder->waiting;
}

uint64_t fedn__recorder_backlog(const fedn__recorder *recorder)
{
    return recorder->backlog;
}
