# SPDX-License-Identifier: Apache-2.0
"""The reducer as its users see it: REST calls, and the stream of events."""
import http.client
import json
import socket


class Api:
    def __init__(self, host, port):
        self.host, self.port = host, port

    def call(self, method, path, body=None, content_type="application/json"):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        connection.request(method, "/api/v1/" + path, data, {"Content-Type": content_type} if data else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return text

    def get(self, path):
        return json.loads(self.call("GET", path))

    def push_model(self, data):
        mark = "chaos-form"
        form = (f"--{mark}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"seed.npz\"\r\n\r\n".encode()
                + data + f"\r\n--{mark}--\r\n".encode())
        answer = json.loads(self.call("POST", "models/", form, f"multipart/form-data; boundary={mark}"))
        return answer["model_id"]

    def model(self, model_id):
        return self.call("GET", f"models/{model_id}/download")

    def start_session(self, model_id, rounds, round_timeout=120, clients_required=3, rule=None):
        settings = {"model_id": model_id, "round_timeout": round_timeout, "buffer_size": -1,
                    "clients_required": clients_required, "validate": False, "helper_type": "numpyhelper"}
        if rule:
            settings.update(aggregator=rule.aggregator, aggregator_kwargs=rule.kwargs)
        session = json.loads(self.call("POST", "sessions/", {"session_config": settings}))["session_id"]
        self.call("POST", "sessions/start", {"session_id": session, "rounds": rounds, "round_timeout": round_timeout})
        return session

    def list(self, kind, key, value):
        """The records of a kind, all of them."""
        answer = self.get(f"{kind}/?{key}={value}")
        assert len(answer["result"]) == answer["count"], f"{kind}: the list is cut"
        return answer["result"]


class Events:
    """on_event(dict) for each event; opened anew with open() whenever the reducer is there again."""

    def __init__(self, loop, host, port, on_event):
        self.loop, self.address, self.on_event = loop, (host, port), on_event
        self.socket = None

    def open(self, session_id=None):
        self.close()
        query = f"?session_id={session_id}" if session_id else ""
        self.part = b""
        self.socket = socket.create_connection(self.address, timeout=10)
        self.socket.sendall(f"GET /api/v1/events{query} HTTP/1.1\r\nHost: chaos\r\n\r\n".encode())
        self.socket.setblocking(False)
        self.loop.watch(self.socket, self._read)

    def close(self):
        if self.socket:
            self.loop.forget(self.socket)
            self.socket.close()
            self.socket = None

    def _read(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        *lines, self.part = (self.part + data).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                self.on_event(json.loads(line))
