/* SPDX-License-Identifier: Apache-2.0
 * One question and its answer on a channel: a single batch. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "rpc/dialling.h"
#include <grpc/support/alloc.h>
#include <string.h>

typedef struct question {
    fedn__dialled call;
    fedn__tag tag;
    const ProtobufCMessageDescriptor *response;
    grpc_byte_buffer *request;
    grpc_byte_buffer *answer;
    fedn__unary_fn fn;
    void *user_data;
} question;

static void finish(question *asked)
{
    if (asked->request)
        grpc_byte_buffer_destroy(asked->request);
    if (asked->answer)
        grpc_byte_buffer_destroy(asked->answer);
    fedn__dialled_close(&asked->call);
    fedn__free(asked);
}

static void answered(fedn__tag *tag, int32_t ok)
{
    question *asked = FEDN__OWNER(tag, struct question, tag);
    ProtobufCMessage *message = NULL;
    int32_t rpc = (int32_t)asked->call.status;
    char *details = fedn__dialled_details(&asked->call);
    const char *text = details;
    fedn_error err;

    (void)ok;
    if (rpc == FEDN__RPC_OK) {
        fedn_status rc = FEDN_OK;
        if (asked->answer)
            rc = fedn__codec_unpack(asked->answer, asked->response, FEDN__LIMIT_MESSAGE_BYTES,
                                    &message, &err);
        else
            rc = fedn__error(&err, FEDN_ERR_FORMAT, "the peer ended the call without an answer");
        if (rc < 0) {
            rpc = rc == FEDN_ERR_NOMEM ? FEDN__RPC_RESOURCE_EXHAUSTED : FEDN__RPC_INTERNAL;
            text = err.message;
        }
    }
    asked->fn(rpc, text, message, asked->user_data);
    fedn__codec_release(message);
    gpr_free(details);
    finish(asked);
}

static grpc_call_error start(question *asked, int32_t wait_ready)
{
    const fedn__channel *channel = asked->call.channel;
    grpc_op ops[6];

    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = wait_ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY : 0;
    ops[0].data.send_initial_metadata.metadata = channel->metadata;
    ops[0].data.send_initial_metadata.count = channel->metadata_count;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = asked->request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &asked->call.initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &asked->answer;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &asked->call.trailing;
    ops[5].data.recv_status_on_client.status = &asked->call.status;
    ops[5].data.recv_status_on_client.status_details = &asked->call.details;
    return fedn__tag_start(&asked->tag, asked->call.grpc, ops, 6);
}

fedn_status fedn__channel_unary(fedn__channel *channel, const char *path,
                                const ProtobufCMessage *request,
                                const ProtobufCMessageDescriptor *response,
                                const fedn__unary_options *options, fedn__unary_fn fn,
                                void *user_data)
{
    question *asked = fedn__alloc_zero(sizeof *asked);

    if (!asked)
        return FEDN_ERR_NOMEM;
    fedn_status rc =
        fedn__dialled_open(&asked->call, channel, path, options ? options->timeout_ms : 0);
    if (rc < 0) {
        fedn__free(asked);
        return rc;
    }
    asked->tag.fn = answered;
    asked->response = response;
    asked->fn = fn;
    asked->user_data = user_data;
    asked->request = fedn__codec_pack(request);
    rc = asked->request ? FEDN_OK : FEDN_ERR_INVALID;
    if (rc == FEDN_OK && start(asked, options && options->wait_ready) != GRPC_CALL_OK)
        rc = FEDN_ERR_INTERNAL;
    if (rc < 0)
        finish(asked);
    return rc;
}
