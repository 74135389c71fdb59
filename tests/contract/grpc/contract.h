/* SPDX-License-Identifier: Apache-2.0
 * What a client of FEDn may send to a combiner, call by call, and what it gets: unary.c and
 * streams.c are the tables, test_contract.c plays them to a real combiner and looks for methods
 * without one. */
#ifndef FEDN__CONTRACT_H
#define FEDN__CONTRACT_H

#include "combiner_rig.h"

/* One unary call. */
typedef struct unary_row {
    const char *as; /* metadata "client"; "" sends none */
    const char *path;
    const ProtobufCMessage *request;
    const ProtobufCMessageDescriptor *response;
    int32_t rpc;
    const char *words;  /* of the answer, or of the refusal */
    const char *entity; /* of the record that it becomes; NULL: none */
    const char *record; /* parts of that, with ';' between them */
} unary_row;

/* One streaming method. */
typedef struct stream_row {
    const char *path;
    void (*play)(rig *r);
} stream_row;

extern const unary_row unary_rows[];
extern const uint32_t unary_count;
extern const stream_row stream_rows[];
extern const uint32_t stream_count;

#endif
