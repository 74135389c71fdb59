/* SPDX-License-Identifier: Apache-2.0
 * From a combiner's TaskRequest to the values that the engine and callbacks work with. */
#ifndef FEDN__CLIENT_ORDER_H
#define FEDN__CLIENT_ORDER_H

#include "fedn.pb-c.h"
#include "roles/client/engine.h"

/* `format` is what models look like where the task itself does not say; may be "". A model that
 * came with the task counts up to `most_model` bytes; over that it is to be fetched. A task that
 * cannot be done (bad ids, not JSON, unknown type) gives an order with `fault` set, so that the
 * combiner is told. FEDN_ERR_UNSUPPORTED: no combiner sent it, leave it; FEDN_ERR_NOMEM. */
fedn_status fedn__order_parse(const Fedn__TaskRequest *request, const char *format,
                              uint64_t most_model, fedn__order **ret, fedn_error *err);

#endif
