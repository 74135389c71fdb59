/* SPDX-License-Identifier: Apache-2.0
 * The reducer's records: tickets are written in order, all that wait in one transaction. What a
 * crash leaves is what the last transaction said. */
#include "reducer_shell.h"

#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISK_PAUSE_MS = 500 };

static void on_written(world *w, event *e);

static void write_on(world *w, int64_t delay_ms)
{
    reducer_shell *shell = reducer_of(w);

    if (shell->writing || shell->ticket_count == 0)
        return;
    shell->writing = shell->ticket_count;
    world_later(w, REDUCER, delay_ms, on_written);
}

static void take_part(part_record *to, const fedn__reducer_part *from)
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

static void describe(world *w, const fedn__reducer_round *round, course_record *to)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(reducer_of(w)->engine);

    memset(to, 0, sizeof *to);
    to->session = (uint32_t)id_number(session->session_id);
    to->status = session->status;
    to->stopping = session->stopping;
    to->opened = session->opened;
    to->done = session->done;
    to->failures = session->failures;
    to->model = (uint32_t)id_number(session->model_id);
    snprintf(to->message, sizeof to->message, "%.127s", session->message);
    if (!round)
        return;
    to->round = (uint32_t)round->id;
    to->number = to->opened = round->number; /* the next one may be open already */
    to->state = round->state;
    to->round_model = (uint32_t)id_number(round->model_id);
    if (round->message[0])
        snprintf(to->message, sizeof to->message, "%.127s", round->message);
    for (uint32_t i = 0; i < round->count; i++)
        take_part(&to->parts[i], &round->parts[i]);
}

static ticket *new_ticket(world *w, int32_t kind, const fedn__reducer_round *round)
{
    reducer_shell *shell = reducer_of(w);

    if (shell->ticket_count == MOST_TICKETS) {
        world_fail(w, "the reducer has %d records waiting", MOST_TICKETS);
        shell->ticket_count--;
    }
    ticket *fresh = &shell->tickets[shell->ticket_count++];
    memset(fresh, 0, sizeof *fresh);
    fresh->kind = kind;
    describe(w, round, &fresh->course);
    return fresh;
}

static const fedn__reducer_round *present(const world *w)
{
    return fedn__reducer_engine_round(reducer_of(w)->engine);
}

void store_course(world *w, const fedn__reducer_round *round)
{
    new_ticket(w, TICKET_COURSE, round ? round : present(w));
    write_on(w, world_delay(w, REDUCER, w->profile.disk_ms));
}

void store_receipt(world *w, uint32_t combiner, uint64_t seq, int32_t is_report)
{
    ticket *fresh = new_ticket(w, is_report ? TICKET_REPORT : TICKET_RECEIPT, present(w));

    fresh->combiner = combiner;
    fresh->seq = seq;
    fresh->epoch = tier_link_of(w, combiner)->epoch;
    write_on(w, world_delay(w, REDUCER, w->profile.disk_ms));
}

void store_commit(world *w, uint32_t model)
{
    ticket *fresh = new_ticket(w, TICKET_COMMIT, present(w));

    fresh->model = model;
    fresh->sum = reducer_of(w)->sum;
    fresh->course.model = model;
    fresh->course.done++;
    fresh->course.failures = 0;
    fresh->course.state = FEDN__ROUND_FINISHED;
    write_on(w, world_delay(w, REDUCER, w->profile.disk_ms));
}

void store_orders(world *w)
{
    reducer_shell *shell = reducer_of(w);
    const fedn__reducer_round *round = present(w);

    if (shell->asking && round && round->state == FEDN__ROUND_RUNNING) {
        new_ticket(w, TICKET_ORDERS, round)->asked = shell->asking;
        write_on(w, world_delay(w, REDUCER, w->profile.disk_ms));
    }
    shell->asking = 0;
}

/* ---- what is on disk now ---- */

static void note_parts(world *w, const course_record *course)
{
    for (uint32_t i = 0; i < MOST_COMBINERS; i++) {
        const part_record *part = &course->parts[i];
        if (part->combiner)
            check_part(w, course->round, part->combiner, part->state == FEDN__PART_MERGED,
                       part->error[0]                     ? part->error
                       : part->state == FEDN__PART_FAILED ? ""
                                                          : "-");
    }
}

static void apply(world *w, const ticket *t)
{
    reducer_shell *shell = reducer_of(w);
    const course_record *to = &t->course;
    course_record *disk = &shell->disk;
    ledger_session *session = &w->ledger.sessions[to->session];
    int32_t was_over = disk->round == to->round && disk->state >= FEDN__ROUND_FINISHED;

    if (to->session == 0 || t->kind == TICKET_RECEIPT)
        return;
    if (t->kind == TICKET_REPORT && to->state == FEDN__ROUND_COMMITTING)
        return; /* the commit is written before, or has all of it */
    session->started = 1;
    if (to->round > w->ledger.last_round)
        check_round_opened(w, to->session, to->round, to->round_model);
    if (t->kind == TICKET_COMMIT) {
        note_parts(w, to);
        check_committed(w, to->round, t->model, &t->sum);
    } else if (to->round && to->state > FEDN__ROUND_FINISHED && !was_over) {
        note_parts(w, to);
        check_round_ended(w, to->round, to->message);
    }
    if (to->status != FEDN__SESSION_STARTED && !session->ended) {
        session->ended = 1;
        w->counts.sessions_finished += to->status == FEDN__SESSION_FINISHED;
        w->counts.sessions_ended += to->status != FEDN__SESSION_FINISHED;
        TRACE(w, REDUCER, "session %u is %s: %s", (unsigned)to->session,
              fedn__session_status(to->status), to->message);
    }
    *disk = *to;
}

static void tell(world *w, const ticket *t, int32_t ok)
{
    reducer_shell *shell = reducer_of(w);
    char model[FEDN__UUID_TEXT];

    if (t->combiner)
        tier_written(w, t, ok);
    if (t->kind == TICKET_ORDERS)
        reducer_tell_orders(w, t);
    if (t->kind != TICKET_COMMIT)
        return;
    id_text(t->model, model);
    fedn__reducer_engine_committed(shell->engine, node_now(w, REDUCER), t->course.round, FEDN_OK,
                                   model, "");
}

/* Reports and commits are tried until they are written; other records may be lost to a disk that
 * fails, and their messages come again. */
static int32_t may_fail(const reducer_shell *shell)
{
    for (uint32_t i = 0; i < shell->writing; i++)
        if (shell->tickets[i].kind != TICKET_RECEIPT)
            return 0;
    return 1;
}

static void on_written(world *w, event *e)
{
    reducer_shell *shell = reducer_of(w);
    int32_t fails = node_disk_fails(w, REDUCER);
    uint32_t life = e->life;

    if (fails && !may_fail(shell)) {
        shell->writing = 0;
        write_on(w, DISK_PAUSE_MS);
        return;
    }
    uint32_t count = shell->writing;
    ticket *done = malloc(count * sizeof *done);
    if (!done)
        exit(2);
    memcpy(done, shell->tickets, count * sizeof *done);
    shell->ticket_count -= count;
    memmove(shell->tickets, shell->tickets + count, shell->ticket_count * sizeof *done);
    shell->writing = 0;
    for (uint32_t i = 0; i < count && !fails; i++)
        apply(w, &done[i]);
    for (uint32_t i = 0; i < count && node_is_alive(w, REDUCER, life); i++) {
        tell(w, &done[i], !fails);
        reducer_drain(w);
    }
    free(done);
    if (!node_is_alive(w, REDUCER, life))
        return;
    tier_settled(w);
    write_on(w, world_delay(w, REDUCER, w->profile.disk_ms));
}

/* ---- after a restart ---- */

static uint32_t list_parts(const reducer_shell *shell, fedn__restored_part *parts,
                           char (*partials)[FEDN__UUID_TEXT])
{
    uint32_t count = 0;
    uint32_t listed = 0;

    for (uint32_t i = 0; i < MOST_COMBINERS && shell->disk.state < FEDN__ROUND_FINISHED; i++) {
        const part_record *from = &shell->disk.parts[i];
        if (!from->combiner)
            continue;
        partials[count][0] = 0;
        if (from->partial)
            id_text(from->partial, partials[count]);
        parts[count++] = (fedn__restored_part){node_name(from->combiner),
                                               from->state,
                                               from->place,
                                               from->expected,
                                               from->accepted,
                                               from->refused,
                                               from->failed,
                                               partials[count],
                                               from->error};
        parts[count - 1].partial_id = partials[count - 1];
        listed |= 1u << from->combiner;
    }
    for (uint32_t i = FIRST_COMBINER; i < FIRST_CLIENT; i++)
        if ((shell->known & ~listed) >> i & 1)
            parts[count++] = (fedn__restored_part){
                .combiner = node_name(i), .state = FEDN__PART_NONE, .partial_id = "", .error = ""};
    return count;
}

static void take_session(const world *w, const course_record *disk, fedn__reducer_session *session)
{
    memset(session, 0, sizeof *session);
    id_text(disk->session, session->session_id);
    id_text(disk->model, session->model_id);
    session->rounds = w->profile.rounds;
    session->round_timeout_ms = w->profile.round_timeout_ms;
    session->clients_required = w->profile.clients_required;
    session->validate = w->profile.validate;
    session->status = disk->status;
    session->stopping = disk->stopping;
    session->opened = disk->opened;
    session->done = disk->done;
    session->failures = disk->failures;
}

void store_restore(world *w)
{
    reducer_shell *shell = reducer_of(w);
    const course_record *disk = &shell->disk;
    fedn__reducer_session session;
    fedn__reducer_round round = {.id = disk->round, .number = disk->number, .state = disk->state};
    fedn__restored_part parts[2 * MOST_COMBINERS];
    char partials[MOST_COMBINERS][FEDN__UUID_TEXT];
    int32_t open = disk->round && disk->state < FEDN__ROUND_FINISHED;
    fedn_error err = {0};

    if (!disk->session || disk->status != FEDN__SESSION_STARTED)
        return;
    take_session(w, disk, &session);
    id_text(disk->round_model, round.model_id);
    uint32_t count = list_parts(shell, parts, partials);
    TRACE(w, REDUCER, "goes on with session %u, %s round %u", (unsigned)disk->session,
          open ? "open" : "after", (unsigned)disk->round);
    w->counts.restored_sessions++;
    if (fedn__reducer_engine_restore(shell->engine, node_now(w, REDUCER), &session,
                                     open ? &round : NULL, parts, count, &err) != FEDN_OK)
        world_fail(w, "the reducer cannot go on: %s", err.message);
}
