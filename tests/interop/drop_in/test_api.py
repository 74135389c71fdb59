#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FEDn's own APIClient, through every method that it has, against our network.

usage: test_api.py fednctl
Two FednClients are in it; what they sent is read back. A method that no check calls fails the test.
"""
import inspect
import os
import sys
import tarfile
import uuid

from fedn import APIClient

from network import HOST, Network
from shared_checks import SEED, arrays, write_seed

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = ("py-0", "py-1")
ROUNDS = 2


class Recorder:
    """APIClient, and which of its methods were called."""

    def __init__(self, api):
        self.api, self.called = api, set()

    def __getattr__(self, name):
        self.called.add(name)
        return getattr(self.api, name)

    def missed(self):
        names = {name for name, _ in inspect.getmembers(APIClient, inspect.isfunction) if not name.startswith("_")}
        return sorted(names - self.called)


def check_list(answer, count, what):
    """Exactly count and result, in this order: FEDn's tools unpack them by place."""
    assert list(answer) == ["count", "result"], (what, answer)
    assert answer["count"] == len(answer["result"]) == count, (what, answer)
    return answer["result"]


def empty_network(api):
    assert api.get_controller_status() == {"state": "idle"}
    check_list(api.get_models(), 0, "models")
    assert api.get_models_count() == 0
    assert api.start_session() == {"message": "No models found in the repository"}
    assert "message" in api.get_active_package()
    assert "message" in api.get_session(str(uuid.uuid4()))


def packages(api, net):
    folder = os.path.join(net.directory, "package")
    os.makedirs(folder)
    with open(os.path.join(folder, "fedn.yaml"), "w", encoding="utf-8") as file:
        file.write("entry_points:\n  train:\n    command: python train.py\n")
    archive = os.path.join(net.directory, "package.tgz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=".")
    assert api.set_active_package(archive, "numpyhelper", "first", "a package") == {"message": "Package uploaded"}
    assert api.get_packages_count() == 1
    package = check_list(api.get_packages(), 1, "packages")[0]
    assert (package["name"], package["description"], package["helper"]) == ("first", "a package", "numpyhelper")
    assert api.get_package(package["package_id"])["file_name"] == "package.tgz"
    assert api.get_active_package()["package_id"] == package["package_id"]
    copy = os.path.join(net.directory, "copy.tgz")
    assert api.download_package(copy)["success"]
    with open(archive, "rb") as one, open(copy, "rb") as two:
        assert one.read() == two.read(), "the package came back as it was"
    assert len(api.get_package_checksum()["checksum"]) == 64
    config = api.get_client_config()
    assert config["checksum"] == api.get_package_checksum()["checksum"] and "discover_port" in config, config
    assert "checksum" not in api.get_client_config(checksum=False)


def clients_and_combiners(api):
    assert api.get_combiners_count() == 2
    combiners = {c["name"]: c for c in check_list(api.get_combiners(), 2, "combiners")}
    assert sorted(combiners) == ["east", "west"]
    east = api.get_combiner(combiners["east"]["combiner_id"])
    assert east["name"] == "east" and isinstance(east["port"], int), east
    assert api.get_clients_count() == len(CLIENTS)
    assert len(check_list(api.get_clients(), len(CLIENTS), "clients")) == len(CLIENTS)
    assert len(api.get_clients(n_max=1)["result"]) == 1
    assert api.get_client("py-0")["combiner"] == "east"
    check_list(api.get_active_clients(), len(CLIENTS), "active clients")
    assert check_list(api.get_active_clients("west"), 1, "active clients of west")[0]["client_id"] == "py-1"


class Validations:
    """Counts them over sessions: the last ones come after the session's end."""

    def __init__(self, net):
        self.net, self.missing = net, len(CLIENTS) * (ROUNDS + 1)

    def take(self, event):
        self.missing -= event["type"] == "validation"

    def await_all(self):
        if self.missing:
            self.net.await_events("validation", self.missing)


def sessions(api, net):
    """One session, then some more rounds of it; its id."""
    counted = Validations(net)
    started = api.start_session(name="by api", rounds=ROUNDS, round_timeout=60)
    assert started["message"] == "Session started", started
    session = started["session_id"]
    assert net.await_session(session, counted.take) == "Finished"
    assert api.get_session_status(session) == "Finished" and api.session_is_finished(session)
    assert api.get_session(session)["name"] == "by api"
    assert api.get_session(name="by api")["session_id"] == session
    assert api.get_session(name="nonesuch") == {"message": "Session not found."}
    check_list(api.get_sessions(name="by api"), 1, "sessions by name")
    assert api.continue_session(session, rounds=1, round_timeout=60)["message"] == "Session started"
    assert net.await_session(session, counted.take) == "Finished"
    check_list(api.get_sessions(), 1, "sessions")
    assert api.get_sessions_count() == 1
    assert "message" in api.start_session(aggregator="nonesuch")
    assert api.continue_session(str(uuid.uuid4())) == {"message": "Session not found."}
    counted.await_all()
    return session


def rounds(api, session):
    found = check_list(api.get_rounds(), ROUNDS + 1, "rounds")
    assert {r["round_config"]["session_id"] for r in found} == {session}
    assert api.get_rounds_count() == ROUNDS + 1
    first = api.get_round("1")
    assert first["status"] == "Finished" and len(first["combiners"]) == 2, first
    for combiner in first["combiners"]:
        assert combiner["status"] == "Success" and combiner["data"]["aggregation_time"]["nr_aggregated_models"] == 1


def models(api, net, session):
    assert api.get_models_count() == ROUNDS + 2
    made = check_list(api.get_models(session_id=session), ROUNDS + 1, "models of the session")
    newest = api.get_active_model()
    assert newest["model_id"] == made[0]["model_id"] == newest["model"], "the newest comes first"
    assert api.get_model(newest["model_id"])["parent_model"] == made[1]["model_id"]
    trail = api.get_model_trail()
    assert [m["model_id"] for m in reversed(trail)][:ROUNDS + 1] == [m["model_id"] for m in made], trail
    assert len(trail) == ROUNDS + 2 and trail[0]["parent_model"] is None, "it begins with the seed"
    assert len(api.get_model_trail(include_self=False)) == ROUNDS + 1
    path = os.path.join(net.directory, "model.npz")
    assert api.download_model(newest["model_id"], path)["success"]
    with open(path, "rb") as file:
        assert [a.shape for a in arrays(file.read())] == [a.shape for a in SEED]
    assert not api.download_model(str(uuid.uuid4()), path)["success"]


def validations(api, session, model_id):
    everything = len(CLIENTS) * (ROUNDS + 1)
    assert api.get_validations_count() == everything
    check_list(api.get_validations(), everything, "validations")
    check_list(api.get_validations(session_id=session), everything, "validations of the session")
    check_list(api.get_validations(session_id="nonesuch"), 0, "validations of no session")
    of_model = check_list(api.get_validations(model_id=model_id), len(CLIENTS), "validations of a model")
    found = check_list(api.get_validations(sender_name="py-0", sender_role="CLIENT"), ROUNDS + 1, "validations by sender")
    one = api.get_validation(found[0]["validation_id"])
    assert one["sender"] == {"name": "py-0", "role": "CLIENT", "client_id": "py-0"} and '"zero": 0.0' in one["data"], one
    check_list(api.get_validations(correlation_id=one["correlation_id"]), 1, "validations of a task")
    assert check_list(api.get_validations(receiver_name="east", receiver_role="COMBINER"), ROUNDS + 1, "by receiver")
    assert len(of_model) == len(CLIENTS)


def statuses(api, session):
    count = api.get_statuses_count()
    assert count > 0 and len(check_list(api.get_statuses(), count, "statuses")) == count
    some = api.get_statuses(session_id=session, event_type="MODEL_UPDATE", sender_name="py-0", sender_role="CLIENT",
                            n_max=3)["result"]
    assert len(some) == 3 and all(s["session_id"] == session and s["type"] == "MODEL_UPDATE" for s in some), some
    assert api.get_status(some[0]["status_id"])["sender"]["name"] == "py-0"


def attributes(api):
    """What the clients said of themselves, an empty value among it, and what is added from here."""
    current = api.get_current_attributes(list(CLIENTS) + ["nobody"])
    assert current["py-0"]["place"] == "py-0" and current["py-0"]["empty"] == "", current
    assert "not found" in current["nobody"], current
    added = api.add_attributes({"key": "charging", "value": "true",
                                "sender": {"name": "py-1", "role": "CLIENT", "client_id": "py-1"}})
    assert added["key"] == "charging", added
    assert api.get_current_attributes("py-1")["py-1"]["charging"] == "true"


def metrics(net, session):
    """A value of 0.0 is a value."""
    for key, values in (("loss", {0.0, 0.5}), ("step_size", {1.0, 2.0})):
        answer = net.get("/api/v1/metrics/", params={"key": key, "session_id": session}).json()
        assert {m["value"] for m in answer["result"]} == values, answer
        assert {m["sender"]["client_id"] for m in answer["result"]} == set(CLIENTS), answer
    steps = net.get("/api/v1/metrics/", params={"value": "0.5", "round_id": "2"}).json()["result"]
    assert [m["step"] for m in steps] == [7] * len(CLIENTS), steps


def predictions(api, net):
    """Every client answers under the id that was asked for."""
    wanted, model = str(uuid.uuid4()), api.get_active_model()["model_id"]
    answer = api.start_predictions(prediction_id=wanted, model_id=model)
    assert answer["message"] == "Prediction session started", answer
    net.await_events("prediction", len(CLIENTS))
    found = check_list(api.get_predictions(), len(CLIENTS), "predictions")
    assert {p["sender"]["name"] for p in found} == set(CLIENTS), found
    assert len(check_list(api.get_predictions(model_id=model), len(CLIENTS), "predictions of a model")) == len(CLIENTS)
    check_list(api.get_predictions(sender_name="py-1"), 1, "predictions by sender")


def split_learning(api):
    for answer in (api.start_splitlearning_session("split"), api.start_session(aggregator="splitlearningagg")):
        assert "split" in answer["message"].lower(), answer


def main():
    with Network(sys.argv[1]) as net:
        api = Recorder(APIClient(host=HOST, port=net.port))
        empty_network(api)
        packages(api, net)
        seed = os.path.join(net.directory, "seed.npz")
        write_seed(seed)
        assert api.set_active_model(seed)["success"]
        for number, name in enumerate(CLIENTS):
            net.add(name, [sys.executable, os.path.join(HERE, "trainer.py"), net.url, name, "10", str(number + 1),
                           ("east", "west")[number]])
        net.await_recorded(len(CLIENTS))
        clients_and_combiners(api)
        session = sessions(api, net)
        rounds(api, session)
        models(api, net, session)
        validations(api, session, api.get_active_model()["model_id"])
        statuses(api, session)
        attributes(api)
        metrics(net, session)
        predictions(api, net)
        split_learning(api)
        assert not api.missed(), f"methods that nothing calls: {api.missed()}"
        print(f"{len(api.called)} methods of APIClient")


main()
