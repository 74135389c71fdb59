/* SPDX-License-Identifier: Apache-2.0
 * What federated learning is measured against: the same network, trained on all images in one
 * place.
 *
 *     digits_central DIGITS.csv ROUNDS        (DIGITS_EPOCHS epochs for each round) */
#include "digits.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    digits_data *data = NULL;
    digits_share share;
    fedn_error err = {0};
    digits_net net;

    if (argc != 3) {
        fprintf(stderr, "usage: digits_central DIGITS.csv ROUNDS\n");
        return 2;
    }
    if (digits_load(argv[1], &data, &err) != FEDN_OK) {
        fprintf(stderr, "digits_central: %s\n", err.message);
        return 1;
    }
    int32_t epochs = (int32_t)strtol(argv[2], NULL, 10) * DIGITS_EPOCHS;
    digits_net_init(&net, DIGITS_SEED);
    digits_share_all(&share);
    for (int32_t epoch = 0; epoch < epochs; epoch++)
        digits_net_epoch(&net, data, &share, (uint64_t)epoch);
    digits_share_test(-1, 1, &share);
    digits_score score = digits_net_score(&net, data, &share);
    printf("accuracy %.4f loss %.4f\n", score.accuracy, score.loss);
    free(data);
    return 0;
}
