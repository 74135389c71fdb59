/* SPDX-License-Identifier: Apache-2.0
 * Answers without an end: each piece goes out as soon as the handler's function has it. */
#include "http/exchange.h"

#include "core/alloc.h"
#include <assert.h>
#include <poll.h>
#include <sys/socket.h>

enum { BLOCK_BYTES = 16 * 1024 };

typedef struct stream {
    const fedn__http_request *request;
    int socket;
    int64_t (*next)(void *state, char *to, uint64_t room, const _Atomic int32_t *stopping);
    void (*done)(void *state);
    void *state;
} stream;

/* While nothing is written, a client that left is noticed only by looking. */
static int32_t peer_left(int socket)
{
    struct pollfd ready = {.fd = socket, .events = POLLIN};
    char byte = 0;

    return poll(&ready, 1, 0) > 0 && ((ready.revents & (POLLERR | POLLHUP)) != 0 ||
                                      recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
}

static ssize_t read_stream(void *opaque, uint64_t position, char *to, size_t room)
{
    const stream *self = opaque;
    const _Atomic int32_t *stopping = &self->request->server->stopping;
    int64_t bytes = 0;

    (void)position;
    while (bytes == 0) {
        bytes = self->next(self->state, to, room, stopping);
        if (bytes == 0 && (*stopping || peer_left(self->socket)))
            bytes = -1;
    }
    fedn__exchange_awake(self->request);
    return bytes < 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)bytes;
}

static void stream_free(void *opaque)
{
    stream *self = opaque;

    if (self->done)
        self->done(self->state);
    fedn__free(self);
}

void fedn__http_reply_stream(fedn__http_response *response, const char *type,
                             int64_t (*next)(void *state, char *to, uint64_t room,
                                             const _Atomic int32_t *stopping),
                             void (*done)(void *state), void *state)
{
    const fedn__http_request *request = response->request;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    stream *self = fedn__alloc_zero(sizeof *self);

    assert(!response->mhd && "a handler answers once");
    if (self) {
        *self = (stream){request, info ? info->connect_fd : -1, next, done, state};
        response->mhd = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES,
                                                          read_stream, self, stream_free);
    }
    if (!response->mhd) {
        fedn__free(self);
        if (done)
            done(state);
        response->failed = 1;
        return;
    }
    response->status = 200;
    fedn__http_add_header(response, "Content-Type", type);
    fedn__http_add_header(response, "Cache-Control", "no-store");
}
