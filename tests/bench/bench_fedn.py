#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""This library's servers beside FEDn's own, version 0.33, under the same load. Prints, asserts nothing.

usage: bench_fedn.py FEDNCTL [rounds] [idle] [broadcast] [--repeat N]
Every repetition takes one network after the other, each with new processes; all three parts where none is named.
What it needs is what tests/interop needs: sh tests/run.sh fedn.
"""
import argparse
import glob
import os
import statistics
import threading
import time

import fedn_systems
from fedn_systems import Ours, Theirs, await_true, upstream

upstream.enter()
upstream.require_servers()

import numpy as np  # noqa: E402

ROUNDS, TRAINERS = 12, 10
HOLDERS, WINDOW_S = 300, 30
MODEL_BYTES, DOWNLOADERS, DOWNLOADS_EACH, BROADCASTS = 100 << 20, 4, 5, 3


def write_seed(directory, size):
    """Float32 numbers that do not deflate and are all finite."""
    bits = np.random.default_rng(1).integers(0, 1 << 32, size // 4, dtype=np.uint32) & np.uint32(0xBFFFFFFF)
    path = os.path.join(directory, "seed.npz")
    np.savez(path, **{"0": bits.view(np.float32)})
    return path


def start_session(system, size, **config):
    api = system.api()
    set_up = api.set_active_model(write_seed(system.directory, size))
    if not set_up.get("success"):
        raise RuntimeError(f"the seed model was not taken: {set_up}")
    started = api.start_session(helper="numpyhelper", **config)
    if "session_id" not in started:
        raise RuntimeError(f"the session did not start: {started}")
    return api, started["session_id"]


def rounds(system):
    """A round takes from its first training until that of the next one: what the clients' callbacks wrote down."""
    for index in range(TRAINERS):
        system.load("train", system.url, f"trainer-{index}")
    system.await_clients(TRAINERS)
    before = [system.cpu_s("combiner", "controller"), system.cpu_s("mongo")]
    api, session = start_session(system, 4000, rounds=ROUNDS, round_timeout=120, min_clients=TRAINERS)
    await_true("the end of the session", lambda: api.get_session_status(session) == "Finished", pause_s=1.0)
    cpu_s = [system.cpu_s("combiner", "controller") - before[0], system.cpu_s("mongo") - before[1]]
    begun = {}
    for path in glob.glob(os.path.join(system.directory, "*", "*.diary")):
        with open(path, encoding="utf-8") as diary:
            for number, when in (line.split() for line in diary):
                begun.setdefault(int(number), []).append(float(when))
    if len(begun) != ROUNDS or any(len(times) != TRAINERS for times in begun.values()):
        raise RuntimeError(f"trainings of each round, {TRAINERS} wanted: {[len(times) for times in begun.values()]}")
    starts = [min(begun[number]) for number in sorted(begun)]
    return {"s a round": [after - start for start, after in zip(starts, starts[1:])],
            "CPU ms a round, combiner and controller": [cpu_s[0] / ROUNDS * 1000],
            "CPU ms a round, database beside them": [cpu_s[1] / ROUNDS * 1000]}


def idle(system):
    """Window by window of clients that do nothing but be there."""
    holder = system.load("hold", system.combiner, HOLDERS)
    system.await_clients(HOLDERS)
    found = {f"CPU s of the combiner in {WINDOW_S} s": [], "RSS of the combiner, MiB": [], "heartbeats answered a second": [],
             "heartbeats that failed": [], "slowest heartbeat, ms": []}
    for _ in range(2):
        before, cpu_s, begun = holder.ask(), system.cpu_s("combiner"), time.monotonic()
        threading.Event().wait(WINDOW_S)
        cpu_s, seconds, after = system.cpu_s("combiner") - cpu_s, time.monotonic() - begun, holder.ask()
        for name, value in zip(found, [cpu_s, system.combiner_mib("VmRSS"), (after["beats"] - before["beats"]) / seconds,
                                       after["failed"] - before["failed"], after["slowest_s"] * 1000]):
            found[name].append(value)
    return found


def broadcast(system):
    """A client that was asked to train knows a model that is staged; then 20 download it at once."""
    holder = system.load("hold", system.combiner, 1)
    system.await_clients(1)
    start_session(system, MODEL_BYTES, rounds=1, round_timeout=600, validate=False)
    model = holder.line()["model_id"]
    found = {"s": [], "MiB/s in all": [], "peak RSS of the combiner, MiB": [], "RSS of it before, MiB": []}
    for _ in range(BROADCASTS):
        loads = [system.load("download", system.combiner, model, DOWNLOADS_EACH) for _ in range(DOWNLOADERS)]
        for load in loads:
            load.line()
        system.forget_peak()
        resident, begun = system.combiner_mib("VmRSS"), time.monotonic()
        for load in loads:
            load.tell()
        sizes = [size for load in loads for size in load.line()["sizes"]]
        seconds = time.monotonic() - begun
        if len(set(sizes)) != 1 or sizes[0] < MODEL_BYTES:
            raise RuntimeError(f"bytes of each download, -1 where it failed: {sizes}")
        for name, value in zip(found, [seconds, sum(sizes) / seconds / (1 << 20), system.combiner_mib("VmHWM"), resident]):
            found[name].append(value)
    return found


PARTS = {"rounds": (rounds, f"{TRAINERS} FednClients, {ROUNDS} rounds, 4 kB, each model validated"),
         "idle": (idle, f"{HOLDERS} idle clients, a heartbeat each every 2 s"),
         "broadcast": (broadcast, f"{DOWNLOADERS * DOWNLOADS_EACH} downloads at once of {MODEL_BYTES >> 20} MiB")}


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def text(values):
    if not values:
        return "not measured"
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def measure(name, repeat, fednctl):
    part, title = PARTS[name]
    found = {}
    for _ in range(repeat):
        for kind in (Ours, Theirs):
            try:
                with kind(fednctl) as system:
                    for what, values in part(system).items():
                        found.setdefault(what, {}).setdefault(kind.name, []).extend(values)
            except Exception as error:  # one that cannot be measured does not keep the other from it
                print(f"{kind.name}, {name}: not measured: {type(error).__name__}: {error}", flush=True)
    print(f"{title}; load average at the end {os.getloadavg()[0]:.1f}")
    for what, values in found.items():
        print(f"  {what:42} {Ours.name} {text(values.get(Ours.name)):26} {Theirs.name} {text(values.get(Theirs.name))}",
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("fednctl")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--repeat", type=int, default=1)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}; medians and ranges, {given.repeat} networks each; "
          f"{fedn_systems.upstream.PYTHON}")
    for name in given.parts or PARTS:
        measure(name, given.repeat, given.fednctl)


main()
