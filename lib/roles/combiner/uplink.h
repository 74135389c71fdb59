/* SPDX-License-Identifier: Apache-2.0
 * A combiner's link to the tier above: dials, keeps one Attach stream, numbers what goes out, sends
 * again what a cut swallowed. Loop thread only. */
#ifndef FEDN__ROLES_COMBINER_UPLINK_H
#define FEDN__ROLES_COMBINER_UPLINK_H

#include "core/blob.h"
#include "fedn_tier.pb-c.h"
#include "rpc/channel.h"

typedef struct fedn__uplink fedn__uplink;

typedef struct fedn__uplink_options {
    const char *target; /* "host:port" */
    const char *name;
    const char *combiner_id; /* UUID text */
    const char *host;        /* as announced to clients */
    const char *fqdn;
    uint32_t max_clients;
    int64_t reconnect_max_ms;
    const fedn__log *log;
} fedn__uplink_options;

typedef struct fedn__uplink_events {
    /* the link is there, for the first time or again: the other side counts no client as active */
    void (*up)(void *user_data);
    /* each message once, in order */
    void (*message)(void *user_data, const Fedn__Tier__V1__Down *message);
    /* the last report that was sent is stored at the other side */
    void (*report_taken)(void *user_data);
    /* a round that this side still has; NULL: none */
    const char *(*held_round)(void *user_data);
} fedn__uplink_events;

/* Options are copied, `log` excepted. */
fedn_status fedn__uplink_new(fedn__loop *loop, const fedn__uplink_options *options,
                             const fedn__uplink_events *events, void *user_data, fedn__uplink **ret,
                             fedn_error *err);
/* Dials. `port` is the one that clients are told. */
void fedn__uplink_start(fedn__uplink *uplink, uint32_t port);
/* No more events. While the link is up the other side has grace_ms to take up what waits; memory
 * goes when the stream has ended, which `gone` tells. */
void fedn__uplink_close(fedn__uplink *uplink, int64_t grace_ms, void (*gone)(void *user_data),
                        void *user_data);

/* Keeps the message (its body is set, numbers are filled in here) until the other side has it.
 * FEDN_ERR_LIMIT: too much is waiting; FEDN_ERR_NOMEM. */
fedn_status fedn__uplink_send(fedn__uplink *uplink, const Fedn__Tier__V1__Up *message);
/* The same for a report, whose acknowledgement is told. */
fedn_status fedn__uplink_send_report(fedn__uplink *uplink, const Fedn__Tier__V1__Up *message);
/* The same for what may wait or be refused: it leaves room for the messages that may not. */
fedn_status fedn__uplink_send_record(fedn__uplink *uplink, const Fedn__Tier__V1__Up *message);
int32_t fedn__uplink_is_up(const fedn__uplink *uplink);
fedn__channel *fedn__uplink_channel(fedn__uplink *uplink); /* for models */

#endif
