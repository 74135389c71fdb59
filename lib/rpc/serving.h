/* SPDX-License-Identifier: Apache-2.0
 * The inside of a listener, shared by its files: server.c admits and ends calls, call.c runs one.
 */
#ifndef FEDN__RPC_SERVING_H
#define FEDN__RPC_SERVING_H

#include "core/map.h"
#include "core/thread.h"
#include "rpc/codec.h"
#include "rpc/guard.h"
#include "rpc/outbox.h"
#include "rpc/tag.h"

/* A row as the listener holds it. `registered` is NULL for the last one, which takes every path
 * that has no row of its own. */
typedef struct fedn__row {
    fedn__method method;
    char *path;
    void *registered;
    int32_t starved; /* no request is posted for it: memory was out */
} fedn__row;

struct fedn__server {
    fedn__loop *loop;
    grpc_server *grpc;
    fedn__row *rows; /* `count` registered ones and the generic one */
    uint32_t count;
    int32_t port;
    uint64_t max_connections;

    /* on the loop from here */
    fedn__guard guard;
    fedn__map peers; /* address -> its struct peer, while it has calls open */
    uint64_t posted; /* requests gRPC holds */
    uint64_t calls;  /* open */
    uint64_t holds;  /* work for calls that are gone */
    int32_t stopping;
    int32_t stopped; /* gRPC has let go of the listener */
    fedn__tag on_stopped;
    fedn__timer grace;
    fedn__flag done;
};

typedef struct fedn__peer {
    uint64_t calls;
} fedn__peer;

/* A value of the metadata that somebody asked for. */
typedef struct fedn__metadatum {
    struct fedn__metadatum *next;
    const char *key;
    char text[];
} fedn__metadatum;

struct fedn__call {
    fedn__server *server;
    fedn__row *row;
    grpc_call *grpc;
    fedn__tag on_new;
    fedn__tag on_close;
    fedn__tag on_read;
    fedn__tag on_write;

    /* filled in by gRPC */
    grpc_metadata_array metadata;
    grpc_call_details details; /* generic requests */
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    grpc_byte_buffer *incoming;
    int cancelled;

    fedn__peer *peer; /* counted there */
    char *peer_text;  /* gRPC's */
    fedn__metadatum *asked;
    fedn__call_events events;
    void *user_data;
    fedn__block block; /* the raw message an event is about */
    fedn__outbox outbox;
    grpc_slice status_text;
    int32_t status;

    uint32_t pending; /* events to come, and handlers that run */
    int32_t reading;
    int32_t read_ended;
    int32_t writing;
    int32_t metadata_sent;
    int32_t finishing; /* the status goes after what is queued */
    int32_t finished;  /* the status is on its way */
    int32_t over;      /* gRPC says so */
    int32_t dropped;   /* by us */
};

/* server.c */
fedn_status fedn__server_post(fedn__server *server, fedn__row *row);
/* Work that outlives its call and uses what the service owns: fedn__server_free() waits. */
void fedn__server_hold(fedn__server *server);
void fedn__server_release(fedn__server *server);
void fedn__server_check_stopped(fedn__server *server);
/* Counts the call; a refusal says why. */
int32_t fedn__server_admit(fedn__server *server, fedn__call *call, const char **ret_reason);
void fedn__server_leave(fedn__server *server, fedn__call *call);

/* call.c */
fedn__call *fedn__call_new(fedn__server *server, fedn__row *row);
void fedn__call_discard(fedn__call *call); /* one that never became a call */
/* Inside a raw event: the message becomes the caller's. */
void fedn__call_take(fedn__call *call, fedn__block *ret);
fedn__server *fedn__call_server(const fedn__call *call);

#endif
