/* SPDX-License-Identifier: Apache-2.0
 * Tasks on their way to clients, with the model inside where it is small and the client takes that.
 */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include <string.h>

/* Field 100 of TaskRequest, a length of at most three bytes. */
static const uint8_t model_key[] = {0xa2, 0x06};
enum { MODEL_HEAD_BYTES = sizeof model_key + 3 };
_Static_assert(FEDN__LIMIT_INLINE_MODEL < 1 << 21, "the length takes three bytes at most");

uint64_t fedn__combiner_most_inline(const fedn__combiner_service *service)
{
    uint64_t most = service->options.max_model_bytes;

    return most < FEDN__LIMIT_INLINE_MODEL ? most : FEDN__LIMIT_INLINE_MODEL;
}

uint64_t fedn__combiner_read_inline(const char *data)
{
    size_t bytes = strlen(data);
    json_t *said = NULL;

    if (bytes == 0 || bytes > FEDN__LIMIT_TEXT_BYTES ||
        fedn__json_parse(data, bytes, 0, "data", &said, NULL) != FEDN_OK)
        return 0;
    int64_t most = fedn__json_integer(said, "inline_bytes", 0);
    json_decref(said);
    if (most <= 0)
        return 0;
    return (uint64_t)most < FEDN__LIMIT_INLINE_MODEL ? (uint64_t)most : FEDN__LIMIT_INLINE_MODEL;
}

/* The message, and behind it the model as its last field: its bytes are shared by all clients. */
static fedn_status send_with_model(fedn__call *call, const Fedn__TaskRequest *task,
                                   fedn__blob *model)
{
    size_t bytes = protobuf_c_message_get_packed_size(&task->base);
    uint64_t length = fedn__blob_bytes(model);

    uint8_t *head = fedn__alloc(bytes + MODEL_HEAD_BYTES);
    if (!head)
        return FEDN_ERR_NOMEM;
    protobuf_c_message_pack(&task->base, head);
    uint8_t *at = head + bytes;
    memcpy(at, model_key, sizeof model_key);
    at += sizeof model_key;
    for (; length >= 0x80; length >>= 7)
        *at++ = (uint8_t)(length | 0x80);
    *at++ = (uint8_t)length;
    fedn_status rc = fedn__call_send_blob(call, head, (uint64_t)(at - head), model, 0,
                                          fedn__blob_bytes(model), NULL, NULL);
    fedn__free(head);
    return rc;
}

static fedn_status send_to(fedn__combiner_service *service, const fedn__held_call *held,
                           Fedn__TaskRequest *task)
{
    fedn__blob *model = NULL;
    fedn_status rc;

    if (held->inline_bytes == 0)
        return fedn__call_send(held->call, &task->base);
    task->inline_bytes = (uint32_t)fedn__combiner_most_inline(service);
    (void)fedn__shelf_model(service->shelf, task->model_id, &model, NULL);
    if (model && fedn__blob_bytes(model) > 0 && fedn__blob_bytes(model) <= held->inline_bytes)
        rc = send_with_model(held->call, task, model);
    else
        rc = fedn__call_send(held->call, &task->base);
    fedn__blob_unref(model);
    return rc;
}

void fedn__combiner_send_task(fedn__combiner_service *service, const fedn__combiner_action *action)
{
    const fedn__participant *client = action->client;
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);
    const fedn__model_task *other = action->task;
    fedn__held_call *held = (fedn__held_call *)(uintptr_t)client->stream;
    Fedn__Client sender = FEDN__CLIENT__INIT;
    Fedn__Client receiver = FEDN__CLIENT__INIT;
    Fedn__TaskRequest task = FEDN__TASK_REQUEST__INIT;
    char time[FEDN__TIME_TEXT];
    char id[FEDN__UUID_TEXT];

    if (!held)
        return; /* gone since; it gets the task when it comes back */
    if (!other && fedn__combiner_engine_is_idle(service->engine))
        return; /* the round could not begin */
    fedn__uuid_new_text(id);
    fedn__text_space_time(fedn__clock_wall_us(), time);
    sender.role = FEDN__ROLE__COMBINER;
    sender.name = (char *)(uintptr_t)service->options.name;
    receiver.role = FEDN__ROLE__CLIENT;
    receiver.client_id = client->id;
    task.sender = &sender;
    task.receiver = &receiver;
    task.timestamp = time;
    task.type = other ? (Fedn__StatusType)other->type : FEDN__STATUS_TYPE__MODEL_UPDATE;
    task.model_id = (char *)(uintptr_t)(other ? other->model_id : plan->model_id);
    task.session_id = (char *)(uintptr_t)(other ? other->session_id : plan->session_id);
    task.data = other ? other->data : plan->config;
    task.correlation_id = other ? id : (char *)(uintptr_t)client->task_id;
    fedn_status rc = send_to(service, held, &task);
    if (rc == FEDN_OK)
        return;
    fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner", "task for client %s: %s",
                    client->id, fedn_status_string(rc));
    /* it opens another stream, and gets the task on that */
    fedn__call_finish(held->call, FEDN__RPC_UNAVAILABLE, "a task could not be sent");
}
