# SPDX-License-Identifier: Apache-2.0
"""FEDn's own servers, unmodified, as processes on loopback: controller, combiner, their database and object store.

usage: upstream.py --keep [--directory DIR]
Starts all four, prints their addresses as lines of NAME=VALUE, and keeps them until SIGINT or SIGTERM.

Needs an interpreter that has tests/requirements-fedn.txt (FEDN_INTEROP_FEDN_PYTHON, or build-fedn-venv of the
checkout) and a MongoDB: the one that FEDN_TEST_MONGODB_URI names, or the program that `tests/run.sh fedn` builds
(FEDN_INTEROP_MONGO, or build-interop/mongo).
"""
import collections
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = os.environ.get("FEDN_INTEROP_FEDN_PYTHON") or os.path.join(ROOT, "build-fedn-venv/bin/python3")
MONGO = os.environ.get("FEDN_INTEROP_MONGO") or os.path.join(ROOT, "build-interop/mongo")
BUCKETS = {"storage_bucket": "models", "context_bucket": "context", "prediction_bucket": "predictions"}
KEYS = {"storage_access_key": "fedn", "storage_secret_key": "fedn-fedn"}
DEADLINE_S = 60
# `fedn controller start` with one worker, whose sessions live in its memory, and on loopback only.
CONTROLLER = """
from fedn.common import config
from fedn.network.api import gunicorn_app, server
from fedn.network.controller.control import Control
from fedn.network.storage.dbconnection import DatabaseConnection
from fedn.network.storage.s3.repository import Repository
name, storage = config.get_network_config(), config.get_modelstorage_config()
database = DatabaseConnection(config.get_statestore_config(), name, connect=False)
Control.create_instance(name, Repository(storage["storage_config"], storage_type=storage["storage_type"]), database)
gunicorn_app.run_gunicorn(server.app, "127.0.0.1", config.get_controller_config()["port"], 1)
"""


def skip(why):
    """Ends the program as a test that could not run."""
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(77)


def enter():
    """Goes on under the interpreter that has FEDn, or skips."""
    if not os.access(PYTHON, os.X_OK):
        skip(f"there is no {PYTHON}, which has FEDn 0.33: sh tests/run.sh fedn makes it")
    if os.environ.get("FEDN_UPSTREAM_ENTERED") != PYTHON:
        os.environ["FEDN_UPSTREAM_ENTERED"] = PYTHON
        os.execv(PYTHON, [PYTHON] + sys.argv)
    try:
        import fedn  # noqa: F401
    except ImportError as missing:
        skip(f"{PYTHON} cannot import FEDn: {missing}")


def require_servers():
    """Skips where FEDn's servers could not run."""
    if not os.environ.get("FEDN_TEST_MONGODB_URI") and not os.access(MONGO, os.X_OK):
        skip(f"there is no {MONGO}, which takes the place of MongoDB: sh tests/run.sh fedn builds it")
    try:
        import moto.server  # noqa: F401
    except ImportError as missing:
        skip(f"{PYTHON} has no object store to run: {missing}")


def environment(**more):
    """What every process here gets: no proxy for loopback, no log shipping, no wait for a hooks service."""
    env = {**os.environ, "HOOK_SERVICE_HOST": "127.0.0.1:1", "PYTHONUNBUFFERED": "1", "no_proxy": "127.0.0.1,localhost",
           "AWS_DEFAULT_REGION": "eu-west-1", "NO_PROXY": "127.0.0.1,localhost", **more}
    env.pop("FEDN_UPSTREAM_ENTERED", None)
    return env


class Process:
    """A program whose output is kept in a file; who waits for a line of it is woken by that line."""

    def __init__(self, name, directory, command, **options):
        self.name = name
        self.path = os.path.join(directory, name + ".log")
        self.last = collections.deque(maxlen=60)
        self.changed = threading.Condition()
        self.lines = []
        self.ended = False
        self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, errors="replace", **options)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with open(self.path, "a", encoding="utf-8") as log:
            for line in self.popen.stdout:
                log.write(line)
                log.flush()
                with self.changed:
                    self.last.append(line)
                    self.lines.append(line)
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def mark(self):
        """The number of lines so far, for `since`."""
        with self.changed:
            return len(self.lines)

    def await_line(self, pattern, since=0, deadline_s=DEADLINE_S):
        """The match of the first line after `since` that the pattern fits."""
        wanted = re.compile(pattern)
        seen = since

        def found():
            nonlocal seen
            while seen < len(self.lines):
                seen += 1
                match = wanted.search(self.lines[seen - 1])
                if match:
                    return match
            return self.ended or None

        with self.changed:
            match = self.changed.wait_for(found, deadline_s)
        if match is True or match is None:
            how = f"ended with {self.popen.wait()}" if match else f"said nothing for {deadline_s} s"
            raise RuntimeError(f"{self.name} {how}, before a line like \"{pattern}\"\n{self.tail()}")
        return match

    def stop(self, signum=signal.SIGTERM):
        """Its exit code. A server that does not heed the signal is killed."""
        if self.popen.poll() is None:
            self.popen.send_signal(signum)
        try:
            return self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def tail(self):
        return "".join(f"   {self.name} | {line.rstrip()[:300]}\n" for line in list(self.last))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Upstream:
    """A network of FEDn's own servers; a context manager.

    storage: BOTO3 or MINIO, the driver by which they reach the object store. Predictions need MINIO: FEDn hands out
    pre-signed addresses with each, which its other driver does not make."""

    def __init__(self, directory, storage="BOTO3"):
        self.directory = directory
        self.storage = storage
        self.processes = []
        self.combiners = {}
        self.settings = None
        self.url = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, _value, _trace):
        if kind and kind is not SystemExit:
            print(self.tails(), flush=True)
        for process in reversed(self.processes):
            process.stop()

    def tails(self):
        return "".join(process.tail() for process in self.processes)

    def launch(self, name, command, **options):
        """Any program that is to end with the network, and whose output is shown when something fails."""
        options.setdefault("env", environment())
        process = Process(name, self.directory, command, **options)
        self.processes.append(process)
        return process

    def start(self):
        mongo = os.environ.get("FEDN_TEST_MONGODB_URI") or self._start_mongo()
        store = self.launch("store", [PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
        endpoint = store.await_line(r"Running on (http://127\.0\.0\.1:\d+)").group(1)
        host, port = endpoint.removeprefix("http://").split(":")
        self.settings = {
            "network_id": "fedn-" + uuid.uuid4().hex[:8],
            "controller": {"host": "127.0.0.1", "port": 0, "debug": False},
            "statestore": {"type": "MongoDB", "mongo_config": {"host": mongo}},
            "storage": {"storage_type": self.storage,
                        "storage_config": {**BUCKETS, **KEYS, "storage_endpoint": endpoint, "storage_hostname": host,
                                           "storage_port": int(port), "storage_region": "eu-west-1",
                                           "storage_secure_mode": False, "storage_verify_ssl": False}}}
        settings = os.path.join(self.directory, "settings.json")  # which is YAML as well
        with open(settings, "w", encoding="utf-8") as file:
            json.dump(self.settings, file)
        packages = os.path.join(self.directory, "packages", "")
        os.makedirs(packages, exist_ok=True)
        self.env = environment(STATESTORE_CONFIG=settings, MODELSTORAGE_CONFIG=settings, FEDN_COMPUTE_PACKAGE_DIR=packages)
        self.url = self.start_controller("controller")
        self.start_combiner("combiner")

    def start_controller(self, name, **env):
        """The address of a controller of this network, whose environment has these as well."""
        process = self.launch(name, [PYTHON, "-c", CONTROLLER], env={**self.env, "HOME": self.directory, **env})
        return process.await_line(r"Listening at: (http://127\.0\.0\.1:\d+)").group(1)

    def _start_mongo(self):
        records = os.path.join(self.directory, "records")
        os.makedirs(records, exist_ok=True)
        return self.launch("mongo", [MONGO, records]).await_line(r"^(mongodb://127\.0\.0\.1:\d+/)").group(1)

    def start_combiner(self, name, max_clients=1000):
        """FEDn never changes the record of a combiner: one that comes back has the port that it had."""
        port = self.combiners[name][1] if name in self.combiners else free_port()
        temporary = os.path.join(self.directory, name + "-models")
        os.makedirs(temporary, exist_ok=True)
        process = self.launch(name, [os.path.join(os.path.dirname(PYTHON), "fedn"), "combiner", "start", "--name", name,
                                     "--host", "127.0.0.1", "--port", str(port), "--max_clients", str(max_clients)],
                              env={**self.env, "FEDN_MODEL_DIR": temporary})
        process.await_line(r"ready for gRPC requests")
        self.combiners[name] = (process, port)
        return process

    def address(self, name):
        return f"127.0.0.1:{self.combiners[name][1]}"

    def stop_combiner(self, name, signum=signal.SIGTERM):
        process = self.combiners[name][0]
        process.stop(signum)
        self.processes.remove(process)

    def api(self):
        """FEDn's own APIClient, of the controller."""
        from fedn import APIClient
        host, port = self.url.removeprefix("http://").split(":")
        return APIClient(host=host, port=int(port))


def keep(directory):
    require_servers()
    with Upstream(directory, storage="MINIO") as network:
        stop = threading.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: stop.set())
        print(f"FEDN_CONTROLLER_URL={network.url}")
        for name, (process, _) in network.combiners.items():
            print(f"COMBINER_{name.upper()}={network.address(name)}")
            print(f"COMBINER_{name.upper()}_PID={process.popen.pid}")
        print(f"MONGODB_URI={network.settings['statestore']['mongo_config']['host']}")
        print(f"MONGODB_DATABASE={network.settings['network_id']}")
        print(f"S3_ENDPOINT={network.settings['storage']['storage_config']['storage_endpoint']}")
        print(f"LOGS={directory}", flush=True)
        stop.wait()


def main():
    enter()
    if sys.argv[1:2] != ["--keep"] or len(sys.argv) not in (2, 4):
        sys.exit("usage: upstream.py --keep [--directory DIR]")
    given = sys.argv[3] if len(sys.argv) == 4 else None
    directory = given or tempfile.mkdtemp(prefix="fedn-upstream-")
    os.makedirs(directory, exist_ok=True)
    try:
        keep(directory)
    finally:
        if not given:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
