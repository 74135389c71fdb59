/* SPDX-License-Identifier: Apache-2.0
 * What the reducer writes, and when: as lib/roles/reducer/ledger.c and recorder.c have it. Tickets
 * are written in order, all that wait in one transaction; what fails together is tried one by one.
 */
#include "reducer_shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISK_PAUSE_MS = 500 };

static void on_written(world *w, event *e);

static void write_next(world *w, int64_t delay_ms)
{
    reducer_shell *shell = reducer_of(w);

    if (shell->writing || shell->ticket_count == 0)
        return;
    shell->writing = shell->ticket_count;
    world_later(w, REDUCER, delay_ms, on_written);
}

static ticket *submit(world *w, int32_t kind)
{
    reducer_shell *shell = reducer_of(w);

    if (shell->ticket_count == MOST_TICKETS) {
        world_fail(w, "the reducer has %d records waiting", MOST_TICKETS);
        shell->ticket_count--;
    }
    ticket *fresh = &shell->tickets[shell->ticket_count++];
    memset(fresh, 0, sizeof *fresh);
    fresh->kind = kind;
    write_next(w, world_delay(w, REDUCER, w->profile.disk_ms));
    return fresh;
}

static void add_part(part_record *to, const fedn__reducer_part *from)
{
    to->combiner = reducer_combiner_node(from->combiner);
    to->state = from->state;
    to->place = from->place;
    to->expected = from->expected;
    to->accepted = from->accepted;
    to->refused = from->refused;
    to->failed = from->failed;
    to->partial = (uint32_t)id_number(from->partial_id);
    snprintf(to->error, sizeof to->error, "%.127s", from->error);
}

static void add_round(world *w, ticket *to, const fedn__reducer_round *round, int32_t state)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(reducer_of(w)->engine);
    round_record *record = &to->of_round;

    to->round = (uint32_t)round->id;
    record->is_there = 1;
    record->session = (uint32_t)id_number(session->session_id);
    record->number = round->number;
    record->state = state;
    record->model = (uint32_t)id_number(round->model_id);
    snprintf(record->message, sizeof record->message, "%.127s", round->message);
    for (uint32_t i = 0; i < round->count && i < MOST_COMBINERS; i++)
        add_part(&record->parts[i], &round->parts[i]);
}

static void add_session(world *w, ticket *to, const fedn__reducer_round *round)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(reducer_of(w)->engine);
    session_record *record = &to->of_session;

    to->session = (uint32_t)id_number(session->session_id);
    record->status = session->status;
    record->stopping = session->stopping;
    record->done = session->done;
    record->failures = session->failures;
    record->model = (uint32_t)id_number(session->model_id);
    record->round = round ? (uint32_t)round->id : 0;
    record->opened = round ? round->number : 0;
    snprintf(record->message, sizeof record->message, "%.127s", session->message);
}

static const fedn__reducer_round *present(const world *w)
{
    return fedn__reducer_engine_round(reducer_of(w)->engine);
}

/* ---- tickets ---- */

void store_round_opened(world *w, const fedn__reducer_round *round)
{
    ticket *fresh = submit(w, TICKET_COURSE);

    add_session(w, fresh, round);
    fresh->of_session.status = FEDN__SESSION_STARTED;
    add_round(w, fresh, round, FEDN__ROUND_WAITING);
    memset(fresh->of_round.parts, 0, sizeof fresh->of_round.parts);
}

void store_round_ended(world *w, const fedn__reducer_round *round)
{
    ticket *fresh = submit(w, TICKET_ROUND_END);

    add_session(w, fresh, round);
    fresh->of_session.status = FEDN__SESSION_STARTED;
    add_round(w, fresh, round, round->state);
}

void store_session(world *w)
{
    add_session(w, submit(w, TICKET_COURSE), NULL);
}

void store_commit(world *w, uint32_t model)
{
    ticket *fresh = submit(w, TICKET_COMMIT);

    fresh->model = model;
    fresh->sum = reducer_of(w)->sum;
    add_session(w, fresh, present(w));
    add_round(w, fresh, present(w), FEDN__ROUND_FINISHED);
    fresh->of_session.model = model;
    fresh->of_session.done++;
    fresh->of_session.failures = 0;
}

void store_orders(world *w)
{
    reducer_shell *shell = reducer_of(w);
    const fedn__reducer_round *round = present(w);

    if (shell->asking && round && round->state == FEDN__ROUND_RUNNING) {
        ticket *fresh = submit(w, TICKET_ORDERS);
        fresh->asked = shell->asking;
        add_round(w, fresh, round, FEDN__ROUND_RUNNING);
    }
    shell->asking = 0;
}

void store_roster(world *w, uint32_t combiner, uint64_t seq)
{
    ticket *fresh = submit(w, TICKET_COURSE);

    fresh->combiner = combiner;
    fresh->seq = seq;
    fresh->epoch = tier_link_of(w, combiner)->epoch;
}

void store_report(world *w, uint32_t combiner, uint64_t seq, uint32_t number, int32_t taken)
{
    const fedn__reducer_round *round = present(w);
    int32_t open = round && round->id == number &&
                   (round->state <= FEDN__ROUND_RUNNING ||
                    (round->state == FEDN__ROUND_COMMITTING &&
                     (taken || w->options.mistake == MISTAKE_LATE_RECORD)));
    uint32_t life = w->nodes[REDUCER].life;

    if (!open)
        reducer_drain(w); /* which records the end of a round that is over by it */
    if (!node_is_alive(w, REDUCER, life))
        return;
    ticket *fresh = submit(w, TICKET_REPORT);
    fresh->combiner = combiner;
    fresh->seq = seq;
    fresh->epoch = tier_link_of(w, combiner)->epoch;
    if (open)
        add_round(w, fresh, round, FEDN__ROUND_RUNNING);
}

/* ---- written ---- */

/* The files of partials: none is wanted, except those that are still coming. */
void store_sweep(world *w)
{
    for (uint32_t i = 0; i < w->ledger.partial_count; i++)
        w->ledger.partials[i].stored = 0;
}

static void tell(world *w, const ticket *t)
{
    reducer_shell *shell = reducer_of(w);
    char model[FEDN__UUID_TEXT];

    if (t->combiner)
        tier_written(w, t, t->ok);
    if (t->kind == TICKET_ORDERS && t->ok)
        reducer_tell_orders(w, t);
    if (t->kind == TICKET_ROUND_END && t->ok)
        store_sweep(w);
    if (t->kind != TICKET_COMMIT)
        return;
    id_text(t->model, model);
    fedn__reducer_engine_committed(shell->engine, node_now(w, REDUCER), t->round,
                                   t->ok ? FEDN_OK : FEDN_ERR_IO, model,
                                   t->ok ? "" : "the model could not be recorded");
}

/* A copy of those that are written; they make room. */
static ticket *take_written(reducer_shell *shell, uint32_t count)
{
    ticket *done = malloc(count * sizeof *done);

    if (!done)
        exit(2);
    memcpy(done, shell->tickets, count * sizeof *done);
    shell->ticket_count -= count;
    memmove(shell->tickets, shell->tickets + count, shell->ticket_count * sizeof *done);
    shell->writing = 0;
    return done;
}

/* What a session needs to go on is tried until the disk takes it; other records come again with
 * their message. */
static int32_t must_write(const world *w, uint32_t count)
{
    const ticket *tickets = reducer_of(w)->tickets;

    for (uint32_t i = 0; i < count; i++)
        if (tickets[i].session || tickets[i].round)
            return w->options.mistake != MISTAKE_GIVE_UP;
    return 0;
}

static void on_written(world *w, event *e)
{
    reducer_shell *shell = reducer_of(w);
    int32_t fails = node_disk_fails(w, REDUCER);
    uint32_t life = e->life;
    uint32_t count = shell->writing;

    if (fails && must_write(w, count)) {
        shell->writing = 0;
        write_next(w, DISK_PAUSE_MS);
        return;
    }
    ticket *done = take_written(shell, count);
    for (uint32_t i = 0; i < count; i++) {
        done[i].ok = !fails;
        if (!fails)
            disk_apply(w, &done[i]);
    }
    write_next(w, world_delay(w, REDUCER, w->profile.disk_ms));
    for (uint32_t i = 0; i < count && node_is_alive(w, REDUCER, life); i++) {
        tell(w, &done[i]);
        reducer_drain(w);
    }
    free(done);
    if (node_is_alive(w, REDUCER, life))
        tier_settled(w);
}
