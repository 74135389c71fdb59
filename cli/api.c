/* SPDX-License-Identifier: Apache-2.0
 * Asking the reducer, with answers as JSON values. */
#include "api.h"

#include "out.h"
#include <stdlib.h>
#include <string.h>

static fedn_status parse(char *text, json_t **ret, fedn_error *err)
{
    if (ret) {
        *ret = json_loads(text ? text : "", JSON_DECODE_ANY, NULL);
        if (!*ret)
            return cli_error(err, FEDN_ERR_PROTOCOL, "the reducer's answer is not JSON");
    }
    return FEDN_OK;
}

fedn_status api_call(fedn_control *control, const char *method, const char *path,
                     const json_t *body, json_t **ret, fedn_error *err)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    char *answer = NULL;

    if (ret)
        *ret = NULL;
    if (body && !text)
        return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    fedn_status rc = fedn_control_request(control, method, path, text, &answer, err);
    if (rc == FEDN_OK)
        rc = parse(answer, ret, err);
    fedn_free(answer);
    free(text);
    return rc;
}

static fedn_status call_one(fedn_control *control, const char *method, const char *kind,
                            const char *id, const json_t *body, json_t **ret, fedn_error *err)
{
    char path[1024];
    char *escaped = fedn_control_escape(id);

    *ret = NULL;
    if (!escaped)
        return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    int length = snprintf(path, sizeof path, "%s/%s", kind, escaped);
    fedn_free(escaped);
    if (!*id || length >= (int)sizeof path)
        return cli_error(err, FEDN_ERR_NOT_FOUND, "\"%s\" cannot be the id of one of the %s", id,
                         kind);
    return api_call(control, method, path, body, ret, err);
}

fedn_status api_get(fedn_control *control, const char *kind, const char *id, json_t **ret,
                    fedn_error *err)
{
    return call_one(control, "GET", kind, id, NULL, ret, err);
}

fedn_status api_patch(fedn_control *control, const char *kind, const char *id, const json_t *body,
                      json_t **ret, fedn_error *err)
{
    return call_one(control, "PATCH", kind, id, body, ret, err);
}

fedn_status api_status(const cli_line *cli, json_t **ret, fedn_error *err)
{
    fedn_control *control = NULL;

    *ret = NULL;
    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_call(control, "GET", "status", NULL, ret, err);
    fedn_control_free(control);
    return rc;
}

fedn_status api_list(fedn_control *control, const char *kind, const char *field, const char *value,
                     uint32_t limit, json_t **ret, fedn_error *err)
{
    char filter[1024] = "";
    char *answer = NULL;

    *ret = NULL;
    if (value) {
        char *escaped = fedn_control_escape(value);
        if (!escaped)
            return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
        snprintf(filter, sizeof filter, "%s=%s", field, escaped);
        fedn_free(escaped);
    }
    fedn_status rc = fedn_control_list(control, kind, filter, 0, limit, &answer, err);
    if (rc == FEDN_OK)
        rc = parse(answer, ret, err);
    fedn_free(answer);
    return rc;
}

fedn_status api_list_or_print(cli_line *cli, const char *kind, const char *field, const char *value,
                              json_t **ret, fedn_error *err)
{
    fedn_control *control = NULL;
    uint32_t limit = 0;

    *ret = NULL;
    fedn_status rc = cli_number(cli, "limit", 1000000, 50, &limit, err);
    if (rc == FEDN_OK)
        rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_list(control, kind, field, value, limit, ret, err);
    fedn_control_free(control);
    if (rc == FEDN_OK && cli->json) {
        out_json(*ret);
        json_decref(*ret);
        *ret = NULL;
    }
    return rc;
}

const char *api_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int64_t api_integer(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

double api_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

const json_t *api_member(const json_t *object, const char *key, const char *below)
{
    const json_t *member = json_object_get(object, key);
    return below ? json_object_get(member, below) : member;
}
