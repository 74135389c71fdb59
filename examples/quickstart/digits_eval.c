/* SPDX-License-Identifier: Apache-2.0
 * Accuracy of a model file on the images that nobody trained on.
 *
 *     digits_eval DIGITS.csv MODEL.npz */
#include "digits.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    digits_data *data = NULL;
    fedn_model *model = NULL;
    digits_share share;
    fedn_error err = {0};
    digits_net net;

    if (argc != 3) {
        fprintf(stderr, "usage: digits_eval DIGITS.csv MODEL.npz\n");
        return 2;
    }
    fedn_status rc = digits_load(argv[1], &data, &err);
    if (rc == FEDN_OK)
        rc = fedn_model_load(argv[2], NULL, &model, &err);
    if (rc == FEDN_OK)
        rc = digits_net_from_model(&net, model, &err);
    if (rc == FEDN_OK) {
        digits_share_test(-1, 1, &share);
        digits_score score = digits_net_score(&net, data, &share);
        printf("accuracy %.4f loss %.4f\n", score.accuracy, score.loss);
    } else {
        fprintf(stderr, "digits_eval: %s\n", err.message);
    }
    fedn_model_unref(model);
    free(data);
    return rc == FEDN_OK ? 0 : 1;
}
