/* SPDX-License-Identifier: Apache-2.0
 * The program that chaos clients train with: a pure function of the client and the global model, in
 * whole numbers so small that every sum and mean of them is exact. model.py beside this file knows
 * the same rule.
 *
 *     trainer SIDE PLACE IN_MODEL OUT_MODEL        side 0..1 (the combiner), place 0..2 on it
 *
 * A model is "twin", float32, and "own", float64. The clients of the two sides are twins: place by
 * place they give "twin" the same values, so its mean is the same with either side and with both.
 * "own" differs with every client. Weights are 1, 1 and 2: their sums are powers of two, and the
 * values are multiples of these.
 *
 * CHAOS_TRAIN_MS: the longest a training takes (chosen by client and model). CHAOS_SOCKET: a
 * datagram socket that is told "begin CLIENT MODEL" and "end CLIENT MODEL". */
#include <fedn/model.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PLACES = 3, MODULUS = 4096, TWIN_STEP = 4, OWN_STEP = 8 };

static const int64_t factors[] = {5, 13, 29, 37, 61, 101};
static const int64_t terms[] = {1, 71, 333, 1009, 2003, 3001};
static const int weights[PLACES] = {1, 1, 2};

static int64_t train_element(int64_t x, uint64_t i, int rule, int64_t step)
{
    return step * ((factors[rule] * x + terms[rule] + (int64_t)i) % MODULUS);
}

static fedn_status train(const fedn_model *global, int side, int place, fedn_model **ret,
                         fedn_error *err)
{
    uint64_t elements = fedn_model_elements(global, 0);
    const float *twin = fedn_model_data(global, 0);
    const double *own = fedn_model_data(global, 1);
    void *to_twin = NULL;
    void *to_own = NULL;

    fedn_status rc = fedn_model_new(ret, err);
    if (rc == FEDN_OK)
        rc = fedn_model_add(*ret, "twin", FEDN_DTYPE_F32, 1, &elements, NULL, &to_twin, err);
    if (rc == FEDN_OK)
        rc = fedn_model_add(*ret, "own", FEDN_DTYPE_F64, 1, &elements, NULL, &to_own, err);
    for (uint64_t i = 0; rc == FEDN_OK && i < elements; i++) {
        ((float *)to_twin)[i] = (float)train_element((int64_t)twin[i], i, place, TWIN_STEP);
        ((double *)to_own)[i] =
            (double)train_element((int64_t)own[i], i, PLACES * side + place, OWN_STEP);
    }
    return rc;
}

static void tell(const char *what, int client)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("CHAOS_SOCKET");
    const char *model = getenv("FEDN_TASK_MODEL_ID");
    char line[128];

    if (!path)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int bytes = snprintf(line, sizeof line, "%s %d %s", what, client, model ? model : "-");
    if (fd >= 0 &&
        sendto(fd, line, (size_t)bytes, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) < 0)
        fprintf(stderr, "nobody hears that a training is at its %s\n", what);
    if (fd >= 0)
        close(fd);
}

/* The work: longer for some clients and models than for others. */
static void take_time(const fedn_model *global, int client)
{
    const char *text = getenv("CHAOS_TRAIN_MS");
    int64_t most = text ? strtoll(text, NULL, 10) : 0;
    int64_t own = (int64_t)((const double *)fedn_model_data(global, 1))[0];
    int64_t ms = most > 0 ? (own * 31 + client * 977) % most : 0;

    poll(NULL, 0, (int)ms);
}

static int write_metadata(const char *out, int weight)
{
    char path[4096];

    snprintf(path, sizeof path, "%s-metadata", out);
    FILE *file = fopen(path, "w");
    if (!file)
        return 0;
    fprintf(file, "{\"num_examples\": %d}\n", weight);
    return fclose(file) == 0;
}

int main(int argc, char **argv)
{
    fedn_model *global = NULL;
    fedn_model *update = NULL;
    fedn_error err = {0};

    if (argc != 5) {
        fprintf(stderr, "usage: trainer SIDE PLACE IN_MODEL OUT_MODEL\n");
        return 2;
    }
    int side = argv[1][0] == '1';
    int place = (argv[2][0] - '0') % PLACES;
    int client = PLACES * side + place;
    tell("begin", client);
    fedn_status rc = fedn_model_load(argv[3], "npz", &global, &err);
    if (rc == FEDN_OK)
        rc = train(global, side, place, &update, &err);
    if (rc == FEDN_OK)
        take_time(global, client);
    if (rc == FEDN_OK)
        rc = fedn_model_save(update, argv[4], "npz", &err);
    if (rc != FEDN_OK)
        fprintf(stderr, "trainer: %s\n", err.message);
    else if (!write_metadata(argv[4], weights[place]))
        rc = FEDN_ERR_IO;
    tell("end", client);
    fedn_model_unref(update);
    fedn_model_unref(global);
    return rc == FEDN_OK ? 0 : 1;
}
