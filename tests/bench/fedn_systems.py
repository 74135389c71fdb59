# SPDX-License-Identifier: Apache-2.0
"""FEDn's network and ours behind one face, for bench_fedn.py: a controller, one combiner, and how to look at both."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
INTEROP = os.path.join(os.path.dirname(HERE), "interop")
sys.path[:0] = [INTEROP, os.path.join(INTEROP, "drop_in")]

import upstream  # noqa: E402

DEADLINE_S = 180


def await_true(what, look, pause_s=0.2, deadline_s=DEADLINE_S):
    """Neither network tells a stranger when it is so far: it is asked."""
    pause = threading.Event()
    for _ in range(int(deadline_s / pause_s)):
        found = look()
        if found:
            return found
        pause.wait(pause_s)
    raise RuntimeError(f"not within {deadline_s} s: {what}")


class Load:
    """A program of fedn_load.py in a directory of its own; its lines of output are JSON."""

    def __init__(self, directory, *args):
        self.directory = tempfile.mkdtemp(dir=directory)
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.popen = subprocess.Popen([sys.executable, os.path.join(HERE, "fedn_load.py"), *map(str, args)],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                                          cwd=self.directory, env=upstream.environment())

    def line(self):
        text = self.popen.stdout.readline()
        if not text:
            with open(os.path.join(self.directory, "log"), encoding="utf-8") as log:
                raise RuntimeError(f"a program of the load ended: {log.read()[-300:]}")
        return json.loads(text)

    def tell(self):
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def ask(self):
        self.tell()
        return self.line()

    def end(self):
        self.popen.kill()
        self.popen.wait()


class System:
    """A running network; a context manager. Everything that it has begun ends with it."""

    def __init__(self, fednctl):
        self.fednctl = fednctl
        self.loads = []
        self.directory = tempfile.mkdtemp(prefix="fedn-bench-")

    def __enter__(self):
        try:
            self.network = self.open()
            self.network.__enter__()
            self.look()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        for load in self.loads:
            load.end()
        try:
            if hasattr(self, "network"):
                self.network.__exit__(None, None, None)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def load(self, *args):
        self.loads.append(Load(self.directory, *args))
        return self.loads[-1]

    def active_clients(self):
        """As its combiner answers who asks it."""
        import fedn.network.grpc.fedn_pb2 as messages
        import fedn.network.grpc.fedn_pb2_grpc as services
        import grpc
        with grpc.insecure_channel(self.combiner) as channel:
            request = messages.ListClientsRequest(channel=messages.TASK_QUEUE)
            try:
                return len(services.ConnectorStub(channel).ListActiveClients(request, timeout=30).client)
            except grpc.RpcError:  # FEDn's fails while a client is on its way into the records
                return None

    def await_clients(self, count):
        await_true(f"{count} clients are active", lambda: self.active_clients() == count)

    def cpu_s(self, *roles):
        """Of these roles' processes, where they are ones, and of those that they started, since their start."""
        import psutil
        seconds = 0.0
        for role in set(roles) & set(self.pids):
            root = psutil.Process(self.pids[role])
            for process in [root] + root.children(recursive=True):
                times = process.cpu_times()
                seconds += times.user + times.system
        return seconds

    def combiner_mib(self, field):
        with open(f"/proc/{self.pids['combiner']}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field + ":"))

    def forget_peak(self):
        """VmHWM of the combiner counts from now on."""
        with open(f"/proc/{self.pids['combiner']}/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")


class Ours(System):
    name = "libfedn"

    def open(self):
        from network import Network
        return Network(self.fednctl, combiners=("combiner",))

    def look(self):
        from network import HOST
        combiner = self.network.combiners["combiner"]
        with open(os.path.join(combiner.directory, "ports.json"), encoding="utf-8") as file:
            self.combiner = f"{HOST}:{json.load(file)['port']}"
        self.url = self.network.url
        self.pids = {"combiner": combiner.popen.pid, "controller": self.network.reducer.popen.pid}

    def api(self):
        from fedn import APIClient
        from network import HOST
        return APIClient(host=HOST, port=self.network.port)


class Theirs(System):
    name = "FEDn"

    def open(self):
        return upstream.Upstream(self.directory, storage="MINIO")

    def look(self):
        self.combiner = self.network.address("combiner")
        self.url = self.network.url
        self.pids = {process.name: process.popen.pid for process in self.network.processes}

    def api(self):
        return self.network.api()
