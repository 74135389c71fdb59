# SPDX-License-Identifier: Apache-2.0
"""A reducer, two combiners with three clients each, and what is seen of them."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

import model
from loop import Loop
from process import Process
from reducer_api import Api, Events

# Servers live at an address of their own: a port that one of them leaves for a moment is then never taken by
# a connection of somebody else on its way out, which comes from 127.0.0.1.
HOST = "127.0.0.2"
SIDES = ("east", "west")
PLACES = 3
READY_S = 30


def direct(_network, _name, host, port):
    return host, port


class Network:
    """`via(network, name, host, port)` may name another address by which a listener is dialled: a proxy's."""

    def __init__(self, fednctl, trainer, train_ms, via=None):
        self.loop = Loop()
        self.directory = tempfile.mkdtemp(prefix="fedn-chaos-")
        self.fednctl, self.trainer, self.train_ms, self.via = fednctl, trainer, train_ms, (via or direct)
        self.reducer = self._process("reducer", "reducer")
        self.combiners = [self._process(side, "combiner") for side in SIDES]
        self.clients = [self._process(f"client-{i}", "client", listens=False) for i in range(PLACES * len(SIDES))]
        self.processes = [self.reducer] + self.combiners + self.clients
        self.on_training = lambda what, client, model: None
        self.on_event = lambda event: None
        self.rule = model.Averaging  # of the sessions
        self.mounts = []
        self.client_args = []   # more of them
        self.session_id = None  # of the present session; its end is told even if it was missed
        self.online = {}        # combiner: its active clients
        self._open_socket()

    def _process(self, name, role, listens=True):
        return Process(self.loop, self.directory, self.fednctl, name, role, listens)

    def _open_socket(self):
        """Trainers tell of their begin and end."""
        self.path = os.path.join(self.directory, "trainings")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(self.path)
        self.loop.watch(self.socket, lambda: self.on_training(*self.socket.recv(256).decode().split()))

    def start(self):
        self._start_reducer()
        for side, combiner in enumerate(self.combiners):
            self._start_combiner(side, combiner)
        for number, client in enumerate(self.clients):
            self._start_client(number, client)
        self.await_whole()

    def is_whole(self):
        return all(self.online.get(side) == PLACES for side in SIDES)

    def await_whole(self):
        self.loop.until(lambda: all(p.ready for p in self.processes), READY_S, "all processes ready")
        self.loop.until(self.is_whole, READY_S, "all clients at their combiners")

    def _take_event(self, event):
        if event["type"] == "combiner":
            self.online[event["name"]] = event["active_clients"] if event["status"] == "online" else 0
        self.on_event(event)

    def _follow(self, reducer):
        """The reducer is there (again)."""
        self.online = {}
        self.events.open(self.session_id)

    def follow_session(self, session_id):
        self.session_id = session_id
        self._follow(self.reducer)

    def _await_ready(self, process):
        self.loop.until(lambda: process.ready or process.has_ended(), READY_S, process.name + " ready")
        if process.has_ended():
            raise RuntimeError(f"{process.name} did not start")

    def _start_reducer(self):
        self.reducer.args = ["--listen", f"{HOST}:0", "--http-listen", f"{HOST}:0"]
        self.reducer.start()
        self._await_ready(self.reducer)
        ports = self.reducer.ports()
        self.reducer.args = ["--listen", f"{HOST}:{ports['port']}", "--http-listen", f"{HOST}:{ports['http_port']}"]
        self.tier_port = ports["port"]
        self.api = Api(HOST, ports["http_port"])
        self.events = Events(self.loop, HOST, ports["http_port"], self._take_event)
        self.events.open()
        self.reducer.on_ready = self._follow

    def _start_combiner(self, side, combiner):
        tier = "%s:%d" % self.via(self, "reducer", HOST, self.tier_port)
        rest = ["--name", SIDES[side], "--host", HOST, "--reducer", tier, "--reconnect-max-ms", "200"]
        combiner.args = ["--listen", f"{HOST}:0"] + rest
        combiner.start()
        self._await_ready(combiner)
        combiner.args = ["--listen", f"{HOST}:{combiner.ports()['port']}"] + rest

    def _start_client(self, number, client):
        side, place = divmod(number, PLACES)
        host, port = self.via(self, SIDES[side], HOST, self.combiners[side].ports()["port"])
        client.args = ["--combiner", f"{host}:{port}", "--name", client.name, "--id", client.name,
                       "--reconnect-min-ms", "20", "--reconnect-max-ms", "200",
                       "--train", f"{self.trainer} {side} {place}"] + self.client_args
        client.env = {"CHAOS_SOCKET": self.path, "CHAOS_TRAIN_MS": str(self.train_ms)}
        client.start()

    def mount(self, path, *options):
        subprocess.run(["mount", *options, path], check=True)
        self.mounts.append(path)

    def unmount(self, path):
        subprocess.run(["umount", path], check=True)
        self.mounts.remove(path)

    def running(self, *roles):
        return [p for p in self.processes if p.popen and (not roles or p.role in roles)]

    def stop(self, failed):
        for process in self.processes:
            if process.popen:
                process.kill()
        if failed:
            self._show_logs()
        for path in reversed(self.mounts):
            subprocess.run(["umount", "--lazy", path], check=False)
        if not failed or not os.environ.get("CHAOS_KEEP"):
            shutil.rmtree(self.directory)
        else:
            print(f"kept: {self.directory}", file=sys.stderr)

    def _show_logs(self):
        for process in self.processes:
            with open(process.log_path, encoding="utf-8", errors="replace") as log:
                lines = log.read().splitlines()
            print(f"--- the end of {process.name}'s log", file=sys.stderr)
            print("\n".join(lines[-8 if process.role == "client" else -30:]), file=sys.stderr)
