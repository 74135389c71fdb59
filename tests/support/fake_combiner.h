/* SPDX-License-Identifier: Apache-2.0
 * A combiner and a reducer that do what a test says: real gRPC, real HTTP, no rules of their own.
 */
#ifndef FEDN__FAKE_COMBINER_H
#define FEDN__FAKE_COMBINER_H

#include <jansson.h>
#include <stdint.h>

typedef struct fake_combiner fake_combiner;

/* Listens on a free port at once; aborts the test on failure, as all of these do. */
fake_combiner *fake_combiner_new(void);
/* The same over TLS, there; texts are borrowed. */
fake_combiner *fake_combiner_new_tls(const char *address, int32_t port, const char *cert_pem,
                                     const char *key_pem);
void fake_combiner_free(fake_combiner *fake);
int32_t fake_combiner_port(const fake_combiner *fake);
/* As if the process died, and came back on the same port with what was uploaded and its models. */
void fake_combiner_kill(fake_combiner *fake);
void fake_combiner_revive(fake_combiner *fake);

void fake_combiner_put_model(fake_combiner *fake, const char *id, const void *data, uint64_t bytes);
/* From now on as a libfedn combiner: a task brings its model along if that has at most so many
 * bytes, and says that an update of this size may come along with its announcement. 0: as FEDn's,
 * which is how it begins. */
void fake_combiner_inline(fake_combiner *fake, uint32_t bytes);
/* How often a model was asked for, or brought. */
uint32_t fake_combiner_downloads(fake_combiner *fake);
uint32_t fake_combiner_uploads(fake_combiner *fake);
/* What was uploaded under an id, or came along with its announcement; free() it. */
char *fake_combiner_uploaded(fake_combiner *fake, const char *id, uint64_t *ret_bytes);

/* What is answered to every message of a method ("SendModelUpdate") from now on. */
void fake_combiner_answer(fake_combiner *fake, const char *method, int32_t rpc, const char *text);
/* 1: messages of the method get no answer at all until 0 is set again. */
void fake_combiner_hold(fake_combiner *fake, const char *method, int32_t hold);

/* Hands a task to the client whose stream is open; waits for one. NULL data and session are
 * allowed. `role` is that of the sender, 2 for a combiner. */
void fake_combiner_task(fake_combiner *fake, int32_t type, const char *correlation_id,
                        const char *model_id, const char *data);
void fake_combiner_task_as(fake_combiner *fake, int32_t role, int32_t type,
                           const char *correlation_id, const char *model_id, const char *data);
/* Ends the open stream with a status. */
void fake_combiner_end_stream(fake_combiner *fake, int32_t rpc, const char *text);

/* The nth (from 0) message of a method, fields by their names in the .proto, enums as numbers,
 * submessages as objects, bytes as their number; "TaskStream" has the metadata beside. Waits up to
 * 20 s. */
const json_t *fake_combiner_wait(fake_combiner *fake, const char *method, uint32_t nth);
uint32_t fake_combiner_count(fake_combiner *fake, const char *method);

typedef struct fake_reducer fake_reducer;

fake_reducer *fake_reducer_new(void);
void fake_reducer_free(fake_reducer *fake);
/* "http://127.0.0.1:<port>" */
const char *fake_reducer_url(const fake_reducer *fake);
/* What is answered to clients/add from now on, as JSON text. */
void fake_reducer_answer(fake_reducer *fake, int32_t status, const char *json);
/* 200 with the address of a combiner. */
void fake_reducer_assign(fake_reducer *fake, const fake_combiner *combiner, const char *client_id);
/* The nth (from 0) request: its JSON, and "authorization" where it came with one. Waits. */
const json_t *fake_reducer_wait(fake_reducer *fake, uint32_t nth);

#endif
