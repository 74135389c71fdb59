/* SPDX-License-Identifier: Apache-2.0
 * What clients send beside updates, as records for the reducer's store: collected, and sent up in
 * batches. Loop thread only. */
#ifndef FEDN__ROLES_COMBINER_RECORDS_H
#define FEDN__ROLES_COMBINER_RECORDS_H

#include "fedn.pb-c.h"
#include "roles/combiner/uplink.h"

typedef struct fedn__records fedn__records;

fedn_status fedn__records_new(fedn__loop *loop, fedn__uplink *uplink, const fedn__log *log,
                              fedn__records **ret, fedn_error *err);
/* Sends what still waits for its batch; before the uplink is closed. */
void fedn__records_free(fedn__records *records);

/* Each adds one record per element; `client_id` is who called. FEDN_ERR_LIMIT: too many wait while
 * the tier above is away; FEDN_ERR_NOMEM; FEDN_ERR_INVALID: a record that is too large for ever. */
fedn_status fedn__records_status(fedn__records *records, const char *client_id,
                                 const Fedn__Status *status);
fedn_status fedn__records_validation(fedn__records *records, const char *client_id,
                                     const Fedn__ModelValidation *validation);
fedn_status fedn__records_prediction(fedn__records *records, const char *client_id,
                                     const Fedn__ModelPrediction *prediction);
fedn_status fedn__records_backward(fedn__records *records, const char *client_id,
                                   const Fedn__BackwardCompletion *completion);
fedn_status fedn__records_metrics(fedn__records *records, const char *client_id,
                                  const Fedn__ModelMetric *metrics);
fedn_status fedn__records_attributes(fedn__records *records, const char *client_id,
                                     const Fedn__AttributeMessage *attributes);
fedn_status fedn__records_telemetry(fedn__records *records, const char *client_id,
                                    const Fedn__TelemetryMessage *telemetry);

#endif
