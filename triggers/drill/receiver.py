"""The receiver's book: a process of its own that writes every request down before it answers, and outlives all faults.

A line for each request: when it came, its webhook-id, its attempt, its body, and what was answered. Answers take a
while, each another, so that at any moment some requests are under way.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from triggers.drill.accounts import Request

LONGEST_ANSWER_SECONDS = 0.4


class Mood(IntEnum):
    """What the receiver does with a request."""

    WELL = 0
    UNAVAILABLE = 1  # answers 503
    BREAKS_OFF = 2  # closes the connection instead of an answer


class Receiver:
    """A running receiver, and what has been read of its book so far."""

    def __init__(self, url: str, path: Path, mood: Synchronized[int]) -> None:
        self.url, self._path, self._mood = url, path, mood
        self.requests: list[Request] = []
        self._read_bytes = 0

    def set_mood(self, mood: Mood) -> None:
        self._mood.value = mood

    def read(self) -> list[Request]:
        """Return the requests that have come since the last look."""
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        requests = [Request(*json.loads(line)) for line in whole.splitlines()]
        self.requests += requests
        return requests


@contextmanager
def receiver(path: Path, seed: int, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """Run a receiver that writes its book to `path`."""
    path.touch()
    mood = multiprocessing.Value("i", Mood.WELL)
    listening = socket.create_server((host, 0), backlog=1024)
    process = multiprocessing.get_context("fork").Process(
        target=_receive, args=(listening, path, mood, seed), daemon=True
    )
    process.start()
    try:
        yield Receiver(f"http://{host}:{listening.getsockname()[1]}/hook", path, mood)
    finally:
        process.kill()
        process.join()
        listening.close()


def _receive(listening: socket.socket, path: Path, mood: Synchronized[int], seed: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    book = os.open(path, os.O_WRONLY | os.O_APPEND)
    chance = random.Random(seed)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Writing(book, mood, chance), sock=listening)
        await server.serve_forever()

    asyncio.run(serve())


class _Writing(asyncio.Protocol):
    """Enough of HTTP/1.1 for keep-alive requests with a Content-Length."""

    def __init__(self, book: int, mood: Synchronized[int], chance: random.Random) -> None:
        self._book, self._mood, self._chance = book, mood, chance
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            headers = _headers(self._buffer[:end])
            body_end = end + 4 + int(headers.get("content-length", 0))
            if len(self._buffer) < body_end:
                return
            body, self._buffer = self._buffer[end + 4 : body_end], self._buffer[body_end:]
            self._take(headers, body)

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        at, mood = time.time(), Mood(self._mood.value)
        status = {Mood.WELL: 200, Mood.UNAVAILABLE: 503, Mood.BREAKS_OFF: 0}[mood]
        line = [at, headers.get("webhook-id", ""), int(headers.get("event-attempt", 0)), json.loads(body), status]
        os.write(self._book, json.dumps(line).encode() + b"\n")
        if status:
            wait = self._chance.uniform(0, LONGEST_ANSWER_SECONDS)
            asyncio.get_running_loop().call_later(wait, self._answer, status)
        else:
            self._transport.abort()

    def _answer(self, status: int) -> None:
        self._transport.write(f"HTTP/1.1 {status} Drill\r\nContent-Length: 2\r\n\r\nok".encode())


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
