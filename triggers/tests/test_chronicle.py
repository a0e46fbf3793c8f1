"""Every change of a definition is on record: who, when, old and new; secrets only as changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from triggers import chronicle, claims, definition, dispatch, retention
from triggers.models import SERVER, Author, Change, Trigger
from triggers.tests.factories import make_api_trigger, make_event, make_trigger
from triggers.vault import MASK

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MARA = Author("user", 7, "Mara Lindqvist")


def edit(trigger: Trigger, **fields: Any) -> list[dict[str, Any]]:
    """Change the trigger and return what the newest change says of its fields."""
    definition.change(trigger.pk, fields, NOW, MARA)
    newest = trigger.changes.newest_first().first()
    assert newest
    return newest.differences


def beat(now: datetime) -> None:
    dispatch.hand_over_due(claims.start_beat("test:1", now), now)


# --- Who and what ----------------------------------------------------------------------------------------


def test_each_deed_is_on_record_with_who_did_it() -> None:
    trigger = definition.create({"type": "api", "payload": {}}, NOW, MARA)
    definition.switch(trigger.pk, on=False, now=NOW, by=MARA)
    definition.switch(trigger.pk, on=True, now=NOW, by=Author("api_key", 3, "terraform"))
    definition.rotate_signing_secret(trigger.pk, NOW)
    definition.delete(trigger.pk, NOW, MARA)

    deeds = [(each.kind, each.by_kind, each.by_name) for each in Change.objects.order_by("id")]
    assert deeds == [
        ("created", "user", "Mara Lindqvist"),
        ("switched_off", "user", "Mara Lindqvist"),
        ("switched_on", "api_key", "terraform"),
        ("secret_replaced", "server", ""),
        ("deleted", "user", "Mara Lindqvist"),
    ]
    assert {each.at for each in Change.objects.all()} == {NOW}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "B"}, [{"field": "name", "old": "A", "new": "B"}]),
        ({"payload": {"a": 1}}, [{"field": "payload", "old": {"greeting": "hello"}, "new": {"a": 1}}]),
        ({"timeout_seconds": 5}, [{"field": "timeout_seconds", "old": None, "new": 5}]),
        (
            {"not_after": "2026-07-01T10:00"},
            [{"field": "not_after", "old": None, "new": "2026-07-01T10:00:00+00:00"}],
        ),
        ({"name": "A", "payload": {"greeting": "hello"}}, None),
        ({"headers": [["X-Team", "red", False]]}, [{"field": "headers", "old": None, "new": "red", "name": "X-Team"}]),
    ],
)
def test_it_says_what_was_and_what_is(fields: dict[str, Any], expected: list[dict[str, Any]] | None) -> None:
    trigger = make_trigger(name="A", now=NOW)

    found = edit(trigger, **fields)

    assert found == (expected or [])
    assert trigger.changes.count() == (2 if expected else 1)


def test_of_a_schedule_and_of_retries_it_says_the_whole() -> None:
    trigger = make_trigger(now=NOW)

    (schedule,) = edit(trigger, schedule_value="90")
    assert (schedule["old"]["schedule_value"], schedule["new"]["schedule_value"]) == ("60", "90")
    assert schedule["new"]["schedule_type"] == "fixed_interval"
    (retries,) = edit(trigger, retry_delays=[1, 2])
    assert retries["new"] == {"delays": [1, 2], "statuses": "", "no_answer": True}


def test_an_edit_that_also_switches_is_two_changes() -> None:
    trigger = make_trigger(now=NOW)
    definition.change(trigger.pk, {"name": "B", "enabled": False}, NOW, MARA)
    assert [each.kind for each in trigger.changes.newest_first()] == ["switched_off", "changed", "created"]


def test_what_is_refused_is_not_on_record() -> None:
    trigger = make_trigger(now=NOW)
    with pytest.raises(ValidationError):
        definition.change(trigger.pk, {"name": "B", "schedule_value": "0"}, NOW)
    assert trigger.changes.count() == 1


# --- Secrets, and what is large -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        (["T", "s3cret-1", True], ["T", "s3cret-2", True], MASK, MASK),
        (["T", "s3cret-1", False], ["T", "s3cret-1", True], MASK, MASK),  # it was one before, only unsaid
        (["T", "s3cret-1", True], None, MASK, None),
        (None, ["T", "s3cret-1", True], None, MASK),
    ],
)
def test_a_secret_header_is_only_said_to_have_changed(
    before: list[Any] | None, after: list[Any] | None, old: str | None, new: str | None
) -> None:
    trigger = make_trigger(now=NOW, headers=[before] if before else [])

    found = edit(trigger, headers=[after] if after else [])

    assert found == [{"field": "headers", "old": old, "new": new, "name": "T"}]
    assert "s3cret" not in str(found)


def test_a_header_that_keeps_its_secret_has_not_changed() -> None:
    trigger = make_trigger(now=NOW, headers=[["T", "s3cret", True], ["U", "1", False]])
    definition.change(trigger.pk, {"headers": [["T", MASK, True], ["U", "1", False]]}, NOW)
    assert trigger.changes.count() == 1
    (order,) = edit(trigger, headers=[["U", "1", False], ["T", MASK, True]])
    assert (order["old"], order["new"]) == (["T", "U"], ["U", "T"])


def test_values_are_encrypted_in_the_database() -> None:
    trigger = make_trigger(now=NOW)
    edit(trigger, headers=[["X-Team", "red-and-blue", False]])
    with connection.cursor() as cursor:
        cursor.execute("SELECT fields FROM triggers_change WHERE fields IS NOT NULL")
        assert "red-and-blue" not in str(cursor.fetchall())


def test_of_a_large_payload_it_keeps_the_sizes() -> None:
    trigger = make_trigger(now=NOW)
    (found,) = edit(trigger, payload={"a": "x" * chronicle.LARGEST_KEPT})
    assert (found["old"], found["new"]) == (None, None)
    assert (found["old_bytes"], found["new_bytes"]) == (21, chronicle.LARGEST_KEPT + 9)


# --- What the server does by itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"is_recurring": False}, dispatch.FIRED_ONCE),
        ({"max_fires": 1}, dispatch.FIRED_ALL),
        ({"not_after": NOW + timedelta(seconds=70)}, dispatch.IS_OVER),
    ],
)
def test_a_trigger_that_switches_itself_off_says_why(fields: dict[str, Any], reason: str) -> None:
    trigger = make_trigger(now=NOW, **fields)
    make_trigger(now=NOW)  # fires on

    beat(NOW + timedelta(seconds=60))

    (change,) = Change.objects.filter(kind="switched_off")
    assert (change.trigger_id, change.by_kind, change.by_id, change.reason) == (trigger.pk, "server", None, reason)
    assert change.differences == []


def test_one_whose_schedule_cannot_be_read_says_so() -> None:
    make_trigger(schedule_type="cron", schedule_value="* * * * *", now=NOW)
    Trigger.objects.update(time_zone="Mars/Phobos")

    beat(NOW + timedelta(seconds=60))

    assert "cannot read its schedule" in Change.objects.get(kind="switched_off").reason


def test_one_that_failures_switch_off_says_so() -> None:
    trigger = make_api_trigger(now=NOW)
    (switched,) = claims.count_streaks([claims.Streak(trigger.pk, 3, True, 3)], "After {} failures.", "After one.")
    claims.note_switched_off([switched], NOW)
    change = Change.objects.get(kind="switched_off")
    assert (change.trigger_id, change.reason, change.at) == (trigger.pk, "After 3 failures.", NOW)


def test_an_ordinary_fire_costs_no_statement_more() -> None:
    make_trigger(now=NOW)
    generation = claims.start_beat("test:1", NOW)
    with CaptureQueriesContext(connection) as found:
        dispatch.hand_over_due(generation, NOW + timedelta(seconds=60))
    assert not [query for query in found if "triggers_change" in query["sql"]]


# --- Kept --------------------------------------------------------------------------------------------------


def test_it_outlives_the_trigger_and_is_forgotten_after_its_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    trigger = make_api_trigger(now=NOW)
    definition.delete(trigger.pk, NOW, MARA)
    retention.forget_triggers(NOW + timedelta(days=3))
    assert not Trigger.with_deleted.exists()
    assert [each.by_name for each in Change.objects.order_by("id")] == [SERVER.name, "Mara Lindqvist"]

    make_event()  # another trigger, created today
    assert retention.forget_changes(NOW + timedelta(days=89)) == 0
    assert retention.forget_changes(NOW + timedelta(days=90)) == 2


def test_a_header_that_becomes_a_secret_is_masked_in_what_was_on_record_before() -> None:
    trigger = make_trigger(now=NOW, headers=[["T", "s3cret-1", False], ["U", "1", False]])
    edit(trigger, headers=[["T", "s3cret-2", False], ["U", "2", False]])
    edit(trigger, headers=[["T", "s3cret-2", True], ["U", "2", False]])

    said = [change.fields for change in trigger.changes.all()]
    assert "s3cret" not in str(said)
    assert {"field": "headers", "old": "1", "new": "2", "name": "U"} in next(
        each for each in said if each and len(each) == 2
    )
