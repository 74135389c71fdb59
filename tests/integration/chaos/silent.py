# SPDX-License-Identifier: Apache-2.0
"""A session of a network in which connections go silent for good: nothing comes through any more and nobody is told,
as when a router has forgotten them. New ones work.

usage: silent.py FEDNCTL TRAINER [--seed S] [--rounds R]

Each of the network's links is hit once, all at the same random moment of a round; what is asked is that the session
goes on by itself, and to the exact model.
"""
import random
import time

import links
import model
import scene
from course import Course

PATIENCE_S = 150  # keepalives: 20 s of silence, 20 s for an answer, then pauses before dialling


class Silence:
    def __init__(self, network, chance):
        self.network, self.chance = network, chance
        self.began = None

    def take_step(self, step):
        if self.began is None and step == "training begin":
            self.began = 0
            self.network.loop.after(self.chance.uniform(0, 0.2), self._begin)

    def _begin(self):
        self.began = time.monotonic()
        for proxies in self.network.proxies.values():
            for proxy in proxies:
                proxy.begin_hole()
                proxy.end_hole(forget=True)


def run(options, network):
    # a client has to notice before its combiner takes it for gone, see combiner.liveness_ms
    network.client_args = ["--call-timeout-ms", "4000"]
    network.start()
    seed = model.seed(options.elements)
    seed_id = network.api.push_model(model.encode(seed))
    course = Course(network, seed_id, seed, options.rounds)
    silence = Silence(network, random.Random(options.seed))
    course.on_step = silence.take_step
    course.start()
    network.loop.until(course.is_over, PATIENCE_S, "the end of the session")
    _, both, failures = course.check()
    print(f"{options.rounds} rounds, {both} with both combiners; over {time.monotonic() - silence.began:.0f} s "
          f"after all connections went silent; {dict(failures) or 'no combiner was lost'}")


def main():
    scene.play(run, scene.parser(__doc__).parse_args(), links.via)


if __name__ == "__main__":
    main()
