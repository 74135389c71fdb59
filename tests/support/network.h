/* SPDX-License-Identifier: Apache-2.0
 * A whole network in one process, through the public API: a reducer, combiners and clients on free
 * loopback ports. */
#ifndef FEDN__TEST_NETWORK_H
#define FEDN__TEST_NETWORK_H

#include <fedn/fedn.h>
#include <jansson.h>

enum { NETWORK_MOST = 8 };

typedef struct network {
    char *dir;
    fedn_reducer *reducer;
    fedn_combiner *combiners[NETWORK_MOST];
    uint32_t combiner_count;
    fedn_client *clients[NETWORK_MOST];
    uint32_t client_count;
    fedn_control *control;
    char url[64];
} network;

/* The reducer, so many combiners, and a control handle. */
network *network_start(uint32_t combiners);
void network_stop(network *net);

/* A property of everything started afterwards. */
void network_set(const char *name, const char *value);

/* A client with this id and these callbacks (NULL: none). */
fedn_client *network_client(network *net, const char *id, fedn_task_fn train, fedn_task_fn validate,
                            void *user_data);
/* A client that answers predictions. */
fedn_client *network_predictor(network *net, const char *id, fedn_task_fn predict, void *user_data);
/* Stops a combiner and starts it again, as another process would: on a free port, without memory.
 */
void network_restart(network *net, uint32_t nth);
/* Waits until so many combiners have been attached. */
void network_await_combiners(network *net, uint32_t count);
/* Waits until so many clients are active at the combiners. */
void network_await_clients(network *net, uint32_t count);

/* One tensor "0" of so many float32 of this value. */
fedn_model *network_model(uint64_t elements, float value);
/* What a callback's training comes to: its model with `step` added to each element of "0". */
fedn_status network_trained(fedn_task *task, float step, double num_examples, fedn_error *err);
/* Pushes a model; its id, free with fedn_free(). */
char *network_push(network *net, fedn_model *model);
/* Creates and starts a session; extra is JSON members for its session_config, "" for none. The id,
 * free with fedn_free(). */
char *network_session(network *net, const char *extra, int rounds);
/* Waits until the session has ended; its status, free() it. */
char *network_await_session(network *net, const char *session_id);
/* GET of a path as JSON. */
json_t *network_get(network *net, const char *path);
/* The round records of a session, oldest first. */
json_t *network_rounds(network *net, const char *session_id);
/* The newest model of the network, decoded. */
fedn_model *network_newest(network *net);

#endif
