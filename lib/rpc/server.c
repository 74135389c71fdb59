/* SPDX-License-Identifier: Apache-2.0
 * A gRPC listener: its port, what it admits, how it stops; see server.h. */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/limits.h"
#include "rpc/handover.h"
#include "rpc/serving.h"
#include <assert.h>
#include <grpc/grpc_security.h>
#include <string.h>
#include <unistd.h>

enum {
    HANDSHAKE_MS = 10000,
    KEEPALIVE_MS = 60000,
    KEEPALIVE_WAIT_MS = 30000,
    PING_INTERVAL_MS = 1000, /* clients of FEDn ping every 5 s, also while nothing flows */
    ARGS = 11
};

static grpc_arg number(const char *key, int value)
{
    grpc_arg arg = {GRPC_ARG_INTEGER, (char *)(uintptr_t)key, {.integer = value}};
    return arg;
}

/* A quarter of memory for what peers send faster than it is taken. */
static grpc_resource_quota *new_quota(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    grpc_resource_quota *quota = grpc_resource_quota_create("fedn");

    if (pages > 0 && page_bytes > 0)
        grpc_resource_quota_resize(quota, (size_t)pages * (size_t)page_bytes / 4);
    return quota;
}

static void create(fedn__server *server, const fedn__server_options *options)
{
    uint64_t largest = 0;
    grpc_resource_quota *quota = new_quota();
    grpc_arg quota_arg = {GRPC_ARG_POINTER,
                          (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
                          {.pointer = {quota, grpc_resource_quota_arg_vtable()}}};

    for (uint32_t i = 0; i < server->count; i++)
        if (server->rows[i].method.max_request_bytes > largest)
            largest = server->rows[i].method.max_request_bytes;
    grpc_arg args[ARGS] = {
        number(GRPC_ARG_ALLOW_REUSEPORT, 0),
        number(GRPC_ARG_HTTP2_BDP_PROBE, options->wide_windows),
        /* a small compressed message would be unpacked whole before any limit is looked at */
        number(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE),
        number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)largest),
        number(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS),
        number(GRPC_ARG_KEEPALIVE_TIME_MS,
               options->keepalive_ms ? options->keepalive_ms : KEEPALIVE_MS),
        number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
               options->keepalive_wait_ms ? options->keepalive_wait_ms : KEEPALIVE_WAIT_MS),
        number(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        number(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MS),
        number(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0),
        number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    grpc_arg all[ARGS + 1];
    memcpy(all, args, sizeof args);
    all[ARGS] = quota_arg;
    grpc_channel_args list = {ARGS + 1, all};
    server->grpc = grpc_server_create(&list, NULL);
    grpc_resource_quota_unref(quota);
}

static grpc_server_credentials *credentials(const fedn__server_options *options)
{
    grpc_ssl_pem_key_cert_pair pair = {options->key_pem, options->cert_pem};

    if (!options->cert_pem)
        return grpc_insecure_server_credentials_create();
    return grpc_ssl_server_credentials_create_ex(
        options->client_ca_pem, &pair, 1,
        options->client_ca_pem ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                               : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
        NULL);
}

static fedn_status copy_rows(fedn__server *server, const fedn__method *methods, fedn_error *err)
{
    for (uint32_t i = 0; i < server->count; i++) {
        fedn__row *row = &server->rows[i];
        row->method = methods[i];
        row->path = fedn__strdup(methods[i].path);
        if (!row->path)
            return fedn__error_nomem(err);
        row->method.path = row->path;
        if (row->method.max_request_bytes == 0)
            row->method.max_request_bytes =
                row->method.request ? FEDN__LIMIT_CONTROL_BYTES : FEDN__LIMIT_MESSAGE_BYTES;
    }
    server->rows[server->count].path = fedn__strdup("");
    return server->rows[server->count].path ? FEDN_OK : fedn__error_nomem(err);
}

static fedn_status register_rows(fedn__server *server, fedn_error *err)
{
    for (uint32_t i = 0; i < server->count; i++) {
        fedn__row *row = &server->rows[i];
        int32_t single = row->method.kind == FEDN__UNARY || row->method.kind == FEDN__STREAM_OUT;
        assert(!single || row->method.request);
        row->registered = grpc_server_register_method(
            server->grpc, row->path, NULL,
            single ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER : GRPC_SRM_PAYLOAD_NONE, 0);
        if (!row->registered)
            return fedn__error(err, FEDN_ERR_INVALID, "method %s is listed twice", row->path);
    }
    return FEDN_OK;
}

static fedn_status listen_on(fedn__server *server, const fedn__server_options *options,
                             fedn_error *err)
{
    if (!options->cert_pem != !options->key_pem)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "a certificate needs its key, and a key its "
                           "certificate");
    grpc_server_credentials *identity = credentials(options);
    if (identity)
        server->port = grpc_server_add_http2_port(server->grpc, options->listen, identity);
    grpc_server_credentials_release(identity);
    if (server->port > 0)
        return FEDN_OK;
    const char *port = strrchr(options->listen, ':');
    return fedn__error(err, FEDN_ERR_IO, "port %s is in use or not permitted%s (listen %s)",
                       port ? port + 1 : options->listen,
                       options->cert_pem ? ", or the certificate or key is not valid PEM" : "",
                       options->listen);
}

fedn_status fedn__server_post(fedn__server *server, fedn__row *row)
{
    grpc_completion_queue *queue = fedn__loop_queue(server->loop);
    grpc_call_error started;

    if (server->stopping)
        return FEDN_ERR_STATE;
    fedn__call *call = fedn__call_new(server, row);
    row->starved = call == NULL;
    if (!call)
        return FEDN_ERR_NOMEM;
    FEDN__GIVEN(&call->on_new);
    if (row->registered) {
        int32_t single = row->method.kind == FEDN__UNARY || row->method.kind == FEDN__STREAM_OUT;
        started = grpc_server_request_registered_call(
            server->grpc, row->registered, &call->grpc, &call->deadline, &call->metadata,
            single ? &call->payload : NULL, queue, queue, &call->on_new);
    } else {
        started = grpc_server_request_call(server->grpc, &call->grpc, &call->details,
                                           &call->metadata, queue, queue, &call->on_new);
    }
    if (started != GRPC_CALL_OK) {
        fedn__call_discard(call);
        row->starved = 1;
        return FEDN_ERR_INTERNAL;
    }
    server->posted++;
    return FEDN_OK;
}

int32_t fedn__server_admit(fedn__server *server, fedn__call *call, const char **ret_reason)
{
    int32_t stream = call->row->registered && call->row->method.kind != FEDN__UNARY;
    fedn__peer *peer = fedn__map_get(&server->peers, call->peer_text);

    *ret_reason = NULL;
    if (server->stopping)
        *ret_reason = "shutting down";
    else if (server->calls > FEDN__LIMIT_CALLS)
        *ret_reason = "too many calls are open here";
    else if (!peer && server->max_connections && server->peers.count >= server->max_connections)
        *ret_reason = "too many connections are open here";
    else if (stream && fedn__guard_is_tight(&server->guard))
        *ret_reason = "too many descriptors are open here";
    if (*ret_reason)
        return 0;
    if (!peer) {
        peer = fedn__alloc_zero(sizeof *peer);
        if (!peer || fedn__map_set(&server->peers, call->peer_text, peer) < 0) {
            fedn__free(peer);
            *ret_reason = "out of memory";
            return 0;
        }
    }
    peer->calls++;
    call->peer = peer;
    return 1;
}

void fedn__server_leave(fedn__server *server, fedn__call *call)
{
    server->calls--;
    if (call->peer && --call->peer->calls == 0) {
        (void)fedn__map_remove(&server->peers, call->peer_text);
        fedn__free(call->peer);
    }
    /* memory has just become free: what could not be posted for the want of it may be now */
    for (uint32_t i = 0; i <= server->count; i++)
        if (server->rows[i].starved)
            (void)fedn__server_post(server, &server->rows[i]);
}

void fedn__server_hold(fedn__server *server)
{
    server->holds++;
}

void fedn__server_release(fedn__server *server)
{
    server->holds--;
    fedn__server_check_stopped(server);
}

/* The last thing that touches the server: whoever waits for it may free it at once. */
void fedn__server_check_stopped(fedn__server *server)
{
    fedn__loop *loop = server->loop;

    if (!server->stopped || server->posted || server->calls || server->holds)
        return;
    fedn__loop_timer_cancel(loop, &server->grace);
    grpc_server_destroy(server->grpc);
    server->grpc = NULL;
    fedn__loop_release(loop);
    fedn__flag_set(&server->done);
}

static void on_stopped(fedn__tag *tag, int32_t ok)
{
    fedn__server *server = FEDN__OWNER(tag, fedn__server, on_stopped);

    (void)ok;
    server->stopped = 1;
    fedn__server_check_stopped(server);
}

static void grace_over(fedn__timer *timer, void *user_data)
{
    fedn__server *server = user_data;

    (void)timer;
    grpc_server_cancel_all_calls(server->grpc);
}

/* What is done on the loop for a thread that waits. */
typedef struct loop_visit {
    fedn__server *server;
    int64_t grace_ms;
    fedn_status rc;
} loop_visit;

static void stop(void *arg)
{
    loop_visit *visit = arg;
    fedn__server *server = visit->server;

    server->stopping = 1;
    fedn__guard_stop(&server->guard);
    server->on_stopped.fn = on_stopped;
    FEDN__GIVEN(&server->on_stopped);
    grpc_server_shutdown_and_notify(server->grpc, fedn__loop_queue(server->loop),
                                    &server->on_stopped);
    server->grace.fn = grace_over;
    server->grace.user_data = server;
    int64_t due_ns = fedn__clock_ns() + visit->grace_ms * 1000000;
    if (visit->grace_ms <= 0 || fedn__loop_timer_set(server->loop, &server->grace, due_ns) < 0)
        grpc_server_cancel_all_calls(server->grpc);
}

static void open_door(void *arg)
{
    loop_visit *visit = arg;
    fedn__server *server = visit->server;

    visit->rc = fedn__guard_start(&server->guard, server->loop, server->port);
    for (uint32_t i = 0; visit->rc == FEDN_OK && i <= server->count; i++)
        visit->rc = fedn__server_post(server, &server->rows[i]);
}

static void release(fedn__server *server)
{
    for (uint32_t i = 0; server->rows && i <= server->count; i++)
        fedn__free(server->rows[i].path);
    fedn__free(server->rows);
    fedn__map_done(&server->peers);
    fedn__flag_done(&server->done);
    fedn__free(server);
}

fedn_status fedn__server_new(fedn__loop *loop, const fedn__server_options *options,
                             const fedn__method *methods, uint32_t count, fedn__server **ret,
                             fedn_error *err)
{
    fedn_status rc;

    *ret = NULL;
    assert(!fedn__loop_is_current(loop));
    fedn__server *server = fedn__alloc_zero(sizeof *server);
    if (!server)
        return fedn__error_nomem(err);
    server->loop = loop;
    server->count = count;
    server->max_connections = options->max_connections;
    fedn__map_init(&server->peers);
    fedn__flag_init(&server->done);
    server->rows = fedn__alloc_array((uint64_t)count + 1, sizeof *server->rows);
    rc = server->rows ? copy_rows(server, methods, err) : fedn__error_nomem(err);
    if (rc < 0)
        goto out;
    assert(server->rows);
    create(server, options);
    grpc_server_register_completion_queue(server->grpc, fedn__loop_queue(loop), NULL);
    rc = register_rows(server, err);
    if (rc == FEDN_OK)
        rc = listen_on(server, options, err);
    if (rc < 0) {
        grpc_server_destroy(server->grpc);
        goto out;
    }
    grpc_server_start(server->grpc);
    fedn__loop_hold(loop);
    loop_visit visit = {server, 0, FEDN_OK};
    fedn__loop_call(loop, open_door, &visit);
    if (visit.rc < 0) {
        fedn__server_free(server, 0);
        return fedn__error_nomem(err);
    }
    *ret = server;
    server = NULL;
out:
    if (server)
        release(server);
    return rc;
}

int32_t fedn__server_port(const fedn__server *server)
{
    return server->port;
}

void fedn__server_free(fedn__server *server, int64_t grace_ms)
{
    if (!server)
        return;
    loop_visit visit = {server, grace_ms, FEDN_OK};
    fedn__loop_call(server->loop, stop, &visit);
    (void)fedn__flag_wait(&server->done, INT64_MAX);
    release(server);
}
