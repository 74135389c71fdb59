/* SPDX-License-Identifier: Apache-2.0
 * One round as one line: "round 3/20 [██████────] 4/6 updates  0.41 s  accuracy 0.93". */
#ifndef CLI_ROUND_LINE_H
#define CLI_ROUND_LINE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUND_METRICS = 16, ROUND_NAME = 48, ROUND_ID = 64, ROUND_MESSAGE = 200 };

typedef struct round_metric {
    char name[ROUND_NAME];
    double sum;
    uint32_t count;
} round_metric;

typedef struct round_line {
    char round_id[ROUND_ID]; /* "": none */
    char status[ROUND_NAME];
    char message[ROUND_MESSAGE];
    int64_t number, rounds;
    int64_t expected, accepted, refused, failed;
    double seconds;
    int32_t ended;
    int64_t ended_s; /* when, for the watcher */
    uint32_t validations;
    uint32_t metric_count;
    round_metric metrics[ROUND_METRICS];
} round_line;

/* Takes an event of type "round". */
void round_line_update(round_line *line, const json_t *event);
/* Takes an event of type "validation" of this round. */
void round_line_validate(round_line *line, const json_t *event);
/* The line, with a bar of `bar` columns. */
void round_line_text(const round_line *line, int32_t bar, char *to, size_t bytes);

#endif
