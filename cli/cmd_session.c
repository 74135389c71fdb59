/* SPDX-License-Identifier: Apache-2.0
 * fednctl session: start, list, show, stop. */
#include "api.h"
#include "out.h"
#include "rounds.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>

const cli_option session_start_options[] = {
    {"watch", NULL, "print its rounds as they happen, until it ends"},
    {"wait", NULL, "return when it has ended"},
    WATCH_RECONNECT,
    {NULL, NULL, NULL},
};

static json_t *text_of(const cli_line *cli, const char *property)
{
    return json_string(fedn_config_get(cli->config, property));
}

/* The newest model, if the session is to start from that. */
static fedn_status seed_model(const cli_line *cli, fedn_control *control, json_t **ret,
                              fedn_error *err)
{
    json_t *list = NULL;

    *ret = NULL;
    if (*fedn_config_get(cli->config, "session.model_id")) {
        *ret = text_of(cli, "session.model_id");
        return FEDN_OK;
    }
    fedn_status rc = api_list(control, "models", NULL, NULL, 1, &list, err);
    if (rc != FEDN_OK)
        return rc;
    const json_t *newest = json_array_get(json_object_get(list, "result"), 0);
    if (*api_text(newest, "model_id"))
        *ret = json_string(api_text(newest, "model_id"));
    else
        rc = cli_error(err, FEDN_ERR_NOT_FOUND,
                       "the reducer has no model to start from: fednctl model push FILE");
    json_decref(list);
    return rc;
}

/* Every property of a session is one of its settings, but for these. */
static int32_t is_setting(const char *name)
{
    return strcmp(name, "session.name") != 0 && strcmp(name, "session.model_id") != 0 &&
           strcmp(name, "session.client_ids") != 0;
}

static json_t *typed(const char *type, const char *value)
{
    if (strcmp(type, "integer") == 0)
        return json_integer(strtoll(value, NULL, 10));
    if (strcmp(type, "number") == 0)
        return json_real(strtod(value, NULL));
    if (strcmp(type, "boolean") == 0)
        return json_boolean(cli_is_true(value));
    return json_string(value);
}

static void add_setting(const char *name, const char *type, const char *range, const char *initial,
                        const char *value, const char *doc, void *user_data)
{
    (void)range;
    (void)initial;
    (void)doc;
    if (is_setting(name) && *value)
        json_object_set_new(user_data, name + strlen("session."), typed(type, value));
}

/* Takes `model`. */
static fedn_status session_body(const cli_line *cli, json_t *model, json_t **ret, fedn_error *err)
{
    const char *name = fedn_config_get(cli->config, "session.name");
    const char *kwargs = fedn_config_get(cli->config, "session.aggregator_kwargs");
    json_t *parameters = *kwargs ? json_loads(kwargs, 0, NULL) : NULL;
    json_t *config = json_pack("{s:O}", "model_id", model);

    *ret = NULL;
    fedn_config_each(cli->config, "session.", add_setting, config);
    if (*kwargs) /* what is no JSON may be what Python prints, which the reducer knows */
        json_object_set_new(config, "aggregator_kwargs",
                            parameters ? parameters : json_string(kwargs));
    *ret = json_pack("{s:o,s:o}", "seed_model_id", model, "session_config", config);
    if (*ret && *name)
        json_object_set_new(*ret, "name", json_string(name));
    return *ret ? FEDN_OK : cli_error(err, FEDN_ERR_NOMEM, "out of memory");
}

static fedn_status create(const cli_line *cli, fedn_control *control, json_t **ret, fedn_error *err)
{
    json_t *model = NULL;
    json_t *body = NULL;

    *ret = NULL;
    fedn_status rc = seed_model(cli, control, &model, err);
    if (rc == FEDN_OK)
        rc = session_body(cli, model, &body, err);
    if (rc == FEDN_OK)
        rc = api_call(control, "POST", "sessions/", body, ret, err);
    json_decref(body);
    if (rc == FEDN_OK && !*api_text(*ret, "session_id"))
        rc = cli_error(err, FEDN_ERR_PROTOCOL, "the reducer made a session without an id");
    return rc;
}

static fedn_status begin(const cli_line *cli, fedn_control *control, const char *session_id,
                         fedn_error *err)
{
    const char *clients = fedn_config_get(cli->config, "session.client_ids");
    const char *rounds = fedn_config_get(cli->config, "session.rounds");
    const char *timeout = fedn_config_get(cli->config, "session.round_timeout");
    fedn_error why = {0};
    json_t *body =
        json_pack("{s:s,s:I,s:f}", "session_id", session_id, "rounds",
                  (json_int_t)strtoll(rounds, NULL, 10), "round_timeout", strtod(timeout, NULL));

    if (*clients)
        json_object_set_new(body, "client_ids", json_string(clients));
    fedn_status rc = api_call(control, "POST", "sessions/start", body, NULL, &why);
    json_decref(body);
    if (rc != FEDN_OK) {
        cli_error(err, rc, "session %.64s was made but not started: %.400s", session_id,
                  why.message);
        err->detail = why.detail;
    }
    return rc;
}

/* The record as it is after the wait; the verdict stays. */
static fedn_status print_again(fedn_control *control, const char *session_id, fedn_status verdict,
                               fedn_error *err)
{
    json_t *session = NULL;
    fedn_status rc =
        api_get(control, "sessions", session_id, &session, verdict == FEDN_OK ? err : NULL);

    if (rc == FEDN_OK)
        out_json(session);
    json_decref(session);
    return verdict == FEDN_OK ? rc : verdict;
}

fedn_status cmd_session_start(cli_line *cli, fedn_error *err)
{
    int32_t watches = cli_value(cli, "watch") != NULL;
    int32_t waits = watches || cli_value(cli, "wait");
    watch_settings settings = {.quiet = !watches, .json = watches && cli->json};
    fedn_control *control = NULL;
    json_t *session = NULL;

    fedn_status rc = watch_reconnect(cli, &settings.reconnect_s, err);
    if (rc == FEDN_OK)
        rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = create(cli, control, &session, err);
    if (rc == FEDN_OK && waits)
        rc = watch_newest(control, &settings.after, err);
    if (rc != FEDN_OK)
        goto out;
    settings.session_id = api_text(session, "session_id");
    settings.validates = json_is_true(api_member(session, "session_config", "validate"));
    rc = begin(cli, control, settings.session_id, err);
    if (rc != FEDN_OK)
        goto out;
    if (!watches && !cli->json)
        printf("%s\n", settings.session_id);
    if (waits)
        rc = watch_run(cli, &settings, err);
    if (!watches && waits && cli->json)
        rc = print_again(control, settings.session_id, rc, err);
    else if (!waits && cli->json)
        out_json(session);
out:
    json_decref(session);
    fedn_control_free(control);
    return rc;
}

fedn_status cmd_session_stop(cli_line *cli, fedn_error *err)
{
    fedn_control *control = NULL;
    json_t *session = NULL;
    json_t *body = json_pack("{s:s}", "status", "Terminated");

    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_patch(control, "sessions", cli->args[0], body, &session, err);
    if (rc == FEDN_OK && cli->json)
        out_json(session);
    json_decref(body);
    json_decref(session);
    fedn_control_free(control);
    return rc;
}

/* What the reducer says of the session while it runs, else what is recorded of it. */
static void add_now(fedn_control *control, json_t *session)
{
    json_t *status = NULL;
    fedn_error err;

    if (strcmp(api_text(session, "status"), "Started") != 0 ||
        api_call(control, "GET", "status", NULL, &status, &err) != FEDN_OK)
        return;
    if (strcmp(api_text(json_object_get(status, "session"), "session_id"),
               api_text(session, "session_id")) == 0)
        json_object_set_new(session, "message", json_string(api_text(status, "message")));
    json_decref(status);
}

static void show(const json_t *session, const json_t *rounds)
{
    const json_t *config = json_object_get(session, "session_config");
    char when[OUT_TEXT];

    out_time(api_text(session, "committed_at"), when, sizeof when);
    out_field("session", api_text(session, "session_id"));
    out_field("name", api_text(session, "name"));
    out_field("status", api_text(session, "status"));
    out_field("message", api_text(session, "message"));
    out_field("made (UTC)", when);
    out_field("began with", api_text(session, "seed_model_id"));
    out_field("model", api_text(config, "model_id"));
    out_field("aggregator", api_text(config, "aggregator"));
    out_field("format", api_text(config, "helper_type"));
    out_fieldf("rounds", "%lld, each %g s at most", (long long)api_integer(config, "rounds"),
               api_number(config, "round_timeout"));
    out_fieldf("clients", "at least %lld for each combiner",
               (long long)api_integer(config, "clients_required"));
    out_field("validates", json_is_true(json_object_get(config, "validate")) ? "yes" : "no");
    putchar('\n');
    rounds_print(json_object_get(rounds, "result"), "no round yet");
}

fedn_status cmd_session_show(cli_line *cli, fedn_error *err)
{
    fedn_control *control = NULL;
    json_t *session = NULL;
    json_t *rounds = NULL;

    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_get(control, "sessions", cli->args[0], &session, err);
    if (rc == FEDN_OK)
        add_now(control, session);
    if (rc == FEDN_OK)
        rc = api_list(control, "rounds", "round_config.session_id", cli->args[0], 0, &rounds, err);
    if (rc == FEDN_OK && cli->json) {
        json_object_set(session, "rounds", json_object_get(rounds, "result"));
        out_json(session);
    } else if (rc == FEDN_OK) {
        show(session, rounds);
    }
    json_decref(rounds);
    json_decref(session);
    fedn_control_free(control);
    return rc;
}
