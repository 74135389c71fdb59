# SPDX-License-Identifier: Apache-2.0
"""One thread that waits for whatever comes first: something to read, or a moment that was asked for."""
import heapq
import itertools
import selectors
import time


class TooLate(Exception):
    pass


class Loop:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.order = itertools.count()

    def watch(self, file, fn, reading=True, writing=False):
        """fn() whenever the file can be read, or written, or either."""
        events = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if writing else 0)
        self.selector.register(file, events, fn)

    def forget(self, file):
        try:
            self.selector.unregister(file)
        except (KeyError, ValueError):
            pass

    def after(self, seconds, fn):
        """fn() once, that much later."""
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), fn))

    def _turn(self, deadline):
        due = min(deadline, self.timers[0][0]) if self.timers else deadline
        for key, _ in self.selector.select(max(0, due - time.monotonic())):
            if self.selector.get_map().get(key.fd) is key:  # an earlier one of this turn may have ended it
                key.data()
        while self.timers and self.timers[0][0] <= time.monotonic():
            heapq.heappop(self.timers)[2]()

    def until(self, happened, seconds, what):
        """Until happened() is true; TooLate says what was waited for."""
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() >= deadline:
                raise TooLate(f"{what} did not happen within {seconds} s")
            self._turn(deadline)
