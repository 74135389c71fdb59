/* SPDX-License-Identifier: Apache-2.0
 * What the folder itself needs of a loop: tags on its completion queue, and keeping it alive. */
#ifndef FEDN__RPC_TAG_H
#define FEDN__RPC_TAG_H

#include "core/owner.h"
#include "rpc/loop.h"
#include <grpc/grpc.h>

/* What an event of the queue carries; lives until its event has come. */
typedef struct fedn__tag {
    void (*fn)(struct fedn__tag *tag, int32_t ok);
} fedn__tag;

grpc_completion_queue *fedn__loop_queue(fedn__loop *loop);
const fedn__log *fedn__loop_log(const fedn__loop *loop);
/* Something that still gets events: fedn__loop_free() waits for its release. Hold: any thread;
 * release: on the loop. */
void fedn__loop_hold(fedn__loop *loop);
void fedn__loop_release(fedn__loop *loop);

/* Starts a batch; tag->fn() follows on the loop if GRPC_CALL_OK is returned. */
grpc_call_error fedn__tag_start(fedn__tag *tag, grpc_call *call, const grpc_op *ops, size_t count);
/* Any other call that hands a tag to gRPC has FEDN__GIVEN(tag) before it; see handover.h. */

#endif
