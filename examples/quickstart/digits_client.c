/* SPDX-License-Identifier: Apache-2.0
 * One client of the quickstart: trains the digits network on its share of the images.
 *
 *     digits_client DIGITS.csv INDEX CLIENTS
 *
 * FEDN_CLIENT_* environment variables configure it: FEDN_CLIENT_API_URL, FEDN_CLIENT_NAME, ... */
#include "digits.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct owner {
    digits_data *data;
    digits_share share, test;
    int32_t index;
} owner;

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    const owner *self = user_data;
    fedn_model *model = NULL;
    digits_net net;
    uint64_t round = strtoull(fedn_task_round_id(task), NULL, 10);

    fedn_status rc = fedn_task_model(task, &model, err);
    if (rc == FEDN_OK)
        rc = digits_net_from_model(&net, model, err);
    if (rc != FEDN_OK)
        return rc;
    for (uint64_t epoch = 0; epoch < DIGITS_EPOCHS; epoch++) {
        if (fedn_task_is_cancelled(task))
            return fedn_error_set(err, FEDN_ERR_CANCELLED, NULL);
        digits_net_epoch(&net, self->data, &self->share,
                         ((uint64_t)self->index << 40) + (round << 20) + epoch);
        fedn_task_progress(task, epoch + 1, DIGITS_EPOCHS);
    }
    rc = digits_net_to_model(&net, &model, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_model(task, model, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, self->share.count, err);
    fedn_model_unref(model);
    return rc;
}

static fedn_status validate(fedn_task *task, fedn_error *err, void *user_data)
{
    const owner *self = user_data;
    fedn_model *model = NULL;
    digits_net net;

    fedn_status rc = fedn_task_model(task, &model, err);
    if (rc == FEDN_OK)
        rc = digits_net_from_model(&net, model, err);
    if (rc != FEDN_OK)
        return rc;
    digits_score score = digits_net_score(&net, self->data, &self->test);
    rc = fedn_task_set_metric(task, "accuracy", score.accuracy, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_metric(task, "loss", score.loss, err);
    return rc;
}

/* SIGTERM and SIGINT end the client in order. */
static void *wait_for_signal(void *client)
{
    sigset_t set;
    int number = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigwait(&set, &number);
    fedn_client_stop(client);
    return NULL;
}

static fedn_status run(owner *self, fedn_error *err)
{
    fedn_config *config = NULL;
    fedn_client *client = NULL;
    pthread_t waiter;

    fedn_status rc = fedn_config_new(&config, err);
    if (rc == FEDN_OK)
        rc = fedn_config_load_env(config, err);
    if (rc == FEDN_OK)
        rc = fedn_client_new(config, &client, err);
    if (rc != FEDN_OK)
        goto out;
    fedn_client_set_train(client, train, self);
    fedn_client_set_validate(client, validate, self);
    if (pthread_create(&waiter, NULL, wait_for_signal, client) != 0) {
        rc = fedn_error_set(err, FEDN_ERR_INTERNAL, "cannot start a thread");
        goto out;
    }
    rc = fedn_client_run(client, err);
    pthread_cancel(waiter);
    pthread_join(waiter, NULL);
out:
    fedn_client_free(client);
    fedn_config_free(config);
    return rc;
}

int main(int argc, char **argv)
{
    owner *self = calloc(1, sizeof *self);
    fedn_error err = {0};
    sigset_t set;

    if (argc != 4 || !self) {
        fprintf(stderr, "usage: digits_client DIGITS.csv INDEX CLIENTS\n");
        free(self);
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    self->index = (int32_t)strtol(argv[2], NULL, 10);
    int32_t clients = (int32_t)strtol(argv[3], NULL, 10);
    fedn_status rc = digits_load(argv[1], &self->data, &err);
    if (rc == FEDN_OK && (clients < 1 || self->index < 0 || self->index >= clients))
        rc = fedn_error_set(&err, FEDN_ERR_INVALID, "INDEX must be from 0 to CLIENTS - 1");
    if (rc == FEDN_OK) {
        digits_share_client(self->data, self->index, clients, &self->share);
        digits_share_test(self->index, clients, &self->test);
        rc = run(self, &err);
    }
    if (rc != FEDN_OK)
        fprintf(stderr, "digits_client: %s\n", err.message);
    free(self->data);
    free(self);
    return rc == FEDN_OK ? 0 : 1;
}
