/* SPDX-License-Identifier: Apache-2.0
 * A reducer's tier port that says what a test makes it say, over real gRPC: it greets combiners,
 * numbers and acknowledges, keeps what they send, stores and hands out models. All abort the test
 * on failure; waits are bounded. */
#ifndef FEDN__FAKE_TIER_H
#define FEDN__FAKE_TIER_H

#include "fedn_tier.pb-c.h"
#include <fedn/error.h>

#define FAKE_TIER_GLOBAL "55555555-5555-4555-8555-555555555555" /* its newest global model */

typedef struct fake_tier fake_tier;

fake_tier *fake_tier_new(void);
fake_tier *fake_tier_new_at(int32_t port); /* where another one was */
void fake_tier_free(fake_tier *tier);
int32_t fake_tier_port(const fake_tier *tier);

/* From the next greeting on. */
void fake_tier_forget(fake_tier *tier);                     /* as after a restart without memory */
void fake_tier_refuse(fake_tier *tier, const char *reason); /* NULL: no more */
void fake_tier_claim(fake_tier *tier,
                     uint64_t last_seen); /* in one welcome, instead of the truth */
void fake_tier_skip_welcome(fake_tier *tier, int32_t skip);
/* 1: acknowledges nothing and reads nothing but greetings. */
void fake_tier_hold(fake_tier *tier, int32_t hold);
/* How uploads end: FEDN_OK, or they are refused with this. */
void fake_tier_uploads(fake_tier *tier, fedn_status status);

/* With the next number, or with this one. */
void fake_tier_send(fake_tier *tier, Fedn__Tier__V1__Down *message);
void fake_tier_send_as(fake_tier *tier, Fedn__Tier__V1__Down *message, uint64_t seq);
void fake_tier_start_round(fake_tier *tier, const char *round_id, const char *model_id);
void fake_tier_cut(fake_tier *tier); /* ends the present stream */

/* The nth (from 0) message of a body since the fake was made, greetings included. */
const Fedn__Tier__V1__Up *fake_tier_wait(fake_tier *tier, int32_t body, uint32_t nth);
uint32_t fake_tier_count(fake_tier *tier, int32_t body);
/* Waits until a stream has ended by the other side, `count` times in all. */
void fake_tier_await_ends(fake_tier *tier, uint32_t count);

/* The nth record of a kind that came in batches; its JSON. */
const char *fake_tier_record(fake_tier *tier, const char *kind, uint32_t nth);

/* A model that may be downloaded. */
void fake_tier_add_model(fake_tier *tier, const char *id, const void *data, uint64_t bytes);
/* The path of an upload that is complete. */
void fake_tier_upload_path(fake_tier *tier, const char *id, char path[512]);

#endif
