/* SPDX-License-Identifier: Apache-2.0
 * Numbering, keeping and recognising the messages of a resumable link. */
#include "roles/link.h"

#include "core/alloc.h"
#include <string.h>

void fedn__link_init(fedn__link *link, uint64_t limit_bytes)
{
    memset(link, 0, sizeof *link);
    link->next_seq = 1;
    link->limit_bytes = limit_bytes;
}

static void drop_first(fedn__link *link)
{
    fedn__link_item *item = link->head;
    link->head = item->next;
    if (!link->head)
        link->newest = NULL;
    link->held_bytes -= item->bytes;
    fedn__free(item);
}

void fedn__link_done(fedn__link *link)
{
    while (link->head)
        drop_first(link);
}

void fedn__link_renumber(fedn__link *link)
{
    link->next_seq = 1;
    for (fedn__link_item *item = link->head; item; item = item->next)
        item->seq = link->next_seq++;
    link->last_seen = 0;
}

int32_t fedn__link_continues(const fedn__link *link, uint64_t last_seen)
{
    uint64_t oldest = link->head ? link->head->seq : link->next_seq;
    return last_seen + 1 >= oldest && last_seen < link->next_seq;
}

fedn_status fedn__link_add(fedn__link *link, const void *packed, uint64_t bytes)
{
    if (bytes > link->limit_bytes || link->held_bytes > link->limit_bytes - bytes)
        return FEDN_ERR_LIMIT;
    fedn__link_item *item = fedn__alloc(sizeof *item + bytes);
    if (!item)
        return FEDN_ERR_NOMEM;
    item->next = NULL;
    item->seq = link->next_seq++;
    item->bytes = bytes;
    memcpy(item->data, packed, (size_t)bytes);
    if (link->newest)
        link->newest->next = item;
    else
        link->head = item;
    link->newest = item;
    link->held_bytes += bytes;
    return FEDN_OK;
}

void fedn__link_acked(fedn__link *link, uint64_t ack)
{
    while (link->head && link->head->seq <= ack)
        drop_first(link);
}

int32_t fedn__link_accept(fedn__link *link, uint64_t seq)
{
    if (seq <= link->last_seen)
        return 0;
    if (seq != link->last_seen + 1)
        return -1;
    link->last_seen = seq;
    return 1;
}

const fedn__link_item *fedn__link_after(const fedn__link *link, uint64_t seq)
{
    const fedn__link_item *item = link->head;

    while (item && item->seq <= seq)
        item = item->next;
    return item;
}

static uint64_t put_varint(uint32_t field, uint64_t value, uint8_t *ret)
{
    uint64_t bytes = 0;

    ret[bytes++] = (uint8_t)(field << 3);
    for (; value > 127; value >>= 7)
        ret[bytes++] = (uint8_t)(value | 128);
    ret[bytes++] = (uint8_t)value;
    return bytes;
}

uint64_t fedn__link_stamp(uint64_t seq, uint64_t ack, uint8_t ret[FEDN__LINK_STAMP_BYTES])
{
    uint64_t bytes = put_varint(1, seq, ret);

    return bytes + put_varint(2, ack, ret + bytes);
}

const fedn__link_item *fedn__link_resend(fedn__link *link, uint64_t last_seen)
{
    fedn__link_acked(link, last_seen);
    return link->head;
}
