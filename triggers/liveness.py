"""Signs between the processes of one cluster, as files in a folder that its watcher makes (`manage.py cluster`).

    alive      touched when a worker starts, is probed, and at every step of a clean-up, a bulk deed or replays; its age
               tells a stuck cluster from an idle or a busy one. The beat does not touch it, nor do threads that
               deliver: they go on where no task reaches a worker any more
    asked      touched when a new beat was asked for, so that not every worker asks
    stopping   is there when the cluster shall stop: begin nothing new
    watcher    locked by the watcher for as long as it lives
    worker-PID how many events this worker has in its hands, and has finished; those of the dead are left
               to `hands`, which adds up what they had finished

Without such a folder (tests, a plain `qcluster`) nothing is shown and nothing is stopped.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

FOLDER_VARIABLE = "CLUSTER_FOLDER"
NAME_VARIABLE = "CLUSTER_NAME"


def show_life() -> None:
    """Note that a worker of this cluster does work."""
    _touch("alive")


def is_stopping() -> bool:
    """Return whether this cluster shall stop: begin nothing new, give back what is not begun."""
    folder = _folder()
    return folder is not None and os.path.exists(f"{folder}/stopping")


def asked_lately(seconds: float) -> bool:
    """Return whether somebody in this cluster asked for a new beat in the last `seconds`; if not, we have now."""
    folder = _folder()
    if folder is None:
        return False
    if age(Path(folder), "asked") < seconds:
        return True
    _touch("asked")
    return False


def cluster_name() -> str:
    """Return the name of the cluster that this process belongs to; "" when it has none."""
    return os.environ.get(NAME_VARIABLE, "")


class Hands(NamedTuple):
    """A worker: how many events it has in its hands, and how many it has finished since it started."""

    held: int
    finished: int


def show_hands(held: int, finished: int = 0) -> None:
    """Note how many events this worker has in its hands, and has finished."""
    folder = _folder()
    if folder is not None and os.path.isdir(folder):
        # Replaced whole: the watcher never reads half a number.
        path = f"{folder}/worker-{os.getpid()}"
        with contextlib.suppress(OSError):  # a full disk: the number is to look at only
            Path(f"{path}.new").write_text(f"{held} {finished}", encoding="ascii")
            os.replace(f"{path}.new", path)


def hands(folder: Path) -> tuple[list[Hands], int]:
    """Return the living workers, and how many events the dead had finished, which is said once.

    What the dead have left is cleared away.
    """
    living, finished_by_dead = [], 0
    for path in folder.glob("worker-*[0-9]"):
        found = Hands(*map(int, path.read_text(encoding="ascii").split()))
        if is_alive(int(path.name.removeprefix("worker-"))):
            living.append(found)
        else:
            finished_by_dead += found.finished
            path.unlink(missing_ok=True)
    return living, finished_by_dead


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # A killed process stays a zombie until its parent looks.
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def age(folder: Path, sign: str) -> float:
    """Return the seconds since a sign was last given; infinite when it never was."""
    try:
        return time.monotonic() - (folder / sign).stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def end_if_orphaned(parent: int) -> None:
    """Kill this cluster's process group when the watcher is gone, or our own `parent` (the guard of the workers).

    Otherwise the rest of a killed cluster would go on taking work that nobody watches.
    """
    folder = _folder()
    if folder is None or (os.getppid() == parent and not _is_unlocked(f"{folder}/watcher")):
        return
    logger.error("The watcher of this cluster is gone: the cluster ends")
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _folder() -> str | None:
    return os.environ.get(FOLDER_VARIABLE)


def _touch(sign: str) -> None:
    folder = _folder()
    if folder is not None and os.path.isdir(folder):
        path = Path(folder, sign)
        path.touch()
        # By the clock that is never set: a step of the other must not make a cluster look stuck, or hide that it is.
        os.utime(path, ns=(time.monotonic_ns(), time.monotonic_ns()))


def _is_unlocked(path: str) -> bool:
    """POSIX record locks belong to one process and are not inherited by a fork: free means that the process is gone."""
    try:
        with open(path, "a", encoding="utf-8") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
