"""Start a contender, let herds and steady loads fall due, and see what comes, by the clock of the receiver."""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from triggers.peers import processes, stores
from triggers.peers.contenders import Contender
from triggers.peers.receiver import Arrivals, receiver

PROGRAMS = Path(__file__).parent / "programs"
ROOM = 400_000  # events of one contender, over all rounds
READY_WITHIN_SECONDS = 60.0
SETTLED_AFTER_SECONDS = 1.2  # outcomes of the last requests are on record then, and their cost is counted
QUIET_AFTER_SECONDS = 10.0  # nothing came for so long: nothing more will
WHOLE_HERD_AHEAD_SECONDS = 1.3  # a herd must be scheduled so long before it is due; this server looks 1 s ahead


class Unusable(Exception):
    """The contender does not start, or does not answer; the words say what it said last."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one herd, or of one stretch of steady load. Seconds throughout."""

    size: int
    came: int
    drained_in: float  # from the (first) common instant to the last request
    late: list[float]  # shortest first
    cpu: float  # of all processes of the contender, its stores included, until the outcomes are on record
    limit: float  # the time that it had, after the (last) instant
    is_over_time: bool  # that was up before all had come
    behind: float = 0.0  # steady: how long after the last instant the last request came

    @property
    def early(self) -> int:
        return sum(seconds < 0 for seconds in self.late)

    @property
    def per_second(self) -> float:
        return self.came / self.drained_in if self.drained_in > 0 else 0.0


class Measured:
    """One contender that is up, with a receiver of its own."""

    def __init__(self, process: subprocess.Popen[str], roots: list[int], arrivals: Arrivals, log: Path) -> None:
        self.process, self.roots, self.arrivals, self.log = process, roots, arrivals, log
        self.next = 0  # the number of the next event
        self.scheduling = 0.001  # seconds that an event takes to be scheduled, as far as is known

    def herd(self, size: int, limit: float, seconds: int = 1) -> Run:
        """Let `size` events fall due at one second, or as many in each of so many seconds one after another."""
        count, margin = size * seconds, 1.3
        while True:
            due = math.ceil(time.time() + WHOLE_HERD_AHEAD_SECONDS + 0.5 + margin * self.scheduling * count)
            first, began = self._take(count), time.time()
            self.ask(do="schedule", first=first, count=count, due=due, per_second=size if seconds > 1 else 0)
            scheduled_at = time.time()
            self.scheduling = (scheduled_at - began) / count
            if scheduled_at <= due - WHOLE_HERD_AHEAD_SECONDS:
                break
            # Not a fair start: let it pass, and begin sooner next time.
            self._watch(first, count, due, limit)
            margin *= 2
        cpu = processes.cpu_seconds(*self.roots)
        is_over_time = self._watch(first, count, due + seconds - 1, limit)
        time.sleep(SETTLED_AFTER_SECONDS)
        cpu = processes.cpu_seconds(*self.roots) - cpu
        instants, late = self.arrivals.instants(first, count), self.arrivals.lateness(first, count)
        last_at = instants[-1] if instants else due
        behind = last_at - (due + seconds - 1)
        return Run(count, len(instants), last_at - due, late, cpu, limit, is_over_time, behind)

    def recorded(self) -> int | None:
        """Return how many outcomes are on record by now; None: it keeps none."""
        recorded: int | None = self.ask(do="count")["recorded"]
        return recorded

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order to the program and return its answer."""
        orders = _pipe(self.process.stdin)
        try:
            orders.write(json.dumps(order) + "\n")
            orders.flush()
        except BrokenPipeError:
            raise Unusable(self._last_words()) from None
        return self.answer(300)

    def answer(self, timeout_seconds: float) -> dict[str, Any]:
        answers = _pipe(self.process.stdout)
        ready, _, _ = select.select([answers], [], [], timeout_seconds)
        line = answers.readline() if ready else ""
        if not line:
            raise Unusable(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _take(self, count: int) -> int:
        """Return the first number of so many new events."""
        if self.next + count > self.arrivals.room:
            raise Unusable(f"the receiver has room for {self.arrivals.room:,} events and no more; take smaller sizes")
        self.next += count
        return self.next - count

    def _watch(self, first: int, count: int, last_due: float, limit: float) -> bool:
        """Wait until all have come or none does any more; return whether the time was up before."""
        came, came_at = 0, 0.0
        while (now := time.time()) < last_due + limit:
            seen = self.arrivals.came(first, count)
            if seen == count:
                return False
            if seen > came:
                came, came_at = seen, now
            elif came and now > max(came_at, last_due) + QUIET_AFTER_SECONDS:
                return False
            # Looking costs some milliseconds of a processor that others need.
            time.sleep(0.2)
        return True

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@contextmanager
def running(contender: Contender, peers_python: Path, connections: int) -> Iterator[Measured]:
    """Make the contender ready on fresh stores and an empty folder, with a first small herd behind it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="event-trigger-peers-")))
        arrivals = stack.enter_context(receiver(ROOM))
        redis = stack.enter_context(stores.redis_server(folder)) if "redis" in contender.stores else None
        postgres = stack.enter_context(stores.postgres_server(folder)) if "postgres" in contender.stores else None
        settings = contender.settings | {
            "url": arrivals.url,
            "folder": str(folder),
            "redis": redis.url if redis else "",
            "connections": connections,
        }
        environment = _environment(contender, folder, redis, postgres) | {"PEER": json.dumps(settings)}
        log = folder / "log"
        python = sys.executable if contender.by_our_python else str(peers_python)
        with log.open("w") as said:
            process = subprocess.Popen(
                [python, str(PROGRAMS / f"{contender.program}.py")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
                env=environment, cwd=folder, text=True, start_new_session=True,
            )  # fmt: skip
        stack.callback(_end, process)
        roots = [process.pid, *(store.pid for store in (redis, postgres) if store)]
        measured = Measured(process, roots, arrivals, log)
        measured.answer(READY_WITHIN_SECONDS)
        warm = measured.herd(connections, READY_WITHIN_SECONDS)
        if not warm.came:
            raise Unusable(f"nothing came within {READY_WITHIN_SECONDS:.0f} s; {measured._last_words()}")
        yield measured


def _environment(
    contender: Contender, folder: Path, redis: stores.Store | None, postgres: stores.Store | None
) -> dict[str, str]:
    ours = ("SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "DATA_DIR", "DJANGO_SETTINGS_MODULE")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment["PYTHONPATH"] = str(PROGRAMS)
    if contender.program == "ours":
        environment |= {
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "DATA_DIR": str(folder),
            "DATABASE_URL": postgres.url if postgres else f"sqlite:///{folder}/events.sqlite3",
            "REDIS_URL": redis.url if redis else "",
            "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8",
            "LOG_LEVEL": "WARNING",
        }
    return environment


def _end(process: subprocess.Popen[str]) -> None:
    """End the program, which ends its processes; what is left after some seconds is killed."""
    everything = processes.tree(process.pid)
    with suppress(BrokenPipeError):
        _pipe(process.stdin).close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=8)
    processes.kill(everything | processes.tree(process.pid))
    process.wait()
    _pipe(process.stdout).close()


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise ValueError("This process was started without the pipe.")
    return stream
