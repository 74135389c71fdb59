/* SPDX-License-Identifier: Apache-2.0
 * The endless answer of events: the present state first, then each event as it happens. */
#include "roles/reducer/api/api.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <fedn/version.h>
#include <string.h>

#define TICK_MS 15000 /* of silence */
#define TURN_MS 1000  /* after which the server is asked whether it ends */

typedef struct event_reader {
    fedn__reducer_service *service;
    char *session_id; /* NULL: all */
    uint64_t after;
    char *text; /* lines that wait to be sent, and how much of them was */
    uint64_t sent;
    int64_t heard_ms;
} event_reader;

/* Appends a line to what waits; takes it over. */
static int32_t add_line(event_reader *follower, char *line)
{
    char *both = line && follower->text ? fedn__strf("%s%s", follower->text, line) : NULL;

    if (line && !follower->text) {
        follower->text = line;
        return 1;
    }
    fedn__free(line);
    if (!both)
        return 0;
    fedn__free(follower->text);
    follower->text = both;
    return 1;
}

static int32_t add_state(event_reader *follower)
{
    char *state = NULL;
    fedn_status rc =
        fedn__service_snapshot(follower->service, follower->session_id, &state, &follower->after);

    return rc == FEDN_OK && add_line(follower, state);
}

static int32_t add_event(event_reader *follower, const char *type)
{
    return add_line(follower, fedn__events_line(follower->after, json_pack("{s:s}", "type", type)));
}

/* Waits for something to send; 0: nothing within the turn, -1: the end. */
static int32_t fetch(event_reader *follower)
{
    int64_t now = fedn__clock_ms();
    int64_t turn = now + TURN_MS;
    int64_t tick = follower->heard_ms + TICK_MS;
    fedn_status rc =
        fedn__events_wait(follower->service->events, follower->session_id,
                          (turn < tick ? turn : tick) * 1000000, &follower->after, &follower->text);

    if (rc == FEDN_ERR_LIMIT) /* the reader was too slow, or away */
        return add_event(follower, "gap") && add_state(follower) ? 1 : -1;
    if (rc == FEDN_ERR_TIMEOUT)
        return fedn__clock_ms() < tick ? 0 : add_event(follower, "tick") ? 1 : -1;
    return rc == FEDN_OK ? 1 : -1;
}

static int64_t next(void *state, char *to, uint64_t room, const _Atomic int32_t *stopping)
{
    event_reader *follower = state;

    if (*stopping)
        return -1;
    if (!follower->text) {
        int32_t got = fetch(follower);
        if (got <= 0)
            return got;
        follower->heard_ms = fedn__clock_ms();
    }
    uint64_t bytes = strlen(follower->text) - follower->sent;
    if (bytes > room)
        bytes = room;
    memcpy(to, follower->text + follower->sent, (size_t)bytes);
    follower->sent += bytes;
    if (!follower->text[follower->sent]) {
        fedn__free(follower->text);
        follower->text = NULL;
        follower->sent = 0;
    }
    return (int64_t)bytes;
}

static void done(void *state)
{
    event_reader *follower = state;

    fedn__free(follower->session_id);
    fedn__free(follower->text);
    fedn__free(follower);
}

static event_reader *new_follower(fedn__reducer_service *service, const char *session_id,
                                  uint64_t after)
{
    event_reader *fresh = fedn__alloc_zero(sizeof *fresh);
    char since[FEDN__TIME_TEXT];

    fedn__text_iso_time(service->began_us, since);
    json_t *hello = json_pack("{s:s, s:s, s:s}", "type", "hello", "version", fedn_version_string(),
                              "since", since);
    if (!fresh) {
        json_decref(hello);
        return NULL;
    }
    fresh->service = service;
    fresh->after = after;
    fresh->heard_ms = fedn__clock_ms();
    fresh->session_id = fedn__strdup(session_id);
    int32_t ok =
        add_line(fresh, fedn__events_line(after, hello)) && (!session_id || fresh->session_id);
    /* a number that is not reached yet is of a reducer before this one */
    if (ok && after > fedn__events_last(service->events))
        ok = add_event(fresh, "gap") && add_state(fresh);
    else if (ok && after == 0)
        ok = add_state(fresh);
    if (ok)
        return fresh;
    done(fresh);
    return NULL;
}

void fedn__api_events(void *service, const fedn__http_request *request,
                      fedn__http_response *response)
{
    const char *text = fedn__http_query(request, "after");
    const char *session_id = fedn__http_query(request, "session_id");
    uint64_t after = 0;
    event_reader *follower = NULL;
    fedn_error err = {0};

    if (text && *text && !fedn__text_to_u64(text, &after)) {
        fedn__http_reply_error(response,
                               fedn__error(&err, FEDN_ERR_INVALID,
                                           "after is \"%.32s\": not the number of an event", text),
                               &err);
        return;
    }
    follower = new_follower(service, session_id && *session_id ? session_id : NULL, after);
    if (!follower)
        fedn__http_reply_error(response, fedn__error_nomem(&err), &err);
    else
        fedn__http_reply_stream(response, "application/x-ndjson", next, done, follower);
}
