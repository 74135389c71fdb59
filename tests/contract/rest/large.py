# SPDX-License-Identifier: Apache-2.0
"""A large model up to a real reducer and down again, whose memory must not grow with it: large.py <fednctl>

FEDN_TEST_LARGE_BYTES says how large, 100 MB unless it is set.
"""
import hashlib
import http.client
import json
import os
import struct
import sys

import roles

MIB = 1 << 20
BYTES = int(os.environ.get("FEDN_TEST_LARGE_BYTES", "100000000")) // 4 * 4
BOUND = 16 * MIB
# a build with AddressSanitizer keeps what was freed for a while, and shadows of everything
BOUND_SANITIZED = 512 * MIB
TIMEOUT_S = 120
BOUNDARY = "----large"


class Memory:
    """Memory of a process that is no page of a file; the largest that was seen."""

    def __init__(self, pid):
        self.path = f"/proc/{pid}/status"
        self.first = self.largest = self.now()

    def now(self):
        with open(self.path, encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon:"))

    def look(self):
        self.largest = max(self.largest, self.now())

    def growth(self):
        return self.largest - self.first


def model():
    """A safetensors file of one tensor, in pieces."""
    header = json.dumps({"0": {"dtype": "F32", "shape": [BYTES // 4], "data_offsets": [0, BYTES]}}).encode()
    header += b" " * (-len(header) % 8)
    yield struct.pack("<Q", len(header)) + header
    piece = struct.pack("<f", 0.25) * (MIB // 4)
    for at in range(0, BYTES, MIB):
        yield piece[:min(MIB, BYTES - at)]


def upload(connection, digest, memory):
    head = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.safetensors"\r\n\r\n').encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    connection.putrequest("POST", "/api/v1/models/")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(len(head) + sum(map(len, model())) + len(tail)))
    connection.endheaders()
    connection.send(head)
    for count, piece in enumerate(model()):
        digest.update(piece)
        connection.send(piece)
        if count % 16 == 0:
            memory.look()
    connection.send(tail)
    reply = connection.getresponse()
    body = reply.read()
    memory.look()
    assert reply.status == 200, body
    return json.loads(body)["model_id"]


def download(connection, path, status, headers, memory):
    """Digest and length."""
    digest, length, count = hashlib.sha256(), 0, 0
    connection.request("GET", path, headers=headers)
    reply = connection.getresponse()
    assert reply.status == status, reply.read(1000)
    while piece := reply.read(MIB):
        digest.update(piece)
        length += len(piece)
        count += 1
        if count % 16 == 0:
            memory.look()
    return digest.hexdigest(), length


def read_some(connection, path, memory):
    """The front of an answer that is left before its end."""
    connection.request("GET", path)
    reply = connection.getresponse()
    for _ in range(16):
        assert len(reply.read(MIB)) == MIB
        memory.look()
    connection.close()


def main():
    with open(sys.argv[1], "rb") as file:
        bound = BOUND_SANITIZED if b"__asan_init" in file.read() else BOUND
    with roles.Roles(sys.argv[1]) as network:
        ports = network.start("reducer", "reducer", "--http-listen", "127.0.0.1:0")
        memory = Memory(network.running[0].pid)
        connection = http.client.HTTPConnection("127.0.0.1", ports["http_port"], timeout=TIMEOUT_S)
        sent = hashlib.sha256()
        path = f"/api/v1/models/{upload(connection, sent, memory)}"
        got, length = download(connection, path + "/download", 200, {}, memory)
        assert got == sent.hexdigest()
        _, part = download(connection, path + "/download", 206, {"Range": f"bytes={length // 2}-"}, memory)
        assert part == length - length // 2
        read_some(connection, path + "/parameters", memory)
    print(f"{length} bytes, {memory.growth()} bytes of memory more")
    assert memory.growth() < bound, f"over {bound} bytes"


if __name__ == "__main__":
    main()
