/* SPDX-License-Identifier: Apache-2.0
 * What an application has to say beside its tasks' results: metrics, attributes, telemetry. A note
 * waits until its combiner has it, or the client ends. */
#ifndef FEDN__CLIENT_NOTE_H
#define FEDN__CLIENT_NOTE_H

#include "roles/client/report.h"

enum { FEDN__NOTE_METRIC, FEDN__NOTE_ATTRIBUTE, FEDN__NOTE_TELEMETRY };

/* Texts are copied by fedn__note_new(). */
typedef struct fedn__note {
    struct fedn__note *next;
    int32_t kind;
    const char *name;
    double value;
    const char *text;     /* of an attribute */
    const char *model_id; /* of a metric, with the two below: "" outside of a task */
    const char *round_id;
    const char *session_id;
    uint32_t step;
    int64_t at_us;
    /* the loop's */
    void *owner;
    int32_t sent; /* an answer is waited for */
} fedn__note;

/* FEDN_ERR_INVALID: a name or value that no combiner would take; FEDN_ERR_NOMEM. */
fedn_status fedn__note_new(const fedn__note *what, fedn__note **ret, fedn_error *err);
void fedn__note_free(fedn__note *note); /* NULL allowed */
fedn_status fedn__note_send(const fedn__reporter *reporter, const fedn__note *note,
                            fedn__unary_fn fn, void *user_data);

#endif
