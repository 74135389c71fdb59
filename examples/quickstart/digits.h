/* SPDX-License-Identifier: Apache-2.0
 * The quickstart's learning problem: handwritten digits, a network of 64-32-10 units, plain SGD. */
#ifndef DIGITS_H
#define DIGITS_H

#include <fedn/fedn.h>

enum {
    DIGITS_INPUTS = 64,
    DIGITS_HIDDEN = 32,
    DIGITS_CLASSES = 10,
    DIGITS_IMAGES = 1797,
    DIGITS_TEST = 360, /* images that nobody trains on */
    DIGITS_EPOCHS = 3, /* of local training in a round */
    DIGITS_SEED = 2024
};

typedef struct digits_image {
    float pixels[DIGITS_INPUTS]; /* 0..1 */
    int32_t label;
} digits_image;

/* The images in a fixed random order: the first DIGITS_TEST are the held-out ones. */
typedef struct digits_data {
    digits_image images[DIGITS_IMAGES];
} digits_data;

/* Indices into digits_data. */
typedef struct digits_share {
    int32_t index[DIGITS_IMAGES];
    int32_t count;
} digits_share;

/* What is learned; tensors "0" to "3" of the model. */
typedef struct digits_net {
    float w1[DIGITS_INPUTS][DIGITS_HIDDEN];
    float b1[DIGITS_HIDDEN];
    float w2[DIGITS_HIDDEN][DIGITS_CLASSES];
    float b2[DIGITS_CLASSES];
} digits_net;

typedef struct digits_score {
    double loss;     /* cross-entropy, mean */
    double accuracy; /* 0..1 */
} digits_score;

/* Reads digits.csv: 64 numbers from 0 to 16 and the label on each line. */
fedn_status digits_load(const char *path, digits_data **ret, fedn_error *err);

/* All training images, or client `client` of `clients`' part of them: nine in ten come from the
 * three or four classes that are its own, so no two clients see the same world. */
void digits_share_all(digits_share *share);
void digits_share_client(const digits_data *data, int32_t client, int32_t clients,
                         digits_share *share);
/* The held-out images: all (client -1), or every clients-th beginning with `client`. */
void digits_share_test(int32_t client, int32_t clients, digits_share *share);

void digits_net_init(digits_net *net, uint64_t seed);
/* One pass over the share in an order made from the seed. */
void digits_net_epoch(digits_net *net, const digits_data *data, const digits_share *share,
                      uint64_t seed);
digits_score digits_net_score(const digits_net *net, const digits_data *data,
                              const digits_share *share);

/* Between the network and the library's model; FEDN_ERR_FORMAT: another network's model. */
fedn_status digits_net_from_model(digits_net *net, fedn_model *model, fedn_error *err);
fedn_status digits_net_to_model(const digits_net *net, fedn_model **ret, fedn_error *err);

#endif
