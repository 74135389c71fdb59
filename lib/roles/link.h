/* SPDX-License-Identifier: Apache-2.0
 * One direction pair of a resumable link: numbers what goes out, keeps it until the peer has
 * acknowledged it, and tells repeated arrivals from new ones. Pure. */
#ifndef FEDN__ROLES_LINK_H
#define FEDN__ROLES_LINK_H

#include <fedn/error.h>

typedef struct fedn__link_item {
    struct fedn__link_item *next;
    uint64_t seq;
    uint64_t bytes;
    uint8_t data[];
} fedn__link_item;

typedef struct fedn__link {
    fedn__link_item *head; /* not acknowledged yet, oldest first */
    fedn__link_item *newest;
    uint64_t next_seq;  /* of the next message out; starts at 1 */
    uint64_t last_seen; /* highest number taken up from the peer */
    uint64_t held_bytes;
    uint64_t limit_bytes;
} fedn__link;

void fedn__link_init(fedn__link *link, uint64_t limit_bytes);
void fedn__link_done(fedn__link *link);
/* Keeps a packed message under the number link->next_seq. FEDN_ERR_LIMIT over limit_bytes. */
fedn_status fedn__link_add(fedn__link *link, const void *packed, uint64_t bytes);
/* The peer has everything up to `ack`. */
void fedn__link_acked(fedn__link *link, uint64_t ack);
/* A message with this number came: 1 new (and noted), 0 seen before, -1 one is missing before it.
 */
int32_t fedn__link_accept(fedn__link *link, uint64_t seq);
/* The first that is kept with a number above `seq`; NULL: none. */
const fedn__link_item *fedn__link_after(const fedn__link *link, uint64_t seq);
/* Fields 1 and 2 of a link's message, `seq` and `ack`, as they stand before a body that was packed
 * without them; their length. */
#define FEDN__LINK_STAMP_BYTES 22
uint64_t fedn__link_stamp(uint64_t seq, uint64_t ack, uint8_t ret[FEDN__LINK_STAMP_BYTES]);
/* What is to be sent again to a peer that has everything up to `last_seen`; NULL at the end. */
const fedn__link_item *fedn__link_resend(fedn__link *link, uint64_t last_seen);
/* The peer has forgotten everything: what is kept is numbered from 1 again, and so is what it will
 * send. The item's number counts, whatever was packed into its message. */
void fedn__link_renumber(fedn__link *link);
/* 1 if a peer that has everything up to `last_seen` could go on from what is kept. */
int32_t fedn__link_continues(const fedn__link *link, uint64_t last_seen);

#endif
