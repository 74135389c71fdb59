/* SPDX-License-Identifier: Apache-2.0
 * The reducer's side of the links to combiners, as lib/roles/reducer/tier_server.c has it. */
#include "reducer_shell.h"

#include "net.h"
#include <stdio.h>
#include <string.h>

enum { WAITING_BYTES = 1 << 20, ACK_EVERY = 4 };

tier_link *tier_link_of(world *w, uint32_t combiner)
{
    return &reducer_of(w)->links[combiner - FIRST_COMBINER];
}

void tier_start(world *w)
{
    for (uint32_t i = 0; i < MOST_COMBINERS; i++)
        fedn__link_init(&reducer_of(w)->links[i].link, WAITING_BYTES);
}

/* ---- sending ---- */

static void cut(world *w, tier_link *link)
{
    if (!link->wire || link->cut)
        return;
    link->cut = 1;
    uint32_t wire = link->wire;
    net_close(w, wire, 1);
    reducer_closed(w, wire);
}

void tier_send(world *w, uint32_t combiner, message *what)
{
    tier_link *link = tier_link_of(w, combiner);

    what->seq = link->link.next_seq;
    what->ack = link->durable;
    if (fedn__link_add(&link->link, what, sizeof *what) != FEDN_OK) {
        world_fail(w, "too much waits for %s", node_name(combiner));
        return;
    }
    if (link->wire && !link->cut) {
        net_send(w, link->wire, 1, what, 1);
        link->acked = what->ack;
    }
}

static void acknowledge(world *w, tier_link *link)
{
    message ack = {.kind = MESSAGE_ACK, .ack = link->durable};

    if (!link->wire || link->cut || link->durable <= link->acked)
        return;
    net_send(w, link->wire, 1, &ack, 1);
    link->acked = ack.ack;
}

static void resend(world *w, tier_link *link, uint64_t last_seen)
{
    const fedn__link_item *item = fedn__link_resend(&link->link, last_seen);
    message what;

    for (; item; item = item->next) {
        memcpy(&what, item->data, sizeof what);
        what.seq = item->seq;
        what.ack = link->durable;
        net_send(w, link->wire, 1, &what, 1);
    }
}

/* ---- greeting ---- */

static void begin_numbering(world *w, tier_link *link)
{
    fedn__link_done(&link->link);
    fedn__link_init(&link->link, WAITING_BYTES);
    link->acked = link->durable = 0;
    link->owed = 0;
    link->epoch = (uint32_t)world_id(w);
    link->run_id = world_id(w);
}

static void welcome(world *w, tier_link *link, const message *hello, int32_t resumed)
{
    uint64_t last_seen = hello->last_seen < link->link.next_seq ? hello->last_seen : 0;
    message answer = {.kind = MESSAGE_WELCOME};

    w->counts.resumed_links += resumed != 0;
    w->counts.fresh_links += !resumed;
    if (!resumed) {
        begin_numbering(w, link);
        last_seen = 0;
    } else if (!fedn__link_continues(&link->link, last_seen)) {
        fedn__link_renumber(&link->link);
        link->acked = link->durable = link->owed = 0;
        link->epoch = (uint32_t)world_id(w);
        link->run_id = world_id(w);
        last_seen = 0;
    }
    answer.run_id = link->run_id;
    answer.last_seen = link->link.last_seen;
    answer.ack = link->durable;
    net_send(w, link->wire, 1, &answer, 1);
    resend(w, link, last_seen);
}

static void on_hello(world *w, uint32_t wire, const message *what)
{
    reducer_shell *shell = reducer_of(w);
    tier_link *link = tier_link_of(w, what->client);
    char combiner_id[16], link_id[24], held[16];
    const char *list = held;
    int32_t resumed = 0;
    fedn_error err = {0};

    snprintf(combiner_id, sizeof combiner_id, "id-%u", (unsigned)what->client);
    snprintf(link_id, sizeof link_id, "%llu", (unsigned long long)what->link_id);
    snprintf(held, sizeof held, "%u", (unsigned)what->held);
    const fedn__reducer_hello hello = {.name = node_name(what->client),
                                       .combiner_id = combiner_id,
                                       .link_id = link_id,
                                       .protocol = FEDN__TIER_PROTOCOL,
                                       .max_clients = 100,
                                       .held = &list,
                                       .held_count = what->held != 0};
    if (fedn__reducer_engine_attach(shell->engine, node_now(w, REDUCER), &hello, &link->combiner,
                                    &resumed, &err) != FEDN_OK) {
        world_fail(w, "%s is refused: %s", node_name(what->client), err.message);
        return;
    }
    if (link->wire)
        net_close(w, link->wire, 1);
    link->wire = wire;
    link->cut = 0;
    link->attachment = link->combiner->attachment;
    shell->known |= 1u << what->client;
    welcome(w, link, what, resumed);
    reducer_drain(w);
}

/* ---- messages ---- */

static int32_t on_report(world *w, uint32_t combiner, const message *what)
{
    reducer_shell *shell = reducer_of(w);
    char partial[FEDN__UUID_TEXT] = "";
    fedn__reducer_report report = {.round = what->round,
                                   .partial_id = partial,
                                   .error = what->text,
                                   .expected = what->expected,
                                   .accepted = what->accepted,
                                   .refused = what->refused,
                                   .failed = what->failed};
    int32_t taken = 0;

    if (what->partial && w->ledger.partials[what->partial - 1].stored)
        id_text(what->partial, partial);
    else if (what->partial)
        report.error = "its report names a partial that it did not upload";
    if (what->kind == MESSAGE_PROGRESS)
        fedn__reducer_engine_progress(shell->engine, node_now(w, REDUCER),
                                      tier_link_of(w, combiner)->combiner, &report);
    else
        fedn__reducer_engine_report(shell->engine, node_now(w, REDUCER),
                                    tier_link_of(w, combiner)->combiner, &report, &taken);
    if (what->kind == MESSAGE_REPORT && !taken)
        w->counts.repeated_reports++;
    return taken;
}

/* 1: its number is acknowledged when its records are durable. */
static int32_t take(world *w, uint32_t combiner, const message *what)
{
    reducer_shell *shell = reducer_of(w);

    if (what->kind == MESSAGE_ROSTER) {
        fedn__reducer_engine_roster(shell->engine, node_now(w, REDUCER),
                                    tier_link_of(w, combiner)->combiner, what->active);
        store_roster(w, combiner, what->seq);
        return 1;
    }
    int32_t taken = on_report(w, combiner, what);
    if (what->kind != MESSAGE_REPORT || w->options.mistake == MISTAKE_EARLY_ACK)
        return 0;
    store_report(w, combiner, what->seq, what->round, taken);
    return 1;
}

static void on_up(world *w, uint32_t combiner, const message *what)
{
    tier_link *link = tier_link_of(w, combiner);
    uint32_t life = w->nodes[REDUCER].life;

    fedn__link_acked(&link->link, what->ack);
    int32_t order = fedn__link_accept(&link->link, what->seq);
    if (order < 0) {
        cut(w, link);
        return;
    }
    w->counts.repeated_link += order == 0;
    if (order == 0)
        return;
    int32_t records = take(w, combiner, what);
    if (!node_is_alive(w, REDUCER, life))
        return;
    if (records) {
        link->owed++;
    } else if (link->owed == 0) {
        link->durable = what->seq;
        if (link->durable - link->acked >= ACK_EVERY)
            acknowledge(w, link);
    }
}

/* ---- models ---- */

static void upload_over(world *w, uint32_t combiner)
{
    reducer_shell *shell = reducer_of(w);

    shell->uploads[combiner - FIRST_COMBINER]--;
    fedn__reducer_engine_upload(shell->engine, node_now(w, REDUCER),
                                tier_link_of(w, combiner)->combiner, 0);
    reducer_drain(w);
}

static void on_uploaded(world *w, event *e)
{
    int32_t fails = node_disk_fails(w, REDUCER);

    if (!fails)
        w->ledger.partials[e->message.partial - 1].stored = 1;
    net_answer(w, e->wire, &e->message, fails ? FEDN_ERR_UNAVAILABLE : FEDN_OK, "");
    upload_over(w, e->message.client);
}

static void on_transfer(world *w, uint32_t wire, const message *what)
{
    reducer_shell *shell = reducer_of(w);
    tier_link *link = tier_link_of(w, what->client);
    int32_t known = what->model && w->ledger.models[what->model - 1].round == 0;

    if (what->kind == MESSAGE_FETCH) {
        known = known || (what->model && w->ledger.models[what->model - 1].committed);
        net_answer(w, wire, what, known ? FEDN_OK : FEDN_ERR_UNAVAILABLE, "");
        return;
    }
    if (link->wire != wire) {
        net_answer(w, wire, what, FEDN_ERR_DENIED, "not attached");
        return;
    }
    shell->uploads[what->client - FIRST_COMBINER]++;
    event *e = world_later(w, REDUCER, world_delay(w, REDUCER, w->profile.disk_ms), on_uploaded);
    e->message = *what;
    e->wire = wire;
    fedn__reducer_engine_upload(shell->engine, node_now(w, REDUCER), link->combiner, 1);
    reducer_drain(w);
}

void reducer_message(world *w, uint32_t wire, const message *what)
{
    if (what->kind == MESSAGE_HELLO) {
        on_hello(w, wire, what);
    } else if (what->kind == MESSAGE_FETCH || what->kind == MESSAGE_UPLOAD) {
        on_transfer(w, wire, what);
    } else if (tier_link_of(w, what->client)->wire == wire) {
        on_up(w, what->client, what);
        reducer_drain(w);
    }
}

void reducer_closed(world *w, uint32_t wire)
{
    reducer_shell *shell = reducer_of(w);

    for (uint32_t i = 0; i < MOST_COMBINERS; i++) {
        tier_link *link = &shell->links[i];
        if (link->wire != wire)
            continue;
        link->wire = 0;
        fedn__reducer_engine_detach(shell->engine, node_now(w, REDUCER), link->combiner,
                                    link->attachment);
        reducer_drain(w);
        return;
    }
}

/* ---- what is durable ---- */

void tier_written(world *w, const ticket *done, int32_t ok)
{
    tier_link *link = tier_link_of(w, done->combiner);

    if (done->epoch != link->epoch)
        return;
    if (!ok) {
        link->link.last_seen = link->durable; /* from there it comes again */
        link->owed = 0;
        link->epoch = (uint32_t)world_id(w);
        cut(w, link);
        return;
    }
    link->owed--;
    link->durable = link->owed == 0 ? link->link.last_seen : done->seq;
}

void tier_settled(world *w)
{
    for (uint32_t i = 0; i < MOST_COMBINERS; i++)
        acknowledge(w, &reducer_of(w)->links[i]);
}
