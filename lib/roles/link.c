/* SPDX-License-Identifier: Apache-2.0
 * Numbering, keeping and recognising the messages of a resumable link. */
#include "roles/link.h"

#include "core/alloc.h"
#include <string.h>

void fedn__link_init(fedn__link *link, uint64_t limit_bytes)
{
    memset(link, 0, sizeof *link);
    link->tail = &link->head;
    link->next_seq = 1;
    link->limit_bytes = limit_bytes;
}

static void drop_first(fedn__link *link)
{
    fedn__link_item *item = link->head;
    link->head = item->next;
    if (!link->head)
        link->tail = &link->head;
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
    *link->tail = item;
    link->tail = &item->next;
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

const fedn__link_item *fedn__link_resend(fedn__link *link, uint64_t last_seen)
{
    fedn__link_acked(link, last_seen);
    return link->head;
}
