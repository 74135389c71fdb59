# SPDX-License-Identifier: Apache-2.0
"""FEDn's REST API at a real reducer, request for request: run.py <fednctl>

The cases are beside this file. One that has "requests" is asked of each of them; "${name}" stands for what a case
before it has kept. At the end every operation that the reducer's own OpenAPI document lists must have been asked.
"""
import http.client
import io
import json
import os
import re
import struct
import sys
import tarfile
import urllib.parse
import zipfile

import roles
import shapes

NOUNS = ("system", "models", "sessions", "clients", "packages", "records", "retired")
TIMEOUT_S = 30
BOUNDARY = "----contract"


def seed():
    """A model of two float32 as numpy writes it."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<2f", 0.5, -2)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("0.npy", npy)
    return file.getvalue()


def package():
    """A compute package that does nothing."""
    text = b"entry_points:\n  train:\n    command: cp\n"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        info = tarfile.TarInfo("fedn.yaml")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    return file.getvalue()


FILES = {"seed.npz": seed, "package.tgz": package, "package.tar.gz": lambda: b"no archive"}


def form(fields):
    """A multipart form; the field "file" names one of FILES."""
    parts = []
    for name, value in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{value}"' if name == "file" else "")
        data = FILES[value]() if name == "file" else value.encode()
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def fill(value, kept):
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda found: kept.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [fill(item, kept) for item in value]
    if isinstance(value, dict):
        return {fill(key, kept): fill(item, kept) for key, item in value.items()}
    return value


def ordered(pairs):
    keys = [key for key, _ in pairs]
    if keys != sorted(keys):
        raise ValueError(f"members are not sorted: {keys}")
    return dict(pairs)


class Contract:
    def __init__(self, port):
        self.port, self.kept, self.asked, self.failed, self.count = port, {}, [], [], 0

    def send(self, request, case):
        """Status, headers, body; of an endless answer its first line."""
        method, target = request.split(" ", 1)
        headers = dict(case.get("headers", {}))
        body = None
        if "json" in case:
            body, headers["Content-Type"] = json.dumps(case["json"]).encode(), "application/json"
        elif "form" in case:
            body, headers["Content-Type"] = form(case["form"]), f"multipart/form-data; boundary={BOUNDARY}"
        elif "body" in case:
            body = case["body"].encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        connection.request(method, target, body, headers)
        reply = connection.getresponse()
        data = reply.readline() if case.get("endless") else reply.read()
        connection.close()
        self.asked.append((method, "/" + "/".join(filter(None, urllib.parse.urlsplit(target.lstrip("/")).path.split("/")))))
        return reply.status, reply.headers, data

    def problem(self, case, status, headers, data):
        """What is wrong with an answer, or None."""
        if status != case["status"]:
            return f"status {status}, not {case['status']}: {data[:200]!r}"
        for name, value in case.get("has", {}).items():
            if headers.get(name) != value:
                return f"{name} is {headers.get(name)!r}, not {value!r}"
        if "text" in case:
            return None if data.decode() == case["text"] else f"the body is {data[:200]!r}"
        if "answer" not in case:
            return None
        if not data.endswith(b"\n"):
            return "no line feed at the end"
        answer = json.loads(data, object_pairs_hook=ordered)
        for name, path in case.get("keep", {}).items():
            value = answer
            for key in path.split("."):
                value = value[int(key) if isinstance(value, list) else key]
            self.kept[name] = value
        return shapes.problem(case["answer"], answer)

    def run(self, case):
        for request in case.get("requests") or [case["request"]]:
            self.count += 1
            request, filled = fill(request, self.kept), fill(case, self.kept)
            try:
                wrong = self.problem(filled, *self.send(request, filled))
            except (ValueError, KeyError, IndexError, OSError, http.client.HTTPException) as error:
                wrong = repr(error)
            if wrong:
                self.failed.append(f"{case['name']}: {request}: {wrong}")

    def unasked(self, document):
        """Operations of the document that no case has asked; of those that fit, a request is the most literal one's."""
        all_of_them = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
        asked = set()
        for method, target in self.asked:
            fitting = [path for verb, path in all_of_them if verb == method and fits(path, target)]
            if fitting:
                asked.add((method, min(fitting, key=lambda path: [part[0] == "{" for part in path.split("/")[1:]])))
        return sorted(all_of_them - asked)


def fits(path, target):
    pattern = "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/"))
    return re.fullmatch(pattern, target) is not None


def load(noun):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), noun + ".json"), encoding="utf-8") as file:
        return json.load(file)


def main():
    with roles.Roles(sys.argv[1]) as network:
        ports = network.start("reducer", "reducer", "--http-listen", "127.0.0.1:0", "--url-prefix", "/fedn/net")
        network.start("combiner", "combiner", "--name", "edge", "--host", "combiner.example",
                      "--reducer", f"127.0.0.1:{ports['port']}")
        contract = Contract(ports["http_port"])
        for noun in NOUNS:
            for case in load(noun):
                contract.run(case)
        _, _, data = contract.send("GET /api/v1/openapi.json", {})
        contract.failed += [f"no case asks for {method} {path}" for method, path in contract.unasked(json.loads(data))]
    print("\n".join(contract.failed))
    print(f"{contract.count} requests, {len(contract.failed)} failed")
    return 1 if contract.failed else 0


if __name__ == "__main__":
    sys.exit(main())
