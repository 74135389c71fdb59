/* SPDX-License-Identifier: Apache-2.0
 * A client of a running reducer's REST API; see fedn/control.h. */
#include <fedn/control.h>

#include "core/alloc.h"
#include "core/config.h"
#include "core/error.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/pem.h"
#include "core/text.h"
#include "http/client.h"
#include <stdio.h>
#include <string.h>

struct fedn_control {
    fedn__http_client *http;
    char *base;   /* "http://host:port/api/v1/" */
    char *bearer; /* "Authorization: Bearer ..."; NULL: no token */
    int64_t timeout_ms;
};

/* An HTTP status that is no success, and what it means to the caller. */
typedef struct meaning {
    int32_t http;
    fedn_status status;
} meaning;

static const meaning meanings[] = {
    {400, FEDN_ERR_INVALID},     {401, FEDN_ERR_AUTH},        {403, FEDN_ERR_DENIED},
    {404, FEDN_ERR_NOT_FOUND},   {405, FEDN_ERR_UNSUPPORTED}, {408, FEDN_ERR_TIMEOUT},
    {409, FEDN_ERR_STATE},       {410, FEDN_ERR_UNSUPPORTED}, {413, FEDN_ERR_LIMIT},
    {429, FEDN_ERR_UNAVAILABLE}, {501, FEDN_ERR_UNSUPPORTED}, {504, FEDN_ERR_TIMEOUT},
};

static fedn_status status_of(int32_t http)
{
    for (uint32_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].http == http)
            return meanings[i].status;
    return http >= 500 ? FEDN_ERR_UNAVAILABLE : FEDN_ERR_PROTOCOL;
}

/* "127.0.0.1:8092/" becomes "http://127.0.0.1:8092/api/v1/". */
static char *base_of(const char *url)
{
    uint64_t bytes = strlen(url);

    while (bytes > 0 && url[bytes - 1] == '/')
        bytes--;
    return fedn__strf("%s%.*s/api/v1/", strstr(url, "://") ? "" : "http://", (int)bytes, url);
}

static fedn_status trust(fedn_control *control, const char *tls_ca, fedn_error *err)
{
    char *pem = NULL;
    fedn_status rc = fedn__pem_read("control.tls_ca", tls_ca, &pem, err);

    fedn__free(pem);
    return rc == FEDN_OK ? fedn__http_client_trust(control->http, tls_ca, err) : rc;
}

fedn_status fedn_control_new(const fedn_config *config, fedn_control **ret, fedn_error *err)
{
    const char *url = fedn__config_string(config, "control.url");
    const char *token = fedn__config_string(config, "control.token");
    const char *tls_ca = fedn__config_string(config, "control.tls_ca");
    fedn_control *control = NULL;
    fedn_status rc = FEDN_OK;

    *ret = NULL;
    if (!fedn__text_is_line(url, FEDN__LIMIT_TEXT_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "control.url is empty: give the reducer's "
                           "address, http://127.0.0.1:8092");
    control = fedn__alloc_zero(sizeof *control);
    if (!control)
        return fedn__error_nomem(err);
    control->timeout_ms = fedn__config_integer(config, "control.timeout_ms");
    control->base = base_of(url);
    if (*token)
        control->bearer = fedn__strf("Authorization: Bearer %s", token);
    if (!control->base || (*token && !control->bearer)) {
        rc = fedn__error_nomem(err);
        goto out;
    }
    rc = fedn__http_client_new(&control->http, err);
    if (rc == FEDN_OK && *tls_ca)
        rc = trust(control, tls_ca, err);
    if (rc != FEDN_OK)
        goto out;
    *ret = control;
    control = NULL;
out:
    fedn_control_free(control);
    return rc;
}

void fedn_control_free(fedn_control *control)
{
    if (!control)
        return;
    fedn__http_client_free(control->http);
    fedn__free(control->base);
    fedn__free(control->bearer);
    fedn__free(control);
}

void fedn_control_cancel(fedn_control *control)
{
    fedn__http_client_cancel(control->http);
}

/* Who could not be reached belongs into the text of a transport failure. */
static fedn_status unreachable(const fedn_control *control, fedn_status rc, fedn_error *err)
{
    char origin[160];

    snprintf(origin, sizeof origin, "%.*s", (int)(strlen(control->base) - strlen("/api/v1/")),
             control->base);
    if (!err || rc == FEDN_ERR_NOMEM || rc == FEDN_ERR_CANCELLED || strstr(err->message, origin))
        return rc;
    return fedn__error_prefix(err, rc, origin);
}

/* What the answer says went wrong: its {"message"} or {"error"}. */
static fedn_status refused(int32_t http, const char *url, const char *body, fedn_error *err)
{
    json_t *answer = NULL;
    const char *text = NULL;
    fedn_status rc = status_of(http);

    if (body && fedn__json_parse(body, strlen(body), 0, "answer", &answer, NULL) == FEDN_OK)
        text = fedn__json_string(answer, "message", fedn__json_string(answer, "error", NULL));
    if (text && *text)
        fedn__error_detail(err, rc, http, "%s", text);
    else if (rc == FEDN_ERR_PROTOCOL)
        fedn__error_detail(err, rc, http, "%s answers HTTP %d: not a reducer", url, (int)http);
    else
        fedn__error_detail(err, rc, http, "%s: %s (HTTP %d)", url, fedn_status_string(rc),
                           (int)http);
    json_decref(answer);
    return rc;
}

static fedn_status check(int32_t http, const char *url, const char *body, fedn_error *err)
{
    json_t *answer = NULL;
    const char *text = body ? body : "";

    if (http < 200 || http > 299)
        return refused(http, url, body, err);
    fedn_status rc = fedn__json_parse(text, strlen(text), 1, "answer", &answer, NULL);
    json_decref(answer);
    if (rc == FEDN_ERR_NOMEM)
        return fedn__error_nomem(err);
    if (rc != FEDN_OK)
        return fedn__error_detail(err, FEDN_ERR_PROTOCOL, http, "%s answers no JSON: not a reducer",
                                  url);
    return FEDN_OK;
}

/* A call to `path` below the base; up to two more headers. Caller frees call->url. */
typedef struct call_plan {
    fedn__http_call call;
    char *url;
    const char *headers[4];
} call_plan;

static fedn_status plan_call(const fedn_control *control, const char *method, const char *path,
                             call_plan *ret, fedn_error *err)
{
    memset(ret, 0, sizeof *ret);
    ret->url = fedn__strf("%s%s", control->base, path);
    if (!ret->url)
        return fedn__error_nomem(err);
    ret->headers[0] = control->bearer;
    ret->call = (fedn__http_call){.method = method,
                                  .url = ret->url,
                                  .headers = ret->headers,
                                  .timeout_ms = control->timeout_ms,
                                  .max_bytes = FEDN__LIMIT_HTTP_ANSWER};
    return FEDN_OK;
}

static void add_header(call_plan *plan, const char *header)
{
    uint32_t i = 0;
    while (plan->headers[i])
        i++;
    plan->headers[i] = header;
}

static fedn_status perform(fedn_control *control, call_plan *plan, char **ret_json, fedn_error *err)
{
    char *body = NULL;
    int32_t http = 0;

    fedn_status rc = fedn__http_fetch(control->http, &plan->call, &http, &body, NULL, err);
    if (rc != FEDN_OK) {
        rc = unreachable(control, rc, err);
        goto out;
    }
    rc = check(http, plan->url, body, err);
    if (ret_json && rc != FEDN_ERR_NOMEM) {
        *ret_json = body;
        body = NULL;
    }
out:
    fedn__free(body);
    return rc;
}

fedn_status fedn_control_request(fedn_control *control, const char *method, const char *path,
                                 const char *body, char **ret_json, fedn_error *err)
{
    call_plan plan;

    if (ret_json)
        *ret_json = NULL;
    fedn_status rc = plan_call(control, method, path, &plan, err);
    if (rc == FEDN_OK) {
        plan.call.body = body;
        rc = perform(control, &plan, ret_json, err);
    }
    fedn__free(plan.url);
    return rc;
}

fedn_status fedn_control_list(fedn_control *control, const char *kind, const char *filter,
                              uint32_t skip, uint32_t limit, char **ret_json, fedn_error *err)
{
    char limit_header[32];
    char skip_header[32];
    call_plan plan = {0};
    int32_t filtered = filter && *filter;
    char *path = fedn__strf("%s/%s%s", kind, filtered ? "?" : "", filtered ? filter : "");

    if (ret_json)
        *ret_json = NULL;
    fedn_status rc = path ? plan_call(control, "GET", path, &plan, err) : fedn__error_nomem(err);
    if (rc != FEDN_OK)
        goto out;
    snprintf(limit_header, sizeof limit_header, "X-Limit: %u", (unsigned)limit);
    snprintf(skip_header, sizeof skip_header, "X-Skip: %u", (unsigned)skip);
    if (limit > 0)
        add_header(&plan, limit_header);
    if (skip > 0)
        add_header(&plan, skip_header);
    rc = perform(control, &plan, ret_json, err);
out:
    fedn__free(plan.url);
    fedn__free(path);
    return rc;
}

/* Takes a text member out of an answer: of the answer itself or of its first result. */
static fedn_status take_text(const char *json, const char *key, const char *missing, char **ret,
                             fedn_error *err)
{
    json_t *answer = NULL;

    fedn_status rc =
        fedn__json_parse(json ? json : "", json ? strlen(json) : 0, 0, "answer", &answer, err);
    if (rc != FEDN_OK)
        return rc;
    const json_t *first = json_array_get(json_object_get(answer, "result"), 0);
    const char *text = fedn__json_string(first ? first : answer, key, NULL);
    if (!text)
        rc = fedn__error(err, FEDN_ERR_NOT_FOUND, "%s", missing);
    else if (!(*ret = fedn__strdup(text)))
        rc = fedn__error_nomem(err);
    json_decref(answer);
    return rc;
}

/* A form with a file; *ret_body is the answer. */
typedef struct form {
    const char *below;
    const char *path;
    const char *const *fields;
    fedn_control_progress_fn progress;
    void *user_data;
} form;

static fedn_status send_form(fedn_control *control, const form *sent, char **ret_body,
                             fedn_error *err)
{
    int32_t http = 0;
    call_plan plan;
    fedn_status rc = plan_call(control, "POST", sent->below, &plan, err);

    if (rc != FEDN_OK)
        return rc;
    plan.call.timeout_ms = 0; /* grows with the file; a dead peer is found by the transport */
    rc = fedn__http_send_file(control->http, &plan.call, sent->path, sent->fields, sent->progress,
                              sent->user_data, &http, ret_body, err);
    if (rc == FEDN_ERR_UNAVAILABLE || rc == FEDN_ERR_TIMEOUT || rc == FEDN_ERR_AUTH)
        rc = unreachable(control, rc, err);
    if (rc == FEDN_OK)
        rc = check(http, plan.url, *ret_body, err);
    fedn__free(plan.url);
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): its parameters are the ABI's */
fedn_status fedn_control_model_push(fedn_control *control, const char *path, const char *format,
                                    const char *name, fedn_control_progress_fn progress,
                                    void *user_data, char **ret_model_id, fedn_error *err)
{
    const char *fields[5] = {NULL};
    const form sent = {"models/", path, fields, progress, user_data};
    uint32_t count = 0;
    char *body = NULL;

    *ret_model_id = NULL;
    if (format) {
        fields[count++] = "helper";
        fields[count++] = format;
    }
    if (name) {
        fields[count++] = "name";
        fields[count++] = name;
    }
    fedn_status rc = send_form(control, &sent, &body, err);
    if (rc == FEDN_OK)
        rc = take_text(body, "model_id", "the reducer took the model but named no id", ret_model_id,
                       err);
    fedn__free(body);
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): its parameters are the ABI's */
fedn_status fedn_control_package_push(fedn_control *control, const char *path, const char *helper,
                                      const char *name, const char *description,
                                      fedn_control_progress_fn progress, void *user_data,
                                      fedn_error *err)
{
    const char *fields[] = {"helper",      helper ? helper : "",           "name", name ? name : "",
                            "description", description ? description : "", NULL};
    const form sent = {"packages/", path, fields, progress, user_data};
    char *body = NULL;

    fedn_status rc = send_form(control, &sent, &body, err);
    fedn__free(body);
    return rc;
}

static fedn_status newest_model(fedn_control *control, char **ret_id, fedn_error *err)
{
    char *json = NULL;

    fedn_status rc = fedn_control_list(control, "models", NULL, 0, 1, &json, err);
    if (rc == FEDN_OK)
        rc = take_text(json, "model_id", "the reducer has no model yet", ret_id, err);
    fedn__free(json);
    return rc;
}

char *fedn_control_escape(const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~";
    char *out = fedn__alloc_array(strlen(text) + 1, 3);

    for (char *to = out; out && *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (strchr(plain, c)) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    return out;
}

static fedn_status fetch_file(fedn_control *control, const char *below, uint64_t most,
                              const char *path, fedn_control_progress_fn progress, void *user_data,
                              fedn_error *err)
{
    char *body = NULL;
    int32_t http = 0;
    call_plan plan = {0};
    fedn_status rc = plan_call(control, "GET", below, &plan, err);

    if (rc != FEDN_OK)
        return rc;
    plan.call.timeout_ms = 0;
    plan.call.max_bytes = most;
    rc = fedn__http_fetch_file(control->http, &plan.call, path, progress, user_data, &http, &body,
                               err);
    if (rc == FEDN_ERR_UNAVAILABLE || rc == FEDN_ERR_TIMEOUT || rc == FEDN_ERR_AUTH)
        rc = unreachable(control, rc, err);
    else if (rc == FEDN_OK && (http < 200 || http > 299))
        rc = refused(http, plan.url, body, err);
    fedn__free(body);
    fedn__free(plan.url);
    return rc;
}

fedn_status fedn_control_package_pull(fedn_control *control, const char *path,
                                      fedn_control_progress_fn progress, void *user_data,
                                      fedn_error *err)
{
    return fetch_file(control, "packages/download", FEDN__LIMIT_PACKAGE_BYTES, path, progress,
                      user_data, err);
}

fedn_status fedn_control_model_pull(fedn_control *control, const char *model_id, const char *path,
                                    fedn_control_progress_fn progress, void *user_data,
                                    fedn_error *err)
{
    char *newest = NULL;
    char *segment = NULL;
    char *below = NULL;
    fedn_status rc = FEDN_OK;

    if (!model_id)
        rc = newest_model(control, &newest, err);
    if (rc != FEDN_OK)
        goto out;
    segment = fedn_control_escape(model_id ? model_id : newest);
    below = segment ? fedn__strf("models/%s/download", segment) : NULL;
    rc = below ? fetch_file(control, below, UINT64_MAX, path, progress, user_data, err)
               : fedn__error_nomem(err);
out:
    fedn__free(below);
    fedn__free(segment);
    fedn__free(newest);
    return rc;
}

/* Tells the watcher's own verdict apart from the transport's. */
typedef struct watching {
    fedn_control_event_fn fn;
    void *user_data;
    fedn_status verdict;
} watching;

static fedn_status on_line(const char *line, void *user_data)
{
    watching *self = user_data;

    if (*line)
        self->verdict = self->fn(line, self->user_data);
    return self->verdict;
}

fedn_status fedn_control_watch(fedn_control *control, const char *session_id, uint64_t after,
                               fedn_control_event_fn fn, void *user_data, fedn_error *err)
{
    watching watcher = {fn, user_data, FEDN_OK};
    char *session = session_id ? fedn_control_escape(session_id) : NULL;
    char *path = NULL;
    int32_t http = 0;
    call_plan plan = {0};
    fedn_status rc = FEDN_OK;

    if (!session_id || session)
        path = fedn__strf("events?after=%llu%s%s", (unsigned long long)after,
                          session ? "&session_id=" : "", session ? session : "");
    rc = path ? plan_call(control, "GET", path, &plan, err) : fedn__error_nomem(err);
    if (rc != FEDN_OK)
        goto out;
    rc = fedn__http_follow(control->http, &plan.call, on_line, &watcher, &http, err);
    if (watcher.verdict != FEDN_OK)
        rc = watcher.verdict;
    else if (rc != FEDN_OK)
        rc = unreachable(control, rc, err);
    else if (http < 200 || http > 299)
        rc = refused(http, plan.url, NULL, err);
    else
        rc = fedn__error(err, FEDN_ERR_UNAVAILABLE, "the reducer ended the stream of events");
out:
    fedn__free(plan.url);
    fedn__free(path);
    fedn__free(session);
    return rc;
}
