# SPDX-License-Identifier: Apache-2.0
"""The reducer is killed (kill -9) at each step of a round in turn: as the round begins, when a training ends, between
the two reports, around the commit, as the round has ended; at once and some milliseconds later.

usage: moments.py FEDNCTL TRAINER [--rounds R] [--turns N]

Each session must end Finished with all of its rounds, one line of models, and give what an undisturbed one gives, bit
for bit; with a reducer alone that dies, every round must have both combiners.
"""
import model
import scene
from trouble import Trouble, run_session

MOMENTS = ("training begin", "training end", "report 1", "report 2", "round ended")
DELAYS_S = (0, 0.001, 0.002, 0.004)


class Moments(Trouble):
    def __init__(self, network, turns):
        self.moments = [(moment, delay) for _ in range(turns) for delay in DELAYS_S for moment in MOMENTS]
        super().__init__(network, 0, len(self.moments), 0)

    def _plan(self):
        if self.left > 0 and not self.course.is_over():
            self.step, self.delay = self.moments[-self.left]

    def _take_step(self, step):
        name = f"report {len(self.course.reported)}" if step == "report" else step
        if name == self.step:
            self.step = None
            self.network.loop.after(self.delay, self._strike)

    def strike(self, _random):
        self.network.reducer.kill()
        self.mend_after(0, self.network.reducer.start)
        return self.network.reducer.role


def run(options, network):
    network.start()
    seed = model.seed(options.elements)
    seed_id = network.api.push_model(model.encode(seed))
    calm, _ = run_session(network, seed_id, seed, options.rounds)
    moments = Moments(network, options.turns)
    while moments.left > 0:
        got, both = run_session(network, seed_id, seed, options.rounds, moments)
        assert both == options.rounds, f"{both} of {options.rounds} rounds had both combiners"
        assert all(a.tobytes() == b.tobytes() for a, b in zip(got, calm)), "the final model is not the undisturbed one"
    print(moments.table())


def main():
    parser = scene.parser(__doc__)
    parser.add_argument("--turns", type=int, default=2, help="kills at each moment and delay")
    scene.play(run, parser.parse_args())


if __name__ == "__main__":
    main()
