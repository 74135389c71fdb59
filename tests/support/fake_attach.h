/* SPDX-License-Identifier: Apache-2.0
 * A combiner that says what a test makes it say, over real gRPC: one Attach stream at a time, and
 * model transfers beside it. All abort the test on failure; waits are bounded. */
#ifndef FEDN__FAKE_ATTACH_H
#define FEDN__FAKE_ATTACH_H

#include "fedn_tier.pb-c.h"
#include <fedn/error.h>

typedef struct fake_attach fake_attach;

fake_attach *fake_attach_new(int32_t reducer_port, const char *name);
void fake_attach_free(fake_attach *fake);

/* Opens a stream with a greeting: NULL members of `hello` are filled in, numbers go on if the link
 * id is the one of the stream before. Waits for the welcome. */
const Fedn__Tier__V1__Welcome *fake_attach_greet(fake_attach *fake,
                                                 const Fedn__Tier__V1__Hello *hello);
/* The same with all that is usual, and so many active clients. */
void fake_attach_join(fake_attach *fake, uint32_t active);
void fake_attach_cut(fake_attach *fake); /* cancels the stream and waits for its end */
/* Waits for the stream's end by the other side; its gRPC status. */
int32_t fake_attach_await_end(fake_attach *fake);

/* Sends with the next number, or with this one again. */
void fake_attach_send(fake_attach *fake, Fedn__Tier__V1__Up *message);
void fake_attach_send_as(fake_attach *fake, Fedn__Tier__V1__Up *message, uint64_t seq);
uint64_t fake_attach_sent(const fake_attach *fake); /* the last number */
void fake_attach_roster(fake_attach *fake, uint32_t active);
void fake_attach_event(fake_attach *fake, const char *kind, const char *json);
/* A report of a round with an uploaded partial (NULL: none) or an error (NULL: none). */
void fake_attach_report(fake_attach *fake, const Fedn__Tier__V1__RoundStart *start,
                        const char *partial_id, const char *error);

/* The nth (from 0) message of a body since the fake was made. */
const Fedn__Tier__V1__Down *fake_attach_wait(fake_attach *fake, int32_t body, uint32_t nth);
uint32_t fake_attach_count(fake_attach *fake, int32_t body);
void fake_attach_await_ack(fake_attach *fake, uint64_t seq);
uint64_t fake_attach_acked(fake_attach *fake); /* the highest number so far */

fedn_status fake_attach_upload(fake_attach *fake, const char *id, const void *data, uint64_t bytes,
                               fedn_error *err);
fedn_status fake_attach_download(fake_attach *fake, const char *id, const char *path,
                                 fedn_error *err);
/* Trains in the place of clients: the partial of one update with these values and weight, for the
 * model that the order names; uploads it and gives its id (FEDN__UUID_TEXT bytes). */
void fake_attach_train(fake_attach *fake, const Fedn__Tier__V1__RoundStart *start, float value,
                       double weight, char id[37]);

#endif
