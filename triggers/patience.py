"""How long web and clusters wait for PostgreSQL, and how long PostgreSQL waits for one of them.

A process that is frozen, or whose machine is gone, may hold a lock in the middle of a transaction: that of the beat's
row, say, or of an hour's sums, which every worker bumps. PostgreSQL ends such a transaction (`IDLE_SECONDS`), and who
waits gets the lock. Behind a lock that is held for longer, by a migration say, nobody queues for ever (`LOCK_SECONDS`).
How soon a connection that leads nowhere is noticed is said in env.KEPT_ALIVE.

libpq reads these variables, so every process that is started or forked from here keeps to them. What people run
(migrate, a shell, a dump) does not pass here, and takes as long as it takes.
"""

from __future__ import annotations

import os

from django.conf import settings
from django.db import connection

IDLE_SECONDS = 10  # in a transaction, between two statements: a healthy process takes less than one
LOCK_SECONDS = 15  # longer than IDLE_SECONDS: who waits for a frozen process gets the lock, and no error


def bound_waits(name: str) -> None:
    """Let this process, and those that it starts, wait for bounded times; PostgreSQL lists it under its `name`."""
    if connection.vendor != "postgresql":
        return
    os.environ.setdefault("PGAPPNAME", f"event-trigger {name}")
    # A pooler hands a connection to one process after another, and refuses what is said for a whole session.
    if not settings.DATABASE_POOLER:
        os.environ["PGOPTIONS"] = f"{_session()} {os.environ.get('PGOPTIONS', '')}".strip()


def is_bounded() -> bool:
    """Return whether PostgreSQL ends a transaction that is idle for long, asked or by itself."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('idle_in_transaction_session_timeout')")
        return bool(cursor.fetchone()[0] != "0")


def _session() -> str:
    values = {
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        "lock_timeout": f"{LOCK_SECONDS}s",
        # Nothing to wait for: in a large log it compiles a list of 25 triggers for 1.4 s, which then takes 0.2 s.
        "jit": "off",
        "statement_timeout": f"{settings.DATABASE_STATEMENT_SECONDS}s",
        # PostgreSQL notices a machine that is gone, too, and takes its connections back.
        "tcp_keepalives_idle": "10s",
        "tcp_keepalives_interval": "5s",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "15s",
    }
    return " ".join(f"-c {name}={value}" for name, value in values.items())
