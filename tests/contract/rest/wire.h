/* SPDX-License-Identifier: Apache-2.0
 * One HTTP request as bytes, on a connection of its own, and its answer. */
#ifndef FEDN__CONTRACT_WIRE_H
#define FEDN__CONTRACT_WIRE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef struct answer {
    int status;
    char *head; /* from the status line on */
    char *body; /* NUL behind it */
    size_t bytes;
} answer;

/* `headers`: an object of texts. `endless`: the answer is taken up to its first line feed. Fails
 * the test when nothing comes back. */
answer wire_send(int32_t port, const char *method, const char *target, const json_t *headers,
                 const char *type, const void *body, size_t bytes, int endless);
void wire_done(answer *got);
/* The value of a header into `to`; 0: it is not there. */
int wire_header(const answer *got, const char *name, char *to, size_t room);

#endif
