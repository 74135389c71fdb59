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
    return step * ((FACTORS[rule] * values + TERMS[rule] + index) % MODULUS)


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


def difference(got, wanted):
    """None if they are the same bit for bit, else what differs."""
    for name, have, want, kind in zip(("twin", "own"), got, wanted, (np.float32, np.float64)):
        if have.dtype != kind or have.tobytes() != want.astype(kind).tobytes():
            places = np.flatnonzero(have != want)
            first = int(places[0]) if len(places) else 0
            return f"{name} differs at {len(places)} of {len(want)}, first [{first}]: {have[first]}, wanted {want[first]}"
    return None
