#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Server functions of a session, run by FEDn's own hooks services beside two combiners of ours: all four; models that
are none; the services and the combiners killed in the middle.

usage: test_server_functions.py fednctl
"""
import json
import os
import shlex
import signal
import socket
import sys

import numpy as np
from fedn import APIClient

import functions_aggregating
import functions_incremental
import functions_selecting
import functions_waiting
import functions_wrong
from network import HOST, Network, Program
from shared_checks import SEED, arrays, write_seed

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = {"c-0": (10, 1), "c-1": (20, 2), "c-2": (30, 4), "c-3": (50, 8)}     # examples, step


def free_port():
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


class Case:
    def __init__(self, net, api):
        self.net, self.api, self.hooks = net, api, {}
        for name, combiner in net.combiners.items():
            address = f"{HOST}:{free_port()}"
            combiner.end()
            combiner.argv += ["--hooks", address]
            combiner.start()
            hooks = Program(net.directory, "hooks-" + name, [sys.executable, os.path.join(HERE, "hooks.py"), address],
                            ready=True)
            net.programs.append(hooks)
            for pipe in ("gate", "go"):
                os.mkfifo(os.path.join(hooks.directory, pipe))
            hooks.start()
            self.hooks[name] = hooks

    def session(self, functions, rounds, in_round=lambda: None):
        """Its status; of each round the record, the model before it and the model that it made."""
        started = self.api.start_session(rounds=rounds, round_timeout=60, server_functions=functions.ServerFunctions)
        assert started["message"] == "Session started", started
        in_round()
        events = []

        def take(event):
            if event["type"] == "round" and event["status"] in ("Finished", "Failed"):
                events.append(event)

        status = self.net.await_session(started["session_id"], take)
        models = self.net.get("/api/v1/models/", params={"session_id": started["session_id"]}).json()["result"]
        children = {model["parent_model"]: model["model"] for model in models}
        made = []
        for event in events:
            record = self.net.get(f"/api/v1/rounds/{event['round_id']}").json()
            base = record["round_config"]["model_id"]
            made.append((record, self.model(base), self.model(children[base])))
        return status, made

    def model(self, model_id):
        return arrays(self.net.get(f"/api/v1/models/{model_id}/download").content)

    def wait_at(self, pipe, mode, names=None):
        """Until the functions of these combiners are there."""
        for name in names or self.hooks:
            with open(os.path.join(self.hooks[name].directory, pipe), mode, encoding="ascii"):
                pass

    def await_back(self):
        """Until every combiner was gone, and all clients are online again."""
        gone, online = set(), {}
        for event in self.net.events(after=self.net.seen):
            if event["type"] == "combiner":
                online[event["name"]] = event["active_clients"] if event["status"] == "online" else 0
                if event["status"] != "online":
                    gone.add(event["name"])
                if len(gone) == len(self.hooks) and sum(online.values()) == len(CLIENTS):
                    return

    def log(self):
        return "".join(combiner.log() for combiner in self.net.combiners.values())


def groups_of(record):
    return [sorted(client["client_id"] for client in part["clients"] if client["outcome"] == "accepted")
            for part in record["combiners"]]


def check(made, step_of):
    """Each combiner's model counts as much as the examples of its updates."""
    for record, before, after in made:
        groups = groups_of(record)
        assert sorted(sum(groups, [])) == sorted(CLIENTS), groups
        weights = [sum(CLIENTS[name][0] for name in group) for group in groups]
        step = sum(w * step_of(group) for w, group in zip(weights, groups)) / sum(weights)
        for old, new, seed in zip(before, after, SEED):
            assert new.dtype == seed.dtype and new.shape == seed.shape
            np.testing.assert_allclose(new, old + step, rtol=1e-6)


def twice_best(group):
    return 2 * max(CLIENTS[name] for name in group)[1]


def mean(group):
    return sum(n * step for n, step in map(CLIENTS.get, group)) / sum(CLIENTS[name][0] for name in group)


def settings(net, made):
    found = []
    for record, _, _ in made:
        for name in CLIENTS:
            with open(os.path.join(net.directory, name, f"settings-{record['round_id']}.json"), encoding="utf-8") as file:
                found.append(json.load(file))
    return found


def selecting(case):
    status, made = case.session(functions_selecting, 2)
    for record, _, _ in made:
        groups = groups_of(record)
        assert all(len(group) == 1 for group in groups), groups
    assert status == "Finished" and len(made) == 2, status
    print("client_selection decides who trains")


def aggregating(case):
    status, made = case.session(functions_aggregating, 2)
    assert status == "Finished" and len(made) == 2, status
    check(made, twice_best)
    expected = [{"first": float(before[0].flat[0]), "name": "r\u00e4tt", "layers": [1, 2]}
                for _, before, _ in made for _ in CLIENTS]
    assert settings(case.net, made) == expected, settings(case.net, made)
    print("client_settings reach the clients; aggregate makes the model")
    status, made = case.session(functions_incremental, 3)
    assert status == "Finished" and len(made) == 3, status
    check(made, twice_best)
    assert [s["rounds"] for s in settings(case.net, made)] == [0] * 4 + [1] * 4 + [2] * 4, settings(case.net, made)
    print("incremental_aggregate makes the model, and its object lives as long as the source is the same")


def wrong(case):
    status, made = case.session(functions_wrong, 4)
    assert status == "Finished" and len(made) == 4, status
    check(made, mean)
    for words in ("what the server function made: tensor 0", "element 0 is inf", "did not answer"):
        assert words in case.log(), words
    print("what is no model, and an exception, leave the built-in aggregate of all updates")


def killed(case):
    def combiners():
        case.wait_at("gate", "r")
        for combiner in case.net.combiners.values():
            combiner.end(signal.SIGKILL)
            combiner.start()
        case.wait_at("gate", "r")
        case.await_back()
        case.wait_at("go", "w")

    status, made = case.session(functions_waiting, 1, combiners)
    assert status == "Finished" and len(made) == 1, status
    check(made, twice_best)
    print("a combiner that was killed asks again, for the same updates")

    def services():
        case.wait_at("gate", "r")
        for hooks in case.hooks.values():
            hooks.end(signal.SIGKILL)

    status, made = case.session(functions_waiting, 2, services)
    assert status == "Finished" and len(made) == 2, status
    check(made, mean)
    assert "built-in aggregate" in case.log() and "built-in choice" in case.log()
    print("the services were killed in the middle; all updates are in the built-in aggregate")


def main():
    with Network(sys.argv[1]) as net:
        api = APIClient(host=HOST, port=net.port)
        case = Case(net, api)
        write_seed(os.path.join(net.directory, "seed.npz"))
        assert api.set_active_model(os.path.join(net.directory, "seed.npz"))["success"], "the seed model"
        program = shlex.join([sys.executable, os.path.join(HERE, "c_trainer.py")])
        for name, (examples, step) in CLIENTS.items():
            net.add(name, [net.fednctl, "client", "start", "--api-url", net.url, "--name", name, "--id", name,
                           "--state-dir", "state", "--train", f"{program} train {examples} {step}", "--validate",
                           f"{program} validate"], {"KEEP": os.path.join(net.directory, name)})
        net.await_clients(len(CLIENTS))
        selecting(case)
        aggregating(case)
        wrong(case)
        killed(case)


main()
