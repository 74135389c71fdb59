# SPDX-License-Identifier: Apache-2.0
"""A fednctl process that is started, killed and started again on the same port and state directory."""
import json
import os
import signal
import subprocess


class Process:
    """Its log is kept over all its lives. on_line(process, line) hears each line as it is written,
    on_ready(process) that it listens (a client, which does not, is ready at once)."""

    def __init__(self, loop, directory, fednctl, name, role, listens=True):
        self.loop, self.fednctl, self.name, self.role, self.listens = loop, fednctl, name, role, listens
        self.state_dir = os.path.join(directory, name)
        self.port_file = os.path.join(directory, name + ".json")
        self.log_path = os.path.join(directory, name + ".log")
        self.log = open(self.log_path, "ab", buffering=0)
        self.lines = []          # of the present life
        self.popen = self.pipe = self.ready_pipe = None
        self.ready = False
        self.lives = 0
        self.may_end = False     # by itself
        self.args = []
        self.env = {}
        self.on_line = self.on_ready = self.on_end = lambda *_: None

    def start(self):
        assert self.popen is None
        pass_fds = ()
        argv = [self.fednctl, self.role, "start", "--state-dir", self.state_dir] + self.args
        if self.listens:
            self.ready_pipe, ready_in = os.pipe()
            pass_fds = (ready_in,)
            argv += ["--port-file", self.port_file, "--ready-fd", str(ready_in)]
        self.pipe, log_in = os.pipe()
        os.set_blocking(self.pipe, False)
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log_in, stderr=log_in,
                                      pass_fds=pass_fds, env={**os.environ, **self.env})
        os.close(log_in)
        self.lives += 1
        self.lines, self.part = [], b""
        self.log.write(b"--- life %d\n" % self.lives)
        self.loop.watch(self.pipe, self._read)
        if self.listens:
            os.close(ready_in)
            self.loop.watch(self.ready_pipe, self._become_ready)
        else:
            self.ready = True

    def _read(self):
        try:
            data = os.read(self.pipe, 65536)
        except BlockingIOError:
            return
        self.log.write(data)
        *lines, self.part = (self.part + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace")
            self.lines.append(text)
            self.on_line(self, text)
        if not data:
            self.loop.forget(self.pipe)
            if self.popen and self.may_end:
                self.on_end()
            elif self.popen:
                raise RuntimeError(f"{self.name} ended by itself with {self.popen.wait(10)}: {self.lines[-1:]}")

    def _become_ready(self):
        said = os.read(self.ready_pipe, 4096)
        self.loop.forget(self.ready_pipe)
        if said:
            self.ready = True
            self.on_ready(self)

    def ports(self):
        with open(self.port_file, encoding="utf-8") as file:
            return json.load(file)

    def kill(self, number=signal.SIGKILL):
        """Ends it and takes it away; its exit code."""
        self.popen.send_signal(number)
        return self.wait(60)

    def wait(self, seconds):
        code = self.popen.wait(seconds)
        self.popen = None
        self._read()
        for fd in (self.pipe, self.ready_pipe):
            if fd is not None:
                self.loop.forget(fd)
                os.close(fd)
        self.pipe = self.ready_pipe = None
        self.ready = False
        return code

    def has_ended(self):
        return self.popen is not None and self.popen.poll() is not None

    def says(self, words):
        """Whether a line of the present life has these words."""
        return any(words in line for line in self.lines)
