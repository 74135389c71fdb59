#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compute packages between FEDn's programs and ours.

usage: test_packages.py fednctl
FEDn's CLI and ours pack a folder, FEDn's APIClient pushes both to our reducer. In one session `fedn client start`
runs the package of ours, and our client that of FEDn's; the last model is what the means, by examples, add up to.
"""
import hashlib
import os
import subprocess
import sys
import tarfile

import numpy as np
import requests
from fedn import APIClient

from network import HOST, Network
from shared_checks import SEED, arrays, write_seed

ROUNDS = 3
TRAIN = """
import json, os, sys
import numpy as np
with np.load(sys.argv[1]) as file:
    tensors = [file[str(i)] for i in range(len(file.files))]
add = float(os.environ["ADD"])
np.savez(sys.argv[2], **{str(i): (t + add).astype(t.dtype) for i, t in enumerate(tensors)})
with open(sys.argv[2] + "-metadata", "w") as file:
    json.dump({"num_examples": int(os.environ["EXAMPLES"]), "settings": json.load(open(sys.argv[1] + "-metadata"))}, file)
"""
VALIDATE = """
import json, sys
import numpy as np
with np.load(sys.argv[1]) as file:
    json.dump({"mean": float(file["1"].mean())}, open(sys.argv[2], "w"))
"""
YAML = """
entry_points:
  build:
    command: python build.py
  startup:
    command: cp packed-by.txt started
  train:
    command: python code/train.py
  validate:
    command: python code/validate.py
"""
CLIENTS = {"fedn-0": (1, 10), "fedn-1": (2, 30), "ours": (4, 40)}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def make_folder(net):
    folder = os.path.join(net.directory, "folder")
    write(os.path.join(folder, "fedn.yaml"), YAML)
    write(os.path.join(folder, "code", "train.py"), TRAIN)
    write(os.path.join(folder, "code", "validate.py"), VALIDATE)
    write(os.path.join(folder, "build.py"), "")
    write(os.path.join(folder, "data", "left-out.csv"), "1,2\n")
    write(os.path.join(folder, ".fednignore"), "# not for clients\n\ndata\n*.log\n")
    write(os.path.join(folder, "run.log"), "noise\n")
    return folder


def fedn(net, *words):
    """FEDn's CLI; its output."""
    program = os.path.join(os.path.dirname(sys.executable), "fedn")
    done = subprocess.run([sys.executable, program, *words], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "FEDN_CONTROLLER_URL": net.url, "HOME": net.directory}, cwd=net.directory)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def contents(path):
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}


def check_created(net, folder):
    """Both pack the same files; but for one that tells the packages apart."""
    mark = os.path.join(folder, "packed-by.txt")
    write(mark, "")
    fedn(net, "package", "create", "--path", folder, "--name", "theirs.tgz", "--output", net.directory)
    theirs = os.path.join(net.directory, "theirs.tgz")
    ours = os.path.join(net.directory, "ours.tgz")
    subprocess.run([net.fednctl, "package", "create", "--path", folder, "--name", "ours.tgz", "--output", net.directory],
                   check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert contents(theirs) == contents(ours), (sorted(contents(theirs)), sorted(contents(ours)))
    assert sorted(contents(ours)) == [".fednignore", "build.py", "code/train.py", "code/validate.py", "fedn.yaml",
                                      "packed-by.txt"]
    write(mark, "FEDn")
    fedn(net, "package", "create", "--path", folder, "--name", "theirs.tgz", "--output", net.directory)
    write(mark, "fednctl")
    subprocess.run([net.fednctl, "package", "create", "--path", folder, "--name", "ours.tgz", "--output", net.directory],
                   check=True, timeout=60, stdout=subprocess.DEVNULL)
    return theirs, ours


def check_api(net, api, path, name):
    """Pushed by APIClient: active, listed, downloaded as it was."""
    with open(path, "rb") as file:
        data = file.read()
    answer = api.set_active_package(path, "numpyhelper", name, "what it is for")
    assert answer["message"] == "Package uploaded", answer
    active = api.get_active_package()
    assert active["name"] == name and active["helper"] == "numpyhelper" and active["active"] is True, active
    assert active["storage_file_name"].endswith(".tgz") and active["description"] == "what it is for", active
    assert api.get_package_checksum()["checksum"] == hashlib.sha256(data).hexdigest()
    down = os.path.join(net.directory, "down.tgz")
    assert api.download_package(down)["success"]
    with open(down, "rb") as file:
        assert file.read() == data
    assert net.get("/api/v1/helpers/active").json() == "numpyhelper"
    assert name in fedn(net, "package", "list")
    assert name in fedn(net, "package", "get", "--id", active["package_id"])
    assert api.get_package(active["package_id"])["name"] == name
    return active["package_id"]


def check_refusals(net):
    """What no client could unpack is not taken, and says why."""
    nothing = os.path.join(net.directory, "nothing.tgz")
    with tarfile.open(nothing, "w:gz") as tar:
        tar.add(sys.argv[0], arcname="train.py")
    answer = requests.post(f"{net.url}/api/v1/packages/", files={"file": ("x.tgz", b"no tar at all")}, timeout=30,
                           data={"name": "x", "helper": "numpyhelper", "description": ""})
    assert answer.status_code == 400 and "is no tar archive" in answer.json()["message"], answer.text
    with open(nothing, "rb") as file:
        answer = requests.post(f"{net.url}/api/v1/packages/", files={"file": file}, timeout=30,
                               data={"name": "x", "helper": "torchhelper", "description": ""})
    assert answer.status_code == 400 and "torchhelper" in answer.json()["message"], answer.text


def extracted(net, name):
    return os.path.join(net.directory, "extracted-" + name)


def start_client(net, name):
    add, examples = CLIENTS[name]
    env = {"ADD": str(add), "EXAMPLES": str(examples), "PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"]}
    if name == "ours":
        argv = [net.fednctl, "client", "start", "--api-url", net.url, "--name", name, "--id", name, "--state-dir", "state",
                "--package", "remote", "--allow-remote-code"]
    else:
        argv = [sys.executable, os.path.join(os.path.dirname(sys.executable), "fedn"), "client", "start", "--api-url",
                f"http://{HOST}", "--api-port", str(net.port), "--name", name, "--client-id", name]
        env["FEDN_PACKAGE_EXTRACT_DIR"] = extracted(net, name)
        os.makedirs(env["FEDN_PACKAGE_EXTRACT_DIR"])
    return net.add(name, argv, env)


def check_session(net, api):
    finished = []

    def take(event):
        if event["type"] == "round" and event["status"] == "Finished":
            finished.append(event)

    started = api.start_session(name="packages", rounds=ROUNDS, round_timeout=90)
    assert net.await_session(started["session_id"], take) == "Finished"
    assert [event["accepted"] for event in finished] == [len(CLIENTS)] * ROUNDS, finished
    step = sum(a * e for a, e in CLIENTS.values()) / sum(e for _, e in CLIENTS.values())
    model = arrays(net.get(f"/api/v1/models/{finished[-1]['model_id']}/download").content)
    for tensor, seed in zip(model, SEED):
        np.testing.assert_allclose(tensor, seed + ROUNDS * step, rtol=1e-6)


def started_by(net, name):
    """Which package's startup command a client ran."""
    root = os.path.join(net.directory, name, "state", "package") if name == "ours" else extracted(net, name)
    with open(os.path.join(root, "started"), encoding="utf-8") as file:
        return file.read()


def main():
    with Network(sys.argv[1]) as net:
        api = APIClient(host=HOST, port=net.port)
        assert net.get("/api/v1/packages/download").json() == {"message": "No active package"}
        answer = net.get("/api/v1/packages/active")
        assert answer.status_code == 404 and answer.json() == {"message": "Entity not found"}
        theirs, ours = check_created(net, make_folder(net))
        check_refusals(net)
        first = check_api(net, api, ours, "by fednctl")
        check_api(net, api, theirs, "by fedn")
        assert net.get("/api/v1/packages/count?active=true").json() == 1
        print("packages of both, pushed by APIClient, shown by FEDn's CLI")
        write_seed(os.path.join(net.directory, "seed.npz"))
        assert api.set_active_model(os.path.join(net.directory, "seed.npz"))["success"]
        start_client(net, "ours")
        net.await_clients(1)
        subprocess.run([net.fednctl, "package", "activate", first, "--url", net.url], check=True, timeout=60)
        assert api.get_active_package()["package_id"] == first
        for name in CLIENTS:
            if name != "ours":
                start_client(net, name)
        net.await_clients(len(CLIENTS))
        packages = {name: started_by(net, name) for name in CLIENTS}
        assert packages == {"fedn-0": "fednctl", "fedn-1": "fednctl", "ours": "FEDn"}, packages
        check_session(net, api)
        print(f"{ROUNDS} rounds of {len(CLIENTS)} clients: FEDn's run a package of ours, ours one of FEDn's")


main()
