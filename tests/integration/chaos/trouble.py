# SPDX-License-Identifier: Apache-2.0
"""When something goes wrong, by a seed: half of the times at a moment of its own, half right after a step of
the round; and how often it hit which phase."""
import collections
import random
import time

from course import PHASES, Course

STEPS = ("training begin", "training end", "report", "report", "report", "round ended")


class Trouble:
    """strike(random) does the harm and returns what it is called, or None if there was nothing to harm."""

    def __init__(self, network, seed, count, pause_s):
        self.network, self.left, self.pause_s = network, count, pause_s
        self.random = random.Random(seed)
        self.counts = collections.Counter()
        self.step = None   # the one that the next strike waits for
        self.unmended = 0  # harm that is still to be undone

    def run(self, course):
        self.course, self.step = course, None
        course.on_step = self._take_step
        self._plan()

    def _plan(self):
        if self.left == 0 or self.course.is_over():
            return
        pause = self.random.expovariate(1 / self.pause_s)
        step = self.random.choice(STEPS) if self.random.random() < 0.5 else None
        course = self.course
        self.network.loop.after(pause, lambda: self._arm(course, step))

    def _arm(self, course, step):
        if course is self.course and step is None:
            self._strike()
        elif course is self.course:
            self.step = step

    def _take_step(self, step):
        if step == self.step:
            self.step = None
            self.network.loop.after(self.random.uniform(0, 0.006), self._strike)

    def _strike(self):
        if self.course.is_over():
            return
        phase = self.course.phase()
        what = self.strike(self.random)
        if what:
            self.counts[what, phase] += 1
            self.left -= 1
        self._plan()

    def mend_after(self, seconds, fn):
        self.unmended += 1
        self.network.loop.after(seconds, lambda: self._mend(fn))

    def _mend(self, fn):
        self.unmended -= 1
        fn()

    def hits(self):
        return sum(count for (_, phase), count in self.counts.items() if phase != PHASES[0])

    def table(self):
        width = max(map(len, PHASES))
        kinds = sorted({what for what, _ in self.counts})
        lines = [" " * 12 + "  ".join(phase.rjust(width) for phase in PHASES) + "     all"]
        for what in kinds:
            row = [self.counts[what, phase] for phase in PHASES]
            lines.append(what.ljust(12) + "  ".join(str(n).rjust(width) for n in row) + str(sum(row)).rjust(8))
        return "\n".join(lines)


def run_session(network, seed_id, seed, rounds, trouble=None, seconds=300):
    """Start to proof; the final model, and in how many rounds both combiners took part."""
    course = Course(network, seed_id, seed, rounds)
    began = time.monotonic()
    course.start()
    if trouble:
        trouble.run(course)
    network.loop.until(course.is_over, seconds, "the end of the session")
    if trouble:
        network.loop.until(lambda: trouble.unmended == 0, 30, "the last mending")
    network.await_whole()
    got, both, failures = course.check()
    harm = sum(trouble.counts.values()) if trouble else 0
    print(f"{rounds} rounds in {time.monotonic() - began:.1f} s, {both} with both combiners; "
          f"{harm} strikes so far", flush=True)
    for reason, count in failures.items():
        print(f"    {count} times a combiner did not count: {reason}")
    return got, both


def run_through(network, seed_id, seed, rounds, trouble, calm=None):
    """Sessions until all harm is done, at least half of it to rounds at work; each gives what the calm one gave."""
    count = trouble.left
    while trouble.left > 0:
        got, _ = run_session(network, seed_id, seed, rounds, trouble)
        if calm:
            assert got[0].tobytes() == calm[0].tobytes(), "the final model is not that of the undisturbed session"
    print(trouble.table())
    assert trouble.hits() >= count // 2, f"only {trouble.hits()} of {count} hit a round at work"
