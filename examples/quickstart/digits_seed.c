/* SPDX-License-Identifier: Apache-2.0
 * Writes the untrained network that the quickstart's first round starts from.
 *
 *     digits_seed MODEL.npz */
#include "digits.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    fedn_model *model = NULL;
    fedn_error err = {0};
    digits_net net;

    if (argc != 2) {
        fprintf(stderr, "usage: digits_seed MODEL.npz\n");
        return 2;
    }
    digits_net_init(&net, DIGITS_SEED);
    fedn_status rc = digits_net_to_model(&net, &model, &err);
    if (rc == FEDN_OK)
        rc = fedn_model_save(model, argv[1], "npz", &err);
    if (rc != FEDN_OK)
        fprintf(stderr, "digits_seed: %s\n", err.message);
    fedn_model_unref(model);
    return rc == FEDN_OK ? 0 : 1;
}
