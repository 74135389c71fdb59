# SPDX-License-Identifier: Apache-2.0
"""FEDn's own aggregators and ours on the same updates, round by round; ours over two combiners, with its state in a
file between rounds. FEDn works in the tensor's own precision and turns results into float64: ours are compared
within what float32 can tell, and float64 tensors within a few units of their last place.

usage: test_fedopt.py <aggregate_tool>
"""
import os
import queue
import subprocess
import sys
import tempfile
import types

import numpy as np
from fedn.network.combiner.aggregators.aggregatorbase import get_aggregator
from fedn.utils.helpers.helpers import get_helper
from fedn.utils.parameters import Parameters

TOOL = sys.argv[1]
ROUNDS = 5
checks = 0


class Updates:
    """As much of FEDn's update handler as its aggregators use."""

    def __init__(self):
        self.model_updates, self.model_old = queue.Queue(), None

    def next_model_update(self):
        return self.model_updates.get(block=False)

    def load_model_update(self, update, _helper):
        return update.model, {"num_examples": update.examples}

    def load_model(self, _helper, _model_id):
        return self.model_old

    def delete_model(self, _update):
        pass


def their_round(aggregator, updates, model, given, kwargs):
    updates.model_old = model
    for number, (tensors, examples) in enumerate(given):
        updates.model_updates.put(types.SimpleNamespace(model=tensors, examples=examples, model_id="global",
                                                        model_update_id=str(number)))
    result, _ = aggregator.combine_models(helper=get_helper("numpyhelper"), delete_models=True,
                                          parameters=Parameters(kwargs) if kwargs else None)
    return result


def save(path, tensors):
    np.savez(path, **{str(at): tensor for at, tensor in enumerate(tensors)})
    return path


def our_round(directory, rule, kwargs, model, given):
    words = [TOOL, rule, repr(kwargs), os.path.join(directory, "state"), save(os.path.join(directory, "global.npz"), model),
             os.path.join(directory, "result.npz")]
    for number, (tensors, examples) in enumerate(given):
        words += [save(os.path.join(directory, f"update{number}.npz"), tensors), str(examples)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{rule} {kwargs}: {done.stderr}")
    with np.load(words[5]) as arrays:
        return [arrays[name] for name in arrays.files]


def compare(rule, kwargs, n, ours, theirs, inputs):
    global checks
    for at, (our, their, own) in enumerate(zip(ours, theirs, inputs)):
        if our.dtype != own.dtype or our.shape != own.shape:
            sys.exit(f"{rule} {kwargs} round {n} tensor {at}: {our.dtype} {our.shape}, wanted {own.dtype} {own.shape}")
        bound = 4e-7 if own.dtype == np.float32 else 1e-12
        off = np.max(np.abs(our.astype("f8") - np.asarray(their, "f8")) / (np.abs(their) + 1e-2), initial=0)
        if not off <= bound:
            sys.exit(f"{rule} {kwargs} round {n} tensor {at} {own.dtype}: off by {off}, at most {bound} wanted")
        checks += 1


def session(rule, kwargs, seed):
    rng = np.random.default_rng(seed)
    updates = Updates()
    aggregator = get_aggregator(rule, updates)
    model = [rng.normal(size=(5, 4)).astype("f4"), rng.normal(size=(7,)), rng.normal(size=(2, 3, 2)).astype("f4")]
    with tempfile.TemporaryDirectory() as directory:
        for n in range(ROUNDS):
            given = [([(tensor + rng.normal(size=tensor.shape) * 0.1).astype(tensor.dtype) for tensor in model],
                      int(rng.integers(1, 900))) for _ in range(6)]
            theirs = their_round(aggregator, updates, model, given, kwargs)
            if theirs is None:
                sys.exit(f"FEDn's {rule} refused {kwargs}")
            ours = our_round(directory, rule, kwargs, model, given)
            compare(rule, kwargs, n + 1, ours, theirs, model)
            model = ours


session("fedavg", {}, 1)
session("fedopt", {}, 2)
for number, name in enumerate(("adam", "yogi", "adagrad")):
    session("fedopt", {"serveropt": name}, 3 + number)
    session("fedopt", {"serveropt": name, "learning_rate": 0.1, "beta1": 0.5, "beta2": 0.9, "tau": 0.01}, 6 + number)
print(f"{checks} tensors agree with FEDn's")
