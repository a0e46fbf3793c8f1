"""The receiver that measures: a request says which event it is and when it was due; the clock says how late it is."""

from __future__ import annotations

import multiprocessing
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray, RawValue
from typing import Any

from triggers import benchmark

NUMBER, DUE = re.compile(rb'"n": *(\d+)'), re.compile(rb'"due": *([\d.]+)')


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a receiver has seen, shared with the process that serves: when each event came first, by its number."""

    url: str
    came_at: Any  # epoch seconds; 0.0: not yet
    late: Any  # seconds, counted here from the instant that the request carries
    again: Any  # requests for an event that had come before

    def note(self, body: bytes) -> None:
        """Put down the request of an event, in the process that serves."""
        now, number, due = time.time(), NUMBER.search(body), DUE.search(body)
        if number is None or due is None:
            return
        n = int(number[1])
        if self.came_at[n]:
            self.again.value += 1
        else:
            self.late[n] = now - float(due[1])
            self.came_at[n] = now

    @property
    def room(self) -> int:
        return len(self.came_at)

    def came(self, first: int, count: int) -> int:
        """Return how many of these events have come."""
        return count - list(self.came_at[first : first + count]).count(0.0)

    def instants(self, first: int, count: int) -> list[float]:
        """Return when those that have come did, soonest first."""
        return sorted(at for at in self.came_at[first : first + count] if at)

    def lateness(self, first: int, count: int) -> list[float]:
        """Return how late those that have come were, in seconds, shortest first; below zero is early."""
        came_at, late = self.came_at[first : first + count], self.late[first : first + count]
        return sorted(seconds for at, seconds in zip(came_at, late, strict=True) if at)


@contextmanager
def receiver(room: int) -> Iterator[Arrivals]:
    """Run a receiver in a process of its own that answers every POST with 200 at once, for so many events."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
    arrivals = Arrivals(url, RawArray("d", room), RawArray("d", room), RawValue("q", 0))
    process = multiprocessing.get_context("fork").Process(target=_receive, args=(listening, arrivals), daemon=True)
    process.start()
    try:
        yield arrivals
    finally:
        process.terminate()
        process.join()
        listening.close()


def _receive(listening: socket.socket, arrivals: Arrivals) -> None:
    benchmark.answer(listening, arrivals.note)
