# SPDX-License-Identifier: Apache-2.0
"""What several of these tests look at."""
import glob
import io
import os

import numpy as np

SEED = [np.arange(12, dtype=np.float32).reshape(3, 4), np.array([1.5, -2.5]), np.array(0.25, dtype=np.float32)]


def write_seed(path):
    np.savez_compressed(path, **{str(i): array for i, array in enumerate(SEED)})


def arrays(data):
    """The tensors of an npz in FEDn's layout."""
    with np.load(io.BytesIO(data)) as file:
        return [file[str(i)] for i in range(len(file.files))]


def sent_updates(directory, round_id):
    """{client: tensors} of what trainer.py kept."""
    found = {}
    for path in glob.glob(os.path.join(directory, "*", f"update-{round_id}.npz")):
        with open(path, "rb") as file:
            found[os.path.basename(os.path.dirname(path))] = arrays(file.read())
    return found


def check_mean(model, updates, examples):
    """Every tensor is the mean by examples, rounded once to its own type."""
    total = sum(examples[name] for name in updates)
    for i, tensor in enumerate(model):
        mean = sum(examples[name] * update[i].astype(np.longdouble) for name, update in updates.items()) / total
        assert tensor.dtype == SEED[i].dtype and tensor.shape == SEED[i].shape, (i, tensor.dtype, tensor.shape)
        np.testing.assert_array_equal(tensor, mean.astype(tensor.dtype), err_msg=f"tensor {i}")
