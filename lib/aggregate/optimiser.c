/* SPDX-License-Identifier: Apache-2.0
 * The optimisers of fedopt: their parameters and their step. */
#include "aggregate/optimiser.h"

#include "core/error.h"
#include "core/literal.h"
#include <math.h>
#include <string.h>

enum { ADAM, YOGI, ADAGRAD };

static const char *const optimisers[] = {"adam", "yogi", "adagrad"};

static fedn_status take_optimiser(fedn__optimiser *self, const json_t *value, fedn_error *err)
{
    const char *name = json_is_string(value) ? json_string_value(value) : "";

    for (int32_t i = ADAM; i <= ADAGRAD; i++) {
        if (strcmp(optimisers[i], name) == 0) {
            self->kind = i;
            return FEDN_OK;
        }
    }
    return fedn__error(err, FEDN_ERR_INVALID,
                       "fedopt: serveropt is \"%.40s\", it must be adam, yogi or adagrad", name);
}

static fedn_status take_number(const char *key, const json_t *value, double most, double *to,
                               fedn_error *err)
{
    double number = json_is_number(value) ? json_number_value(value) : NAN;

    if (!(number >= 0 && number <= most) || (strcmp(key, "tau") == 0 && number == 0))
        return fedn__error(err, FEDN_ERR_INVALID, "fedopt: %s must be a number %s 0, at most %g",
                           key, strcmp(key, "tau") == 0 ? "above" : "from", most);
    *to = number;
    return FEDN_OK;
}

static fedn_status take_parameter(fedn__optimiser *self, const char *key, const json_t *value,
                                  fedn_error *err)
{
    const struct {
        const char *key;
        double most;
        double *to;
    } numbers[] = {{"learning_rate", 1e6, &self->learning_rate},
                   {"beta1", 1, &self->beta1},
                   {"beta2", 1, &self->beta2},
                   {"tau", 1e6, &self->tau}};

    if (strcmp(key, "serveropt") == 0)
        return take_optimiser(self, value, err);
    for (uint32_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(key, numbers[i].key) == 0)
            return take_number(key, value, numbers[i].most, numbers[i].to, err);
    return fedn__error(err, FEDN_ERR_INVALID,
                       "fedopt has no parameter '%.100s'; there are serveropt, learning_rate, "
                       "beta1, beta2 and tau",
                       key);
}

fedn_status fedn__optimiser_parse(const char *kwargs, fedn__optimiser *ret, fedn_error *err)
{
    json_t *given = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    fedn_status rc = fedn__literal_object(kwargs, "fedopt's parameters", &given, err);

    *ret = (fedn__optimiser){ADAM, 1e-3, 0.9, 0.99, 1e-4};
    json_object_foreach(given, key, value)
    {
        if (rc == FEDN_OK)
            rc = take_parameter(ret, key, value, err);
    }
    json_decref(given);
    return rc;
}

void fedn__optimiser_follow(const fedn__optimiser *self, int32_t first, double *m, double *v,
                            double *gradient, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        double g = gradient[i];
        double square = g * g;
        double moment = (1 - self->beta1) * g + (first ? 0 : self->beta1 * m[i]);
        double second = first ? self->tau * self->tau : v[i];
        if (self->kind == ADAM)
            second = self->beta2 * second + (1 - self->beta2) * square;
        else if (self->kind == YOGI)
            second -= (1 - self->beta2) * (double)((second > square) - (second < square)) * square;
        else
            second += square;
        m[i] = moment;
        v[i] = second;
        gradient[i] = self->learning_rate * (moment / (sqrt(second) + self->tau));
    }
}
