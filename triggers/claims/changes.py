"""The record of triggers that the server switches off by itself, in the statement's own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from triggers.claims.sql import among, id_set, instant, rows_table, run, timestamp


def note_switched_off(triggers: Sequence[tuple[int, str]], now: datetime) -> None:
    """Put on record that the server has switched off these triggers (id, and why in words): a new version of each."""
    if not triggers:
        return
    run(
        f"UPDATE triggers_trigger SET version = version + 1 WHERE id {among()}",
        id_set(pk for pk, _ in triggers),
    )
    table, values = rows_table({"id": "bigint", "reason": "text"}, list(triggers))
    run(
        "INSERT INTO triggers_change (trigger_id, at, by_kind, by_name, kind, version, reason) "
        f"SELECT t.id, {timestamp('%s')}, 'server', '', 'switched_off', t.version, r.reason "
        f"FROM {table} JOIN triggers_trigger t ON t.id = r.id WHERE true",
        instant(now),
        *values,
    )
