#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FEDn's own clients in our network, beside ours, driven by FEDn's own APIClient.

usage: test_rounds.py fednctl
Sessions of five rounds: undisturbed; with a client that is killed and comes back; with a combiner that is
started again. After every round the model is the mean, by examples, of what the clients sent.
"""
import os
import shlex
import signal
import sys

from fedn import APIClient

from network import HOST, Network
from shared_checks import arrays, check_mean, sent_updates, write_seed

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
PYTHON = {"py-0": 10, "py-1": 30, "py-2": 60}
OURS = {"c-0": 20, "c-1": 50}
EXAMPLES = {**PYTHON, **OURS}


def start_python(net, name, number):
    return net.add(name, [sys.executable, os.path.join(HERE, "trainer.py"), net.url, name, str(PYTHON[name]),
                          str(number + 1)])


def start_ours(net, name, number):
    program = shlex.join([sys.executable, os.path.join(HERE, "c_trainer.py")])
    return net.add(name, [net.fednctl, "client", "start", "--api-url", net.url, "--name", name, "--id", name,
                          "--state-dir", "state", "--train", f"{program} train {OURS[name]} -{number + 1}",
                          "--validate", f"{program} validate", "--predict", f"{program} predict"],
                   {"KEEP": os.path.join(net.directory, name)})


def run_session(net, api, name, on_event=lambda event: None):
    """Its id and its rounds, each with the model that it made."""
    finished = {}

    def take(event):
        if event["type"] == "round" and event["status"] == "Finished":
            finished[event["round_id"]] = event
        on_event(event)

    started = api.start_session(name=name, rounds=ROUNDS, round_timeout=90)
    assert started["message"] == "Session started", started
    status = net.await_session(started["session_id"], take)
    assert status == "Finished" and len(finished) == ROUNDS, (status, finished)
    return started["session_id"], finished


def check_rounds(net, rounds, wanted):
    for round_id, event in rounds.items():
        updates = sent_updates(net.directory, round_id)
        assert event["accepted"] == len(wanted), event
        accepted = {name: update for name, update in updates.items() if name in wanted}
        assert sorted(accepted) == sorted(wanted), (round_id, sorted(updates))
        model = net.get(f"/api/v1/models/{event['model_id']}/download").content
        check_mean(arrays(model), accepted, EXAMPLES)


def undisturbed(net, api):
    session, rounds = run_session(net, api, "undisturbed")
    check_rounds(net, rounds, list(EXAMPLES))
    print(f"{ROUNDS} rounds of {len(PYTHON)} FednClients and {len(OURS)} clients of ours: each model is the mean")
    return session


def client_killed_and_back(net, api, programs):
    """Killed while it may be training, started again under its name: it takes part again."""
    programs["py-0"].end(signal.SIGKILL)
    net.await_clients(len(EXAMPLES) - 1, at_most=True)
    _, rounds = run_session(net, api, "without py-0")
    check_rounds(net, rounds, [name for name in EXAMPLES if name != "py-0"])
    programs["py-0"].start()
    net.await_clients(len(EXAMPLES))
    _, rounds = run_session(net, api, "with py-0 again")
    check_rounds(net, rounds, list(EXAMPLES))
    print("a FednClient was killed and came back")


def combiner_restarted(net, api):
    """FEDn's clients look for it after ten seconds, and find it."""
    net.combiners["east"].end(signal.SIGKILL)
    net.await_clients(len(EXAMPLES) - 1, at_most=True)
    net.combiners["east"].start()
    net.await_clients(len(EXAMPLES))
    _, rounds = run_session(net, api, "after the restart")
    check_rounds(net, rounds, list(EXAMPLES))
    print("a combiner was killed and came back; its clients found it")


def main():
    with Network(sys.argv[1]) as net:
        api = APIClient(host=HOST, port=net.port)
        seed = os.path.join(net.directory, "seed.npz")
        write_seed(seed)
        assert api.set_active_model(seed)["success"], "the seed model"
        programs = {name: start_python(net, name, i) for i, name in enumerate(PYTHON)}
        programs.update({name: start_ours(net, name, i) for i, name in enumerate(OURS)})
        net.await_clients(len(EXAMPLES))
        undisturbed(net, api)
        client_killed_and_back(net, api, programs)
        combiner_restarted(net, api)


main()
