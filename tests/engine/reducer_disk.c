/* SPDX-License-Identifier: Apache-2.0
 * The reducer's records on disk, and going on from them: as lib/roles/reducer/recover.c and
 * resume.c have it. */
#include "reducer_shell.h"

#include "check.h"
#include <stdio.h>
#include <string.h>

#define STOPPED "the reducer was stopped before it was finished"

static void note_parts(world *w, uint32_t round, const round_record *record)
{
    for (uint32_t i = 0; i < MOST_COMBINERS; i++) {
        const part_record *part = &record->parts[i];
        const char *reason = part->error;
        if (!reason[0] && part->state != FEDN__PART_FAILED)
            reason = "it was not waited for";
        if (part->combiner)
            check_part(w, round, part->combiner, part->state == FEDN__PART_MERGED, reason);
    }
}

static void apply_round(world *w, const ticket *t)
{
    round_record *on_disk = &reducer_of(w)->rounds[t->round];
    const round_record *to = &t->of_round;
    int32_t was_over = on_disk->is_there && on_disk->state >= FEDN__ROUND_FINISHED;

    if (!on_disk->is_there)
        check_round_opened(w, to->session, t->round, to->model);
    if (t->kind == TICKET_COMMIT) {
        note_parts(w, t->round, to);
        check_committed(w, t->round, t->model, &t->sum);
    } else if (to->state > FEDN__ROUND_FINISHED && !was_over) {
        note_parts(w, t->round, to);
        check_round_ended(w, t->round, to->message);
    }
    uint32_t model = on_disk->is_there ? on_disk->model : to->model;
    *on_disk = *to;
    on_disk->model = model;
}

static void apply_session(world *w, const ticket *t)
{
    session_record *on_disk = &reducer_of(w)->sessions[t->session];
    ledger_session *session = &w->ledger.sessions[t->session];

    session->started = 1;
    if (t->of_session.status != FEDN__SESSION_STARTED && !session->ended) {
        session->ended = 1;
        w->counts.sessions_finished += t->of_session.status == FEDN__SESSION_FINISHED;
        w->counts.sessions_ended += t->of_session.status != FEDN__SESSION_FINISHED;
        TRACE(w, REDUCER, "session %u is %s: %s", (unsigned)t->session,
              fedn__session_status(t->of_session.status), t->of_session.message);
    }
    *on_disk = t->of_session;
}

void disk_apply(world *w, const ticket *written)
{
    if (written->round >= LEDGER_ROUNDS) {
        world_fail(w, "round %u: more rounds than a schedule can have", (unsigned)written->round);
        return;
    }
    if (written->round)
        apply_round(w, written);
    if (written->session)
        apply_session(w, written);
}

uint32_t disk_last_round(const reducer_shell *shell)
{
    uint32_t last = 0;

    for (uint32_t i = 1; i < LEDGER_ROUNDS; i++)
        if (shell->rounds[i].is_there)
            last = i;
    return last;
}

/* ---- after a restart ---- */

static uint32_t list_parts(const reducer_shell *shell, const round_record *round,
                           fedn__restored_part *parts, char (*partials)[FEDN__UUID_TEXT])
{
    uint32_t count = 0;
    uint32_t listed = 0;

    for (uint32_t i = 0; round && i < MOST_COMBINERS; i++) {
        const part_record *from = &round->parts[i];
        if (!from->combiner)
            continue;
        partials[count][0] = 0;
        if (from->partial)
            id_text(from->partial, partials[count]);
        parts[count] = (fedn__restored_part){.combiner = node_name(from->combiner),
                                             .state = from->state,
                                             .place = from->place,
                                             .expected = from->expected,
                                             .accepted = from->accepted,
                                             .refused = from->refused,
                                             .failed = from->failed,
                                             .partial_id = partials[count],
                                             .error = from->error};
        count++;
        listed |= 1u << from->combiner;
    }
    for (uint32_t i = FIRST_COMBINER; i < FIRST_CLIENT; i++)
        if ((shell->known & ~listed) >> i & 1)
            parts[count++] = (fedn__restored_part){
                .combiner = node_name(i), .state = FEDN__PART_NONE, .partial_id = "", .error = ""};
    return count;
}

static void take_session(const world *w, uint32_t number, fedn__reducer_session *session)
{
    const session_record *record = &reducer_of(w)->sessions[number];

    memset(session, 0, sizeof *session);
    id_text(number, session->session_id);
    id_text(record->model, session->model_id);
    session->rounds = w->profile.rounds;
    session->round_timeout_ms = w->profile.round_timeout_ms;
    session->clients_required = w->profile.clients_required;
    session->validate = w->profile.validate;
    session->status = record->status;
    session->stopping = record->stopping;
    session->opened = record->opened;
    session->done = record->done;
    session->failures = record->failures;
    if (record->stopping || record->failures > 0)
        snprintf(session->message, sizeof session->message, "%s", record->message);
}

/* Rounds that were left open and are not gone on with. */
static void mark_rounds(world *w, uint32_t except)
{
    reducer_shell *shell = reducer_of(w);

    for (uint32_t i = 1; i < LEDGER_ROUNDS; i++) {
        round_record *record = &shell->rounds[i];
        if (!record->is_there || i == except || record->state >= FEDN__ROUND_FINISHED)
            continue;
        record->state = FEDN__ROUND_FAILED;
        note_parts(w, i, record);
        check_round_ended(w, i, STOPPED);
    }
}

static void go_on(world *w, uint32_t number, uint32_t round_id)
{
    reducer_shell *shell = reducer_of(w);
    const round_record *record = round_id ? &shell->rounds[round_id] : NULL;
    fedn__reducer_session session;
    fedn__reducer_round round = {.id = round_id};
    fedn__restored_part parts[2 * MOST_COMBINERS];
    char partials[2 * MOST_COMBINERS][FEDN__UUID_TEXT];
    fedn_error err = {0};

    take_session(w, number, &session);
    if (record) {
        round.number = record->number;
        round.state = record->state;
        id_text(record->model, round.model_id);
    }
    uint32_t count = list_parts(shell, record, parts, partials);
    TRACE(w, REDUCER, "goes on with session %u, %s %u", (unsigned)number,
          record ? "in round" : "between rounds", (unsigned)round_id);
    w->counts.restored_sessions++;
    if (fedn__reducer_engine_restore(shell->engine, node_now(w, REDUCER), &session,
                                     record ? &round : NULL, parts, count, &err) != FEDN_OK)
        world_fail(w, "the reducer cannot go on: %s", err.message);
}

int32_t disk_restore(world *w)
{
    reducer_shell *shell = reducer_of(w);
    uint32_t number = 0;
    uint32_t round = 0;

    for (uint32_t i = 1; i < sizeof shell->sessions / sizeof shell->sessions[0]; i++)
        if (shell->sessions[i].status == FEDN__SESSION_STARTED)
            number = i;
    if (number)
        round = shell->sessions[number].round;
    if (round &&
        (!shell->rounds[round].is_there || shell->rounds[round].state >= FEDN__ROUND_FINISHED))
        round = 0;
    mark_rounds(w, round);
    if (number)
        go_on(w, number, round);
    return round != 0;
}
