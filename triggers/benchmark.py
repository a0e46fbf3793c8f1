"""What `manage.py benchmark` measures with: a lean local receiver, a bare client as the limit, a server of its own.

Everything runs on this machine, in processes of its own and a temporary folder: no benchmark touches the data of a
server that runs here.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import aiohttp
from django.conf import settings
from django.core.management.base import CommandError

IS_USED = """
import json
from triggers.models import Trigger
print(json.dumps(Trigger.with_deleted.exists()))
"""

EMPTY = """
import json
from django.core.management import call_command
from django_q.brokers import get_broker
call_command("flush", interactive=False, verbosity=0)
get_broker().purge_queue()
print(json.dumps(True))
"""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver: where it is, how many requests it has had, and when the last one came (epoch seconds)."""

    url: str
    count: Synchronized[int]
    last_at: Synchronized[float]

    def reset(self) -> None:
        self.count.value = 0

    def wait_for(self, count: int, timeout_seconds: float) -> bool:
        """Return whether `count` requests have come within the time."""
        ends_at = time.monotonic() + timeout_seconds
        while self.count.value < count and time.monotonic() < ends_at:
            time.sleep(0.01)
        return self.count.value >= count


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a receiver in a process of its own that answers every POST with 200 at once."""
    count = multiprocessing.Value("q", 0)
    last_at = multiprocessing.Value("d", 0.0)
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    process = multiprocessing.get_context("fork").Process(
        target=_receive, args=(listening, count, last_at), daemon=True
    )
    process.start()
    try:
        yield Receiver(f"http://127.0.0.1:{listening.getsockname()[1]}/hook", count, last_at)
    finally:
        process.terminate()
        process.join()
        listening.close()


@contextmanager
def silent_receiver() -> Iterator[str]:
    """Yield the address of an endpoint that takes every connection and never answers."""
    # Nobody accepts: the system completes the connections, as far as the backlog goes.
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook"


class _Answering(asyncio.Protocol):
    """Enough of HTTP/1.1 to answer keep-alive requests with a Content-Length, and nothing that costs time."""

    def __init__(self, note: Callable[[bytes], None]) -> None:
        self.note = note
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            start = head.find(b"content-length:")
            length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            self.note(self.buffer[end + 4 : end + 4 + length])
            self.buffer = self.buffer[end + 4 + length :]
            self.transport.write(ANSWER)


def answer(listening: socket.socket, note: Callable[[bytes], None]) -> None:
    """Answer every request with 200 at once, and tell `note` its body; until the process gets SIGTERM."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Answering(note), sock=listening)
        await server.serve_forever()

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    asyncio.run(serve())


def _receive(listening: socket.socket, count: Synchronized[int], last_at: Synchronized[float]) -> None:
    def note(body: bytes) -> None:
        count.value += 1
        last_at.value = time.time()

    answer(listening, note)


def bare_client(url: str, requests: int, processes: int, connections: int, body: bytes) -> float:
    """Send the requests with plain aiohttp and no database from so many processes; return the seconds it took."""
    context = multiprocessing.get_context("fork")
    ready, go = context.Barrier(processes + 1), context.Event()
    senders = [
        context.Process(target=_send_bare, args=(url, requests // processes, connections, body, ready, go))
        for _ in range(processes)
    ]
    for sender in senders:
        sender.start()
    ready.wait()
    began = time.monotonic()
    go.set()
    for sender in senders:
        sender.join()
    return time.monotonic() - began


def _send_bare(url: str, requests: int, connections: int, body: bytes, ready: Any, go: Any) -> None:
    async def run() -> None:
        connector = aiohttp.TCPConnector(limit=connections)
        async with aiohttp.ClientSession(connector=connector) as session:
            remaining = iter(range(requests))

            async def work() -> None:
                for _ in remaining:
                    async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                        await answer.read()

            ready.wait()
            go.wait()
            await asyncio.gather(*(work() for _ in range(connections)))

    asyncio.run(run())


@contextmanager
def server(*parts: str, database_url: str = "", **variables: str) -> Iterator[dict[str, str]]:
    """Run `manage.py` commands (cluster, web) on a migrated database of their own; yield their environment."""
    with database(database_url, **variables) as environment, running(parts, environment):
        yield environment


@contextmanager
def database(database_url: str = "", **variables: str) -> Iterator[dict[str, str]]:
    """Yield the environment of a server with a migrated database of its own.

    Without `database_url` it is SQLite in a temporary folder; a database that is given must be empty, and is emptied.
    """
    folder = tempfile.mkdtemp(prefix="event-trigger-benchmark-")
    environment = os.environ | {
        "DATA_DIR": folder,
        "DATABASE_URL": database_url or f"sqlite:///{folder}/events.sqlite3",
        "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8",
        "LOG_LEVEL": "WARNING",
        **variables,
    }
    run_here(environment)
    if script(environment, IS_USED):
        raise CommandError("This database has triggers in it. Name an empty one: it is emptied after the benchmark.")
    try:
        yield environment
    finally:
        if database_url:
            script(environment, EMPTY)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(parts: Sequence[str], environment: dict[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run `manage.py` commands in this environment for as long as the block lasts; yield their processes."""
    processes = [subprocess.Popen(_manage(part), env=environment, start_new_session=True) for part in parts]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def run_here(environment: dict[str, str]) -> None:
    """Apply the migrations to the benchmark's own database."""
    subprocess.run([*_manage("migrate"), "-v0"], env=environment, check=True)


def script(environment: dict[str, str], code: str) -> Any:
    """Run Python in a process with that server's settings; return what it prints as JSON on its last line."""
    done = subprocess.run(
        [*_manage("shell"), "-v0", "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def _manage(command: str) -> list[str]:
    return [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), command]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share (0 to 1) of the sorted `values` lies."""
    return values[min(len(values) - 1, int(len(values) * share))]
