"""A database in trouble: what is wrong, told apart and said in words, with the way out.

Both databases say it in their own way (SQLite by result codes, PostgreSQL by SQLSTATE), and Django raises most of it as
OperationalError, some as DatabaseError or InternalError. `fault_of` is the one place that knows; calls, pages, checks
and the log say what it returns. Nothing here asks the database.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils import translation
from django.utils.translation import gettext_lazy as _

SAID_EVERY_SECONDS = 60.0  # the same fault in the log, however often it strikes


@dataclass(frozen=True, slots=True)
class Fault:
    """`words` say what is wrong, `remedy` the way out: both in the reader's language. `retry_after`: seconds."""

    name: str
    words: Any  # lazy: said in the language of who reads it
    remedy: Any
    retry_after: int


LOCKED = Fault(
    "locked",
    _("Another program holds the database’s write lock."),
    _("Try again in a moment; if it stays, end the program that holds the database file (a backup, an editor)."),
    retry_after=1,
)
FULL = Fault(
    "full",
    _("The disk of the server is full."),
    _("Make room on the disk of the database; what was accepted is kept, and goes on by itself."),
    retry_after=30,
)
BROKEN_DISK = Fault(
    "disk",
    _("The disk of the database reports errors."),
    _("Look at the machine’s log (dmesg) and at the disk before anything else is written."),
    retry_after=30,
)
READ_ONLY = Fault(
    "read_only",
    _("The database can be read, and not written."),
    _("Let the server’s user write the file and its folder; on PostgreSQL, point DATABASE_URL to the primary."),
    retry_after=30,
)
DAMAGED = Fault(
    "damaged",
    _("The database is damaged."),
    _("Stop the server, keep a copy of what is there, and restore a backup."),
    retry_after=60,
)
OUTDATED = Fault(
    "outdated",
    _("The database is of another version than the server."),
    _("Run: manage.py migrate"),
    retry_after=10,
)
CROWDED = Fault(
    "crowded",
    _("The database takes no further connections."),
    _("Raise max_connections of PostgreSQL, or run fewer web threads and workers."),
    retry_after=5,
)
SLOW = Fault(
    "slow",
    _("The database took too long."),
    _("Try again in a moment; if it stays, look at what else the database does."),
    retry_after=1,
)
AWAY = Fault(
    "away",
    _("The database does not answer just now."),
    _("Try again in a moment; if it stays, look whether the database runs and DATABASE_URL is right."),
    retry_after=1,
)

_OF_SQLITE = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: BROKEN_DISK,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_CANTOPEN: AWAY,
}
# The memory that connections share, beside the file: where there is no room for it, the disk is full.
_NO_ROOM = {sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP}
_OF_POSTGRES = {
    "25006": READ_ONLY,
    # What ends a transaction that was idle, or open, for too long is no OperationalError but an InternalError.
    "25P03": SLOW,
    "25P04": SLOW,
    "40001": SLOW,
    "40P01": SLOW,
    "42703": OUTDATED,
    "42P01": OUTDATED,
    "53100": FULL,
    "53300": CROWDED,
    "55P03": SLOW,
    "57014": SLOW,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}
# What PostgreSQL, or a pooler before it, says to who is not let in; such an error has no SQLSTATE.
_FULL_HOUSE = ("too many clients", "remaining connection slots", "too many connections", "no more connections")


def fault_of(error: BaseException | None) -> Fault | None:
    """Return what is wrong with the database; None for an error that is no fault of its (a bug of ours, say)."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return None
    cause = error.__cause__ or error.__context__
    if isinstance(cause, sqlite3.Error):
        return fault_of_sqlite(cause)
    state = getattr(cause, "sqlstate", None)
    if state in _OF_POSTGRES:
        return _OF_POSTGRES[state]
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    return CROWDED if any(words in str(error) for words in _FULL_HOUSE) else AWAY


def fault_of_sqlite(error: sqlite3.Error) -> Fault | None:
    """Return the same for an error of SQLite that did not pass through Django."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python's own module: the connection is closed, say
        return AWAY if isinstance(error, sqlite3.OperationalError | sqlite3.InterfaceError) else None
    if code in _NO_ROOM:
        return FULL
    if code & 0xFF == sqlite3.SQLITE_ERROR:
        return OUTDATED if "no such table" in str(error) or "no such column" in str(error) else None
    return _OF_SQLITE.get(code & 0xFF)


# --- In the log ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Said:
    at: float = float("-inf")
    since: int = 0  # times that it struck and was not said
    lock: threading.Lock = field(default_factory=threading.Lock)


_said: dict[tuple[str, str], _Said] = {}


def log(logger: logging.Logger, what: str, error: BaseException) -> None:
    """Log what could not be done. A fault of the database in one line, the same one once a minute, with how often
    it struck in between (a full disk must not be filled by the log); any other error whole."""
    fault = fault_of(error)
    if fault is None:
        logger.error("%s", what, exc_info=error)
        return
    said = _said.setdefault((logger.name, fault.name), _Said())
    with said.lock:
        now = time.monotonic()
        if now - said.at < SAID_EVERY_SECONDS:
            said.since += 1
            return
        said.at, more, said.since = now, said.since, 0
    times = f" ({more:,} times more since it was last said)" if more else ""
    with translation.override("en"):
        logger.error("%s: %s %s [%s]%s", what, fault.words, fault.remedy, str(error).strip().partition("\n")[0], times)


class SaidInWords(logging.Filter):
    """Leaves out what Django itself logs of a request that met a fault, the way through the code: `log` has said it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and fault_of(record.exc_info[1]))
