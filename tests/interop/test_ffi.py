#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The library through a foreign function interface: a whole network from Python's ctypes.

Nothing but the shared library is used: no header, no struct layout except fedn_error. A reducer, a
combiner and two clients run in this process, the train callback is a Python function, and the global
model must be the mean by examples of what it returned.

usage: test_ffi.py libfedn.so
"""
import array
import ctypes
import json
import sys
import tempfile
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_uint32, c_uint64, c_void_p

lib = ctypes.CDLL(sys.argv[1])
F32, CANCELLED, CALLBACK = 3, -11, -17


class Error(ctypes.Structure):
    _fields_ = [("code", c_int32), ("detail", c_int32), ("message", ctypes.c_char * 504)]


TASK = ctypes.CFUNCTYPE(c_int32, c_void_p, POINTER(Error), c_void_p)
EVENT = ctypes.CFUNCTYPE(c_int32, c_char_p, c_void_p)


def declare(name, result, *arguments):
    function = getattr(lib, name)
    function.restype = result
    function.argtypes = arguments
    return function


P_ERROR = POINTER(Error)
for role in ("client", "combiner", "reducer"):
    declare(f"fedn_{role}_new", c_int32, c_void_p, POINTER(c_void_p), P_ERROR)
    declare(f"fedn_{role}_start", c_int32, c_void_p, P_ERROR)
    declare(f"fedn_{role}_free", None, c_void_p)
declare("fedn_version_string", c_char_p)
declare("fedn_config_new", c_int32, POINTER(c_void_p), P_ERROR)
declare("fedn_config_set", c_int32, c_void_p, c_char_p, c_char_p, P_ERROR)
declare("fedn_config_free", None, c_void_p)
declare("fedn_reducer_port", c_int32, c_void_p)
declare("fedn_reducer_http_port", c_int32, c_void_p)
declare("fedn_client_set_train", c_int32, c_void_p, TASK, c_void_p)
declare("fedn_client_poll", c_int32, c_void_p, c_int64, P_ERROR)
declare("fedn_error_set", c_int32, P_ERROR, c_int32, c_char_p)
declare("fedn_free", None, c_void_p)
declare("fedn_task_model", c_int32, c_void_p, POINTER(c_void_p), P_ERROR)
declare("fedn_task_round_id", c_char_p, c_void_p)
declare("fedn_task_set_model", c_int32, c_void_p, c_void_p, P_ERROR)
declare("fedn_task_set_num_examples", c_int32, c_void_p, c_double, P_ERROR)
declare("fedn_model_new", c_int32, POINTER(c_void_p), P_ERROR)
declare("fedn_model_add", c_int32, c_void_p, c_char_p, c_int32, c_uint32, POINTER(c_uint64), c_void_p,
        POINTER(c_void_p), P_ERROR)
declare("fedn_model_data", c_void_p, c_void_p, c_uint32)
declare("fedn_model_elements", c_uint64, c_void_p, c_uint32)
declare("fedn_model_save", c_int32, c_void_p, c_char_p, c_char_p, P_ERROR)
declare("fedn_model_load", c_int32, c_char_p, c_char_p, POINTER(c_void_p), P_ERROR)
declare("fedn_model_unref", c_void_p, c_void_p)
declare("fedn_control_new", c_int32, c_void_p, POINTER(c_void_p), P_ERROR)
declare("fedn_control_free", None, c_void_p)
declare("fedn_control_request", c_int32, c_void_p, c_char_p, c_char_p, c_char_p, POINTER(c_void_p), P_ERROR)
declare("fedn_control_model_push", c_int32, c_void_p, c_char_p, c_char_p, c_char_p, c_void_p, c_void_p,
        POINTER(c_void_p), P_ERROR)
declare("fedn_control_model_pull", c_int32, c_void_p, c_char_p, c_char_p, c_void_p, c_void_p, P_ERROR)
declare("fedn_control_watch", c_int32, c_void_p, c_char_p, c_uint64, EVENT, c_void_p, P_ERROR)


def call(name, *arguments):
    """A call whose last parameter is the error; raises with the library's text."""
    error = Error()
    code = getattr(lib, name)(*arguments, byref(error))
    if code != 0:
        raise RuntimeError(f"{name}: {code} {error.message.decode()}")


def new(name, *arguments):
    handle = c_void_p()
    call(name, *arguments, byref(handle))
    return handle


def model_of(values):
    model = new("fedn_model_new")
    data = array.array("f", values)
    shape = (c_uint64 * 1)(len(values))
    address, _ = data.buffer_info()
    call("fedn_model_add", model, b"0", F32, 1, shape, address, None)
    return model


def values_of(model):
    elements = lib.fedn_model_elements(model, 0)
    return list((ctypes.c_float * elements).from_address(lib.fedn_model_data(model, 0)))


def trainer(step, examples, rounds):
    """A callback that adds `step` to every value of the global model."""

    def train(task, error, _user_data):
        try:
            rounds.append(lib.fedn_task_round_id(task).decode())
            given = c_void_p()
            if lib.fedn_task_model(task, byref(given), error) != 0:
                return CALLBACK
            trained = model_of([value + step for value in values_of(given)])
            code = lib.fedn_task_set_model(task, trained, error)
            lib.fedn_model_unref(trained)
            return code or lib.fedn_task_set_num_examples(task, examples, error)
        except Exception as problem:  # must not unwind through the library
            return lib.fedn_error_set(error, CALLBACK, str(problem).encode())

    return TASK(train)


def follow(control, session, wanted):
    """Events until `wanted(event)`."""
    seen = []

    def on_event(text, _user_data):
        seen.append(json.loads(text))
        return CANCELLED if wanted(seen[-1]) else 0

    error = Error()
    code = lib.fedn_control_watch(control, session, 0, EVENT(on_event), None, byref(error))
    assert code == CANCELLED, error.message
    return seen[-1]


def request(control, method, path, body):
    answer = c_void_p()
    call("fedn_control_request", control, method, path, json.dumps(body).encode(), byref(answer))
    value = json.loads(ctypes.string_at(answer))
    lib.fedn_free(answer)
    return value


def main():
    scratch = tempfile.TemporaryDirectory(prefix="fedn-ffi-")
    config = new("fedn_config_new")

    def put(name, value):
        call("fedn_config_set", config, name.encode(), str(value).encode())

    error = Error()
    assert lib.fedn_config_set(config, b"combiner.lisen", b"x", byref(error)) == -2
    assert b"combiner.listen" in error.message, error.message
    for name in ("reducer.listen", "reducer.http_listen", "combiner.listen"):
        put(name, "127.0.0.1:0")
    put("log.level", "error")
    put("reducer.state_dir", scratch.name + "/reducer")
    put("combiner.state_dir", scratch.name + "/combiner")
    reducer = new("fedn_reducer_new", config)
    call("fedn_reducer_start", reducer)
    url = f"http://127.0.0.1:{lib.fedn_reducer_http_port(reducer)}"
    put("combiner.reducer", f"127.0.0.1:{lib.fedn_reducer_port(reducer)}")
    put("client.api_url", url)
    put("control.url", url)
    combiner = new("fedn_combiner_new", config)
    call("fedn_combiner_start", combiner)
    control = new("fedn_control_new", config)
    follow(control, None, lambda event: event["type"] == "combiner" and event["status"] == "online")

    rounds = [[], []]
    callbacks = [trainer(1.0, 1, rounds[0]), trainer(4.0, 2, rounds[1])]
    clients = []
    for i, callback in enumerate(callbacks):
        put("client.id", f"ffi-{i}")
        clients.append(new("fedn_client_new", config))
        assert lib.fedn_client_set_train(clients[-1], callback, None) == 0
        call("fedn_client_start", clients[-1])
    follow(control, None, lambda event: event["type"] == "combiner" and event["active_clients"] == 2)

    seed = scratch.name.encode() + b"/seed.npz"
    model = model_of([0.0] * 100)
    call("fedn_model_save", model, seed, b"npz")
    lib.fedn_model_unref(model)
    model_id = c_void_p()
    call("fedn_control_model_push", control, seed, None, b"seed", None, None, byref(model_id))
    lib.fedn_free(model_id)
    settings = {"aggregator": "fedavg", "round_timeout": 20, "buffer_size": -1, "clients_required": 1,
                "delete_models_storage": True, "validate": False, "helper_type": "numpyhelper", "model_id": None}
    session = request(control, b"POST", b"sessions/", {"name": "ffi", "session_config": settings})["session_id"]
    request(control, b"POST", b"sessions/start", {"session_id": session, "rounds": 3})
    ended = follow(control, session.encode(),
                   lambda event: event["type"] == "session" and event["status"] not in ("Created", "Started"))
    assert ended["status"] == "Finished", ended

    result = scratch.name.encode() + b"/result.npz"
    call("fedn_control_model_pull", control, None, result, None, None)
    model = new("fedn_model_load", result, None)
    assert values_of(model) == [9.0] * 100, values_of(model)[:3]  # (1*1 + 2*4) / 3 a round
    lib.fedn_model_unref(model)
    assert [len(seen) for seen in rounds] == [3, 3], rounds

    for client in clients:
        lib.fedn_client_free(client)
    lib.fedn_control_free(control)
    lib.fedn_combiner_free(combiner)
    lib.fedn_reducer_free(reducer)
    lib.fedn_config_free(config)
    scratch.cleanup()
    print(f"a network through ctypes: {lib.fedn_version_string().decode()}")


main()
