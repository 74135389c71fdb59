#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Server functions of a session, run by FEDn's own hooks service beside our combiner: it chooses the clients; it is
killed in the middle, and the combiner chooses; functions that the combiner does not run fail the session by name.

usage: test_server_functions.py fednctl
"""
import os
import shlex
import signal
import socket
import sys

from fedn import APIClient

import functions_aggregating
import functions_selecting
from network import HOST, Network, Program
from shared_checks import write_seed

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = ("c-0", "c-1", "c-2")


def free_port():
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


def session(net, api, code, rounds, on_round=lambda event: None):
    """Its status, and of each round who was accepted."""
    started = api.start_session(rounds=rounds, round_timeout=60, server_functions=code)
    assert started["message"] == "Session started", started
    events = []

    def take(event):
        if event["type"] == "round" and event["status"] in ("Finished", "Failed"):
            events.append(event)
            on_round(event)

    status = net.await_session(started["session_id"], take)
    chosen = []
    for event in events:
        record = net.get(f"/api/v1/rounds/{event['round_id']}").json()
        chosen.append(sorted(client["client_id"] for part in record["combiners"] for client in part.get("clients", [])))
    return status, chosen, started["session_id"]


def main():
    with Network(sys.argv[1], combiners=("east",)) as net:
        east = net.combiners["east"]
        address = f"{HOST}:{free_port()}"
        east.end()
        east.argv += ["--hooks", address]
        east.start()
        hooks = Program(net.directory, "hooks", [sys.executable, os.path.join(HERE, "hooks.py"), address], ready=True)
        net.programs.append(hooks)
        hooks.start()
        api = APIClient(host=HOST, port=net.port)
        write_seed(os.path.join(net.directory, "seed.npz"))
        assert api.set_active_model(os.path.join(net.directory, "seed.npz"))["success"], "the seed model"
        program = shlex.join([sys.executable, os.path.join(HERE, "c_trainer.py")])
        for name in CLIENTS:
            net.add(name, [net.fednctl, "client", "start", "--api-url", net.url, "--name", name, "--id", name,
                           "--state-dir", "state", "--train", f"{program} train 10 1", "--validate",
                           f"{program} validate"], {"KEEP": os.path.join(net.directory, name)})
        net.await_clients(len(CLIENTS))
        status, chosen, _ = session(net, api, functions_selecting.ServerFunctions, 3)
        assert status == "Finished" and chosen == [["c-1"]] * 3, (status, chosen)
        print("client_selection decides who trains")

        status, chosen, session_id = session(net, api, functions_aggregating.ServerFunctions, 1)
        message = net.get(f"/api/v1/sessions/{session_id}").json()
        assert status == "Failed" and "aggregate" in str(message), (status, message)
        print("a function that is not run fails the session by its name")

        status, chosen, _ = session(net, api, functions_selecting.ServerFunctions, 4, lambda event: hooks.end(signal.SIGKILL))
        assert status == "Finished" and chosen[0] == ["c-1"] and chosen[2:] == [list(CLIENTS)] * 2, (status, chosen)
        assert "built-in choice" in east.log()
        print("the service was killed; the combiner chose")


main()
