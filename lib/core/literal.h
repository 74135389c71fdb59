/* SPDX-License-Identifier: Apache-2.0
 * Parameters as people write them for FEDn: a JSON object, or what Python prints of a dictionary.
 */
#ifndef FEDN__CORE_LITERAL_H
#define FEDN__CORE_LITERAL_H

#include "core/json.h"

/* An object from text: JSON, or a Python literal of dictionaries, lists, quoted texts, numbers,
 * True, False and None. Empty text and None are the empty object. Bounded as fedn__json_parse() is,
 * in FEDN__LIMIT_CONTROL_BYTES. `what` names it in the error. */
fedn_status fedn__literal_object(const char *text, const char *what, json_t **ret, fedn_error *err);

#endif
