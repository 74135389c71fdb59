/* SPDX-License-Identifier: Apache-2.0
 * Which uploads are read at the same time; see turns.h. */
#include "rpc/turns.h"

#include "core/clock.h"
#include "core/limits.h"
#include <string.h>

static void push_front(fedn__turn **list, fedn__turn *turn)
{
    turn->prev = NULL;
    turn->next = *list;
    if (turn->next)
        turn->next->prev = turn;
    *list = turn;
}

static void take_out(fedn__turn **list, fedn__turn *turn)
{
    if (turn->prev)
        turn->prev->next = turn->next;
    else
        *list = turn->next;
    if (turn->next)
        turn->next->prev = turn->prev;
}

enum {
    COST_FRESH = 1, /* not known yet */
    COST_FAST = 4
};

/* Those that wait longest, while there is room. */
static void let_in(fedn__turns *turns, uint32_t most)
{
    while (turns->last && turns->cost < most) {
        fedn__turn *turn = turns->last;
        turns->last = turn->prev;
        take_out(&turns->waiting, turn);
        turn->place = FEDN__TURN_READ;
        turn->fresh = 1;
        turn->cost = COST_FRESH;
        turns->cost += turn->cost;
        push_front(&turns->reading, turn);
        turn->go(turn);
    }
}

/* An interval is over. Slow is who sent little although all that came was taken. */
static void weigh(fedn__turns *turns)
{
    turns->cost = 0;
    for (fedn__turn *turn = turns->reading; turn; turn = turn->next) {
        int32_t slow = turn->asked && turn->moved < FEDN__LIMIT_TURN_FAST;
        if (!turn->fresh || !slow)
            turn->cost = slow ? 0 : COST_FAST;
        turn->fresh = 0;
        turn->moved = 0;
        turns->cost += turn->cost;
    }
}

static void look_later(fedn__turns *turns)
{
    int64_t due_ns = fedn__clock_ns() + (int64_t)FEDN__LIMIT_TURN_MS * 1000000;

    if (turns->look.place == 0 && turns->waiting &&
        fedn__loop_timer_set(turns->loop, &turns->look, due_ns) < 0)
        let_in(turns, UINT32_MAX); /* nobody would look after them */
}

static void on_look(fedn__timer *timer, void *user_data)
{
    fedn__turns *turns = user_data;

    (void)timer;
    weigh(turns);
    let_in(turns, FEDN__LIMIT_TURNS);
    look_later(turns);
}

void fedn__turns_init(fedn__turns *turns, fedn__loop *loop)
{
    memset(turns, 0, sizeof *turns);
    turns->loop = loop;
    turns->look.fn = on_look;
    turns->look.user_data = turns;
}

void fedn__turns_ask(fedn__turns *turns, fedn__turn *turn)
{
    turn->place = FEDN__TURN_IN_LINE;
    push_front(&turns->waiting, turn);
    if (!turns->last)
        turns->last = turn;
    let_in(turns, FEDN__LIMIT_TURNS);
    look_later(turns);
}

void fedn__turns_moved(fedn__turn *turn, uint64_t bytes)
{
    turn->moved += bytes;
    turn->asked = 0;
}

void fedn__turns_leave(fedn__turns *turns, fedn__turn *turn)
{
    fedn__turn_place place = turn->place;

    turn->place = FEDN__TURN_NOWHERE;
    if (place == FEDN__TURN_IN_LINE) {
        if (turns->last == turn)
            turns->last = turn->prev;
        take_out(&turns->waiting, turn);
    } else if (place == FEDN__TURN_READ) {
        take_out(&turns->reading, turn);
        turns->cost -= turn->cost;
        let_in(turns, FEDN__LIMIT_TURNS);
    }
    if (!turns->waiting)
        fedn__loop_timer_cancel(turns->loop, &turns->look);
}
