/* SPDX-License-Identifier: Apache-2.0
 * What nodes say to each other: one flat struct for all of it. */
#ifndef SIMULATE_MESSAGE_H
#define SIMULATE_MESSAGE_H

#include <fedn/error.h>
#include <stdint.h>

#define MESSAGE_TEXT 100

/* Client to combiner, and back. */
#define MESSAGES(X)                                                                                \
    X(OPEN)                                                                                        \
    X(OPENED)                                                                                      \
    X(TASK)                                                                                        \
    X(END)                                                                                         \
    X(HEARTBEAT)                                                                                   \
    X(FETCH)                                                                                       \
    X(UPLOAD)                                                                                      \
    X(ANNOUNCE)                                                                                    \
    X(FAILURE)                                                                                     \
    X(ANSWER)                                                                                      \
    X(HELLO)                                                                                       \
    X(WELCOME)                                                                                     \
    X(ACK)                                                                                         \
    X(START)                                                                                       \
    X(CANCEL)                                                                                      \
    X(VALIDATE)                                                                                    \
    X(ROSTER)                                                                                      \
    X(PROGRESS)                                                                                    \
    X(REPORT)

enum {
    MESSAGE_NONE,
#define MESSAGE_KIND(name) MESSAGE_##name,
    MESSAGES(MESSAGE_KIND)
#undef MESSAGE_KIND
};

typedef struct message {
    int32_t kind;
    fedn_status status;
    uint64_t call;    /* of a call and its answer; 0: on the stream */
    uint32_t client;  /* its node */
    uint32_t session; /* these are numbers of the ledger */
    uint32_t round;
    uint32_t model;
    uint32_t content;
    uint32_t partial;
    uint64_t update; /* its id; 0: none */
    uint64_t task;
    int32_t travels; /* the update comes with its announcement */
    int32_t train;   /* of a task */
    uint32_t active, expected, accepted, refused, failed;
    uint64_t seq, ack, last_seen;
    uint64_t link_id, run_id;
    int32_t resumed;
    uint32_t held; /* round; 0: none */
    char text[MESSAGE_TEXT];
} message;

const char *message_name(int32_t kind);

#endif
