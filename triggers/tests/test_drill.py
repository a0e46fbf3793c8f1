"""A whole drill of the real server, against somebody who takes events out of the database: it must not look well."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from triggers.drill import frame
from triggers.drill.faults import FAULTS, Fault
from triggers.drill.site import Site
from triggers.drill.stores import Sqlite


def _take_events_away(site: Site, chance: random.Random) -> None:
    assert isinstance(site.store, Sqlite)
    last_of = "DELETE FROM triggers_event WHERE id = (SELECT max(id) FROM triggers_event WHERE {})"
    with closing(sqlite3.connect(site.store.path, timeout=20)) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(last_of.format("source = 'api' AND outcome = 'succeeded' AND idempotency_key IS NOT NULL"))
        database.execute(last_of.format("source = 'schedule' AND outcome = 'succeeded'"))


@pytest.mark.cluster
def test_it_notices_what_somebody_takes_out_of_the_database(tmp_path: Path) -> None:
    template = frame.make_template("sqlite", tmp_path / "template")

    accounts = frame.run(Fault("thief", "a thief", _take_events_away), template, tmp_path / "drill", clusters=1, seed=1)

    assert (accounts.lost, accounts.missed) == (1, 1), accounts.breaches
    assert accounts.acked > 10
    assert accounts.events > 100
    assert (accounts.extra, accounts.early, accounts.undelivered) == (0, 0, 0), accounts.breaches


def test_every_fault_has_a_name_of_its_own_and_some_of_them_are_quick() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    for store in ("sqlite", "postgres"):
        quick = [fault for fault in FAULTS if fault.is_quick and store in fault.stores]
        assert 4 <= len(quick) <= 6
        assert not any(fault.needs for fault in quick)
