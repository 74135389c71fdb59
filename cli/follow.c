/* SPDX-License-Identifier: Apache-2.0
 * Following events through the loss of a connection: the same reducer is asked for what came since,
 * another one for its state. */
#include "follow.h"

#include "api.h"
#include "out.h"
#include <string.h>
#include <time.h>

enum { PAUSE_MIN_MS = 200, PAUSE_MAX_MS = 5000, SINCE_BYTES = 48 };

typedef struct following {
    const follow_plan *plan;
    uint64_t after;
    char since[SINCE_BYTES]; /* when the reducer began: tells one from the next; "": none yet */
    int32_t heard;           /* 1: this connection brought something */
    int32_t is_another;      /* 1: numbers of events mean nothing to this reducer */
} following;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&time, NULL);
}

static void on_hello(following *self, const json_t *hello)
{
    const char *since = api_text(hello, "since");

    self->is_another = self->since[0] && self->after > 0 && strcmp(self->since, since) != 0;
    snprintf(self->since, sizeof self->since, "%s", since);
}

static fedn_status on_event(const char *text, void *user_data)
{
    following *self = user_data;
    json_t *event = json_loads(text, 0, NULL);
    fedn_status rc = FEDN_ERR_PROTOCOL;

    if (!event)
        return rc;
    self->heard = 1;
    if (strcmp(api_text(event, "type"), "hello") == 0)
        on_hello(self, event);
    if (self->is_another) {
        rc = FEDN_ERR_CANCELLED;
    } else {
        rc = self->plan->fn(text, event, self->plan->user_data);
        self->after = (uint64_t)api_integer(event, "seq");
    }
    json_decref(event);
    return rc;
}

static void tell_loss(const following *self, const char *why)
{
    char clean[FEDN_ERROR_MESSAGE_BYTES + 8];

    out_live(stdout, "", 0); /* its line is written anew when there is news */
    out_clean(why, 0, clean, sizeof clean);
    fprintf(stderr, "fednctl: %s; trying again for %u s\n", clean,
            (unsigned)self->plan->reconnect_s);
}

static int32_t is_loss(const following *self, fedn_status rc)
{
    return (rc == FEDN_ERR_UNAVAILABLE || rc == FEDN_ERR_TIMEOUT) && self->since[0] &&
           !*self->plan->over;
}

fedn_status follow_events(fedn_control *control, const follow_plan *plan, fedn_error *err)
{
    following self = {.plan = plan, .after = plan->after};
    int64_t pause = PAUSE_MIN_MS;
    int64_t until_ms = 0; /* 0: it is there */

    for (;;) {
        self.heard = 0;
        fedn_status rc =
            fedn_control_watch(control, plan->session_id, self.after, on_event, &self, err);
        if (self.heard) {
            pause = PAUSE_MIN_MS;
            until_ms = 0;
        }
        if (self.is_another) {
            self.is_another = 0;
            self.after = 0;
            continue;
        }
        if (!is_loss(&self, rc))
            return rc;
        if (until_ms == 0) {
            until_ms = now_ms() + (int64_t)plan->reconnect_s * 1000;
            if (plan->reconnect_s > 0)
                tell_loss(&self, err->message);
        }
        if (now_ms() + pause > until_ms)
            return rc;
        pause_ms(pause);
        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
}
