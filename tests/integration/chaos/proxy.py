# SPDX-License-Identifier: Apache-2.0
"""A TCP link that can be cut, or swallow everything without a word, and be mended."""
import socket
import struct

ROOM = 1 << 18


class Half:
    """What goes one way."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.waiting = b""
        self.ended = False


class Connection:
    def __init__(self, proxy, near):
        self.proxy, self.loop = proxy, proxy.loop
        self.near = near
        self.far = socket.socket()
        self.near.setblocking(False)
        self.far.setblocking(False)
        for end in (self.near, self.far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.far.connect_ex(proxy.target)
        self.halves = [Half(self.near, self.far), Half(self.far, self.near)]
        self.resume()

    def resume(self):
        for end in (self.near, self.far):
            self._watch(end)

    def pause(self):
        for end in (self.near, self.far):
            self.loop.forget(end)

    def _watch(self, end):
        """Reads while there is room, writes while there is something."""
        self.loop.forget(end)
        inward = next(half for half in self.halves if half.source is end)
        outward = next(half for half in self.halves if half.target is end)
        reads = len(inward.waiting) < ROOM and not inward.ended
        if reads or outward.waiting:
            self.loop.watch(end, lambda: self._move(end, inward, outward), reading=reads, writing=bool(outward.waiting))

    def _move(self, end, inward, outward):
        try:
            self._write(outward)
            if len(inward.waiting) < ROOM and not inward.ended:
                self._read(inward)
        except BlockingIOError:
            pass
        except OSError:
            self.close(reset=True)
            return
        if all(half.ended and not half.waiting for half in self.halves):
            self.close()
            return
        if not self.proxy.is_hole:
            self.resume()

    def _read(self, half):
        try:
            data = half.source.recv(65536)
        except BlockingIOError:
            return
        half.ended = not data
        half.waiting += data
        self._write(half)

    @staticmethod
    def _write(half):
        if half.waiting:
            try:
                half.waiting = half.waiting[half.target.send(half.waiting):]
            except BlockingIOError:
                return
        if half.ended and not half.waiting:
            half.target.shutdown(socket.SHUT_WR)

    def close(self, reset=False):
        self.pause()
        for end in (self.near, self.far):
            if reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
        self.proxy.connections.discard(self)


class Proxy:
    def __init__(self, loop, host, target):
        self.loop, self.target = loop, target
        self.listener = socket.create_server((host, 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.connections = set()
        self.silent = []  # those that nothing comes through any more
        self.is_hole = False
        loop.watch(self.listener, self._accept)

    def _accept(self):
        near, _ = self.listener.accept()
        self.connections.add(Connection(self, near))

    def cut(self, reset=True):
        """Every connection ends, in the middle of what it carried."""
        count = len(self.connections)
        for connection in list(self.connections):
            connection.close(reset)
        return count

    def begin_hole(self):
        """Nothing moves any more, and nobody is told."""
        self.is_hole = True
        self.loop.forget(self.listener)
        for connection in self.connections:
            connection.pause()
        return len(self.connections)

    def end_hole(self, forget):
        """Things move again; `forget`: but not on the old connections, which stay silent for good."""
        self.is_hole = False
        self.loop.watch(self.listener, self._accept)
        if forget:
            self.silent += self.connections
            self.connections.clear()
        for connection in self.connections:
            connection.resume()
