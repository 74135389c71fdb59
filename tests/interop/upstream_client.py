# SPDX-License-Identifier: Apache-2.0
"""What the clients of the interoperability tests compute, as FEDn's client and as programs for `fednctl client start`.

usage: upstream_client.py fedn URL NAME STEP EXAMPLES        FEDn's own FednClient, until it is killed
       upstream_client.py train STEP EXAMPLES IN OUT         one training, as a program
       upstream_client.py validate|predict IN OUT            one answer, as a program
A training adds STEP to the first element of each array, twice as much to the second and so on.
"""
import io
import json
import sys

import numpy as np


def read(source):
    with np.load(source) as archive:
        return [archive[str(i)] for i in range(len(archive.files))]


def write(target, arrays):
    np.savez(target, **{str(i): array for i, array in enumerate(arrays)})


def trained(arrays, step):
    return [array + (step * np.arange(1, array.size + 1)).reshape(array.shape).astype(array.dtype) for array in arrays]


def answer(arrays):
    return {"mean": float(np.mean([array.mean() for array in arrays])), "arrays": len(arrays)}


def run_fedn(url, name, step, examples):
    from fedn.network.clients.fedn_client import ConnectToApiResult, FednClient

    def arrays(model):
        model.seek(0)  # it comes as it was written
        return read(model)

    def train(model, _settings):
        out = io.BytesIO()
        write(out, trained(arrays(model), step))
        out.seek(0)
        client.log_metric({"loss": step / 4})
        return out, {"training_metadata": {"num_examples": examples}}

    client = FednClient(train, lambda model: answer(arrays(model)), lambda model: answer(arrays(model)))
    client.set_name(name)
    client.set_client_id(name + "-id")
    outcome, combiner = client.connect_to_api(url + "/", None, {"name": name, "client_id": name + "-id", "package": "local",
                                                                "preferred_combiner": ""})
    if outcome is not ConnectToApiResult.Assigned or not client.init_grpchandler(combiner, name, None):
        sys.exit(f"{name} was not taken: {outcome} {combiner}")
    client.run()


def main():
    what, *args = sys.argv[1:]
    if what == "fedn":
        run_fedn(args[0], args[1], float(args[2]), int(args[3]))
    elif what == "train":
        step, examples = float(args[0]), int(args[1])
        with open(args[3], "wb") as out:
            write(out, trained(read(args[2]), step))
        with open(args[3] + "-metadata", "w", encoding="utf-8") as metadata:
            json.dump({"num_examples": examples, "loss": step / 4}, metadata)
    else:
        with open(args[1], "w", encoding="utf-8") as out:
            json.dump(answer(read(args[0])), out)


if __name__ == "__main__":
    main()
