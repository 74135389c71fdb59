# SPDX-License-Identifier: Apache-2.0
"""What the programs of this folder have in common: options, a network that is taken down again, the verdict."""
import argparse
import os
import sys

for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ.pop(name, None)
try:
    import numpy  # noqa: F401
except ImportError:
    print("SKIPPED: numpy is not importable")
    sys.exit(77)

import model  # noqa: E402
from network import Network  # noqa: E402


def parser(text):
    options = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("fednctl")
    options.add_argument("trainer")
    options.add_argument("--seed", type=int, default=1, help="of all that is random")
    options.add_argument("--rounds", type=int, default=20, help="of each session")
    options.add_argument("--elements", type=int, default=1000, help="of each of the model's two tensors")
    options.add_argument("--train-ms", type=int, default=150, help="the longest a training takes")
    options.add_argument("--optimiser", choices=("adam", "yogi", "adagrad"), help="fedopt with it, not fedavg")
    return options


def play(run, options, via=None):
    """run(options, network), then the end of all its processes; their logs if it failed."""
    network = Network(os.path.abspath(options.fednctl), os.path.abspath(options.trainer), options.train_ms, via)
    if options.optimiser:
        network.rule = lambda: model.Optimising(options.optimiser)
    failure = None
    try:
        run(options, network)
    except Exception as why:  # whatever it is, the logs belong to it
        failure = why
    network.stop(failure is not None)
    if failure:
        print(f"FAILED with --seed {options.seed}", file=sys.stderr)
        raise failure
