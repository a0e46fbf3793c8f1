"""A backup holds all that counts, and a restore brings it back."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import time
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone

from triggers import backups, claims, dispatch
from triggers.backups import rows, tables
from triggers.models import Beat, Cluster, Event, Trigger
from triggers.tests.factories import make_api_trigger, make_attempt, make_event, make_trigger

# Each in transactions of its own: a backup reads in one, and a restore writes in one.
pytestmark = pytest.mark.django_db(transaction=True)

# Orders of keys and numbers that PostgreSQL spells in its own way.
PAYLOAD = {"b": 1, "a": [1.0, 1e22, 0.1, 1e-7, None, "ü\n"], "": {}}


def fill() -> None:
    now = timezone.now()
    trigger = make_api_trigger(
        name="Grüße", headers=[["X-Token", "planted", True]], api_endpoint="https://example.com/", payload=PAYLOAD
    )
    make_trigger(schedule_value="600", missed_policy="run_once")
    done = make_event(trigger, outcome="succeeded", triggered_at=now - timedelta(minutes=3))
    make_attempt(done, response_headers=[["Date", "today"]], response_body="thank you")
    make_event(trigger, outcome="failed", replay_of=done, is_test=True)
    lease = now + timedelta(minutes=1)
    make_event(trigger, outcome="delivering", token="theirs", attempt_count=1, hand_over_at=lease)
    retry = now + timedelta(hours=1)
    make_event(trigger, due_at=retry, hand_over_at=retry)


def everything() -> dict[str, list[Any]]:
    """Return all rows that travel, as the database has them but for who may have an event."""
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.db_table in _kept_tables()]
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name != "hand_over_at"}
            for row in model._base_manager.order_by("pk").values()
        ]
        for model in models
    }


def _kept_tables() -> set[str]:
    return {table.name for table in tables.kept(apps)}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The path of a backup of what `fill` makes."""
    fill()
    call_command("backup", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_what_is_restored_is_what_was_kept(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything()
    ids = [event.webhook_id for event in Event.objects.order_by("pk")]
    Trigger.objects.update(name="spoilt")
    make_event()

    call_command("restore", str(kept), replace=True, compare=True)

    assert everything() == before
    assert [event.webhook_id for event in Event.objects.order_by("pk")] == ids
    assert "each read again and found equal" in capsys.readouterr().out
    assert make_event().pk > max(event["id"] for event in before["triggers.Event"])  # ids go on after the largest


def test_what_somebody_held_is_handed_over_at_once(kept: Path) -> None:
    # It was being delivered by a process of then, which nobody here knows; the retry keeps its time.
    call_command("restore", str(kept), replace=True)

    generation = _beat()
    dispatch.hand_over_due(generation, timezone.now())

    taken_back, waits = Event.objects.unfinished().filter(source="api").order_by("pk")
    assert (taken_back.outcome, taken_back.token) == ("pending", "")
    assert taken_back.attempts.get().error_kind == "interrupted"
    assert waits.hand_over_at == waits.due_at > timezone.now()


def test_instants_since_the_backup_are_missed_as_after_any_downtime(kept: Path) -> None:
    call_command("restore", str(kept), replace=True)
    trigger = Trigger.objects.get(schedule_value="600")

    dispatch.hand_over_due(_beat(), trigger.starts_at + timedelta(hours=2, minutes=5))

    # Of twelve instants one fires when it is back, and eleven are on record.
    trigger.refresh_from_db()
    fired, skipped = trigger.events.get(outcome="pending"), trigger.events.get(outcome="skipped")
    assert fired.scheduled_for == trigger.starts_at + timedelta(hours=2)
    assert (trigger.fired_count, trigger.missed_count, skipped.skipped_count) == (1, 11, 11)


def test_a_beat_of_before_is_none_any_more(kept: Path) -> None:
    generation = _beat()
    Beat.objects.update(seen_at=None)  # frozen, say: it does not know

    call_command("restore", str(kept), replace=True)

    with pytest.raises(dispatch.Superseded):
        dispatch.hand_over_due(generation, timezone.now() + timedelta(hours=1))


def test_what_is_compared_does_not_fill_the_memory() -> None:
    table = tables.Table("notes", (tables.Column("id", "plain"), tables.Column("body", "json")))
    bodies = [json.dumps({"n": number, "text": "x" * 10_000}) for number in range(2000)]
    seen = rows.Sum(table)
    tracemalloc.start()
    try:
        seen.add([[1, body] for body in bodies])
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_backup_is_for_its_owner_alone_and_has_no_key_in_it(
    settings: LazySettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DATA_DIR = tmp_path
    fill()

    call_command("backup")

    (kept,) = (tmp_path / "backups").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert "The keys are not in it" in capsys.readouterr().err
    text = gzip.decompress(kept.read_bytes()).decode()
    assert "planted" not in text
    for key in [*settings.ENCRYPTION_KEYS, settings.SECRET_KEY]:
        assert key not in text


def test_of_nightly_backups_the_newest_stay(settings: LazySettings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    folder = tmp_path / "backups"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"2026-01-0{day}-021500.jsonl.gz").touch()
    (folder / "my-own.jsonl.gz").touch()
    for age, part in ((2, "killed"), (0, "at-work")):
        (folder / f".2026-01-01-021500.jsonl.gz.{part}.part").touch()
        at = time.time() - age * 24 * 3600
        os.utime(folder / f".2026-01-01-021500.jsonl.gz.{part}.part", (at, at))

    call_command("backup", keep=2)

    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == 4
    assert {"2026-01-03-021500.jsonl.gz", "my-own.jsonl.gz", ".2026-01-01-021500.jsonl.gz.at-work.part"} < set(left)


def test_the_definitions_alone_are_kept_without_what_was_fired(tmp_path: Path) -> None:
    fill()
    before = everything()

    call_command("backup", str(tmp_path / "kept"), no_events=True)
    call_command("restore", str(tmp_path / "kept"), replace=True)

    assert everything() == before | {label: [] for label in tables.FIRED}


def test_a_database_that_holds_something_is_refused(kept: Path) -> None:
    make_event()

    with pytest.raises(CommandError, match=r"holds something already .* Name an empty one, or say --replace"):
        call_command("restore", str(kept))

    assert Event.objects.count() == 5


def test_what_cannot_be_replaced_in_one_transaction_stays(kept: Path) -> None:
    """The tables would have to be those of then, which only empty ones can be made."""
    older = io.BytesIO(_with_header(kept.read_bytes(), migrations={"triggers": ["0004_recipes_of_triggers"]}))
    before = everything()

    with pytest.raises(backups.RestoreError, match=r"cannot be replaced, and stays as it is: name a new database"):
        backups.restore(older, timezone.now(), replaces=True)

    assert everything() == before


def test_a_database_that_a_server_works_on_is_refused(kept: Path) -> None:
    now = timezone.now()
    Cluster.objects.create(name="north-kilo", host="h", pid=1, started_at=now, seen_at=now)

    with pytest.raises(CommandError, match=r"A server is at work on this database \(cluster north-kilo\): stop it"):
        call_command("restore", str(kept), replace=True)


def test_a_server_that_was_killed_before_the_clock_was_set_back_is_not_at_work(kept: Path) -> None:
    later = timezone.now() + timedelta(minutes=5)
    Cluster.objects.create(name="north-kilo", host="h", pid=1, started_at=later, seen_at=later)
    Beat.objects.update_or_create(pk=Beat.ID, defaults={"seen_at": later})

    call_command("restore", str(kept), replace=True)

    assert Event.objects.count() == 4


def test_it_says_that_the_keys_are_missing(
    kept: Path, settings: LazySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ENCRYPTION_KEYS = ["A" * 43 + "="]

    call_command("restore", str(kept), replace=True)

    assert "none of the ENCRYPTION_KEYS fits. Put the key of then at their end" in capsys.readouterr().out


def test_a_backup_can_be_checked_and_nothing_is_touched(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_event()

    call_command("restore", str(kept), check=True)

    assert "The backup is whole" in capsys.readouterr().out
    assert Event.objects.count() == 5


def _cut(kept: bytes) -> bytes:
    return kept[: len(kept) // 2]


def _without_end(kept: bytes) -> bytes:
    return gzip.compress(b"".join(gzip.decompress(kept).splitlines(keepends=True)[:-1]))


def _altered(kept: bytes) -> bytes:
    return gzip.compress(gzip.decompress(kept).replace(b"example.com", b"example.net"))


def _damaged(kept: bytes) -> bytes:
    middle = len(kept) // 2
    return kept[:middle] + bytes(each ^ 0xFF for each in kept[middle : middle + 20]) + kept[middle + 20 :]


def _with_header(kept: bytes, **values: Any) -> bytes:
    header, rest = gzip.decompress(kept).split(b"\n", 1)
    return gzip.compress(json.dumps(json.loads(header) | values).encode() + b"\n" + rest)


def _of_other_tables(kept: bytes) -> bytes:
    """Says of itself that it is older, and has the columns of now."""
    header = json.loads(gzip.decompress(kept).split(b"\n", 1)[0])
    return _with_header(kept, migrations=header["migrations"] | {"triggers": ["0004_recipes_of_triggers"]})


def _of_a_newer_form(kept: bytes) -> bytes:
    return _with_header(kept, format=2, version="3.0.0")


def _of_a_newer_version(kept: bytes) -> bytes:
    return _with_header(kept, version="3.0.0", migrations={"triggers": ["0999_much_later"]})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_cut, "The file is cut"),
        (_without_end, "The file is cut"),
        (_altered, "altered or damaged"),
        (_damaged, "altered or damaged"),
        (lambda kept: b"PGDMP", "no backup of this server"),
        (lambda kept: gzip.compress(b"{}\n"), "no backup of this server"),
        (_of_other_tables, "does not say right how its table triggers_"),
        (_of_a_newer_form, "restore it with version 3.0.0"),
        (_of_a_newer_version, r"version 3.0.0, which is newer than this server \(triggers.0999_much_later"),
    ],
)
def test_what_is_no_whole_backup_is_refused_and_nothing_is_touched(
    kept: Path, spoil: Callable[[bytes], bytes], words: str
) -> None:
    kept.write_bytes(spoil(kept.read_bytes()))

    with pytest.raises(CommandError, match=words):
        call_command("restore", str(kept), replace=True)

    assert Event.objects.count() == 4


def _beat() -> int:

    return claims.start_beat("host:1", timezone.now())
