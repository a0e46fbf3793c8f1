"""The record of triggers that the server switches off by itself, in the statement's own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from triggers.claims.sql import instant, rows_table, run, timestamp


def note_switched_off(triggers: Sequence[tuple[int, str]], now: datetime) -> None:
    """Put on record that the server has switched off these triggers (id, and why in words)."""
    if not triggers:
        return
    table, values = rows_table({"id": "bigint", "reason": "text"}, list(triggers))
    run(
        "INSERT INTO triggers_change (trigger_id, at, by_kind, by_name, kind, reason) "
        f"SELECT r.id, {timestamp('%s')}, 'server', '', 'switched_off', r.reason FROM {table} WHERE true",
        instant(now),
        *values,
    )
