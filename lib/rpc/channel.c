/* SPDX-License-Identifier: Apache-2.0
 * A channel to one peer and what its calls have in common; see channel.h. */
#include "rpc/channel.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/limits.h"
#include "rpc/dialling.h"
#include <assert.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <string.h>

enum {
    KEEPALIVE_MS = 20000,
    KEEPALIVE_WAIT_MS = 20000,
    BACKOFF_FIRST_MS = 200,
    BACKOFF_MAX_MS = 10000,
    ARGS = 9
};

static grpc_arg number(const char *key, int64_t value)
{
    grpc_arg arg = {GRPC_ARG_INTEGER, (char *)(uintptr_t)key, {.integer = (int)value}};
    return arg;
}

static grpc_channel_credentials *credentials(const fedn__channel_options *options)
{
    grpc_ssl_pem_key_cert_pair pair = {options->key_pem, options->cert_pem};

    if (!options->tls)
        return grpc_insecure_credentials_create();
    return grpc_ssl_credentials_create_ex(options->root_pem, options->cert_pem ? &pair : NULL, NULL,
                                          NULL);
}

static void dial(fedn__channel *channel, const fedn__channel_options *options)
{
    grpc_arg args[ARGS] = {
        number(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        number(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        number(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE),
        number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int64_t)FEDN__LIMIT_MESSAGE_BYTES),
        number(GRPC_ARG_KEEPALIVE_TIME_MS,
               options->keepalive_ms ? options->keepalive_ms : KEEPALIVE_MS),
        number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
               options->keepalive_wait_ms ? options->keepalive_wait_ms : KEEPALIVE_WAIT_MS),
        number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        number(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS),
        number(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
               options->backoff_max_ms ? options->backoff_max_ms : BACKOFF_MAX_MS),
    };
    grpc_channel_args list = {ARGS, args};
    grpc_channel_credentials *identity = credentials(options);

    channel->grpc = grpc_channel_create(options->target, identity, &list);
    grpc_channel_credentials_release(identity);
}

static void release(fedn__channel *channel)
{
    for (uint64_t i = 0; i < channel->metadata_count; i++) {
        grpc_slice_unref(channel->metadata[i].key);
        grpc_slice_unref(channel->metadata[i].value);
    }
    fedn__free(channel->metadata);
    fedn__free(channel);
}

static fedn_status copy_metadata(fedn__channel *channel, const char *const *pairs, fedn_error *err)
{
    uint64_t count = 0;

    while (pairs && pairs[2 * count])
        count++;
    if (count == 0)
        return FEDN_OK;
    channel->metadata = fedn__alloc_array(count, sizeof *channel->metadata);
    if (!channel->metadata)
        return fedn__error_nomem(err);
    for (uint64_t i = 0; i < count; i++) {
        grpc_metadata *pair = &channel->metadata[i];
        pair->key = grpc_slice_from_copied_string(pairs[2 * i]);
        pair->value = grpc_slice_from_copied_string(pairs[2 * i + 1]);
        channel->metadata_count++;
        if (!grpc_header_key_is_legal(pair->key))
            return fedn__error(err, FEDN_ERR_INVALID,
                               "metadata key \"%.64s\" is not lower case letters, digits, -_.",
                               pairs[2 * i]);
        if (!grpc_header_nonbin_value_is_legal(pair->value))
            return fedn__error(err, FEDN_ERR_INVALID,
                               "the value of metadata \"%.64s\" is not printable ASCII",
                               pairs[2 * i]);
    }
    return FEDN_OK;
}

fedn_status fedn__channel_new(fedn__loop *loop, const fedn__channel_options *options,
                              fedn__channel **ret, fedn_error *err)
{
    *ret = NULL;
    if (!options->cert_pem != !options->key_pem)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "a certificate needs its key, and a key its "
                           "certificate");
    fedn__channel *channel = fedn__alloc_zero(sizeof *channel);
    if (!channel)
        return fedn__error_nomem(err);
    channel->loop = loop;
    fedn_status rc = copy_metadata(channel, options->metadata, err);
    if (rc < 0) {
        release(channel);
        return rc;
    }
    dial(channel, options);
    fedn__loop_hold(loop);
    *ret = channel;
    return FEDN_OK;
}

static void check_freed(fedn__channel *channel)
{
    fedn__loop *loop = channel->loop;

    if (!channel->freed || channel->calls || channel->holds)
        return;
    release(channel);
    fedn__loop_release(loop);
}

void fedn__channel_free(fedn__channel *channel)
{
    if (!channel)
        return;
    assert(fedn__loop_is_current(channel->loop) && !channel->freed);
    channel->freed = 1;
    for (fedn__dialled *call = channel->calls; call; call = call->next)
        (void)grpc_call_cancel_with_status(call->grpc, GRPC_STATUS_CANCELLED,
                                           "the channel was closed", NULL);
    grpc_channel_destroy(channel->grpc); /* its calls keep what they need of it */
    channel->grpc = NULL;
    check_freed(channel);
}

fedn_status fedn__dialled_open(fedn__dialled *call, fedn__channel *channel, const char *path,
                               int64_t timeout_ms)
{
    gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);

    if (channel->freed)
        return FEDN_ERR_STATE;
    if (timeout_ms > 0) {
        int64_t due_ns = fedn__clock_ns() + timeout_ms * 1000000;
        deadline.tv_sec = due_ns / 1000000000;
        deadline.tv_nsec = (int32_t)(due_ns % 1000000000);
    }
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->details = grpc_empty_slice();
    grpc_slice method = grpc_slice_from_copied_string(path);
    call->grpc =
        grpc_channel_create_call(channel->grpc, NULL, GRPC_PROPAGATE_DEFAULTS,
                                 fedn__loop_queue(channel->loop), method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    call->channel = channel;
    call->next = channel->calls;
    call->link = &channel->calls;
    if (call->next)
        call->next->link = &call->next;
    channel->calls = call;
    return FEDN_OK;
}

char *fedn__dialled_details(const fedn__dialled *call)
{
    return grpc_slice_to_c_string(call->details);
}

void fedn__dialled_close(fedn__dialled *call)
{
    fedn__channel *channel = call->channel;

    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->details);
    grpc_call_unref(call->grpc);
    check_freed(channel);
}

void fedn__channel_hold(fedn__channel *channel)
{
    channel->holds++;
}

void fedn__channel_release(fedn__channel *channel)
{
    channel->holds--;
    check_freed(channel);
}

fedn__loop *fedn__channel_loop(const fedn__channel *channel)
{
    return channel->loop;
}
