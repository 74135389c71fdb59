# SPDX-License-Identifier: Apache-2.0
"""Sessions of a network whose links are cut, or swallow everything for a while, at random moments.

usage: links.py FEDNCTL TRAINER [--seed S] [--cuts N] [--rounds R]

Between each combiner and the reducer, and between each client and its combiner, is a proxy of this program's.
A cut is a reset or an end in the middle of things; in a hole nothing moves and nobody is told.
"""
import model
import scene
from proxy import Proxy
from trouble import Trouble, run_session, run_through


class Cutter(Trouble):
    def strike(self, random):
        name = random.choice(("reducer", "east", "west"))
        proxies = self.network.proxies[name]
        proxy = random.choice(proxies)
        upwards = "tier" if name == "reducer" else "client"
        kind = random.choice(("reset", "end", "hole"))
        if proxy.is_hole or not proxy.connections:
            return None
        if kind != "hole":
            proxy.cut(reset=kind == "reset")
        else:
            proxy.begin_hole()
            self.mend_after(random.uniform(0.05, 1.5), lambda: self._end_hole(proxy))
        return f"{upwards} {kind}"

    @staticmethod
    def _end_hole(proxy):
        proxy.end_hole(forget=False)


def via(network, name, host, port):
    """A proxy of its own for each that asks."""
    proxy = Proxy(network.loop, host, (host, port))
    if not hasattr(network, "proxies"):
        network.proxies = {"reducer": [], "east": [], "west": []}
    network.proxies[name].append(proxy)
    return host, proxy.port


def run(options, network):
    network.start()
    seed = model.seed(options.elements)
    seed_id = network.api.push_model(model.encode(seed))
    calm, _ = run_session(network, seed_id, seed, options.rounds)
    cutter = Cutter(network, options.seed, options.cuts, options.pause)
    run_through(network, seed_id, seed, options.rounds, cutter, calm)


def main():
    parser = scene.parser(__doc__)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0.2, help="mean seconds between cuts")
    scene.play(run, parser.parse_args(), via)


if __name__ == "__main__":
    main()
