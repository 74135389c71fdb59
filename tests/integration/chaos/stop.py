# SPDX-License-Identifier: Apache-2.0
"""Processes that are told to stop in the middle of sessions, by SIGTERM, SIGINT and SIGHUP, once and twice, and are
started again.

usage: stop.py FEDNCTL TRAINER [--seed S] [--stops N] [--rounds R]

Told once, each ends in order (exit code 0) within its bound; told twice it ends at once, and so does one that is not
up yet. The sessions go on whatever was told, to the exact model.
"""
import signal
import socket
import time

import model
import scene
from trouble import Trouble, run_through

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
BOUND_S = {"reducer": 5, "combiner": 5, "client": 6}  # drain_ms; a program that trains gets 5 s to end
SLACK_S = 5  # of a busy machine


class Stopper(Trouble):
    slowest = 0

    def strike(self, random):
        running = [each for each in self.network.running() if is_up(each) and not each.may_end]
        if not running:
            return None
        victim, number = random.choice(running), random.choice(SIGNALS)
        twice = random.random() < 0.3
        victim.may_end = True
        began = time.monotonic()
        victim.on_end = lambda: self._ended(victim, number, twice, began)
        self.unmended += 1
        victim.popen.send_signal(number)
        if twice:
            self.network.loop.after(random.uniform(0, 0.02), lambda: self._again(victim, number))
        return victim.role + (" twice" if twice else "")

    @staticmethod
    def _again(victim, number):
        if victim.may_end and victim.popen:
            victim.popen.send_signal(number)

    def _ended(self, victim, number, twice, began):
        code, took = victim.wait(10), time.monotonic() - began
        victim.may_end = False
        assert code == 0 or (twice and code == 128 + number), f"{victim.name} ended with {code} by {number}"
        assert took < BOUND_S[victim.role] + SLACK_S, f"{victim.name} took {took:.1f} s to stop"
        self.slowest = max(self.slowest, took)
        self.unmended -= 1
        victim.start()


def is_up(process):
    return process.says("connected to combiner") if process.role == "client" else process.ready


def end_with(network, process, number, seconds):
    """Sends the signal; the exit code."""
    process.may_end = True
    process.popen.send_signal(number)
    network.loop.until(process.has_ended, seconds, f"the end of {process.name}")
    code = process.wait(1)
    process.may_end = False
    return code


def told_twice(network, process, hold):
    """What is under way would keep it for its whole bound: the first signal waits for it, the second does not."""
    process.args += ["--drain-ms", "60000"]
    process.kill()
    process.start()
    network.await_whole()
    release = hold()
    process.may_end = True
    process.popen.send_signal(signal.SIGTERM)
    network.loop.until(lambda: process.says("stopping on SIGTERM"), 10, "the first signal heard")
    assert not process.has_ended(), f"{process.name} waits for nothing"
    assert (code := end_with(network, process, signal.SIGINT, 3)) == 128 + signal.SIGINT, code
    release()
    process.args = process.args[:-2]
    process.start()
    network.await_whole()


def hold_reducer(network):
    """Half an upload of a model."""
    connection = socket.create_connection((network.api.host, network.api.port), timeout=10)
    connection.sendall(b"POST /api/v1/models/ HTTP/1.1\r\nHost: chaos\r\nContent-Length: 100000\r\n"
                       b"Content-Type: multipart/form-data; boundary=mark\r\n\r\n--mark\r\n")
    return connection.close


def hold_combiner(network):
    """A reducer that hears nothing: what the combiner still has to say is not taken."""
    network.reducer.popen.send_signal(signal.SIGSTOP)
    return lambda: network.reducer.popen.send_signal(signal.SIGCONT)


def end_while_starting(network):
    """Told when it has hardly begun, which may be before it can hear."""
    for process in (network.reducer, network.combiners[0], network.clients[0]):
        process.kill()
        process.may_end = True
        process.start()
        code = end_with(network, process, signal.SIGTERM, 5 + BOUND_S[process.role])
        assert code in (0, 128 + signal.SIGTERM, -signal.SIGTERM), f"{process.name} ended with {code}"
        process.start()
    network.await_whole()


def run(options, network):
    network.start()
    seed = model.seed(options.elements)
    seed_id = network.api.push_model(model.encode(seed))
    end_while_starting(network)
    told_twice(network, network.reducer, lambda: hold_reducer(network))
    told_twice(network, network.combiners[0], lambda: hold_combiner(network))
    stopper = Stopper(network, options.seed, options.stops, options.pause)
    run_through(network, seed_id, seed, options.rounds, stopper)
    print(f"the slowest stop took {stopper.slowest:.2f} s")


def main():
    parser = scene.parser(__doc__)
    parser.add_argument("--stops", type=int, default=60)
    parser.add_argument("--pause", type=float, default=0.4, help="mean seconds between stops")
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup the roles would go on, as they should
    scene.play(run, parser.parse_args())


if __name__ == "__main__":
    main()
