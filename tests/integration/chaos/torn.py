# SPDX-License-Identifier: Apache-2.0
"""Sessions of a network whose processes are killed in the middle of a write: behind what is on disk there is half a
record, or nonsense, in a combiner's journal and in the write-ahead log of the reducer's store.

usage: torn.py FEDNCTL TRAINER [--seed S] [--tears N] [--rounds R]
"""
import glob
import os
import re

import model
import scene
from trouble import Trouble, run_through

SAYS = re.compile(r"journal's last (\d+) bytes were not written whole and are cut off")


class Tearer(Trouble):
    said = 0

    def strike(self, random):
        ready = [each for each in self.network.running(*self.roles) if each.ready]
        if not ready:
            return None
        victim = random.choice(ready)
        victim.kill()
        torn = tear(random, files(victim))
        if victim.role == "combiner":
            victim.on_ready = lambda process: self._check(process, torn)
        self.mend_after(0, victim.start)
        return victim.role

    def _check(self, combiner, torn):
        """It says in one line what it has cut: what was torn here, and perhaps what the kill tore."""
        combiner.on_ready = lambda _: None
        found = [int(match.group(1)) for match in map(SAYS.search, combiner.lines) if match]
        assert len(found) == 1 and found[0] >= torn, f"{combiner.name}: {torn} bytes torn, and it says {combiner.lines}"
        self.said += 1


def files(process):
    if process.role == "combiner":
        return [os.path.join(process.state_dir, "journal")]
    return glob.glob(os.path.join(process.state_dir, "*-wal"))


def tear(random, paths):
    """Appends the beginning of what the file begins with, or any bytes; how many."""
    bytes_torn = 0
    for path in paths:
        with open(path, "r+b") as file:
            head = file.read(300)
            piece = head[:random.randint(1, 300)] if random.random() < 0.5 else b""
            piece = piece or random.randbytes(random.randint(1, 300))
            file.seek(0, os.SEEK_END)
            file.write(piece)
            bytes_torn += len(piece)
    return bytes_torn


def run(options, network):
    network.start()
    seed = model.seed(options.elements)
    seed_id = network.api.push_model(model.encode(seed))
    tearer = Tearer(network, options.seed, options.tears, options.pause)
    tearer.roles = options.roles
    run_through(network, seed_id, seed, options.rounds, tearer)
    print(f"{tearer.said} times a combiner said what it had cut off")
    assert tearer.said > 0


def main():
    parser = scene.parser(__doc__)
    parser.add_argument("--tears", type=int, default=30)
    parser.add_argument("--pause", type=float, default=0.3, help="mean seconds between tears")
    parser.add_argument("--roles", type=lambda text: text.split(","), default=["combiner", "reducer"])
    scene.play(run, parser.parse_args())


if __name__ == "__main__":
    main()
