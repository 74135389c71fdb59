/* SPDX-License-Identifier: Apache-2.0
 * Writing records: one transaction at a time, with everything that came meanwhile in the next. */
#include "roles/reducer/recorder.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/map.h"
#include "core/owner.h"
#include "core/text.h"
#include <assert.h>
#include <string.h>

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000

typedef struct entry {
    struct entry *next;
    int32_t op;
    int32_t kind;
    char *id;
    json_t *document;
} entry;

struct fedn__ticket {
    fedn__ticket *next;
    entry *first;
    entry **last;
    uint32_t count;
    int32_t broken; /* memory ran out while it was filled */
    int32_t brief;  /* fails with the store, see fedn__recorder_try() */
    fedn__ticket_fn done;
    void *user_data;
    fedn_status status;
    fedn_error err;
};

/* Changes of one transaction: the newest document of each record. */
typedef struct transaction {
    fedn__map places; /* "kind/id" to the change's number, from 1 */
    fedn__change *changes;
    json_t **documents; /* of the changes; references */
    char **ids;
    uint32_t count;
    uint32_t capacity;
} transaction;

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
        entry *item = ticket->first;
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
    entry *item = ticket ? fedn__alloc_zero(sizeof *item) : NULL;

    if (item)
        item->id = fedn__strdup(id);
    if (!item || (id && !item->id) || (op != FEDN__RECORD_OFFLINE && !document)) {
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

static void batch_done(transaction *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        json_decref(batch->documents[i]);
        fedn__free(batch->ids[i]);
    }
    fedn__free(batch->documents);
    fedn__free(batch->ids);
    fedn__free(batch->changes);
    fedn__map_done(&batch->places);
}

static fedn_status batch_grow(transaction *batch)
{
    uint64_t capacity = batch->capacity ? (uint64_t)batch->capacity * 2 : 16;

    if (batch->count < batch->capacity)
        return FEDN_OK;
    void *grown = fedn__realloc_array(batch->changes, capacity, sizeof *batch->changes);
    if (!grown)
        return FEDN_ERR_NOMEM;
    batch->changes = grown;
    grown = fedn__realloc_array(batch->documents, capacity, sizeof *batch->documents);
    if (!grown)
        return FEDN_ERR_NOMEM;
    batch->documents = grown;
    grown = fedn__realloc_array(batch->ids, capacity, sizeof *batch->ids);
    if (!grown)
        return FEDN_ERR_NOMEM;
    batch->ids = grown;
    batch->capacity = (uint32_t)capacity;
    return FEDN_OK;
}

static char *place_key(int32_t kind, const char *id)
{
    return fedn__strf("%d/%s", (int)kind, id);
}

static json_t *batch_find(transaction *batch, int32_t kind, const char *id, uint32_t *ret_place)
{
    char *key = place_key(kind, id);
    uintptr_t place = key ? (uintptr_t)fedn__map_get(&batch->places, key) : 0;

    fedn__free(key);
    *ret_place = (uint32_t)place;
    return place ? batch->documents[place - 1] : NULL;
}

/* Takes over `document`. */
static fedn_status batch_put(transaction *batch, int32_t kind, const char *id, json_t *document)
{
    uint32_t place = 0;
    char *key = NULL;
    char *copy = NULL;
    fedn_status rc = FEDN_ERR_NOMEM;

    batch_find(batch, kind, id, &place);
    if (place) {
        json_decref(batch->documents[place - 1]);
        batch->documents[place - 1] = document;
        batch->changes[place - 1].document = document;
        return FEDN_OK;
    }
    key = place_key(kind, id);
    copy = fedn__strdup(id);
    if (!key || !copy || batch_grow(batch) != FEDN_OK)
        goto out;
    rc = fedn__map_set(&batch->places, key, (void *)(uintptr_t)(batch->count + 1));
    if (rc != FEDN_OK)
        goto out;
    batch->changes[batch->count] = (fedn__change){kind, copy, document};
    batch->documents[batch->count] = document;
    batch->ids[batch->count++] = copy;
    copy = NULL;
    document = NULL;
out:
    json_decref(document);
    fedn__free(copy);
    fedn__free(key);
    return rc;
}

static fedn_status stamp(json_t *document)
{
    char text[FEDN__TIME_TEXT];

    fedn__text_iso_time(fedn__clock_wall_us(), text);
    if (!json_object_get(document, "committed_at") &&
        json_object_set_new(document, "committed_at", json_string(text)) != 0)
        return FEDN_ERR_NOMEM;
    return json_object_set_new(document, "updated_at", json_string(text)) == 0 ? FEDN_OK
                                                                               : FEDN_ERR_NOMEM;
}

static fedn_status add_put(transaction *batch, const entry *item, fedn_error *err)
{
    if (stamp(item->document) != FEDN_OK ||
        batch_put(batch, item->kind, item->id, json_incref(item->document)) != FEDN_OK)
        return fedn__error_nomem(err);
    return FEDN_OK;
}

static fedn_status add_patch(fedn__recorder *recorder, transaction *batch, const entry *item,
                             fedn_error *err)
{
    uint32_t place = 0;
    json_t *found = batch_find(batch, item->kind, item->id, &place);
    json_t *document = NULL;

    if (found) {
        json_incref(found);
    } else {
        fedn_status rc =
            fedn__store_get(recorder->options.store, item->kind, item->id, &found, err);
        if (rc == FEDN_ERR_NOT_FOUND)
            return add_put(batch, item, err);
        if (rc != FEDN_OK)
            return rc;
    }
    if (item->op == FEDN__RECORD_LEAVE &&
        strcmp(fedn__json_string(found, "combiner", ""),
               fedn__json_string(item->document, "combiner", "")) != 0) {
        json_decref(found);
        return FEDN_OK;
    }
    document = json_copy(found);
    json_decref(found);
    if (!document || json_object_update(document, item->document) != 0 ||
        stamp(document) != FEDN_OK) {
        json_decref(document);
        return fedn__error_nomem(err);
    }
    return batch_put(batch, item->kind, item->id, document) == FEDN_OK ? FEDN_OK
                                                                       : fedn__error_nomem(err);
}

/* The records that the batch changes itself come first; the store's follow. */
static fedn_status add_offline(fedn__recorder *recorder, transaction *batch, const entry *item,
                               fedn_error *err)
{
    json_t *online = json_string("online");
    json_t *name = item->id ? json_string(item->id) : NULL;
    fedn__filter filters[] = {{"status", FEDN__OP_EQ, online}, {"combiner", FEDN__OP_EQ, name}};
    fedn__query query = {.filters = filters, .filter_count = name ? 2 : 1};
    json_t *found = NULL;
    json_t *client = NULL;
    size_t i = 0;
    fedn_status rc = FEDN_ERR_NOMEM;

    for (uint32_t k = 0; k < batch->count; k++) {
        json_t *document = batch->documents[k];
        if (batch->changes[k].kind == FEDN__KIND_CLIENT &&
            fedn__text_equal(fedn__json_string(document, "status", ""), "online") &&
            (!item->id ||
             fedn__text_equal(fedn__json_string(document, "combiner", ""), item->id)) &&
            json_object_set_new(document, "status", json_string("offline")) != 0)
            goto out;
    }
    if (!online || (item->id && !name))
        goto out;
    rc = fedn__store_list(recorder->options.store, FEDN__KIND_CLIENT, &query, &found, NULL, err);
    if (rc != FEDN_OK)
        goto out;
    json_array_foreach(found, i, client)
    {
        const char *id = fedn__json_string(client, "client_id", "");
        uint32_t place = 0;
        batch_find(batch, FEDN__KIND_CLIENT, id, &place);
        if (place || !*id)
            continue;
        if (json_object_set_new(client, "status", json_string("offline")) != 0 ||
            stamp(client) != FEDN_OK ||
            batch_put(batch, FEDN__KIND_CLIENT, id, json_incref(client)) != FEDN_OK) {
            rc = FEDN_ERR_NOMEM;
            goto out;
        }
    }
out:
    json_decref(found);
    json_decref(online);
    json_decref(name);
    return rc == FEDN_ERR_NOMEM ? fedn__error_nomem(err) : rc;
}

/* Removes the records of the same name under other ids. */
static fedn_status remove_namesakes(fedn__recorder *recorder, transaction *batch, const entry *item,
                                    fedn_error *err)
{
    fedn__filter filter = {"name", FEDN__OP_EQ, json_object_get(item->document, "name")};
    fedn__query query = {.filters = &filter, .filter_count = 1};
    const char *key = fedn__kind_get(item->kind)->key;
    json_t *found = NULL;
    json_t *other = NULL;
    size_t i = 0;
    fedn_status rc =
        fedn__store_list(recorder->options.store, item->kind, &query, &found, NULL, err);

    json_array_foreach(found, i, other)
    {
        const char *id = fedn__json_string(other, key, "");
        if (rc == FEDN_OK && *id && strcmp(id, item->id) != 0 &&
            batch_put(batch, item->kind, id, NULL) != FEDN_OK)
            rc = fedn__error_nomem(err);
    }
    json_decref(found);
    return rc;
}

static fedn_status add_ticket(fedn__recorder *recorder, transaction *batch, fedn__ticket *ticket,
                              fedn_error *err)
{
    fedn_status rc = ticket->broken ? fedn__error_nomem(err) : FEDN_OK;

    for (entry *item = ticket->first; rc == FEDN_OK && item; item = item->next) {
        if (item->op == FEDN__RECORD_PUT)
            rc = add_put(batch, item, err);
        else if (item->op == FEDN__RECORD_OFFLINE)
            rc = add_offline(recorder, batch, item, err);
        else
            rc = add_patch(recorder, batch, item, err);
        if (rc == FEDN_OK && item->op == FEDN__RECORD_RENAME)
            rc = remove_namesakes(recorder, batch, item, err);
    }
    return rc;
}

/* The tickets from `first` up to `end`, in one transaction. */
static fedn_status write(fedn__recorder *recorder, fedn__ticket *first, const fedn__ticket *end,
                         fedn_error *err)
{
    transaction all = {0};
    fedn_status rc = FEDN_OK;

    fedn__map_init(&all.places);
    for (fedn__ticket *ticket = first; rc == FEDN_OK && ticket != end; ticket = ticket->next)
        rc = add_ticket(recorder, &all, ticket, err);
    if (rc == FEDN_OK)
        rc = fedn__store_apply(recorder->options.store, all.changes, all.count, err);
    batch_done(&all);
    return rc;
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
    fedn_status rc = write(recorder, first, NULL, &err);
    int32_t alone = rc != FEDN_OK && first->next && !is_fault(rc, &err);

    for (fedn__ticket *ticket = first; ticket; ticket = ticket->next) {
        if (alone) {
            err = (fedn_error){0};
            rc = write(recorder, ticket, ticket->next, &err);
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
