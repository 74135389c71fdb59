# SPDX-License-Identifier: Apache-2.0
"""Model files both ways between FEDn's own helper classes and this library, by FEDn's names of the formats.

usage: test_helpers.py <model_tool>
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
from fedn.utils.helpers.helpers import get_helper

TOOL = sys.argv[1]
checks = 0


def convert(source, source_format, target, target_format, how):
    done = subprocess.run([TOOL, how, source, source_format, target, target_format], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{how} {source} as {source_format} to {target_format}: {done.stderr}")


def same(what, got, wanted):
    global checks
    if got.dtype != wanted.dtype or got.shape != wanted.shape or got.tobytes() != wanted.tobytes():
        sys.exit(f"{what}: got {got.dtype} {got.shape}, wanted {wanted.dtype} {wanted.shape}, or elements differ")
    checks += 1


def both_ways(directory, name, model, suffix, wanted):
    """Saved by FEDn, rewritten by us, loaded by FEDn: as FEDn loads its own file."""
    helper = get_helper(name)
    source = os.path.join(directory, "theirs" + suffix)
    source = helper.save(model, source) or source
    for how in ("load", "copy"):
        target = os.path.join(directory, "ours" + suffix)
        convert(source, name, target, name, how)
        got = helper.load(target)
        got = got if isinstance(got, list) else [got]
        if len(got) != len(wanted):
            sys.exit(f"{name} {how}: {len(got)} tensors, wanted {len(wanted)}")
        for at, array in enumerate(wanted):
            same(f"{name} {how} {at}", got[at], array)
        # what we read is what FEDn wrote: over npz and numpy, without their classes
        as_npz = os.path.join(directory, "ours.npz")
        convert(source, name, as_npz, "npz", how)
        if name != "numpyhelper":
            with np.load(as_npz) as arrays:
                same(f"{name} {how} npz", arrays["0"].astype(wanted[0].dtype), wanted[0])


rng = np.random.default_rng(3)
with tempfile.TemporaryDirectory() as scratch:
    arrays = [rng.normal(size=(4, 3)).astype("f4"), np.asfortranarray(rng.normal(size=(3, 5))),
              np.array(7, "i8"), rng.normal(size=(2, 3, 4)).astype("f2"), np.zeros((0, 3), "f4")]
    both_ways(scratch, "numpyhelper", arrays, ".npz", arrays)
    flat = rng.normal(size=1001)
    both_ways(scratch, "binaryhelper", [flat], ".bin", [flat])
    parts = [rng.normal(size=(3, 4)).ravel(), rng.normal(size=5)]
    both_ways(scratch, "binaryhelper", parts, ".bin", [np.concatenate(parts)])
    single = rng.normal(size=1001).astype("f4")
    both_ways(scratch, "androidhelper", single, "", [single.astype("f8")])

    # never guessed: raw elements need the helper's name, and cannot be of another type
    raw = os.path.join(scratch, "theirs.bin")
    for source_format, target_format, words in (("-", "npz", "name the format"),
                                                ("binaryhelper", "androidhelper", "cannot hold"),
                                                ("splitlearninghelper", "npz", "split learning is not supported")):
        done = subprocess.run([TOOL, "load", raw, source_format, raw + ".out", target_format],
                              capture_output=True, text=True)
        if done.returncode != 1 or words not in done.stderr:
            sys.exit(f"{source_format} to {target_format} was not refused for \"{words}\": {done.stderr}")
        checks += 1
print(f"{checks} checks agree")
