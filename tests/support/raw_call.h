/* SPDX-License-Identifier: Apache-2.0
 * Single RPCs as any program on the network could make them, waited for. */
#ifndef FEDN__TEST_RAW_CALL_H
#define FEDN__TEST_RAW_CALL_H

#include "fedn.pb-c.h"
#include "rpc/channel.h"
#include "rpc/transfer.h"

typedef struct raw_caller {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__channel *channel;
} raw_caller;

typedef struct raw_answer {
    int32_t rpc;
    char details[512];
    ProtobufCMessage *message; /* NULL unless rpc is OK; of the caller to free */
} raw_answer;

/* Dials 127.0.0.1:port as this client ("" sends no metadata). */
raw_caller *raw_dial(int32_t port, const char *client_id);
void raw_hang_up(raw_caller *caller);
void raw_unary(raw_caller *caller, const char *path, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response, raw_answer *ret);
void raw_answer_done(raw_answer *answer);
/* Status and text of moving so many bytes under this id, or of fetching it to a path. */
fedn_status raw_upload(raw_caller *caller, const char *id, const void *data, uint64_t bytes,
                       fedn_error *err);
fedn_status raw_download(raw_caller *caller, const char *id, const char *path, fedn_error *err);

/* A stream of tasks: what the opening message says in `data`, and the tasks as they come. */
typedef struct raw_stream raw_stream;
raw_stream *raw_open(raw_caller *caller, const char *data);
/* The nth (from 0) task; waits for it. Valid until raw_close(), which comes before the hang-up. */
const Fedn__TaskRequest *raw_task(raw_stream *stream, uint32_t nth);
/* Waits until the other side has ended it, with this status. */
void raw_await_end(raw_stream *stream, int32_t rpc);
void raw_close(raw_stream *stream);

#endif
