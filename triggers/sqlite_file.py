"""The file of SQLite, its write-ahead log, and the room on their disk: kept small, looked after, and looked at.

At a full disk SQLite cannot even delete. So a *reserve* stands beside the database: a file that is given up when
the disk is full and something can be deleted, so that the server makes room in the database by itself. On PostgreSQL
nothing here does anything.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import connection

from triggers import faults

RESERVE_BYTES = 16 * 1024 * 1024  # a write-ahead log of its usual size, and some deleting
LARGE_LOG_BYTES = 16 * 1024 * 1024  # the same as journal_size_limit in settings.py
NO_ROOM_BYTES = 8 * 1024 * 1024  # with less on the disk, writing fails or soon will
_NOT_LONG_SECONDS = 0.2


def path() -> Path | None:
    """Return where the database lies; None where it is none of SQLite's, or in memory."""
    if connection.vendor != "sqlite":
        return None
    found = Path(str(connection.settings_dict["NAME"]))
    return found if found.exists() else None


def free_bytes() -> int | None:
    """Return how much room is left on the disk of the database; None where that is another machine's matter."""
    found = path()
    return shutil.disk_usage(found.parent).free if found else None


def size() -> int:
    """Return the bytes of the database, its write-ahead log included."""
    found = path()
    return _size(found) + _size(_log_of(found)) if found else 0


def trouble(is_silent: bool) -> faults.Fault | None:
    """Return why nothing can be written; None when nothing speaks against it.

    `is_silent`: nothing beats, so that it is worth to ask for the write lock.
    """
    free = free_bytes()
    if free is not None and free < NO_ROOM_BYTES:
        return faults.FULL
    return _why_not_written() if is_silent and not connection.in_atomic_block else None


def _why_not_written() -> faults.Fault | None:
    """Begin to write, on a connection that waits for nobody, and change nothing."""
    found = path()
    if found is None:
        return None
    try:
        with closing(_open(found)) as raw:
            raw.execute("BEGIN IMMEDIATE")
            raw.execute("ROLLBACK")
    except sqlite3.Error as error:
        return faults.fault_of_sqlite(error)
    return None


def fold_log(larger_than: int = 0) -> bool:
    """Fold a write-ahead log of more than so many bytes into the database and leave it empty; return whether it was.

    Not while somebody reads what was before, for minutes say: then writers would have to wait for that. (A log of its
    usual size, some 4 MB, is written over and over again, which needs no room on a disk that is full meanwhile.)
    """
    found = path()
    if found is None or _size(_log_of(found)) <= larger_than:
        return False
    with closing(_open(found)) as raw:
        is_busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not is_busy


def _log_of(found: Path) -> Path:
    return Path(f"{found}-wal")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _open(found: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{found.absolute().as_uri()}?mode=rw", uri=True, timeout=_NOT_LONG_SECONDS, isolation_level=None
    )


# --- The reserve ---------------------------------------------------------------------------------------


def keep_reserve() -> bool:
    """Have the reserve, unless that would make room scarce; return whether it is there."""
    reserve, free = _reserve(), free_bytes()
    if reserve is None or free is None:
        return False
    if not reserve.exists() and free > 4 * RESERVE_BYTES:
        try:
            with open(reserve, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            reserve.unlink(missing_ok=True)  # a part of it would pass for all
            raise
    return reserve.exists()


def give_up_reserve() -> bool:
    """Give the room of the reserve to the database; return whether there was one."""
    reserve = _reserve()
    if reserve is None or not reserve.exists():
        return False
    reserve.unlink()
    return True


def _reserve() -> Path | None:
    found = path()
    return Path(f"{found}-reserve") if found else None
