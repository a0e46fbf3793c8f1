"""The processes of this machine, as /proc shows them."""

from __future__ import annotations

from pathlib import Path


def is_there(pid: int) -> bool:
    """Return whether a process runs; one that has ended and was not collected does not."""
    stat = _stat(pid)
    return stat is not None and stat[0] != "Z"


def parent(pid: int) -> int | None:
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def children(pid: int) -> list[int]:
    """Return the running children of a process, the oldest first."""
    return [each for each in _all() if parent(each) == pid and is_there(each)]


def with_variable(name: str, value: str) -> list[int]:
    """Return the processes that were started with this in their environment."""
    wanted = f"{name}={value}".encode()
    return [pid for pid in _all() if wanted in _environment(pid).split(b"\0") and is_there(pid)]


def _all() -> list[int]:
    return sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[str] | None:
    """Return the state, the parent and so on; None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
