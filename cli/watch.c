/* SPDX-License-Identifier: Apache-2.0
 * Following the reducer's events: one line per round, rewritten in place on a terminal. A round's
 * line is held until its clients have validated the new model, which goes on beside the next round.
 */
#include "watch.h"

#include "api.h"
#include "out.h"
#include "round_line.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { GRACE_S = 3 }; /* for validations after the session's end */

typedef struct watching {
    const cli_line *cli;
    const watch_settings *settings;
    fedn_control *control;
    char session_id[ROUND_ID]; /* whose end is waited for; "": nobody's */
    round_line before;         /* ended, waits for validations */
    round_line present;        /* goes on, or ended last */
    uint32_t usual;            /* validations of the last round that was printed */
    int32_t printed;           /* rounds */
    int32_t seen;              /* the session was in an event */
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

/* Validations that the line may still wait for. */
static int32_t is_complete(const watching *self, const round_line *line)
{
    uint32_t wanted = self->printed ? self->usual : (uint32_t)line->expected;
    return !self->settings->validates || strcmp(line->status, "Finished") != 0 ||
           line->validations >= wanted;
}

static void print_final(watching *self, round_line *line)
{
    if (!line->round_id[0])
        return;
    print_line(self, line, 1);
    if (strcmp(line->status, "Finished") == 0) {
        self->usual = line->validations;
        self->printed++;
    }
    line->round_id[0] = 0;
}

static void on_round(watching *self, const json_t *event)
{
    const char *id = api_text(event, "round_id");

    if (strcmp(self->before.round_id, id) == 0 && *id)
        return;
    if (self->present.round_id[0] && strcmp(self->present.round_id, id) != 0) {
        print_final(self, &self->before);
        self->before = self->present;
        memset(&self->present, 0, sizeof self->present);
        if (is_complete(self, &self->before))
            print_final(self, &self->before);
    }
    round_line_update(&self->present, event);
    if (self->present.ended) {
        print_final(self, &self->before);
        if (is_complete(self, &self->present))
            print_final(self, &self->present);
    }
    print_line(self, &self->present, 0);
}

static void on_validation(watching *self, const json_t *event)
{
    const char *id = api_text(event, "round_id");
    round_line *line = strcmp(self->before.round_id, id) == 0 ? &self->before : &self->present;

    if (!*id || strcmp(line->round_id, id) != 0)
        return;
    round_line_validate(line, event);
    if (line->ended && is_complete(self, line))
        print_final(self, line);
    print_line(self, &self->present, 0);
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
    self->seen = 1;
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
    if (!self->before.round_id[0] && !self->present.round_id[0])
        return 1;
    if (!self->has_clock)
        self->has_clock = pthread_create(&self->clock, NULL, end_after_grace, self) == 0;
    return !self->has_clock;
}

/* The session may have ended before the stream began. */
static void look_up_session(watching *self)
{
    fedn_control *control = NULL;
    json_t *session = NULL;
    fedn_status rc = fedn_control_new(self->cli->config, &control, NULL);

    if (rc == FEDN_OK)
        rc = api_get(control, "sessions", self->session_id, &session, NULL);
    if (rc == FEDN_OK)
        on_session(self, session);
    json_decref(session);
    fedn_control_free(control);
}

static fedn_status on_event(const char *text, void *user_data)
{
    watching *self = user_data;
    json_t *event = json_loads(text, 0, NULL);
    const char *type = api_text(event, "type");

    if (!event)
        return FEDN_ERR_PROTOCOL;
    if (self->settings->json) {
        json_dumpf(event, stdout, JSON_COMPACT | JSON_SORT_KEYS);
        putchar('\n');
        fflush(stdout);
    }
    if (strcmp(type, "round") == 0)
        on_round(self, event);
    else if (strcmp(type, "validation") == 0)
        on_validation(self, event);
    else if (strcmp(type, "session") == 0)
        on_session(self, event);
    else if (strcmp(type, "tick") == 0 && self->session_id[0] && !self->seen)
        look_up_session(self);
    json_decref(event);
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
    if (rc == FEDN_OK && !self->settings->json)
        printf("session %s finished after %lld rounds: model %s\n", id, (long long)self->rounds,
               self->model_id);
    return rc;
}

fedn_status watch_run(const cli_line *cli, const watch_settings *settings, fedn_error *err)
{
    watching self = {.cli = cli, .settings = settings};

    if (settings->session_id)
        snprintf(self.session_id, sizeof self.session_id, "%s", settings->session_id);
    fedn_status rc = fedn_control_new(cli->config, &self.control, err);
    if (rc != FEDN_OK)
        return rc;
    pthread_mutex_init(&self.mutex, NULL);
    pthread_cond_init(&self.cond, NULL);
    rc = fedn_control_watch(self.control, settings->session_id, settings->after, on_event, &self,
                            err);
    stop_clock(&self);
    print_final(&self, &self.before);
    print_final(&self, &self.present);
    if (self.over)
        rc = conclude(&self, err);
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
