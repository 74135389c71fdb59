/* SPDX-License-Identifier: Apache-2.0
 * Draws what a schedule is like. */
#include "profile.h"

#include "random.h"
#include <string.h>

enum { MOST_ACTIONS = 17 }; /* of one engine */

static uint32_t rate(uint64_t *random, uint32_t most)
{
    /* often nothing, else of any order of magnitude */
    if (random_below(random, 3) == 0)
        return 0;
    return random_below(random, most >> random_below(random, 6)) + 1;
}

static void draw_shape(profile *p, uint64_t *random)
{
    p->combiners = 1 + random_below(random, MOST_COMBINERS);
    p->clients = 1 + random_below(random, MOST_CLIENTS);
    p->rounds = 1 + random_below(random, MOST_ROUNDS);
    p->sessions = random_below(random, 4) == 0 ? 2 : 1;
    p->clients_required = 1 + random_below(random, p->clients > 2 ? 2 : 1);
    p->buffer_size =
        random_below(random, 3) == 0 ? (int32_t)(1 + random_below(random, p->clients)) : -1;
    p->async = random_below(random, 3) == 0 ? (int32_t)(1 + random_below(random, 4)) : 0;
    if (p->async && p->buffer_size < 0)
        p->buffer_size = (int32_t)(1 + random_below(random, p->clients));
    p->validate = random_below(random, 4) == 0;
    p->latency_ms = random_between(random, 1, 1 << random_below(random, 8));
    p->train_ms = random_between(random, 1, 10 << random_below(random, 9));
    p->work_ms = random_between(random, 0, 1 << random_below(random, 9));
    p->disk_ms = random_between(random, 0, 1 << random_below(random, 8));
}

static void draw_times(profile *p, uint64_t *random)
{
    p->heartbeat_ms = random_between(random, 500, 4000);
    p->liveness_ms = p->heartbeat_ms * random_between(random, 2, 6);
    p->call_timeout_ms = random_between(random, 1000, 10000);
    p->reconnect_max_ms = random_between(random, 200, 5000);
    p->round_timeout_ms = random_between(random, 2000, 40000);
    p->grace_ms = random_between(random, 500, 10000);
    p->gone_ms = random_between(random, 1000, 20000);
    p->max_failures = 1 + random_below(random, 4);
    p->down_ms = 10 << random_below(random, 12);
    p->faults_until_ms = random_between(random, 0, 60000);
}

static void draw_faults(profile *p, uint64_t *random)
{
    p->deadly_role = -1;
    if (random_below(random, 12) == 0)
        return; /* nothing at all goes wrong */
    p->cuts = rate(random, 60000);
    p->crashes[ROLE_REDUCER] = rate(random, 20000);
    p->crashes[ROLE_COMBINER] = rate(random, 20000);
    p->crashes[ROLE_CLIENT] = rate(random, 20000);
    p->deadly_role = (int32_t)random_below(random, ROLES + 1) - 1;
    p->deadly_action = 1 + (int32_t)random_below(random, MOST_ACTIONS);
    p->disk_failures = rate(random, 100000);
    p->slow_nodes = rate(random, 300000);
    p->most_crashes = random_below(random, 12);
    if (p->gentle) {
        p->most_crashes %= 9; /* more of one combiner in a round would end its part */
        return;
    }
    p->bad_updates = rate(random, 100000);
    p->bad_partials = rate(random, 50000);
    p->failed_tasks = rate(random, 200000);
    p->departures = rate(random, 500000);
    p->stops = rate(random, 200000);
}

/* Every time-out is far beyond all that may go wrong. */
static void soothe(profile *p, uint64_t *random)
{
    p->faults_until_ms = random_between(random, 0, 30000);
    p->clients_required = 1;
    p->down_ms = p->down_ms > 4000 ? 4000 : p->down_ms;
    p->round_timeout_ms = 300000;
    p->grace_ms = 60000;
    p->gone_ms = 200000;
    p->liveness_ms = 200000;
    p->reconnect_max_ms = 2000;
    p->max_failures = 10;
}

void profile_draw(profile *p, uint64_t *random)
{
    memset(p, 0, sizeof *p);
    p->gentle = random_below(random, 2);
    draw_shape(p, random);
    draw_times(p, random);
    if (p->gentle)
        soothe(p, random);
    draw_faults(p, random);
}

int64_t profile_bound_ms(const profile *p)
{
    int64_t round = 2 * p->round_timeout_ms + p->grace_ms + p->gone_ms + 60000;

    return (p->rounds + 1) * round;
}
