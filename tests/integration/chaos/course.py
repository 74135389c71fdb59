# SPDX-License-Identifier: Apache-2.0
"""A session from its start to the proof that its model is what it must be."""
import collections

import model
from network import PLACES, SIDES

PHASES = ("between rounds", "asked", "collecting", "reporting", "merging or committing")


class Course:
    """Follows a session through what trainers, combiners and the reducer say. on_step(phase) hears
    every step."""

    def __init__(self, network, seed_id, seed, rounds):
        self.network, self.seed, self.seed_id, self.rounds = network, seed, seed_id, rounds
        self.on_step = lambda step: None
        self.status = None
        self.begun, self.ended, self.reported = set(), set(), set()
        self.round = self.expected = 0
        network.on_event = self._take_event
        network.on_training = self._take_training
        for combiner in network.combiners:
            combiner.on_line = self._take_line

    def start(self):
        self.session_id = self.network.api.start_session(self.seed_id, self.rounds, rule=self.network.rule())
        self.network.follow_session(self.session_id)

    def is_over(self):
        return self.status in ("Finished", "Failed", "Terminated")

    def phase(self):
        if not self.begun:
            return PHASES[0]
        if not self.ended:
            return PHASES[1]
        if len(self.ended) < max(self.expected, PLACES):
            return PHASES[2]
        return PHASES[3] if PLACES * len(self.reported) < len(self.ended) else PHASES[4]

    def _take_event(self, event):
        if event.get("session_id") != self.session_id:
            return
        if event["type"] == "session":
            self.status, self.message = event["status"], event["message"]
        if event["type"] == "round":
            self.round, self.expected = event["number"], event["expected"]
            if event["status"] not in ("Pending", "Running"):
                self.begun, self.ended, self.reported, self.expected = set(), set(), set(), 0
                self.on_step("round ended")

    def _take_training(self, what, client, model_id):
        (self.begun if what == "begin" else self.ended).add(client)
        self.on_step("training " + what)

    def _take_line(self, combiner, line):
        if "round " in line and " of session " in line and " updates" in line:
            self.reported.add(combiner.name)
            self.on_step("report")

    def check(self):
        """What the records and the models say; returns counts to print."""
        api, session = self.network.api, self.session_id
        assert self.status == "Finished", f"the session is {self.status}: {self.message}"
        record = api.get(f"sessions/{session}")
        assert record["status"] == "Finished", f"the session's record says {record['status']}"
        rounds = api.list("rounds", "round_config.session_id", session)
        rounds.sort(key=lambda each: int(each["round_id"]))
        bad = [each for each in rounds if each["status"] != "Finished"]
        assert not bad, f"{len(bad)} rounds did not finish: " + "; ".join(
            f"round {each['round_id']} {each['status']}: {each.get('message')}" for each in bad[:5])
        assert len(rounds) == self.rounds, f"{len(rounds)} rounds, wanted {self.rounds}"
        trail = self._trail(api.list("models", "session_id", session))
        assert trail[-1] == record["session_config"]["model_id"], "the session's model is not the last of its trail"
        wanted, both, rule = self.seed, 0, self.network.rule()
        for at, each in enumerate(rounds):
            assert each["round_config"]["model_id"] == ([self.seed_id] + trail)[at], \
                f"round {at + 1} began with another model than the one before it made"
            sides = self._sides(each)
            both += len(sides) == len(SIDES)
            wanted = rule.after_round(wanted, sides)
        got = model.decode(api.model(trail[-1]))
        assert not (differs := model.difference(got, wanted)), "the final model: " + differs
        return got, both, self._failures(rounds)

    @staticmethod
    def _failures(rounds):
        """Why combiners that were asked did not count, and how often."""
        return collections.Counter(part.get("message", "no reason") for each in rounds
                                   for part in each["combiners"] if part["status"] != "Success")

    def _trail(self, records):
        """The models in order: each has one parent, and is the parent of one."""
        by_parent = {}
        for each in records:
            assert each["parent_model"] not in by_parent, f"two models come from {each['parent_model']}"
            by_parent[each["parent_model"]] = each["model_id"]
        assert len(by_parent) == self.rounds, f"{len(by_parent)} models, wanted {self.rounds}"
        trail, last = [], self.seed_id
        while last in by_parent:
            last = by_parent.pop(last)
            trail.append(last)
        assert not by_parent, "the trail of models is not one line"
        return trail

    @staticmethod
    def _sides(record):
        """The combiners whose updates count: with every client exactly once, or with none."""
        sides = []
        for part in record["combiners"]:
            outcomes = [(each["name"], each["outcome"]) for each in part.get("clients", [])]
            accepted = sorted(name for name, outcome in outcomes if outcome == "accepted")
            side = SIDES.index(part["name"])
            if part["status"] != "Success":
                assert not accepted, f"round {record['round_id']}: {part['name']} took {accepted} and did not count"
                continue
            all_of_it = [f"client-{PLACES * side + place}" for place in range(PLACES)]
            assert accepted == all_of_it and len(outcomes) == PLACES, \
                f"round {record['round_id']}: {part['name']} has {outcomes}"
            assert part["weight"] == sum(model.WEIGHTS) and part["data"]["aggregation_time"]["nr_aggregated_models"] == PLACES, \
                f"round {record['round_id']}: {part['name']} has weight {part['weight']}"
            assert side not in sides
            sides.append(side)
        return sorted(sides)
