# SPDX-License-Identifier: Apache-2.0
"""The program of a client made with fednctl, and of a compute package: adds a number to every parameter.

usage: c_trainer.py train NUM_EXAMPLES STEP IN OUT | validate IN OUT | predict IN OUT
       c_trainer.py build NUM_EXAMPLES STEP _ OUT | startup OUT
KEEP names a directory for what was sent, FEDN_TASK_ROUND_ID or else a count the round.
"""
import json
import os
import shutil
import sys

import numpy as np


def read(path):
    with np.load(path) as file:
        return [file[str(i)] for i in range(len(file.files))]


def write(path, tensors):
    with open(path, "wb") as file:
        np.savez(file, **{str(i): array for i, array in enumerate(tensors)})


def keep(tensors):
    if "KEEP" in os.environ:
        made = len([name for name in os.listdir(os.environ["KEEP"]) if name.startswith("update-")])
        round_id = os.environ.get("FEDN_TASK_ROUND_ID", f"{made + 1}")
        write(os.path.join(os.environ["KEEP"], f"update-{round_id}.npz"), tensors)


def keep_settings(path):
    """What the client was told besides the model, if it was."""
    if "KEEP" in os.environ and os.path.exists(path):
        round_id = os.environ.get("FEDN_TASK_ROUND_ID", "0")
        shutil.copyfile(path, os.path.join(os.environ["KEEP"], f"settings-{round_id}.json"))


entry, out = sys.argv[1], sys.argv[-1]
if entry == "startup":
    answer = {"cwd": os.getcwd()}
elif entry == "build":
    write(out, [np.arange(12, dtype=np.float32).reshape(3, 4), np.array([1.5, -2.5]), np.array(0.25, dtype=np.float32)])
    answer, out = {}, out + "-metadata"
elif entry == "train":
    trained = [(array + float(sys.argv[3])).astype(array.dtype) for array in read(sys.argv[-2])]
    write(out, trained)
    keep(trained)
    keep_settings(sys.argv[-2] + "-metadata")
    answer, out = {"num_examples": int(sys.argv[2]), "loss": 0.0}, out + "-metadata"
else:
    answer = {"first": float(read(sys.argv[-2])[0].flat[0])}
with open(out, "w", encoding="utf-8") as file:
    json.dump(answer, file)
