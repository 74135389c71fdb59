#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FEDn's own command line, through every sub-command that it has, against our network.

usage: test_cli.py fednctl
Two `fedn client start` with a remote package take part in its session. A sub-command that is neither checked
here nor named in ELSEWHERE fails the test.
"""
import json
import os
import re
import subprocess
import sys

import click
from fedn.cli import main as fedn_cli

from network import Network
from package import write_package
from shared_checks import arrays, check_mean, sent_updates

CLIENTS = ("cli-0", "cli-1")
ROUNDS = 3
ELSEWHERE = {
    "client get-config": "speaks to Studio only", "studio login": "speaks to Studio only",
    "project create": "speaks to Studio only", "project delete": "speaks to Studio only",
    "project list": "speaks to Studio only", "project get": "speaks to Studio only",
    "project update": "speaks to Studio only", "project set-context": "speaks to Studio only",
    "project add-combiner": "speaks to Studio only",
    "controller start": "starts FEDn's controller: ours is fednctl reducer start",
    "combiner start": "starts FEDn's combiner: ours is fednctl combiner start",
    "run combiner": "starts FEDn's combiner: ours is fednctl combiner start",
    "hooks start": "test_server_functions.py starts it",
}


def sub_commands(group, words=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            if not command.commands:
                yield " ".join(words + (name,))
            yield from sub_commands(command, words + (name,))
        else:
            yield " ".join(words + (name,))


class Cli:
    def __init__(self, net):
        self.net, self.called = net, set()
        self.program = [os.path.join(os.path.dirname(sys.executable), "fedn")]
        self.env = {"FEDN_CONTROLLER_URL": net.url, "FEDN_HOME_DIR": net.directory, "LC_ALL": "C.UTF-8"}

    def start(self, name, command, *options, env):
        self.called.add(command)
        return self.net.add(name, self.program + command.split() + list(options), {**self.env, **env})

    def __call__(self, command, *options, words="", code=0):
        """Its output, which must have the words."""
        self.called.add(command)
        run = subprocess.run(self.program + command.split() + list(options), env={**os.environ, **self.env},
                             cwd=self.net.directory, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == code, (command, run.returncode, run.stdout, run.stderr)
        assert words in run.stdout, (command, words, run.stdout, run.stderr)
        return run.stdout


def field(output, name):
    """The first value of a field in what `list` printed."""
    found = re.search(rf"^\t{name}: (.*)$", output, re.MULTILINE)
    assert found, (name, output)
    return found.group(1)


def local_runs(cli, folder):
    """Nothing of ours is asked: they make the seed model, and show that the package works."""
    cli("run build", "-p", folder)
    cli("run startup", "-p", folder)
    seed, trained, report = (os.path.join(folder, name) for name in ("seed.npz", "trained.npz", "report.json"))
    cli("run train", "-p", folder, "-i", seed, "-o", trained)
    cli("run validate", "-p", folder, "-i", trained, "-o", report)
    with open(report, encoding="utf-8") as file:
        assert json.load(file) == {"first": 1.0}
    cli("config", words="FEDN_CONTROLLER_URL")
    return seed


def package(cli, net, folder):
    cli("package create", "-p", folder, "-o", net.directory)
    with open(os.path.join(net.directory, "package.tgz"), "rb") as file:
        answer = net.post("/api/v1/packages/", files={"file": file},
                          data={"name": "adds", "helper": "numpyhelper", "description": ""})
    assert answer.status_code == 200 and answer.json() == {"message": "Package uploaded"}, answer.text
    listed = cli("package list", words="Found 1 packages")
    cli("package get", "-id", field(listed, "package_id"), words="name: adds")


def session(cli, net):
    said = cli("session start", "-n", "by cli", "-r", str(ROUNDS), "-rt", "60", words="Session started successfully")
    session_id = re.search(r"'session_id': '([^']*)'", said).group(1)
    rounds = []
    assert net.await_session(session_id, lambda e: rounds.append(e) if e["type"] == "round" else None) == "Finished"
    made = [event for event in rounds if event["status"] == "Finished"]
    assert [event["accepted"] for event in made] == [len(CLIENTS)] * ROUNDS, made
    for number, event in enumerate(made):
        model = arrays(net.get(f"/api/v1/models/{event['model_id']}/download").content)
        check_mean(model, sent_updates(net.directory, number + 1), dict.fromkeys(CLIENTS, 10))
    listed = cli("session list", words="Found 1 sessions")
    assert field(listed, "session_id") == session_id
    cli("session get", "-id", session_id, words="status: Finished")
    return session_id


def lists(cli, session_id):
    """What the controller is asked: all of one kind, and one."""
    for entity, key, count in (("client", "client_id", 2), ("combiner", "combiner_id", 2), ("model", "model_id", 4),
                               ("round", "round_id", 3), ("status", "status_id", None),
                               ("validation", "validation_id", None)):
        words = "Found" if count is None else f"Found {count} "
        some = cli(f"{entity} list", "--n_max", "1", words=words)
        found = field(some, key)
        if entity == "status":
            # the path that FEDn's command makes of it is no path of FEDn's own controller either
            cli("status get", "-id", found, words="Error: 404")
        else:
            cli(f"{entity} get", "-id", found, words=f"{key}: {found}")
    cli("model list", "-s", session_id, words=f"Found {ROUNDS} models")
    cli("round list", "-s", session_id, words=f"Found {ROUNDS} rounds")
    assert "Found 0" not in cli("status list", "-s", session_id, words="Found")
    assert "Found 0" not in cli("validation list", "-s", session_id, words="Found")


def main():
    with Network(sys.argv[1]) as net:
        cli = Cli(net)
        folder = write_package(os.path.join(net.directory, "package"), 10, 1)
        seed = local_runs(cli, folder)
        for name in CLIENTS:
            cli.start(name, "client start", "-u", net.url, "-n", name, "-i", name,
                      env={"KEEP": os.path.join(net.directory, name)})
        package(cli, net, folder)   # until it is there they are told to wait
        net.await_clients(len(CLIENTS))
        cli("model set-active", "-f", seed, words="Model uploaded successfully")
        lists(cli, session(cli, net))
        missed = set(sub_commands(fedn_cli)) - cli.called - set(ELSEWHERE)
        assert not missed, f"sub-commands that nothing calls: {sorted(missed)}"
        print(f"{len(cli.called)} sub-commands; {len(ELSEWHERE)} have nothing to do with a controller")


main()
