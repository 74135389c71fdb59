/* SPDX-License-Identifier: Apache-2.0
 * Following the reducer's events: one line per round, rewritten in place on a terminal. The line of
 * a round that is over waits for its clients' validations of the new model, which go on beside the
 * next rounds. */
#include "watch.h"

#include "api.h"
#include "follow.h"
#include "out.h"
#include "round_line.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum {
    RECONNECT_S = 300,
    RECONNECT_MOST_S = 31536000,
    GRACE_S = 3,    /* for validations after the session's end */
    HELD_S = 2,     /* at least for those of a round when the next one is over, too */
    HELD_LINES = 64 /* rounds that wait at once */
};

typedef struct watching {
    const watch_settings *settings;
    fedn_control *control;
    char session_id[ROUND_ID];   /* whose end is waited for; "": nobody's */
    round_line present;          /* goes on; without an id: none does */
    round_line held[HELD_LINES]; /* over, oldest first */
    uint32_t held_count;
    uint32_t fewer;    /* validations that came in time when some did not; 0: all did */
    json_t *combiners; /* name to number of clients */
    char last_status[2 * OUT_TEXT];
    char status[ROUND_NAME];
    char message[ROUND_MESSAGE];
    char model_id[ROUND_ID];
    int64_t rounds;
    int32_t over;

    pthread_t clock;
    int32_t has_clock;
    pthread_mutex_t mutex; /* guards done */
    pthread_cond_t cond;
    int32_t done;
} watching;

fedn_status watch_verdict(const char *session_id, const char *status, const char *message,
                          fedn_error *err)
{
    if (strcmp(status, "Finished") == 0)
        return FEDN_OK;
    if (strcmp(status, "Failed") == 0 || strcmp(status, "Terminated") == 0)
        return cli_error(err, FEDN_ERR_STATE, "session %s: %s%s%s", session_id, status,
                         *message ? ": " : "", message);
    return FEDN_ERR_TIMEOUT;
}

static void print_line(const watching *self, const round_line *line, int32_t final)
{
    char text[2 * OUT_TEXT + ROUND_MESSAGE];
    int32_t bar = out_width(stdout) / 5;

    if (self->settings->quiet || self->settings->json || !line->round_id[0])
        return;
    round_line_text(line, bar < 22 ? bar : 22, text, sizeof text);
    out_live(stdout, text, final);
}

static int64_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec;
}

/* 1 if the line need not wait for validations any more. */
static int32_t is_complete(const watching *self, const round_line *line)
{
    uint32_t wanted = self->fewer ? self->fewer : (uint32_t)line->expected;
    return !self->settings->validates || strcmp(line->status, "Finished") != 0 ||
           line->validations >= wanted;
}

static void print_oldest(watching *self)
{
    round_line *line = &self->held[0];

    print_line(self, line, 1);
    if (strcmp(line->status, "Finished") == 0)
        self->fewer = line->validations < (uint32_t)line->expected ? line->validations : 0;
    self->held_count--;
    memmove(&self->held[0], &self->held[1], self->held_count * sizeof self->held[0]);
}

/* Prints what has waited long enough; rounds stay in order. */
static void print_held(watching *self)
{
    while (self->held_count > 0) {
        int32_t late = self->held_count > 1 && now_s() - self->held[0].ended_s >= HELD_S;
        if (!late && !is_complete(self, &self->held[0]))
            break;
        print_oldest(self);
    }
    print_line(self,
               self->held_count > 0 && !self->present.round_id[0]
                   ? &self->held[self->held_count - 1]
                   : &self->present,
               0);
}

static round_line *find_held(watching *self, const char *round_id)
{
    for (uint32_t i = 0; i < self->held_count; i++)
        if (strcmp(self->held[i].round_id, round_id) == 0)
            return &self->held[i];
    return NULL;
}

static void on_round(watching *self, const json_t *event)
{
    const char *id = api_text(event, "round_id");

    if (!*id || find_held(self, id))
        return;
    if (strcmp(self->present.round_id, id) != 0)
        memset(&self->present, 0, sizeof self->present);
    round_line_update(&self->present, event);
    if (self->present.ended) {
        if (self->held_count == HELD_LINES)
            print_oldest(self);
        self->present.ended_s = now_s();
        self->held[self->held_count++] = self->present;
        self->present.round_id[0] = 0;
    }
    print_held(self);
}

static void on_validation(watching *self, const json_t *event)
{
    const char *id = api_text(event, "round_id");
    round_line *line = find_held(self, id);

    if (!line && *id && strcmp(self->present.round_id, id) == 0)
        line = &self->present;
    if (line)
        round_line_validate(line, event);
    print_held(self);
}

/* 1 if so many clients are there as are waited for. */
static int32_t on_combiner(watching *self, const json_t *event)
{
    const char *name = NULL;
    json_t *number = NULL;
    int64_t clients = 0;

    json_object_set_new(self->combiners, api_text(event, "name"),
                        json_integer(api_integer(event, "active_clients")));
    json_object_foreach(self->combiners, name, number) clients += json_integer_value(number);
    return self->settings->until_clients > 0 && clients >= self->settings->until_clients;
}

/* Of any session, when nobody's end is waited for. */
static void tell_status(watching *self, const char *id, const char *status)
{
    char text[2 * OUT_TEXT];

    if (self->settings->json || self->settings->quiet)
        return;
    snprintf(text, sizeof text, "session %s %s", id, status);
    if (strcmp(self->last_status, text) != 0)
        out_live(stdout, text, 1);
    snprintf(self->last_status, sizeof self->last_status, "%s", text);
}

static void on_session(watching *self, const json_t *event)
{
    const char *id = api_text(event, "session_id");

    if (!self->session_id[0] && self->settings->until_finished)
        snprintf(self->session_id, sizeof self->session_id, "%s", id);
    if (!self->session_id[0])
        tell_status(self, id, api_text(event, "status"));
    if (!self->session_id[0] || strcmp(id, self->session_id) != 0)
        return;
    snprintf(self->status, sizeof self->status, "%s", api_text(event, "status"));
    snprintf(self->message, sizeof self->message, "%s", api_text(event, "message"));
    snprintf(self->model_id, sizeof self->model_id, "%s", api_text(event, "model_id"));
    self->rounds = api_integer(event, "round");
    self->over = watch_verdict(id, self->status, "", NULL) != FEDN_ERR_TIMEOUT;
}

/* Events do not come for ever: what is missing after the grace is not waited for. */
static void *end_after_grace(void *arg)
{
    watching *self = arg;
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GRACE_S;
    pthread_mutex_lock(&self->mutex);
    while (!self->done && rc == 0)
        rc = pthread_cond_timedwait(&self->cond, &self->mutex, &until);
    if (!self->done)
        fedn_control_cancel(self->control);
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

/* 1 if nothing more is to be printed. */
static int32_t is_done(watching *self)
{
    if (!self->over)
        return 0;
    if (self->held_count == 0)
        return 1;
    if (!self->has_clock)
        self->has_clock = pthread_create(&self->clock, NULL, end_after_grace, self) == 0;
    return !self->has_clock;
}

static fedn_status on_event(const char *text, const json_t *event, void *user_data)
{
    watching *self = user_data;
    const char *type = api_text(event, "type");
    int32_t enough = 0;

    if (self->settings->json) {
        printf("%s\n", text);
        fflush(stdout);
    }
    if (strcmp(type, "round") == 0)
        on_round(self, event);
    else if (strcmp(type, "validation") == 0)
        on_validation(self, event);
    else if (strcmp(type, "session") == 0)
        on_session(self, event);
    else if (strcmp(type, "combiner") == 0)
        enough = on_combiner(self, event);
    else if (strcmp(type, "gap") == 0 ||
             (strcmp(type, "hello") == 0 && api_integer(event, "seq") == 0))
        json_object_clear(self->combiners); /* the state of each follows */
    if (enough)
        return FEDN_ERR_EXISTS;
    return is_done(self) ? FEDN_ERR_CANCELLED : FEDN_OK;
}

static void stop_clock(watching *self)
{
    if (!self->has_clock)
        return;
    pthread_mutex_lock(&self->mutex);
    self->done = 1;
    pthread_cond_broadcast(&self->cond);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->clock, NULL);
}

static fedn_status conclude(const watching *self, fedn_error *err)
{
    const char *id = self->session_id;

    fedn_status rc = watch_verdict(id, self->status, self->message, err);
    if (rc == FEDN_OK && !self->settings->json && !self->settings->quiet)
        printf("finished after %lld round%s, model %s\n", (long long)self->rounds,
               self->rounds == 1 ? "" : "s", self->model_id);
    return rc;
}

fedn_status watch_reconnect(const cli_line *cli, uint32_t *ret_s, fedn_error *err)
{
    return cli_number(cli, "reconnect-s", RECONNECT_MOST_S, RECONNECT_S, ret_s, err);
}

fedn_status watch_run(const cli_line *cli, const watch_settings *settings, fedn_error *err)
{
    watching self = {.settings = settings};
    const follow_plan plan = {.session_id = settings->session_id,
                              .after = settings->after,
                              .reconnect_s = settings->reconnect_s,
                              .over = &self.over,
                              .fn = on_event,
                              .user_data = &self};

    if (settings->session_id)
        snprintf(self.session_id, sizeof self.session_id, "%s", settings->session_id);
    fedn_status rc = fedn_control_new(cli->config, &self.control, err);
    if (rc != FEDN_OK)
        return rc;
    self.combiners = json_object();
    pthread_mutex_init(&self.mutex, NULL);
    pthread_cond_init(&self.cond, NULL);
    rc = follow_events(self.control, &plan, err);
    stop_clock(&self);
    while (self.held_count > 0)
        print_oldest(&self);
    print_line(&self, &self.present, 1);
    if (rc == FEDN_ERR_EXISTS)
        rc = FEDN_OK;
    else if (self.over)
        rc = conclude(&self, err);
    json_decref(self.combiners);
    pthread_cond_destroy(&self.cond);
    pthread_mutex_destroy(&self.mutex);
    fedn_control_free(self.control);
    return rc;
}

static fedn_status take_number(const char *text, void *user_data)
{
    json_t *event = json_loads(text, 0, NULL);

    *(uint64_t *)user_data = (uint64_t)api_integer(event, "seq");
    json_decref(event);
    return FEDN_ERR_CANCELLED;
}

fedn_status watch_newest(fedn_control *control, uint64_t *ret, fedn_error *err)
{
    fedn_status rc = fedn_control_watch(control, NULL, 0, take_number, ret, err);
    return rc == FEDN_ERR_CANCELLED ? FEDN_OK : rc;
}
