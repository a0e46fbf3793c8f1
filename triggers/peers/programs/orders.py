"""What all programs here share. Each makes one contender ready, and then schedules what it is told to.

`manage.py benchmark peers` starts a program with its settings as JSON in the variable PEER, and writes orders to its
standard input, one JSON object a line; each is answered by a line on standard output. The end of the input ends it.
Nothing but the standard library is needed here: the peers' Python knows nothing of this server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# url: the receiver. folder: an empty one. redis: the address of a fresh server, or "". connections: at most, at once.
# Beside these, the settings of the contender (contenders.py).
SETTINGS: dict[str, Any] = json.loads(os.environ.get("PEER", "{}"))


@dataclass(frozen=True)
class Herd:
    """Events `first` to `first + count - 1`, all due at one second; or so many at every second, from then on."""

    first: int
    count: int
    due: float  # epoch seconds
    per_second: int = 0

    def __iter__(self) -> Iterator[tuple[int, float]]:
        """Number and due instant of each event, soonest first."""
        for index in range(self.count):
            yield self.first + index, self.due + (index // self.per_second if self.per_second else 0)


def instant(due: float) -> datetime:
    return datetime.fromtimestamp(due, UTC)


def serve(
    schedule: Callable[[Herd], None], recorded: Callable[[], int] | None, *children: subprocess.Popen[Any]
) -> None:
    """Follow orders until there are no more; then end the child processes.

    `schedule` returns when all events of the herd are with the contender; `recorded` counts the outcomes on record.
    """
    _answer(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order.pop("do") == "schedule":
            schedule(Herd(**order))
            _answer(scheduled=order["count"])
        else:
            _answer(recorded=recorded() if recorded else None)
    for child in children:
        child.terminate()
    for child in children:
        child.wait()


def start(*command: str) -> subprocess.Popen[Any]:
    """Start a process of the contender; what it says goes to the program's log."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _answer(**words: Any) -> None:
    print(json.dumps(words), flush=True)  # noqa: T201 (this is how a program answers)
