# SPDX-License-Identifier: Apache-2.0
"""A client made with FEDn's own FednClient: its callbacks add a number to every parameter.

usage: trainer.py URL NAME NUM_EXAMPLES STEP [PREFERRED_COMBINER]
What it sent is kept in its directory, so that a test can compute the mean itself.
"""
import io
import json
import os
import sys

import numpy as np
from fedn.network.clients.fedn_client import ConnectToApiResult, FednClient

URL, NAME, EXAMPLES, STEP = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
COMBINER = sys.argv[5] if len(sys.argv) > 5 else None


def read(model):
    with np.load(io.BytesIO(model.getbuffer())) as file:
        return [file[str(i)] for i in range(len(file.files))]


def train(model, settings):
    """The state of a round is taken from the task that is being worked on."""
    context = client._current_context
    given = read(model)
    trained = [(array + STEP).astype(array.dtype) for array in given]
    client.log_metric({"loss": 0.0, "step_size": STEP})
    client.log_metric({"loss": 0.5}, step=7)
    with open(f"update-{context.round_id}.npz", "wb") as file:
        np.savez(file, **{str(i): array for i, array in enumerate(trained)})
    out = io.BytesIO()
    np.savez_compressed(out, **{str(i): array for i, array in enumerate(trained)})
    out.seek(0)
    return out, {"training_metadata": {"num_examples": EXAMPLES, "settings": settings}}


def validate(model):
    return {"first": float(read(model)[0].flat[0]), "zero": 0.0}


def predict(model):
    return {"who": NAME, "first": float(read(model)[0].flat[0])}


client = FednClient(train_callback=train, validate_callback=validate, predict_callback=predict)
assigned, config = client.connect_to_api(URL + "/", "", {
    "name": NAME, "client_id": NAME, "preferred_combiner": COMBINER, "package": "local"})
if assigned != ConnectToApiResult.Assigned:
    sys.exit(f"not assigned: {assigned} {config}")
with open("assigned.json", "w", encoding="utf-8") as record:
    json.dump(vars(config), record)
client.init_grpchandler(config=config, client_name=NAME, token="")
client.log_attributes({"place": NAME, "empty": "", "pid": str(os.getpid())})
client.run()
