/* SPDX-License-Identifier: Apache-2.0
 * What a combiner has of the present round on its disk: records that are written, then flushed
 * together; a crash leaves those that were flushed, and of the others the first few. */
#include "combiner_shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISK_PAUSE_MS = 300 };

static uint32_t client_node(const char *id)
{
    return (uint32_t)(FIRST_CLIENT + atoi(id + sizeof "client-" - 1) - 1);
}

static void on_flushed(world *w, event *e);

static void flush(world *w, uint32_t node, int64_t delay_ms)
{
    journal *j = &combiner_of(w, node)->journal;

    if (j->flushing || j->flushed == j->written)
        return;
    j->flushing = 1;
    event *e = world_later(w, node, delay_ms, on_flushed);
    e->a = j->round;
    e->b = j->written;
}

static void tell_engine(world *w, uint32_t node, const journal_update *update)
{
    combiner_shell *shell = combiner_of(w, node);
    char id[FEDN__UUID_TEXT];

    if (!update->client) {
        shell->handover.closed = shell->handover.round == shell->journal.round;
        combiner_hand_over(w, node);
        return;
    }
    id_text(update->update, id);
    fedn__combiner_engine_journaled(shell->engine, node_now(w, node), node_name(update->client),
                                    id);
}

static void on_flushed(world *w, event *e)
{
    journal *j = &combiner_of(w, e->node)->journal;

    if (j->round != e->a || !j->flushing)
        return; /* dropped */
    j->flushing = 0;
    if (node_disk_fails(w, e->node)) {
        flush(w, e->node, DISK_PAUSE_MS);
        return;
    }
    uint32_t from = j->flushed;
    j->flushed = (uint32_t)e->b;
    TRACE(w, e->node, "journal: %u records on disk", (unsigned)j->flushed);
    if (w->options.mistake != MISTAKE_EARLY_REPLY)
        for (uint32_t i = from ? from : 1; i < (uint32_t)e->b && j->written; i++)
            tell_engine(w, e->node, &j->updates[i - 1]);
    flush(w, e->node, world_delay(w, e->node, w->profile.disk_ms));
    combiner_drain(w, e->node);
}

/* Asynchronous: which update of each client counted last, in this round or before it. */
static void note_counted(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);

    for (uint32_t i = 0; w->profile.async && i < MOST_CLIENTS; i++) {
        const fedn__participant *known = fedn__roster_find(
            fedn__combiner_engine_roster(shell->engine), node_name(FIRST_CLIENT + i));
        shell->journal.counted[i] = known ? id_number(known->counted_id) : 0;
    }
}

void journal_begin(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    journal *j = &shell->journal;
    const fedn__round_plan *plan = fedn__combiner_engine_plan(shell->engine);
    uint32_t count = 0;
    fedn__participant *const *asked = fedn__combiner_engine_asked(shell->engine, &count);

    if (j->written)
        journal_drop(w, node);
    j->session = (uint32_t)id_number(plan->session_id);
    j->round = (uint32_t)atoi(plan->round_id);
    j->model = (uint32_t)id_number(plan->model_id);
    j->asked_count = count;
    note_counted(w, node);
    for (uint32_t i = 0; i < count; i++) {
        j->asked[i] = client_node(asked[i]->id);
        j->tasks[i] = id_number(asked[i]->task_id);
    }
    j->written = 1;
    flush(w, node, world_delay(w, node, w->profile.disk_ms));
}

static void append(world *w, uint32_t node, const journal_update *record)
{
    journal *j = &combiner_of(w, node)->journal;

    if (!j->written || j->written > MOST_JOURNAL) {
        world_fail(w, "%s journals an update of no round, or too many", node_name(node));
        return;
    }
    j->updates[j->written++ - 1] = *record;
    flush(w, node, world_delay(w, node, w->profile.disk_ms));
}

void journal_close(world *w, uint32_t node)
{
    append(w, node, &(journal_update){0});
    if (w->options.mistake == MISTAKE_EARLY_REPLY || w->options.mistake == MISTAKE_REOPEN)
        tell_engine(w, node, &(journal_update){0});
}

void journal_add(world *w, uint32_t node, const fedn__participant *client)
{
    uint64_t update = id_number(client->update_id);
    uint32_t content = 0;

    memcpy(&content, client->digest, sizeof content);
    journal_update record = {client_node(client->id), content, update,
                             (uint32_t)id_number(client->base_id)};
    append(w, node, &record);
    if (w->options.mistake == MISTAKE_EARLY_REPLY)
        tell_engine(w, node, &record);
}

void journal_drop(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);

    if (!shell->journal.written)
        return;
    shell->dropped = shell->journal;
    shell->dropped_until_ms = w->now_ms + world_delay(w, node, w->profile.disk_ms);
    memset(&shell->journal, 0, sizeof shell->journal);
    note_counted(w, node);
}

void journal_tear(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    journal *j = &shell->journal;
    uint32_t unsafe = j->written - j->flushed;
    uint32_t kept = random_below(&w->random, unsafe + 1);

    w->counts.torn_writes += unsafe - kept;
    j->written = j->flushed = j->flushed + kept;
    j->flushing = 0;
    if (j->written == 0 && w->now_ms < shell->dropped_until_ms && shell->dropped.flushed &&
        random_below(&w->random, 2)) {
        shell->journal = shell->dropped;
        j->written = j->flushed;
        j->flushing = 0;
        w->counts.torn_writes++;
    }
    TRACE(w, node, "journal: %u records of round %u are left", (unsigned)j->written,
          (unsigned)j->round);
}

/* Those accepted first, in their order; then the others. */
static uint32_t list_clients(const journal *j, fedn__restored_client *clients,
                             char (*texts)[3][FEDN__UUID_TEXT])
{
    uint32_t count = 0;

    for (uint32_t pass = 0; pass < 2; pass++) {
        uint32_t most = pass == 0 ? j->written - 1 : j->asked_count;
        for (uint32_t i = 0; i < most; i++) {
            uint32_t who = pass == 0 ? j->updates[i].client : j->asked[i];
            if (!who)
                continue; /* it was closed */
            fedn__restored_client *to = &clients[count];
            memset(to, 0, sizeof *to);
            to->client_id = node_name(who);
            to->name = "";
            int32_t known = 0;
            for (uint32_t k = 0; k < count; k++)
                known |= strcmp(clients[k].client_id, to->client_id) == 0;
            if (known)
                continue;
            texts[count][0][0] = 0; /* of one that joined an asynchronous round */
            for (uint32_t k = 0; k < j->asked_count; k++)
                if (j->asked[k] == who)
                    id_text(j->tasks[k], texts[count][0]);
            to->task_id = texts[count][0];
            if (pass == 0) {
                id_text(j->updates[i].update, texts[count][1]);
                to->update_id = texts[count][1];
                id_text(j->updates[i].base, texts[count][2]);
                to->base_id = texts[count][2];
                to->num_examples = 1 + who;
                memcpy(to->digest, &j->updates[i].content, sizeof j->updates[i].content);
            }
            count++;
        }
    }
    return count;
}

static void restore_counted(combiner_shell *shell)
{
    char id[FEDN__UUID_TEXT];

    for (uint32_t i = 0; i < MOST_CLIENTS; i++) {
        if (!shell->journal.counted[i])
            continue;
        id_text(shell->journal.counted[i], id);
        fedn__combiner_engine_restore_counted(shell->engine, node_name(FIRST_CLIENT + i), id);
    }
}

void journal_restore(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    const journal *j = &shell->journal;
    fedn__restored_client clients[MOST_CLIENTS + MOST_JOURNAL];
    char texts[MOST_CLIENTS + MOST_JOURNAL][3][FEDN__UUID_TEXT];
    fedn__round_plan plan = {0};

    if (!j->written) {
        restore_counted(shell);
        return;
    }
    combiner_plan(w, j->session, j->round, j->model, &plan);
    uint32_t count = list_clients(j, clients, texts);
    TRACE(w, node, "goes on with round %u: %u clients, %u updates", (unsigned)j->round,
          (unsigned)count, (unsigned)(j->written - 1));
    w->counts.restored_rounds++;
    if (fedn__combiner_engine_restore(shell->engine, node_now(w, node), &plan, clients, count) !=
        FEDN_OK)
        exit(2);
    restore_counted(shell);
    if (j->written > 1 && !j->updates[j->written - 2].client &&
        w->options.mistake != MISTAKE_REOPEN)
        fedn__combiner_engine_restore_closed(shell->engine);
    fedn__round_plan_done(&plan);
}

uint32_t journal_content(const combiner_shell *shell, uint64_t update)
{
    for (uint32_t i = 1; i < shell->journal.written; i++)
        if (shell->journal.updates[i - 1].update == update)
            return shell->journal.updates[i - 1].content;
    return 0;
}
