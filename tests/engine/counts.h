/* SPDX-License-Identifier: Apache-2.0
 * What schedules were made of, so that a simulator that does nothing would show. */
#ifndef SIMULATE_COUNTS_H
#define SIMULATE_COUNTS_H

#include <stdint.h>

#define COUNTS(X)                                                                                  \
    X(schedules, "schedules")                                                                      \
    X(gentle, "of them gentle")                                                                    \
    X(events, "events")                                                                            \
    X(messages, "messages")                                                                        \
    X(messages_lost, "messages lost")                                                              \
    X(cuts, "connections cut")                                                                     \
    X(client_crashes, "crashes of clients")                                                        \
    X(combiner_crashes, "crashes of combiners")                                                    \
    X(reducer_crashes, "crashes of reducers")                                                      \
    X(departures, "clients gone for ever")                                                         \
    X(restored_rounds, "rounds restored by combiners")                                             \
    X(restored_sessions, "sessions restored by reducers")                                          \
    X(repeated_orders, "tasks delivered again")                                                    \
    X(repeated_updates, "updates announced again")                                                 \
    X(repeated_reports, "reports sent again")                                                      \
    X(repeated_link, "link messages that came twice")                                              \
    X(resumed_links, "links resumed")                                                              \
    X(fresh_links, "links begun anew")                                                             \
    X(stale_answers, "answers to calls of old connections")                                        \
    X(disk_failures, "writes that failed")                                                         \
    X(torn_writes, "writes lost or torn by a crash")                                               \
    X(failed_tasks, "callbacks that failed")                                                       \
    X(kept, "updates kept through a restart of their client")                                      \
    X(trained, "updates trained")                                                                  \
    X(acknowledged, "updates acknowledged")                                                        \
    X(counted, "updates in committed models")                                                      \
    X(moved_clients, "of them second ones of a client that moved")                                 \
    X(late, "clients that were waited for in vain")                                                \
    X(forfeited, "acknowledged updates of rounds or parts that failed")                            \
    X(waited, "sessions without clients that waited until they were stopped")                      \
    X(rounds_committed, "rounds committed")                                                        \
    X(rounds_failed, "rounds failed")                                                              \
    X(sessions_finished, "sessions finished")                                                      \
    X(sessions_ended, "sessions failed or stopped")

typedef struct counts {
#define COUNT_MEMBER(name, text) uint64_t name;
    COUNTS(COUNT_MEMBER)
#undef COUNT_MEMBER
} counts;

void counts_add(counts *to, const counts *more);
void counts_print(const counts *all);

#endif
