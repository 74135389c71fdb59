# SPDX-License-Identifier: Apache-2.0
"""This library's clients in a network of FEDn's own controller and combiner, beside a client of FEDn's.

usage: test_upstream.py <fednctl> <minimal_client>
Exit code 77 means that FEDn is not installed, so that nothing was tested.
"""
import collections
import json
import os
import re
import shlex
import signal
import sys
import tempfile
import threading
import uuid

import upstream

upstream.enter()
upstream.require_servers()

import jwt  # noqa: E402
import numpy as np  # noqa: E402
import requests  # noqa: E402
import upstream_client  # noqa: E402

FEDNCTL, MINIMAL = (os.path.abspath(path) for path in sys.argv[1:3])
PROGRAM = f"{shlex.quote(upstream.PYTHON)} {shlex.quote(os.path.abspath(upstream_client.__file__))}"
STEPS = {"ours": (1.0, 10), "theirs": (2.0, 30), "minimal": (0.0, 100)}  # step, examples
checks = 0


def check(what, condition, *seen):
    global checks
    if not condition:
        raise AssertionError(f"not so: {what}: {seen}")
    checks += 1


def await_true(what, look, deadline_s=40):
    """FEDn tells nobody of anything: its state is asked for until it is as wanted."""
    pause, rounds = threading.Event(), int(deadline_s / 0.2)
    for _ in range(rounds):
        found = look()
        if found:
            return found
        pause.wait(0.2)
    raise AssertionError(f"not within {deadline_s} s: {what}")


class Clients:
    """One of each kind."""

    def __init__(self, network):
        self.network, self.dir = network, network.directory

    def launch(self, name, command, **env):
        return self.network.launch(name, command, env=upstream.environment(**env))

    def ours(self, *options):
        return self.launch("ours", [
            FEDNCTL, "client", "start", "--name", "ours", "--id", "ours-id", "--api-url", self.network.url, "--state-dir", self.dir + "/ours",
            "--reconnect-max-ms", "1000", "--train", f"{PROGRAM} train {STEPS['ours'][0]} {STEPS['ours'][1]}",
            "--validate", PROGRAM + " validate", "--predict", PROGRAM + " predict", *options])

    def other(self, name, url, *options, **env):
        """One more of ours, which is not meant to train."""
        return self.launch(name, [FEDNCTL, "client", "start", "--name", name, "--id", name + "-id", "--api-url", url,
                                  "--reconnect-max-ms", "1000", "--train", "false", *options], **env)

    def theirs(self):
        step, examples = STEPS["theirs"]
        return self.launch("theirs", [upstream.PYTHON, upstream_client.__file__, "fedn", self.network.url, "theirs",
                                      str(step), str(examples)])

    def minimal(self):
        return self.launch("minimal", [MINIMAL, self.network.url])


def known_as(name):
    """The minimal client's name is made up."""
    return "minimal" if name.startswith("client-") else name


def streams(api):
    """How often each client has opened its stream of tasks."""
    said = (re.fullmatch(r"Client (.*) connecting to TaskStream\.", status["status"] or "")
            for status in api.get_statuses(event_type="NETWORK")["result"])
    return collections.Counter(known_as(found[1]) for found in said if found)


def await_online(api, *names, after=collections.Counter()):
    """These and no others, each with a stream newer than `after`: FEDn takes a heartbeat for being online, and asks
    only those that have a stream."""
    def there():
        found = [client for client in api.get_clients()["result"] if client["status"] == "online"]
        opened = streams(api)
        return sorted(known_as(client["name"]) for client in found) == sorted(names) and \
            all(opened[name] > after[name] for name in names) and found
    return await_true(f"the clients {', '.join(names)} are online", there)


def download(api, model_id, directory):
    path = os.path.join(directory, model_id + ".npz")
    api.download_model(model_id, path)
    return upstream_client.read(path)


def expected(arrays, names):
    """numpy's weighted mean of what these clients make of a model."""
    sent = [upstream_client.trained(arrays, STEPS[name][0]) for name in names]
    weights = [STEPS[name][1] for name in names]
    return [np.average([model[i] for model in sent], axis=0, weights=weights) for i in range(len(arrays))]


def run_session(api, rounds, names, **config):
    """A session that ends; its models, the one it began with first, each checked against the one before."""
    started = api.start_session(rounds=rounds, round_timeout=30, min_clients=len(names), helper="numpyhelper", **config)
    session = started["session_id"]
    await_true(f"the end of {session}", lambda: api.get_session_status(session) == "Finished")
    records = [entry for entry in api.get_rounds()["result"] if entry["round_config"]["session_id"] == session]
    check("every round is finished", [entry["status"] for entry in records] == ["Finished"] * rounds, records)
    for entry in records:
        check("every update counts", entry["combiners"][0]["data"]["aggregation_time"]["nr_aggregated_models"] ==
              len(names), entry)
    trail = api.get_models(session_id=session)["result"]
    check("each round has a model", len(trail) == rounds, trail)
    seed = api.get_session(session)["seed_model_id"]
    return session, [seed] + [model["model_id"] for model in reversed(trail)]


def check_models(api, ids, names, directory):
    models = [download(api, model_id, directory) for model_id in ids]
    for before, after in zip(models, models[1:]):
        for wanted, got in zip(expected(before, names), after):
            check("a round is numpy's weighted mean", np.allclose(got, wanted, rtol=1e-6, atol=1e-6), got, wanted)
    return models


def check_validations(api, session, ids, directory):
    def arrived():
        found = [record for record in api.get_validations()["result"] if record["session_id"] == session]
        return len(found) >= 2 * (len(ids) - 1) and found

    for record in await_true("the validations of two clients", arrived):
        wanted = upstream_client.answer(download(api, record["model_id"], directory))
        got = json.loads(record["data"])
        check("a validation holds what its client computed", abs(got["mean"] - wanted["mean"]) < 1e-6 and
              got["arrays"] == wanted["arrays"], got, wanted)
        check("it names its sender", record["sender"]["name"] in ("ours", "theirs"), record)


def check_metrics(api, session, ids):
    found = requests.get(f"http://{api.host}:{api.port}/api/v1/metrics/", timeout=10).json()["result"]
    for name in ("ours", "theirs"):
        values = [metric for metric in found if metric["sender"]["name"] == name and metric["key"] == "loss" and
                  metric["session_id"] == session]
        check(f"{name} reports a loss each round", len(values) == len(ids) - 1, found)
        for metric in values:
            check("with its value", metric["value"] == STEPS[name][0] / 4 and metric["model_id"] in ids, metric)


def check_prediction(api, model_id, directory):
    """FEDn keeps one answer of each prediction, the first: only one client is there."""
    prediction = str(uuid.uuid4())
    api.start_predictions(prediction, model_id)

    def arrived():
        return [record for record in api.get_predictions()["result"] if record["prediction_id"] == prediction]

    record, = await_true("a prediction", arrived)
    wanted = upstream_client.answer(download(api, model_id, directory))
    got = json.loads(record["data"])
    check("a prediction is what its client computed", abs(got["mean"] - wanted["mean"]) < 1e-6, record)
    check("and names that", record["sender"]["name"] == "ours" and record["model_id"] == model_id, record)


def test_rounds(api, directory):
    session, ids = run_session(api, 3, list(STEPS))
    check_models(api, ids, list(STEPS), directory)
    check_validations(api, session, ids, directory)
    check_metrics(api, session, ids)


def test_kill(api, clients, ours, directory):
    opened = collections.Counter(ours=streams(api)["ours"])
    ours.popen.send_signal(signal.SIGKILL)
    ours.popen.wait()
    clients.network.processes.remove(ours)
    await_online(api, "theirs", "minimal")
    ours = clients.ours()
    check("a client that is back is the one that it was", {client["client_id"] for client in
          await_online(api, *STEPS, after=opened)} >= {"ours-id", "theirs-id"})
    _, ids = run_session(api, 1, list(STEPS))
    check_models(api, ids, list(STEPS), directory)
    return ours


def test_combiner_restart(api, clients, directory):
    opened = streams(api)
    clients.network.stop_combiner("combiner", signal.SIGKILL)
    early = clients.other("early", clients.network.url)
    early.await_line("answered 400: No combiner available.*trying again")
    clients.network.start_combiner("combiner")
    early.await_line("connected to combiner")
    check("it stops in order", early.stop() == 0, early.tail())
    await_online(api, *STEPS, after=opened)
    _, ids = run_session(api, 1, list(STEPS))
    check_models(api, ids, list(STEPS), directory)


def test_assignment(api, clients):
    """What each answer to POST clients/add makes of a client."""
    url = clients.network.url
    waits = clients.other("waits", url, "--package", "remote")
    waits.await_line("answered 203: No compute package found.*trying again")
    check("a client that waits stops in order", waits.stop() == 0, waits.tail())
    lost = clients.other("lost", url + "/elsewhere")
    lost.await_line("error client: .*answered 404")
    check("a wrong address ends it", lost.popen.wait() != 0, lost.tail())
    direct = clients.other("direct", "http://127.0.0.1:1", "--combiner", clients.network.address("combiner"))
    direct.await_line("connected to combiner")
    check("a combiner takes a client that no controller sent", await_online(api, "direct")[0]["client_id"] == "direct-id")
    check("that stops in order", direct.stop() == 0, direct.tail())


def test_package(api, clients, directory):
    """A client of ours waits for a compute package, and runs it beside the others."""
    STEPS["packaged"] = (3.0, 20)
    folder, archive = os.path.join(directory, "folder"), os.path.join(directory, "package.tgz")
    os.mkdir(folder)
    with open(os.path.join(folder, "fedn.yaml"), "w", encoding="utf-8") as file:
        json.dump({"entry_points": {"train": {"command": f"{PROGRAM} train 3.0 20"}}}, file)
    clients.launch("pack", [FEDNCTL, "package", "create", "--path", folder, "--output", directory]).await_line(": 1 files")
    packaged = clients.launch("packaged", [
        FEDNCTL, "client", "start", "--name", "packaged", "--api-url", clients.network.url, "--state-dir",
        directory + "/packaged", "--package", "remote", "--allow-remote-code"])
    packaged.await_line("warning package: ")  # FEDn, which has a helper only, answers 500
    check("FEDn takes it", api.set_active_package(archive, "numpyhelper", "packaged")["message"] == "Package uploaded")
    packaged.await_line("connected to combiner")
    await_online(api, *STEPS)
    _, ids = run_session(api, 1, list(STEPS))
    check_models(api, ids, list(STEPS), directory)
    check("it stops in order", packaged.stop() == 0, packaged.tail())


def test_token(clients):
    secret = "of sixty-four bytes or more, so that nobody calls the key too short"
    url = clients.network.start_controller("guarded", FEDN_JWT_SECRET_KEY=secret)
    refused = clients.other("refused", url)
    refused.await_line("error client: .*answered 401: Missing token")
    check("a client without token ends", refused.popen.wait() != 0, refused.tail())
    token = jwt.encode({"role": "client"}, secret, algorithm="HS256")
    let_in = clients.other("let-in", url, FEDN_CLIENT_TOKEN=token)
    let_in.await_line("connected to combiner")
    check("one with a token is let in, and stops in order", let_in.stop() == 0, let_in.tail())


def main():
    with tempfile.TemporaryDirectory(prefix="fedn-upstream-") as directory:
        with upstream.Upstream(directory, storage="MINIO") as network:
            api, clients = network.api(), Clients(network)
            seed = os.path.join(directory, "seed.npz")
            upstream_client.write(seed, [np.full((3, 4), 0.5, np.float32), np.arange(7, dtype=np.float32)])
            test_assignment(api, clients)  # before FEDn has a helper, which it takes for a package
            test_token(clients)
            api.set_active_model(seed)
            ours = clients.ours()
            await_online(api, "ours")
            check_prediction(api, api.get_models()["result"][0]["model_id"], directory)
            clients.theirs(), clients.minimal()
            await_online(api, *STEPS)
            test_rounds(api, directory)
            test_kill(api, clients, ours, directory)
            test_combiner_restart(api, clients, directory)
            test_package(api, clients, directory)
    print(f"{checks} checks passed")


if __name__ == "__main__":
    main()
