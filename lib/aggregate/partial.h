/* SPDX-License-Identifier: Apache-2.0
 * The running aggregate as a model: a description in its first tensor, then what the rule keeps.
 *
 * The first tensor holds JSON text as uint8: rule, version of this form, models, weight [value,
 * what its sum lost to rounding], and of each tensor of the round [name, type, [sizes]]. */
#ifndef FEDN__AGGREGATE_PARTIAL_H
#define FEDN__AGGREGATE_PARTIAL_H

#include "aggregate/reader.h"
#include "aggregate/rule.h"

#define FEDN__PARTIAL_TENSOR "fedn.partial"

/* Caller frees with fedn__free(); NULL out of memory. */
char *fedn__partial_text(const char *rule, const fedn__round *round);
/* The description of `partial`, checked; caller calls fedn__round_done(). FEDN_ERR_FORMAT: it is
 * none, or of another rule or version. */
fedn_status fedn__partial_parse(const fedn__reader *partial, const char *rule, fedn__round *ret,
                                fedn_error *err);

#endif
