/* SPDX-License-Identifier: Apache-2.0
 * Names, types and shapes of the tensors of a round: what all its models must have alike. */
#ifndef FEDN__AGGREGATE_LAYOUT_H
#define FEDN__AGGREGATE_LAYOUT_H

#include "model/index.h"

/* `to` is initialised here; on failure it is empty. */
fedn_status fedn__layout_copy(const fedn__source *source, fedn__index *to, fedn_error *err);

/* FEDN_ERR_FORMAT naming the first difference. `what` is what differs ("update"), `reference` what
 * it is compared with ("the global model"); the first `skip` tensors of the source do not count. */
fedn_status fedn__layout_check_source(const fedn__index *expected, const char *reference,
                                      const fedn__source *got, uint32_t skip, const char *what,
                                      fedn_error *err);
fedn_status fedn__layout_check_index(const fedn__index *expected, const char *reference,
                                     const fedn__index *got, const char *what, fedn_error *err);

#endif
