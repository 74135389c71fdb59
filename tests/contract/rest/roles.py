# SPDX-License-Identifier: Apache-2.0
"""A reducer and a combiner of ours, as processes, for the time of a context."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

STOP_S = 60


class Roles:
    def __init__(self, fednctl):
        self.fednctl = os.path.abspath(fednctl)
        self.directory = tempfile.mkdtemp(prefix="fedn-contract-")
        self.running = []

    def start(self, name, role, *args):
        """Returns its ports when it listens."""
        ports = os.path.join(self.directory, name + ".json")
        pipe, told = os.pipe()
        with open(os.path.join(self.directory, name + ".log"), "wb") as log:
            self.running.append(subprocess.Popen(
                [self.fednctl, role, "start", "--state-dir", os.path.join(self.directory, name), "--listen", "127.0.0.1:0",
                 "--port-file", ports, "--ready-fd", str(told), *args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(told,)))
        os.close(told)
        if not os.read(pipe, 4096):
            raise RuntimeError(f"the {role} did not start: {self.log(name)}")
        os.close(pipe)
        with open(ports, encoding="utf-8") as file:
            return json.load(file)

    def log(self, name):
        with open(os.path.join(self.directory, name + ".log"), encoding="utf-8", errors="replace") as file:
            return "\n".join(file.read().splitlines()[-20:])

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        for process in reversed(self.running):
            process.terminate()
            process.wait(STOP_S)
        if kind is not None:
            print(self.log("reducer"), file=sys.stderr)
        shutil.rmtree(self.directory)
