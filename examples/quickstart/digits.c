/* SPDX-License-Identifier: Apache-2.0
 * Handwritten digits: reading, sharing out, and a small network trained by hand-written SGD. */
#include "digits.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH         16
#define LEARNING_RATE 0.2F

/* splitmix64: small, seedable, the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static double random_unit(uint64_t *state)
{
    return (double)(next_random(state) >> 11) / 9007199254740992.0;
}

static void shuffle(int32_t *index, int32_t count, uint64_t seed)
{
    for (int32_t i = count - 1; i > 0; i--) {
        int32_t other = (int32_t)(next_random(&seed) % (uint64_t)(i + 1));
        int32_t kept = index[i];
        index[i] = index[other];
        index[other] = kept;
    }
}

static int32_t read_number(FILE *file, int32_t max, int32_t *ret)
{
    char text[8];
    int32_t used = 0;
    int32_t c = getc(file);

    while (c >= '0' && c <= '9' && used < 7) {
        text[used++] = (char)c;
        c = getc(file);
    }
    text[used] = 0;
    *ret = (int32_t)strtol(text, NULL, 10);
    return used > 0 && *ret <= max && (c == ',' || c == '\n');
}

static int32_t read_image(FILE *file, digits_image *image)
{
    for (int32_t i = 0; i < DIGITS_INPUTS; i++) {
        int32_t pixel = 0;
        if (!read_number(file, 16, &pixel))
            return 0;
        image->pixels[i] = (float)pixel / 16.0F;
    }
    return read_number(file, DIGITS_CLASSES - 1, &image->label);
}

fedn_status digits_load(const char *path, digits_data **ret, fedn_error *err)
{
    int32_t order[DIGITS_IMAGES];
    char text[256];
    FILE *file = fopen(path, "r");
    digits_data *data = malloc(sizeof *data);
    fedn_status rc = FEDN_OK;

    if (!file || !data) {
        snprintf(text, sizeof text, "cannot read %s", path);
        rc = fedn_error_set(err, FEDN_ERR_IO, text);
        goto out;
    }
    for (int32_t i = 0; i < DIGITS_IMAGES; i++)
        order[i] = i;
    shuffle(order, DIGITS_IMAGES, DIGITS_SEED);
    for (int32_t i = 0; i < DIGITS_IMAGES; i++) {
        if (!read_image(file, &data->images[order[i]])) {
            snprintf(text, sizeof text, "%s line %d: not a digit of 8 x 8 pixels", path, i + 1);
            rc = fedn_error_set(err, FEDN_ERR_FORMAT, text);
            goto out;
        }
    }
    *ret = data;
    data = NULL;
out:
    free(data);
    if (file)
        fclose(file);
    return rc;
}

void digits_share_all(digits_share *share)
{
    share->count = 0;
    for (int32_t i = DIGITS_TEST; i < DIGITS_IMAGES; i++)
        share->index[share->count++] = i;
}

/* Every class has two home clients; the second pass over the classes takes them in another order,
 * so that no two clients have the same classes. */
static int32_t home_of(int32_t label, int32_t pass, int32_t clients)
{
    int32_t slot = pass == 0 ? label : DIGITS_CLASSES + (label * 7) % DIGITS_CLASSES;
    return slot * clients / (2 * DIGITS_CLASSES);
}

void digits_share_client(const digits_data *data, int32_t client, int32_t clients,
                         digits_share *share)
{
    uint64_t state = DIGITS_SEED + 1;

    share->count = 0;
    for (int32_t i = DIGITS_TEST; i < DIGITS_IMAGES; i++) {
        uint64_t dice = next_random(&state);
        int32_t owner = home_of(data->images[i].label, (int32_t)(dice >> 32) & 1, clients);
        if (dice % 10 == 0)
            owner = (int32_t)((dice >> 8) % (uint64_t)clients);
        if (owner == client)
            share->index[share->count++] = i;
    }
}

void digits_share_test(int32_t client, int32_t clients, digits_share *share)
{
    share->count = 0;
    for (int32_t i = 0; i < DIGITS_TEST; i++)
        if (client < 0 || i % clients == client)
            share->index[share->count++] = i;
}

void digits_net_init(digits_net *net, uint64_t seed)
{
    double reach1 = sqrt(6.0 / (DIGITS_INPUTS + DIGITS_HIDDEN));
    double reach2 = sqrt(6.0 / (DIGITS_HIDDEN + DIGITS_CLASSES));

    memset(net, 0, sizeof *net);
    for (int32_t i = 0; i < DIGITS_INPUTS; i++)
        for (int32_t j = 0; j < DIGITS_HIDDEN; j++)
            net->w1[i][j] = (float)((2 * random_unit(&seed) - 1) * reach1);
    for (int32_t j = 0; j < DIGITS_HIDDEN; j++)
        for (int32_t k = 0; k < DIGITS_CLASSES; k++)
            net->w2[j][k] = (float)((2 * random_unit(&seed) - 1) * reach2);
}

static void forward(const digits_net *net, const float *pixels, float *hidden, float *chance)
{
    float most = -INFINITY;
    float sum = 0;

    memcpy(hidden, net->b1, sizeof net->b1);
    for (int32_t i = 0; i < DIGITS_INPUTS; i++)
        for (int32_t j = 0; j < DIGITS_HIDDEN; j++)
            hidden[j] += pixels[i] * net->w1[i][j];
    for (int32_t j = 0; j < DIGITS_HIDDEN; j++)
        hidden[j] = tanhf(hidden[j]);
    memcpy(chance, net->b2, sizeof net->b2);
    for (int32_t j = 0; j < DIGITS_HIDDEN; j++)
        for (int32_t k = 0; k < DIGITS_CLASSES; k++)
            chance[k] += hidden[j] * net->w2[j][k];
    for (int32_t k = 0; k < DIGITS_CLASSES; k++)
        most = fmaxf(most, chance[k]);
    for (int32_t k = 0; k < DIGITS_CLASSES; k++) {
        chance[k] = expf(chance[k] - most);
        sum += chance[k];
    }
    for (int32_t k = 0; k < DIGITS_CLASSES; k++)
        chance[k] /= sum;
}

/* Adds one image's gradient of the cross-entropy to `slope`. */
static void backward(const digits_net *net, const digits_image *image, digits_net *slope)
{
    float hidden[DIGITS_HIDDEN];
    float error[DIGITS_CLASSES];

    forward(net, image->pixels, hidden, error);
    error[image->label] -= 1;
    for (int32_t k = 0; k < DIGITS_CLASSES; k++)
        slope->b2[k] += error[k];
    for (int32_t j = 0; j < DIGITS_HIDDEN; j++) {
        float back = 0;
        for (int32_t k = 0; k < DIGITS_CLASSES; k++) {
            slope->w2[j][k] += hidden[j] * error[k];
            back += net->w2[j][k] * error[k];
        }
        back *= 1 - hidden[j] * hidden[j];
        slope->b1[j] += back;
        for (int32_t i = 0; i < DIGITS_INPUTS; i++)
            slope->w1[i][j] += image->pixels[i] * back;
    }
}

static void descend(float *weights, const float *slope, size_t count, float rate)
{
    for (size_t i = 0; i < count; i++)
        weights[i] -= rate * slope[i];
}

void digits_net_epoch(digits_net *net, const digits_data *data, const digits_share *share,
                      uint64_t seed)
{
    digits_share order = *share;
    digits_net slope;

    shuffle(order.index, order.count, seed);
    for (int32_t first = 0; first < order.count; first += BATCH) {
        int32_t count = order.count - first < BATCH ? order.count - first : BATCH;
        float rate = LEARNING_RATE / (float)count;
        memset(&slope, 0, sizeof slope);
        for (int32_t i = 0; i < count; i++)
            backward(net, &data->images[order.index[first + i]], &slope);
        descend(&net->w1[0][0], &slope.w1[0][0], sizeof net->w1 / sizeof(float), rate);
        descend(net->b1, slope.b1, DIGITS_HIDDEN, rate);
        descend(&net->w2[0][0], &slope.w2[0][0], sizeof net->w2 / sizeof(float), rate);
        descend(net->b2, slope.b2, DIGITS_CLASSES, rate);
    }
}

digits_score digits_net_score(const digits_net *net, const digits_data *data,
                              const digits_share *share)
{
    digits_score score = {0, 0};
    float hidden[DIGITS_HIDDEN];
    float chance[DIGITS_CLASSES];

    for (int32_t i = 0; i < share->count; i++) {
        const digits_image *image = &data->images[share->index[i]];
        int32_t best = 0;
        forward(net, image->pixels, hidden, chance);
        for (int32_t k = 1; k < DIGITS_CLASSES; k++)
            best = chance[k] > chance[best] ? k : best;
        score.loss -= log((double)fmaxf(chance[image->label], 1e-12F)) / share->count;
        score.accuracy += (best == image->label) / (double)share->count;
    }
    return score;
}

/* The four tensors, in the order of the model. */
typedef struct layer {
    uint32_t rank;
    uint64_t shape[2];
    size_t offset;
    size_t bytes;
} layer;

static const layer layers[] = {
    {2, {DIGITS_INPUTS, DIGITS_HIDDEN}, offsetof(digits_net, w1), sizeof((digits_net *)0)->w1},
    {1, {DIGITS_HIDDEN, 0}, offsetof(digits_net, b1), sizeof((digits_net *)0)->b1},
    {2, {DIGITS_HIDDEN, DIGITS_CLASSES}, offsetof(digits_net, w2), sizeof((digits_net *)0)->w2},
    {1, {DIGITS_CLASSES, 0}, offsetof(digits_net, b2), sizeof((digits_net *)0)->b2},
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

fedn_status digits_net_from_model(digits_net *net, fedn_model *model, fedn_error *err)
{
    int32_t fits = fedn_model_count(model) == LAYERS;

    for (uint32_t i = 0; fits && i < LAYERS; i++)
        fits = fedn_model_dtype(model, i) == FEDN_DTYPE_F32 &&
               fedn_model_rank(model, i) == layers[i].rank &&
               memcmp(fedn_model_shape(model, i), layers[i].shape,
                      layers[i].rank * sizeof(uint64_t)) == 0;
    if (!fits)
        return fedn_error_set(err, FEDN_ERR_FORMAT,
                              "the model is not the digits network of 64-32-10 units");
    for (uint32_t i = 0; i < LAYERS; i++)
        memcpy((char *)net + layers[i].offset, fedn_model_data(model, i), layers[i].bytes);
    return FEDN_OK;
}

fedn_status digits_net_to_model(const digits_net *net, fedn_model **ret, fedn_error *err)
{
    fedn_model *model = NULL;
    fedn_status rc = fedn_model_new(&model, err);

    for (uint32_t i = 0; rc == FEDN_OK && i < LAYERS; i++)
        rc = fedn_model_add(model, NULL, FEDN_DTYPE_F32, layers[i].rank, layers[i].shape,
                            (const char *)net + layers[i].offset, NULL, err);
    if (rc != FEDN_OK)
        model = fedn_model_unref(model);
    *ret = model;
    return rc;
}
