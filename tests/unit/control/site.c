/* SPDX-License-Identifier: Apache-2.0
 * A server in the place of a reducer; see site.h. */
#include "site.h"

#include "core/limits.h"
#include <stdlib.h>

static void note(site *self, const fedn__http_request *request)
{
    static const char *const headers[] = {"X-Limit", "X-Skip", "Authorization"};
    static const char *const forms[] = {"name", "helper"};
    uint64_t bytes = 0;
    size_t used = (size_t)snprintf(self->asked, sizeof self->asked, "%s %s",
                                   fedn__http_method(request), fedn__http_path(request));

    for (uint32_t i = 0; i < 3; i++)
        if (fedn__http_header(request, headers[i]))
            used += (size_t)snprintf(self->asked + used, sizeof self->asked - used, " %s=%s",
                                     headers[i], fedn__http_header(request, headers[i]));
    for (uint32_t i = 0; i < 2; i++)
        if (fedn__http_form(request, forms[i]))
            used += (size_t)snprintf(self->asked + used, sizeof self->asked - used, " %s=%s",
                                     forms[i], fedn__http_form(request, forms[i]));
    const char *after = fedn__http_query(request, "after");
    const char *session = fedn__http_query(request, "session_id");
    const char *body = fedn__http_body(request, &bytes);
    snprintf(self->asked + used, sizeof self->asked - used, "%s%s%s%s%s%.*s",
             after ? " after=" : "", after ? after : "", session ? " session=" : "",
             session ? session : "", bytes ? " body=" : "", (int)bytes, bytes ? body : "");
}

static void reply(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    site *self = service;

    note(self, request);
    fedn__http_reply_text(response, self->status, self->type, self->answer);
}

static int64_t keep_waiting(void *state, char *to, uint64_t room, const _Atomic int32_t *stopping)
{
    site *self = state;

    (void)room;
    (void)stopping;
    if (self->endless == 1) {
        self->endless = 2;
        fedn__flag_set(&self->waiting);
        memcpy(to, "{}\n", 3);
        return 3;
    }
    return 0;
}

static void events(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    site *self = service;

    note(self, request);
    if (self->endless)
        fedn__http_reply_stream(response, "application/x-ndjson", keep_waiting, NULL, self);
    else
        fedn__http_reply_text(response, self->status, "application/x-ndjson", self->answer);
}

static const fedn__http_route routes[] = {
    {"GET", "/api/v1/events", events, 0},       {"POST", "/api/v1/models", reply, 1},
    {"GET", "/api/v1/{kind}", reply, 0},        {"GET", "/api/v1/{kind}/{id}", reply, 0},
    {"POST", "/api/v1/{kind}", reply, 0},       {"GET", "/api/v1/{kind}/{id}/download", reply, 0},
    {"PATCH", "/api/v1/{kind}/{id}", reply, 0},
};

int site_setup(void **state)
{
    site *self = calloc(1, sizeof *self);
    fedn_error err;

    self->dir = test_scratch();
    fedn__flag_init(&self->waiting);
    fedn__http_options options = {
        .listen = "127.0.0.1:0", .upload_dir = self->dir, .max_upload_bytes = FEDN__MIB};
    assert_ok(fedn__http_server_new(&options, routes, sizeof routes / sizeof routes[0], self,
                                    &self->server, &err),
              &err);
    snprintf(self->url, sizeof self->url, "http://127.0.0.1:%d",
             (int)fedn__http_server_port(self->server));
    self->status = 200;
    self->type = "application/json";
    self->answer = "{}";
    *state = self;
    return 0;
}

int site_teardown(void **state)
{
    site *self = *state;

    fedn__http_server_free(self->server);
    fedn__flag_done(&self->waiting);
    test_scratch_done(self->dir);
    free(self);
    return 0;
}

fedn_control *site_control(const char *url, const char *token)
{
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    fedn_error err;

    assert_ok(fedn_config_new(&config, &err), &err);
    assert_ok(fedn_config_set(config, "control.url", url, &err), &err);
    assert_ok(fedn_config_set(config, "control.token", token, &err), &err);
    assert_ok(fedn_control_new(config, &control, &err), &err);
    fedn_config_free(config);
    return control;
}
