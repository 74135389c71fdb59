# SPDX-License-Identifier: Apache-2.0
"""Sessions of a network whose processes are killed (kill -9) at random moments and started again.

usage: kills.py FEDNCTL TRAINER [--seed S] [--kills N] [--rounds R] [--elements E] [--roles reducer,combiner,client]

A first session runs undisturbed; then as many as it takes for N kills. Each begins with the same model, must
end Finished with all of its rounds, and must give what is computed here (model.py) and, in the half of the
model that does not tell the two combiners apart, what the undisturbed session gave, bit for bit.
"""
import model
import scene
from trouble import Trouble, run_session, run_through

SHARES = {"reducer": 2, "combiner": 3, "client": 3}


class Killer(Trouble):
    def __init__(self, network, seed, kills, pause_s, roles):
        super().__init__(network, seed, kills, pause_s)
        self.roles = [role for role in roles for _ in range(SHARES[role])]

    def strike(self, random):
        victims = self.network.running(random.choice(self.roles))
        if not victims:
            return None
        victim = random.choice(victims)
        victim.kill()
        self.mend_after(random.choice((0, 0, random.uniform(0, 0.5))), victim.start)
        return victim.role


def run(options, network):
    network.start()
    seed = model.seed(options.elements)
    seed_id = network.api.push_model(model.encode(seed))
    calm, both = run_session(network, seed_id, seed, options.rounds)
    assert both == options.rounds, f"undisturbed, {both} of {options.rounds} rounds had both combiners"
    killer = Killer(network, options.seed, options.kills, options.pause, options.roles)
    run_through(network, seed_id, seed, options.rounds, killer, calm)


def main():
    parser = scene.parser(__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.4, help="mean seconds between kills")
    parser.add_argument("--roles", type=lambda text: text.split(","), default=list(SHARES))
    scene.play(run, parser.parse_args())


if __name__ == "__main__":
    main()
