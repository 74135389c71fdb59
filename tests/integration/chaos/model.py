# SPDX-License-Identifier: Apache-2.0
"""What the clients of the chaos tests make of a model, in whole numbers: the rule of trainer.c once more, and
what a round's mean is if every update of the sides that took part counts exactly once."""
import io

import numpy as np

PLACES = 3
WEIGHTS = (1, 1, 2)
MODULUS, TWIN_STEP, OWN_STEP = 4096, 4, 8
FACTORS = (5, 13, 29, 37, 61, 101)
TERMS = (1, 71, 333, 1009, 2003, 3001)


def seed(elements):
    """The model that a session begins with, as (twin, own) whole numbers."""
    index = np.arange(elements, dtype=np.int64)
    return (index * 7) % 1000, (index * 11) % 1000


def encode(model):
    file = io.BytesIO()
    np.savez(file, twin=model[0].astype(np.float32), own=model[1].astype(np.float64))
    return file.getvalue()


def decode(data):
    with np.load(io.BytesIO(data)) as arrays:
        return arrays["twin"], arrays["own"]


def train(values, rule, step):
    index = np.arange(len(values), dtype=np.int64)
    return step * np.fmod(FACTORS[rule] * values.astype(np.int64) + TERMS[rule] + index, MODULUS)  # as C has it


def mean(values, rules, step):
    total = sum(WEIGHTS[rule % PLACES] for rule in rules)
    summed = sum(WEIGHTS[rule % PLACES] * train(values, rule, step) for rule in rules)
    assert not np.any(summed % total), "the values are chosen so that every mean is a whole number"
    return summed // total


def after_round(model, sides):
    """`sides`: which of the two combiners took part, each with all of its clients."""
    twin, own = model
    rules = [PLACES * side + place for side in sides for place in range(PLACES)]
    return mean(twin, range(PLACES), TWIN_STEP), mean(own, rules, OWN_STEP)


class Averaging:
    """fedavg: the model that follows is the mean."""
    aggregator, kwargs = "fedavg", {}

    def after_round(self, model, sides):
        return after_round(model, sides)


class Optimising:
    """fedopt, in floats: every operation rounds once, as in the library. The state lives as long as the session."""
    aggregator = "fedopt"

    def __init__(self, name):
        self.kwargs = {"serveropt": name, "learning_rate": 10}
        self.name, self.moments = name, [None, None]

    def after_round(self, model, sides):
        rules = [PLACES * side + place for side in sides for place in range(PLACES)]
        return tuple(self._step(at, x, *each) for at, (x, each) in enumerate(zip(
            model, ((range(PLACES), TWIN_STEP, np.float32), (rules, OWN_STEP, np.float64)))))

    def _step(self, at, x, rules, step, kind):
        total = sum(WEIGHTS[rule % PLACES] for rule in rules)
        summed = sum(WEIGHTS[rule % PLACES] * train(x, rule, step) for rule in rules)
        x = x.astype(np.float64)
        gradient = (summed - total * x) / total
        first = self.moments[at] is None
        m, v = (0.0, np.full(len(x), 1e-4 * 1e-4)) if first else self.moments[at]
        m = (1 - 0.9) * gradient + (0.0 if first else 0.9 * m)
        square = gradient * gradient
        if self.name == "adam":
            v = 0.99 * v + (1 - 0.99) * square
        elif self.name == "yogi":
            v = v - (1 - 0.99) * np.sign(v - square) * square
        else:
            v = v + square
        self.moments[at] = m, v
        return (x + 10.0 * (m / (np.sqrt(v) + 1e-4))).astype(kind)


def difference(got, wanted):
    """None if they are the same bit for bit, else what differs."""
    for name, have, want, kind in zip(("twin", "own"), got, wanted, (np.float32, np.float64)):
        if have.dtype != kind or have.tobytes() != want.astype(kind).tobytes():
            places = np.flatnonzero(have != want)
            first = int(places[0]) if len(places) else 0
            return f"{name} differs at {len(places)} of {len(want)}, first [{first}]: {have[first]}, wanted {want[first]}"
    return None
