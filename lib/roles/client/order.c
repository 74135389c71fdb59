/* SPDX-License-Identifier: Apache-2.0
 * Checks every field of a TaskRequest before anything is made of it. */
#include "roles/client/order.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include <string.h>

static fedn_status put(char **to, const char *text)
{
    fedn__free(*to);
    *to = fedn__strdup(text);
    return *to ? FEDN_OK : FEDN_ERR_NOMEM;
}

/* The first fault found is the one that is reported. */
static fedn_status blame(fedn__order *order, const char *what, const fedn_error *why)
{
    if (order->fault)
        return FEDN_OK;
    order->fault = why ? fedn__strf("%s", why->message) : fedn__strdup(what);
    return order->fault ? FEDN_OK : FEDN_ERR_NOMEM;
}

static fedn_task_type task_type(Fedn__StatusType wire)
{
    switch (wire) {
    case FEDN__STATUS_TYPE__MODEL_UPDATE:
        return FEDN_TASK_TRAIN;
    case FEDN__STATUS_TYPE__MODEL_VALIDATION:
        return FEDN_TASK_VALIDATE;
    case FEDN__STATUS_TYPE__MODEL_PREDICTION:
        return FEDN_TASK_PREDICT;
    default:
        return 0;
    }
}

static fedn_status take_type(fedn__order *order, const Fedn__TaskRequest *request)
{
    order->type = task_type(request->type);
    order->wire_type = (int32_t)request->type;
    if (order->type)
        return FEDN_OK;
    char text[64];
    snprintf(text, sizeof text, "tasks of type %d are not supported", (int)request->type);
    return blame(order, text, NULL);
}

static fedn_status take_model_id(fedn__order *order, const char *text)
{
    fedn__uuid uuid;
    char id[FEDN__UUID_TEXT] = "";

    if (!fedn__uuid_parse(text, &uuid))
        return put(&order->model_id, "") == FEDN_OK
                   ? blame(order, "the task's model_id is not a UUID", NULL)
                   : FEDN_ERR_NOMEM;
    fedn__uuid_format(&uuid, id);
    return put(&order->model_id, id);
}

/* An id that is only compared and sent back. */
static fedn_status take_id(fedn__order *order, char **to, const char *text, const char *what)
{
    if (!text[0] || fedn__text_is_line(text, FEDN__LIMIT_ID_BYTES))
        return put(to, text);
    char fault[96];
    snprintf(fault, sizeof fault, "the task's %s is over %d bytes or not one line of text", what,
             FEDN__LIMIT_ID_BYTES);
    return put(to, "") == FEDN_OK ? blame(order, fault, NULL) : FEDN_ERR_NOMEM;
}

/* FEDn sends round ids as text; the contract allows any value. */
static fedn_status take_round_id(fedn__order *order, const json_t *config)
{
    const json_t *value = json_object_get(config, "round_id");
    char number[32];

    if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        return put(&order->round_id, number);
    }
    if (json_is_string(value) && json_string_value(value)[0])
        return take_id(order, &order->round_id, json_string_value(value), "round_id");
    if (order->type == FEDN_TASK_TRAIN)
        return blame(order, "the task's data has no round_id", NULL);
    return FEDN_OK;
}

static fedn_status take_format(fedn__order *order, const json_t *config)
{
    const char *helper = fedn__json_string(config, "helper_type", "");

    if (!helper[0] || strcmp(helper, "None") == 0)
        return FEDN_OK;
    if (!fedn__text_is_name(helper, FEDN__LIMIT_NAME_BYTES))
        return blame(order, "the task's helper_type is not a name", NULL);
    return put(&order->format, helper);
}

static fedn_status take_config(fedn__order *order, const char *data)
{
    json_t *config = NULL;
    fedn_error why;

    if (!data[0])
        return order->type == FEDN_TASK_TRAIN
                   ? blame(order, "the task has no data, which must hold its round_id", NULL)
                   : FEDN_OK;
    fedn_status rc =
        fedn__json_parse_python(data, strlen(data), 0, "the task's data", &config, &why);
    if (rc == FEDN_ERR_NOMEM)
        return rc;
    if (rc != FEDN_OK)
        return blame(order, NULL, &why);
    rc = put(&order->config, data);
    if (rc == FEDN_OK)
        rc = take_round_id(order, config);
    if (rc == FEDN_OK)
        rc = take_format(order, config);
    json_decref(config);
    return rc;
}

static fedn_status take_sender(fedn__order *order, const char *name)
{
    if (fedn__text_is_line(name, FEDN__LIMIT_NAME_BYTES))
        return put(&order->combiner, name);
    return put(&order->combiner, "combiner");
}

static fedn_status take_model(fedn__order *order, const Fedn__TaskRequest *request,
                              uint64_t most_model)
{
    order->inline_bytes = request->inline_bytes < FEDN__LIMIT_INLINE_MODEL
                              ? request->inline_bytes
                              : FEDN__LIMIT_INLINE_MODEL;
    if (request->model.len == 0 || request->model.len > most_model)
        return FEDN_OK;
    order->model = fedn__alloc(request->model.len);
    if (!order->model)
        return FEDN_ERR_NOMEM;
    memcpy(order->model, request->model.data, request->model.len);
    order->model_bytes = request->model.len;
    return FEDN_OK;
}

static fedn_status fill(fedn__order *order, const Fedn__TaskRequest *request, const char *format)
{
    fedn_status rc = take_type(order, request);

    if (rc == FEDN_OK)
        rc = take_sender(order, request->sender->name);
    if (rc == FEDN_OK)
        rc = take_id(order, &order->correlation_id, request->correlation_id, "correlation_id");
    if (rc == FEDN_OK)
        rc = take_id(order, &order->session_id, request->session_id, "session_id");
    if (rc == FEDN_OK)
        rc = take_model_id(order, request->model_id);
    if (rc == FEDN_OK)
        rc = put(&order->round_id, "");
    if (rc == FEDN_OK)
        rc = put(&order->format, format);
    if (rc == FEDN_OK)
        rc = put(&order->config, "{}");
    if (rc == FEDN_OK)
        rc = take_config(order, request->data);
    return rc;
}

fedn_status fedn__order_parse(const Fedn__TaskRequest *request, const char *format,
                              uint64_t most_model, fedn__order **ret, fedn_error *err)
{
    *ret = NULL;
    if (!request->sender || request->sender->role != FEDN__ROLE__COMBINER)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED, "the task's sender is no combiner");
    fedn__order *order = fedn__alloc_zero(sizeof *order);
    if (!order)
        return fedn__error_nomem(err);
    if (fill(order, request, format) != FEDN_OK ||
        take_model(order, request, most_model) != FEDN_OK) {
        fedn__order_free(order);
        return fedn__error_nomem(err);
    }
    *ret = order;
    return FEDN_OK;
}
