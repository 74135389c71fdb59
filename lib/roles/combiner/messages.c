/* SPDX-License-Identifier: Apache-2.0
 * Messages of clients that become records at the reducer. FEDn's client ends when such a call fails
 * with anything that it does not try again, so only UNAVAILABLE is a failure here; what is refused
 * for good is answered as refused. */
#include "roles/combiner/methods.h"

#include "core/clock.h"
#include "core/error.h"

/* What a client says for somebody who watches is let go of when too much waits for the reducer;
 * what it answers, it keeps and sends again. */
enum { MAY_DROP = 1 };

static void answer_record(fedn__combiner_service *service, fedn__call *call, fedn_status rc,
                          const char *text, int32_t may_drop)
{
    if (rc == FEDN_OK)
        fedn__combiner_answer(service, call, text);
    else if (rc == FEDN_ERR_INVALID)
        fedn__combiner_answer(service, call, "REFUSED: the record is too large");
    else if (may_drop)
        fedn__combiner_answer(service, call, "DROPPED: too many records wait for the reducer");
    else
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE,
                          rc == FEDN_ERR_LIMIT ? "too many records wait for the reducer: try again"
                                               : fedn_status_string(rc));
}

static void nobody(fedn__combiner_service *service, fedn__call *call)
{
    fedn__combiner_answer(service, call,
                          "REFUSED: neither metadata \"client\" nor sender says who it is");
}

void fedn__combiner_status(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__Status *message = (const Fedn__Status *)request;
    const char *id = fedn__combiner_caller(call, message->sender);

    if (!id) {
        nobody(service, call);
        return;
    }
    if (message->log_level == FEDN__LOG_LEVEL__ERROR && *message->correlation_id &&
        message->type == FEDN__STATUS_TYPE__MODEL_UPDATE) {
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner", "client %s failed: %s", id,
                        message->status);
        fedn__combiner_engine_task_failed(service->engine, fedn__clock_ms(), id,
                                          message->correlation_id, message->status);
        fedn__combiner_service_drain(service);
    }
    answer_record(service, call, fedn__records_status(service->records, id, message),
                  "Status received.", MAY_DROP);
}

/* The handlers of messages that only become records differ in a type and an answer. */
#define RECORD_HANDLER(name, Message, record, text, may_drop)                                      \
    void name(void *service_data, fedn__call *call, const ProtobufCMessage *request)               \
    {                                                                                              \
        fedn__combiner_service *service = service_data;                                            \
        const Message *message = (const Message *)request;                                         \
        const char *id = fedn__combiner_caller(call, message->sender);                             \
        if (!id)                                                                                   \
            nobody(service, call);                                                                 \
        else                                                                                       \
            answer_record(service, call, record(service->records, id, message), text, may_drop);   \
    }

RECORD_HANDLER(fedn__combiner_validation, Fedn__ModelValidation, fedn__records_validation,
               "RECEIVED ModelValidation", 0)
RECORD_HANDLER(fedn__combiner_prediction, Fedn__ModelPrediction, fedn__records_prediction,
               "RECEIVED ModelPrediction", 0)
RECORD_HANDLER(fedn__combiner_backward, Fedn__BackwardCompletion, fedn__records_backward,
               "RECEIVED BackwardCompletion", 0)
RECORD_HANDLER(fedn__combiner_metric, Fedn__ModelMetric, fedn__records_metrics, "", 0)
RECORD_HANDLER(fedn__combiner_attribute, Fedn__AttributeMessage, fedn__records_attributes, "", 0)
RECORD_HANDLER(fedn__combiner_telemetry, Fedn__TelemetryMessage, fedn__records_telemetry, "",
               MAY_DROP)
