"""The processes of a contender: all that descends from one, and the time of the processor they took. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def tree(root: int) -> dict[int, str]:
    """Return the process and all that descend from it, as far as they live: each with the tick of its start."""
    children, started = defaultdict(list), {}
    for pid, fields in _all():
        children[int(fields[1])].append(pid)
        started[pid] = fields[19]
    found, waiting = {}, [root]
    while waiting:
        pid = waiting.pop()
        waiting += children[pid]
        if pid in started:
            found[pid] = started[pid]
    return found


def cpu_seconds(*roots: int) -> float:
    """Return what these processes and their descendants have used so far, those included that have ended meanwhile."""
    mine = {pid for root in roots for pid in tree(root)}
    # utime, stime, and both of the children that were waited for (proc(5), fields 14 to 17)
    return sum(sum(map(int, fields[11:15])) for pid, fields in _all() if pid in mine) / _TICK


def kill(processes: dict[int, str]) -> None:
    """Kill those of a tree that still live; a number that another process has by now is left alone."""
    for pid, fields in _all():
        if processes.get(pid) == fields[19]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _all() -> Iterator[tuple[int, list[str]]]:
    """Every process, with the fields of /proc/PID/stat from the state (field 3) on."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(path.name), (path / "stat").read_text().rpartition(")")[2].split()
