/* SPDX-License-Identifier: Apache-2.0
 * A reducer's REST API with fixed answers and fixed failures, for tests of fednctl.
 *
 *     fake_control EVENTS [CUT]  (a file of lines that every watcher is sent; one that begins at
 * the beginning is cut off after so many, if it is said)
 *
 * Prints its port. Ids mean what they say: "missing" 404, "denied" 403, "stranger" 401, "broken"
 * 500, "page" HTML, "silent" no answer. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include "http/server.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fake {
    char *events;
    uint64_t cut;   /* 0: nobody is cut off */
    int silence[2]; /* nothing is ever written here */
} fake;

static json_t *record(const char *kind, const char *id)
{
    if (strcmp(kind, "sessions") == 0)
        return json_pack("{s:s,s:s,s:s,s:s,s:{s:s,s:s,s:i,s:f,s:i,s:b}}", "session_id", id, "name",
                         "a session with a name that is longer than any window is wide, on purpose",
                         "status", strcmp(id, "over") == 0 ? "Finished" : "Started", "committed_at",
                         "Tue, 24 Nov 2026 02:39:55 GMT", "session_config", "aggregator", "fedavg",
                         "model_id", "4b1f", "rounds", 3, "round_timeout", 180.0,
                         "clients_required", 1, "validate", 1);
    if (strcmp(kind, "rounds") == 0)
        return json_pack(
            "{s:s,s:s,s:s,s:{s:s},s:[{s:s,s:[{s:s,s:s,s:s,s:f,s:f},{s:s,s:s,s:s,s:f,s:f}]}]}",
            "round_id", id, "status", "Finished", "committed_at", "2026-11-24T02:39:55.884622Z",
            "round_config", "session_id", "s-1", "combiners", "name", "west", "clients", "name",
            "ward-1", "outcome", "accepted", "reason", "", "num_examples", 240.0, "seconds", 0.41,
            "name", "ward-\033[2J2\u202e", "outcome", "refused", "reason",
            "tensor 3 has the shape 10 x 64, the global model has 64 x 32 and that is not the same",
            "num_examples", 241.0, "seconds", 12.0);
    if (strcmp(kind, "clients") == 0)
        return json_pack("{s:s,s:s,s:s,s:s,s:s}", "client_id", id, "name", "ward-1", "status",
                         "online", "combiner", "west", "last_seen", "2026-11-24 02:39:55.884622");
    return json_pack("{s:s,s:s,s:s,s:s}", "model_id", id, "name", "seed", "parent_model",
                     "9a7c2d10-7a43-4d0b-9f0e-0d4c5b1f3a11", "committed_at",
                     "Tue, 24 Nov 2026 02:39:55 GMT");
}

/* 1 if the id asks for a failure, which has been answered then. */
static int32_t failed(fake *self, const char *id, fedn__http_response *response)
{
    char byte = 0;

    if (strcmp(id, "missing") == 0)
        fedn__http_reply_message(response, 404, "Entity with id: missing not found");
    else if (strcmp(id, "denied") == 0)
        fedn__http_reply_message(response, 403, "role client may not do this");
    else if (strcmp(id, "stranger") == 0)
        fedn__http_reply_message(response, 401, "a token is needed");
    else if (strcmp(id, "broken") == 0)
        fedn__http_reply_message(response, 500, "An unexpected error occurred");
    else if (strcmp(id, "page") == 0)
        fedn__http_reply_text(response, 200, "text/html", "<h1>a router's login</h1>");
    else if (strcmp(id, "silent") == 0 && read(self->silence[0], &byte, 1) < 0)
        fedn__http_reply_message(response, 500, "the silence was broken");
    else
        return 0;
    return 1;
}

static void get_one(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    const char *id = fedn__http_param(request, "id");

    if (!failed(service, id, response))
        fedn__http_reply_json(response, 200, record(fedn__http_param(request, "kind"), id));
}

static void get_list(void *service, const fedn__http_request *request,
                     fedn__http_response *response)
{
    const char *kind = fedn__http_param(request, "kind");
    const char *limit = fedn__http_header(request, "X-Limit");
    int32_t rounds = strcmp(kind, "rounds") == 0;

    (void)service;
    fedn__http_reply_json(
        response, 200,
        json_pack("{s:i,s:s?,s:[o,o]}", "count", 2, "limit", limit, "result",
                  record(kind, rounds ? "42" : "11f1f5a0-58a4-4ad9-8f6c-51b1f1a4d0aa"),
                  record(kind, rounds ? "41" : "22f1f5a0-58a4-4ad9-8f6c-51b1f1a4d0bb")));
}

static void get_status(void *service, const fedn__http_request *request,
                       fedn__http_response *response)
{
    (void)service;
    (void)request;
    fedn__http_reply_json(
        response, 200,
        json_pack("{s:s,s:{s:s,s:s,s:i},s:[{s:s,s:s,s:i,s:b,s:i,s:s}],s:{s:s,s:s,s:i,s:i},s:i,s:s}",
                  "state", "monitoring", "reducer", "name", "hospital", "version", "0.1.0",
                  "uptime_s", 200, "combiners", "name", "west", "address", "10.0.0.7", "port",
                  12080, "online", 1, "active_clients", 6, "since", "2026-11-24T02:39:55Z",
                  "session", "session_id", "s-1", "name", "first", "round", 2, "rounds", 5,
                  "models", 3, "message", "two more clients"));
}

static void post_session(void *service, const fedn__http_request *request,
                         fedn__http_response *response)
{
    json_t *body = NULL;

    (void)service;
    if (fedn__http_body_json(request, &body, NULL) != FEDN_OK)
        return fedn__http_reply_message(response, 400, "no JSON");
    json_object_set_new(body, "session_id", json_string("s-1"));
    fedn__http_reply_json(response, 201, body);
}

static void post_start(void *service, const fedn__http_request *request,
                       fedn__http_response *response)
{
    json_t *body = NULL;

    (void)service;
    if (fedn__http_body_json(request, &body, NULL) != FEDN_OK)
        return fedn__http_reply_message(response, 400, "no JSON");
    if (json_integer_value(json_object_get(body, "rounds")) == 99)
        fedn__http_reply_message(response, 400, "A session is already running!");
    else
        fedn__http_reply_message(response, 200, "Session started");
    json_decref(body);
}

static void post_model(void *service, const fedn__http_request *request,
                       fedn__http_response *response)
{
    (void)service;
    fedn__http_reply_json(
        response, 200,
        json_pack("{s:b,s:s,s:s?,s:s?}", "success", 1, "model_id",
                  fedn__http_file_path(request) ? "11f1f5a0-58a4-4ad9-8f6c-51b1f1a4d0aa" : "none",
                  "name", fedn__http_form(request, "name"), "helper",
                  fedn__http_form(request, "helper")));
}

static void download(void *service, const fedn__http_request *request,
                     fedn__http_response *response)
{
    if (!failed(service, fedn__http_param(request, "id"), response))
        fedn__http_reply_text(response, 200, "application/octet-stream", "the bytes of a model");
}

static uint64_t number_of(const char *line)
{
    json_t *event = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
    uint64_t number = (uint64_t)json_integer_value(json_object_get(event, "seq"));

    json_decref(event);
    return number;
}

/* The first line, which is the hello, then those behind `after`. A fake that cuts ends what begins
 * at the beginning after so many lines. */
static void events(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    const fake *self = service;
    const char *text = fedn__http_query(request, "after");
    uint64_t after = text ? strtoull(text, NULL, 10) : 0;
    char *some = calloc(1, strlen(self->events) + 1);
    uint64_t lines = 0;

    for (const char *line = self->events; *line; line = strchr(line, '\n') + 1) {
        if (after == 0 && self->cut > 0 && lines == self->cut)
            break;
        if (lines++ == 0 || number_of(line) > after)
            strncat(some, line, strcspn(line, "\n") + 1);
    }
    fedn__http_reply_text(response, 200, "application/x-ndjson", some);
    free(some);
}

int main(int argc, char **argv)
{
    static const fedn__http_route routes[] = {
        {"GET", "/api/v1/status", get_status, 0},
        {"GET", "/api/v1/events", events, 0},
        {"POST", "/api/v1/sessions", post_session, 0},
        {"POST", "/api/v1/sessions/start", post_start, 0},
        {"POST", "/api/v1/models", post_model, 1},
        {"GET", "/api/v1/models/{id}/download", download, 0},
        {"GET", "/api/v1/{kind}", get_list, 0},
        {"GET", "/api/v1/{kind}/{id}", get_one, 0},
        {"PATCH", "/api/v1/{kind}/{id}", get_one, 0},
    };
    const char *tmp = getenv("TMPDIR");
    fedn__http_options options = {.listen = "127.0.0.1:0",
                                  .upload_dir = tmp && *tmp ? tmp : "/tmp",
                                  .max_upload_bytes = FEDN__MIB};
    fedn__http_server *server = NULL;
    fake self = {0};
    fedn_error err = {0};
    sigset_t set;
    int number = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (argc < 2 || argc > 3 || pipe(self.silence) != 0)
        return 2;
    self.cut = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    fedn_status rc = fedn__fs_read(argv[1], FEDN__MIB, &self.events, NULL, &err);
    if (rc == FEDN_OK)
        rc = fedn__http_server_new(&options, routes, sizeof routes / sizeof routes[0], &self,
                                   &server, &err);
    if (rc != FEDN_OK)
        fprintf(stderr, "fake_control: %s\n", err.message);
    else if (printf("%d\n", (int)fedn__http_server_port(server)) > 0 && fflush(stdout) == 0)
        sigwait(&set, &number);
    _exit(rc == FEDN_OK ? 0 : 1); /* silent answers would keep the server from ending */
}
