# SPDX-License-Identifier: Apache-2.0
"""Sessions of a network whose disks fail for a while: full, over a limit, read-only, or locked by somebody else.

usage: disk.py FEDNCTL TRAINER [--seed S] [--rounds R] [--elements E]

Each fault must be told in one line that names the thing; until it is mended nothing that could not be written may
be acknowledged, and afterwards the session goes on to the exact model. Runs itself in a mount namespace of its own
if that is allowed; without one the faults that need a small disk are left out.
"""
import glob
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import model
import scene
from course import Course
from network import PLACES
from trouble import run_session

SMALL = 24 << 20  # bytes of a combiner's disk
STOP_S = 15       # drain_ms is 5 s, the store's patience 5 s
STAMP = re.compile(r"^(\S+Z) info client: train task of round \d+: answered")


class FullDisk:
    """A combiner's state directory is a small disk that somebody fills."""
    role, says = "combiner", "No space left on device"

    def begin(self, process):
        self.path = os.path.join(process.state_dir, "ballast")
        with open(self.path, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def mend(self, process):
        os.unlink(self.path)


class FileLimit:
    """The files of a combiner may not grow any more."""
    role, says = "combiner", "File too large"

    def begin(self, process):
        self.limits = resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (64, self.limits[1]))

    def mend(self, process):
        if process.popen:
            resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, self.limits)


class LockedStore:
    """Another process holds the reducer's store."""
    role, says = "reducer", "locked"

    def begin(self, process):
        path, = glob.glob(os.path.join(process.state_dir, "*.db"))
        self.connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.connection.execute("BEGIN EXCLUSIVE")

    def mend(self, process):
        self.connection.execute("ROLLBACK")
        self.connection.close()


class Faults:
    """One after the other, each with the victim that the seed says, at the next training that begins."""

    def __init__(self, network, chance, faults):
        self.network, self.random, self.left = network, chance, list(faults)
        self.present, self.answered = None, []
        for client in network.clients:
            client.on_line = self._take_client_line

    def run(self, course):
        course.on_step = self._take_step

    def _take_step(self, step):
        if not self.present and self.left and step == "training begin":
            self.present = self.left.pop(0)
            victims = [p for p in self.network.processes if p.role == self.present.role]
            self.victim = self.random.choice(victims)
            self.seen = len(self.victim.lines)
            self.network.loop.after(self.random.uniform(0, 0.1), self._begin)

    def _begin(self):
        fault, victim = self.present, self.victim
        fault.begin(victim)
        self.began = time.time()
        before = victim.on_line

        def hear(process, line):
            before(process, line)
            if fault.says in line and not self.told:
                self.told = time.time()
                self.network.loop.after(self.random.uniform(0.2, 1.5), self._mend)
        self.told = None
        self.answered.clear()
        victim.on_line = hear
        self.restore = lambda: setattr(victim, "on_line", before)

    def _mend(self):
        fault, victim = self.present, self.victim
        self.restore()
        lines = [line for line in victim.lines[self.seen:] if fault.says in line]
        # once for each thing that is written there: the journal, uploads, the global model, the partial
        things = {re.sub(r"[0-9a-f-]{36}|\d+", "#", line[25:]) for line in lines}
        assert lines and len(things) == len(lines), f"{victim.name} repeats what is wrong: {lines}"
        print(f"{type(fault).__name__}, after {self.told - self.began:.1f} s: {lines[0][25:]}", flush=True)
        acknowledged = [name for name, when in self.answered if when > self.told + 0.1]
        assert not acknowledged or victim.role != "combiner", f"{acknowledged} were answered by {victim.name}"
        stops = self.random.random() < 0.5
        if stops:
            self._stop(victim)
        fault.mend(victim)
        if stops:
            victim.start()
        self.present = None

    @staticmethod
    def _stop(victim):
        """What cannot be written does not hold it up, see reducer.drain_ms and combiner.drain_ms."""
        began = time.monotonic()
        code, took = victim.kill(signal.SIGTERM), time.monotonic() - began
        assert code == 0 and took < STOP_S, f"{victim.name} took {took:.1f} s to stop, and ended with {code}"
        print(f"    {victim.name} was told to stop meanwhile and took {took:.1f} s", flush=True)

    def _take_client_line(self, client, line):
        """Answers of the victim's clients."""
        side = self.network.clients.index(client) // PLACES
        if self.present and STAMP.match(line) and self.network.combiners[side] is self.victim:
            self.answered.append((client.name, time.time()))


def refuse_to_start(network, chance):
    """A journal that may not be written: one line, and no start before it is mended."""
    combiner = chance.choice(network.combiners)
    journal = os.path.join(combiner.state_dir, "journal")
    combiner.kill()
    network.mount(journal, "--bind", journal)
    subprocess.run(["mount", "-o", "remount,ro,bind", journal], check=True)
    combiner.may_end = True
    combiner.start()
    network.loop.until(lambda: combiner.has_ended() or combiner.ready, 10, "a combiner that may not write")
    assert not combiner.ready, f"{combiner.name} starts with a journal that it may not write: {combiner.lines}"
    code = combiner.wait(1)
    combiner.may_end = False
    lines = [line for line in combiner.lines if "journal" in line]
    assert code == 5 and len(lines) == 1 and "Read-only file system" in lines[0], (code, combiner.lines)
    print(f"ReadOnly: {lines[0]}")
    network.unmount(journal)
    combiner.start()
    network.await_whole()


def small_disks(network):
    for combiner in network.combiners:
        os.mkdir(combiner.state_dir)
        network.mount(combiner.state_dir, "-t", "tmpfs", "-o", f"size={SMALL}", "none")


def run(options, network):
    chance = random.Random(options.seed)
    faults = [FileLimit(), LockedStore(), FileLimit()]
    if options.mounts:
        small_disks(network)
        faults += [FullDisk(), FullDisk()]
    if options.faults:
        faults = [each for each in faults if type(each).__name__ in options.faults]
    chance.shuffle(faults)
    network.start()
    seed = model.seed(options.elements)
    seed_id = network.api.push_model(model.encode(seed))
    troubles = Faults(network, chance, faults)
    while troubles.left:
        course = Course(network, seed_id, seed, options.rounds)
        course.start()
        troubles.run(course)
        network.loop.until(lambda: course.is_over() and not troubles.present, 120, "the end of the session")
        network.await_whole()
        _, _, failures = course.check()
        assert not failures, f"combiners that were asked did not count: {dict(failures)}"
    if options.mounts:
        refuse_to_start(network, chance)
        run_session(network, seed_id, seed, 3)


def main():
    parser = scene.parser(__doc__)
    parser.add_argument("--faults", type=lambda text: text.split(","), help="only these")
    options = parser.parse_args()
    options.mounts = enter_namespace()
    if not options.mounts:
        print("no small disks: a mount namespace is not allowed here")
    scene.play(run, options)


def enter_namespace():
    """Mounts of this program end with it; False if there can be none."""
    if "CHAOS_NAMESPACE" in os.environ:
        return os.environ.pop("CHAOS_NAMESPACE") == "own"
    os.environ["CHAOS_NAMESPACE"] = "none"
    for how in ("-m", "-rm"):
        can = shutil.which("unshare") and subprocess.run(
            ["unshare", how, "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True)
        if can and can.returncode == 0:
            os.environ["CHAOS_NAMESPACE"] = "own"
            os.execvp("unshare", ["unshare", how, sys.executable] + sys.argv)
    return enter_namespace()


if __name__ == "__main__":
    main()
