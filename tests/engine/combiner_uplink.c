/* SPDX-License-Identifier: Apache-2.0
 * A combiner's link to the reducer, as lib/roles/combiner/uplink.c has it. */
#include "combiner_shell.h"

#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECONNECT_MIN_MS = 100, WAITING_BYTES = 1 << 20 };

static void dial(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    int32_t idle = fedn__combiner_engine_is_idle(shell->engine);
    message hello = {.kind = MESSAGE_HELLO,
                     .client = node,
                     .link_id = shell->link_id,
                     .last_seen = shell->link.last_seen,
                     .held = shell->report_round};

    if (!idle)
        hello.held = (uint32_t)atoi(fedn__combiner_engine_plan(shell->engine)->round_id);
    shell->wire = net_dial(w, node, REDUCER);
    net_send(w, shell->wire, 0, &hello, 1);
}

static void on_dial(world *w, event *e)
{
    dial(w, e->node);
}

void uplink_start(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);

    fedn__link_init(&shell->link, WAITING_BYTES);
    shell->link_id = world_id(w);
    shell->run_id = 0;
    shell->pause_ms = RECONNECT_MIN_MS;
    dial(w, node);
}

static void closed(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    int64_t jitter = random_between(&w->random, 0, shell->pause_ms);

    shell->up = 0;
    shell->wire = 0;
    world_later(w, node, shell->pause_ms / 2 + jitter, on_dial);
    shell->pause_ms *= 2;
    if (shell->pause_ms > w->profile.reconnect_max_ms)
        shell->pause_ms = w->profile.reconnect_max_ms;
    combiner_transfers_fail(w, node);
}

void uplink_closed(world *w, uint32_t wire)
{
    uint32_t node = w->wires[wire - 1].node[0];

    if (combiner_of(w, node)->wire == wire)
        closed(w, node);
}

static void hang_up(world *w, uint32_t node, const char *why)
{
    TRACE(w, node, "hangs up: %s", why);
    net_close(w, combiner_of(w, node)->wire, 0);
    closed(w, node);
}

static void send_on(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    const fedn__link_item *item = fedn__link_after(&shell->link, shell->sent_seq);
    message what;

    for (; shell->up && item; item = item->next) {
        memcpy(&what, item->data, sizeof what);
        what.seq = item->seq;
        what.ack = shell->link.last_seen;
        w->counts.repeated_reports += what.kind == MESSAGE_REPORT && what.resumed;
        shell->sent_seq = item->seq;
        net_send(w, shell->wire, 0, &what, 1);
    }
}

void uplink_send(world *w, uint32_t node, message *what)
{
    combiner_shell *shell = combiner_of(w, node);

    what->client = node;
    if (fedn__link_add(&shell->link, what, sizeof *what) != FEDN_OK)
        world_fail(w, "%s: too much waits for the reducer", node_name(node));
    send_on(w, node);
}

/* What the acknowledgement of a report means. */
static void look_for_report(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    char round[16];
    message what;

    if (!shell->report_round)
        return;
    for (const fedn__link_item *item = shell->link.head; item; item = item->next) {
        memcpy(&what, item->data, sizeof what);
        if (what.kind == MESSAGE_REPORT && what.round == shell->report_round)
            return;
    }
    snprintf(round, sizeof round, "%u", (unsigned)shell->report_round);
    TRACE(w, node, "the report of round %s is taken", round);
    shell->report_round = 0;
    fedn__combiner_engine_report_taken(shell->engine, round);
}

static void acked(world *w, uint32_t node, uint64_t ack)
{
    combiner_shell *shell = combiner_of(w, node);

    fedn__link_acked(&shell->link, ack < shell->sent_seq ? ack : shell->sent_seq);
    look_for_report(w, node);
}

static void on_welcome(world *w, uint32_t node, const message *what)
{
    combiner_shell *shell = combiner_of(w, node);

    if (shell->run_id != what->run_id)
        fedn__link_renumber(&shell->link);
    shell->run_id = what->run_id;
    if (!fedn__link_continues(&shell->link, what->last_seen)) {
        shell->link_id = world_id(w);
        shell->run_id = 0;
        hang_up(w, node, "the reducer has seen other messages than were sent");
        return;
    }
    shell->sent_seq = what->last_seen;
    shell->up = 1;
    shell->pause_ms = RECONNECT_MIN_MS;
    acked(w, node, what->ack);
    send_on(w, node);
    combiner_link_up(w, node);
}

void uplink_message(world *w, uint32_t wire, const message *what)
{
    uint32_t node = w->wires[wire - 1].node[0];
    combiner_shell *shell = combiner_of(w, node);

    if (shell->wire != wire)
        return;
    if (what->kind == MESSAGE_ANSWER) {
        combiner_transfer_answered(w, node, what);
        return;
    }
    if (!shell->up) {
        if (what->kind == MESSAGE_WELCOME && !what->text[0])
            on_welcome(w, node, what);
        else
            hang_up(w, node, what->text);
    } else {
        acked(w, node, what->ack);
        int32_t order = what->kind == MESSAGE_ACK ? 0 : fedn__link_accept(&shell->link, what->seq);
        w->counts.repeated_link += order == 0 && what->kind != MESSAGE_ACK;
        if (order > 0)
            combiner_from_above(w, node, what);
        else if (order < 0)
            hang_up(w, node, "messages were skipped");
    }
    combiner_drain(w, node);
}
