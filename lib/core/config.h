/* SPDX-License-Identifier: Apache-2.0
 * Reading the property table inside the library; the table itself is in properties.c. */
#ifndef FEDN__CORE_CONFIG_H
#define FEDN__CORE_CONFIG_H

#include <fedn/config.h>

enum { FEDN__STRING, FEDN__INTEGER, FEDN__NUMBER, FEDN__BOOLEAN };
enum { FEDN__UNIT_NONE, FEDN__UNIT_BYTES, FEDN__UNIT_MS };

typedef struct fedn__property {
    const char *name;
    int32_t type;
    int32_t unit;
    double min, max;     /* of numbers; of the length of strings */
    const char *choices; /* strings: "a|b|c", NULL for free text */
    const char *initial;
    const char *doc;
} fedn__property;

extern const fedn__property fedn__properties[]; /* ends with a NULL name */

fedn_status fedn__config_copy(const fedn_config *config, fedn_config **ret, fedn_error *err);
void fedn__config_swap(fedn_config *a, fedn_config *b); /* exchange all values */
/* Values of properties that exist (asserted). Texts live as long as the configuration. */
const char *fedn__config_string(const fedn_config *config, const char *name);
int64_t fedn__config_integer(const fedn_config *config, const char *name);
double fedn__config_number(const fedn_config *config, const char *name);
int32_t fedn__config_boolean(const fedn_config *config, const char *name);

#endif
