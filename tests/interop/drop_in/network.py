# SPDX-License-Identifier: Apache-2.0
"""A network of our own processes, for other people's programs to join."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import requests

# Servers live at an address of their own: a port that one of them leaves for a moment is then never taken by
# a connection of somebody else on its way out, which comes from 127.0.0.1.
HOST = "127.0.0.2"
STOP_S = 60


class Program:
    """A process that writes to a log over all its lives."""

    def __init__(self, directory, name, argv, env=None, ready=False):
        self.name, self.argv, self.env, self.ready = name, argv, env or {}, ready
        self.directory = os.path.join(directory, name)
        os.makedirs(self.directory)
        self.log_path = os.path.join(directory, name + ".log")
        self.popen = None

    def start(self):
        """Returns when it listens, if it is one that tells."""
        pipe, told = os.pipe()
        more = ["--ready-fd", str(told)] if self.ready else []
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(self.argv + more, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          cwd=self.directory, env={**os.environ, **self.env}, pass_fds=(told,))
        os.close(told)
        if self.ready and not os.read(pipe, 4096):
            raise RuntimeError(f"{self.name} did not start: {self.log().splitlines()[-1:]}")
        os.close(pipe)

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def end(self, number=signal.SIGTERM):
        """Its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.popen.wait(STOP_S)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()


class Network:
    """Reducer and combiners; use as a context: everything ends with it, and a failure shows the logs."""

    def __init__(self, fednctl, combiners=("east", "west")):
        self.fednctl = os.path.abspath(fednctl)
        self.directory = tempfile.mkdtemp(prefix="fedn-drop-in-")
        self.programs = []
        self.seen = 0           # the number of the last event
        self.reducer = self._role("reducer", "reducer", ["--listen", f"{HOST}:0", "--http-listen", f"{HOST}:0"])
        ports = self._start("reducer", self.reducer, lambda p: [
            "--listen", f"{HOST}:{p['port']}", "--http-listen", f"{HOST}:{p['http_port']}"])
        self.url = f"http://{HOST}:{ports['http_port']}"
        self.port = ports["http_port"]
        self.combiners = {}
        for name in combiners:
            rest = ["--name", name, "--host", HOST, "--reducer", f"{HOST}:{ports['port']}"]
            self.combiners[name] = self._role(name, "combiner", ["--listen", f"{HOST}:0"] + rest)
            self._start(name, self.combiners[name], lambda p, rest=rest: ["--listen", f"{HOST}:{p['port']}"] + rest)

    def _role(self, name, role, args):
        program = Program(self.directory, name, [self.fednctl, role, "start", "--state-dir", "state", "--port-file",
                                                 "ports.json"] + args, ready=True)
        self.programs.append(program)
        return program

    def _start(self, _name, program, args):
        """Its ports; they stay when it is started again."""
        program.start()
        with open(os.path.join(program.directory, "ports.json"), encoding="utf-8") as file:
            ports = json.load(file)
        program.argv = program.argv[:7] + args(ports)
        return ports

    def add(self, name, argv, env=None):
        """Another program of the network, started."""
        program = Program(self.directory, name, argv, env)
        self.programs.append(program)
        program.start()
        return program

    def events(self, **query):
        """What happens, as it happens; the test ends when what it looks for has not happened in a minute and a half."""
        deadline = time.monotonic() + 90
        with self.get("/api/v1/events", params=query, stream=True) as reply:
            reply.raise_for_status()
            for line in reply.iter_lines(chunk_size=1):
                if time.monotonic() > deadline:
                    raise TimeoutError("the event that the test waits for does not come")
                if line:
                    event = json.loads(line)
                    self.seen = event["seq"]
                    yield event

    def await_events(self, kind, count):
        """So many of a kind, from what was seen last on."""
        for event in self.events(after=self.seen):
            count -= event["type"] == kind
            if count == 0:
                return

    def await_clients(self, count, at_most=False):
        """Until so many clients are online."""
        online = {}
        for event in self.events():
            if event["type"] == "combiner":
                online[event["name"]] = event["active_clients"] if event["status"] == "online" else 0
                known = len(online) == len(self.combiners)
                if known and (sum(online.values()) <= count if at_most else sum(online.values()) >= count):
                    return

    def await_recorded(self, count):
        """Until the records of so many clients say that they are online."""
        online = set()
        for event in self.events(after=1):
            if event["type"] == "client":
                (online.add if event["status"] == "online" else online.discard)(event["client_id"])
                if len(online) >= count:
                    return

    def await_session(self, session_id, on_event=lambda event: None):
        """Its last status."""
        for event in self.events(session_id=session_id, after=self.seen):
            on_event(event)
            if event["type"] == "session" and event["status"] in ("Finished", "Failed", "Terminated"):
                return event["status"]
        raise RuntimeError("the events ended before the session did")

    def get(self, path, **arguments):
        return requests.get(self.url + path, timeout=60, **arguments)

    def post(self, path, **arguments):
        return requests.post(self.url + path, timeout=60, **arguments)

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        for program in reversed(self.programs):
            if program.popen:
                program.end(signal.SIGTERM if kind is None and program.ready else signal.SIGKILL)
        if kind is not None:
            for program in self.programs:
                print(f"--- the end of {program.name}'s log", file=sys.stderr)
                print("\n".join(program.log().splitlines()[-30:]), file=sys.stderr)
        if kind is None or not os.environ.get("FEDN_TEST_KEEP"):
            shutil.rmtree(self.directory)
        else:
            print(f"kept: {self.directory}", file=sys.stderr)
