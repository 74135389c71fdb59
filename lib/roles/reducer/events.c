/* SPDX-License-Identifier: Apache-2.0
 * A ring of event lines with a condition. */
#include "roles/reducer/events.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include "core/thread.h"
#include <string.h>

typedef struct slot {
    char *line; /* NULL: lost */
    char *session_id;
    uint64_t bytes;
} slot;

struct fedn__events {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    slot slots[FEDN__LIMIT_EVENTS]; /* event n is at n % FEDN__LIMIT_EVENTS */
    uint64_t first;                 /* number of the oldest that is kept */
    uint64_t next;
    uint64_t bytes;
    int32_t closed;
};

fedn_status fedn__events_new(fedn__events **ret, fedn_error *err)
{
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return fedn__error_nomem(err);
    pthread_mutex_init(&(*ret)->mutex, NULL);
    fedn__cond_init(&(*ret)->cond);
    (*ret)->first = 1;
    (*ret)->next = 1;
    return FEDN_OK;
}

static void drop_oldest(fedn__events *events)
{
    slot *oldest = &events->slots[events->first++ % FEDN__LIMIT_EVENTS];

    events->bytes -= oldest->bytes;
    fedn__free(oldest->line);
    fedn__free(oldest->session_id);
    *oldest = (slot){0};
}

void fedn__events_free(fedn__events *events)
{
    if (!events)
        return;
    while (events->first < events->next)
        drop_oldest(events);
    pthread_cond_destroy(&events->cond);
    pthread_mutex_destroy(&events->mutex);
    fedn__free(events);
}

char *fedn__events_line(uint64_t seq, json_t *event)
{
    char time[FEDN__TIME_TEXT];
    char *text = NULL;
    char *line = NULL;

    fedn__text_iso_time(fedn__clock_wall_us(), time);
    if (event && json_object_set_new(event, "seq", json_integer((json_int_t)seq)) == 0 &&
        json_object_set_new(event, "time", json_string(time)) == 0)
        text = fedn__json_text(event);
    if (text)
        line = fedn__strf("%s\n", text);
    fedn__free(text);
    json_decref(event);
    return line;
}

void fedn__events_add(fedn__events *events, const char *session_id, json_t *event)
{
    pthread_mutex_lock(&events->mutex);
    char *line = fedn__events_line(events->next, event);
    slot fresh = {line, fedn__strdup(session_id), line ? strlen(line) : 0};
    if (line && session_id && !fresh.session_id) {
        fedn__free(line);
        fresh = (slot){0};
    }
    if (events->next - events->first == FEDN__LIMIT_EVENTS)
        drop_oldest(events);
    events->slots[events->next++ % FEDN__LIMIT_EVENTS] = fresh;
    events->bytes += fresh.bytes;
    while (events->bytes > FEDN__LIMIT_EVENT_BYTES)
        drop_oldest(events);
    pthread_cond_broadcast(&events->cond);
    pthread_mutex_unlock(&events->mutex);
}

uint64_t fedn__events_last(fedn__events *events)
{
    pthread_mutex_lock(&events->mutex);
    uint64_t last = events->next - 1;
    pthread_mutex_unlock(&events->mutex);
    return last;
}

/* The first wanted one, or NULL. */
static const slot *seek(const fedn__events *events, const char *session_id, uint64_t *after)
{
    while (*after + 1 < events->next) {
        const slot *found = &events->slots[++*after % FEDN__LIMIT_EVENTS];
        if (found->line &&
            (!session_id || !found->session_id || strcmp(session_id, found->session_id) == 0))
            return found;
    }
    return NULL;
}

fedn_status fedn__events_wait(fedn__events *events, const char *session_id, int64_t deadline_ns,
                              uint64_t *after, char **ret)
{
    const slot *found = NULL;
    fedn_status rc = FEDN_ERR_TIMEOUT;
    int32_t woken = 1;

    *ret = NULL;
    pthread_mutex_lock(&events->mutex);
    do {
        if (*after + 1 < events->first)
            rc = FEDN_ERR_LIMIT;
        else if ((found = seek(events, session_id, after)) != NULL)
            rc = (*ret = fedn__strdup(found->line)) ? FEDN_OK : FEDN_ERR_NOMEM;
        else if (events->closed)
            rc = FEDN_ERR_CANCELLED;
        else if (woken)
            woken = fedn__cond_wait(&events->cond, &events->mutex, deadline_ns);
        else
            break;
    } while (rc == FEDN_ERR_TIMEOUT);
    pthread_mutex_unlock(&events->mutex);
    return rc;
}

void fedn__events_close(fedn__events *events)
{
    pthread_mutex_lock(&events->mutex);
    events->closed = 1;
    pthread_cond_broadcast(&events->cond);
    pthread_mutex_unlock(&events->mutex);
}
