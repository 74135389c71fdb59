/* SPDX-License-Identifier: Apache-2.0
 * The smallest client: one callback and a dozen calls. It "trains" by giving the model back. */
#include <fedn/fedn.h>
#include <stdio.h>

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    fedn_model *model = NULL;
    fedn_status rc = fedn_task_model(task, &model, err);

    (void)user_data;
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, 100, err);
    return rc == FEDN_OK ? fedn_task_set_model(task, model, err) : rc;
}

int main(int argc, char **argv)
{
    const char *reducer = argc > 1 ? argv[1] : "http://127.0.0.1:8092";
    fedn_config *config = NULL;
    fedn_client *client = NULL;
    fedn_error err = {0};

    if (fedn_config_new(&config, &err) == FEDN_OK &&
        fedn_config_set(config, "client.api_url", reducer, &err) == FEDN_OK &&
        fedn_client_new(config, &client, &err) == FEDN_OK &&
        fedn_client_set_train(client, train, NULL) == FEDN_OK)
        (void)fedn_client_run(client, &err); /* for ever, or until the reducer refuses it */
    fprintf(stderr, "%s\n", err.message);
    fedn_client_free(client);
    fedn_config_free(config);
    return 1;
}
