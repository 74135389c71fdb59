# SPDX-License-Identifier: Apache-2.0
"""What an answer must look like: a JSON value whose texts in angle brackets stand for any value of that kind."""
import json
import re

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


def matches(pattern):
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


KINDS = {
    "any": lambda value: True,
    "text": lambda value: isinstance(value, str) and value != "",
    "uuid": matches(UUID),
    "date": matches(DATE),
    "iso": matches(ISO),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
}


def kind_problem(word, value):
    name = word.strip("<>")
    if name.endswith("?") and value is None:
        return None
    return None if KINDS[name.rstrip("?")](value) else f"is {json.dumps(value)}, not {word}"


def problem(shape, value, where="the answer"):
    """None, or what is wrong with the value. Objects have these members, in this order, and no other."""
    if isinstance(shape, str) and re.fullmatch(r"<\w+\??>", shape):
        wrong = kind_problem(shape, value)
        return wrong and f"{where} {wrong}"
    if isinstance(shape, dict):
        if not isinstance(value, dict) or list(value) != list(shape):
            got = list(value) if isinstance(value, dict) else json.dumps(value)
            return f"{where} has {got}, not {list(shape)}"
        pairs = ((shape[key], value[key], f"{where}.{key}") for key in shape)
    elif isinstance(shape, list):
        if not isinstance(value, list) or len(value) != len(shape):
            return f"{where} is {json.dumps(value)}, not a list of {len(shape)}"
        pairs = ((a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(shape, value)))
    else:
        return None if type(shape) is type(value) and shape == value else f"{where} is {json.dumps(value)}, not {json.dumps(shape)}"
    return next((wrong for wrong in (problem(*pair) for pair in pairs) if wrong), None)
