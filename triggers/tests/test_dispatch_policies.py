"""What the beat does about missed instants, overlaps, ends and rows that cannot be read; and the ledger it keeps."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from triggers import claims, definition, dispatch, schedules
from triggers.models import Event, Trigger
from triggers.tests.factories import make_event, make_trigger

pytestmark = pytest.mark.django_db

NOW = datetime.fromisoformat("2026-03-26T13:32:07.25+00:00")
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def beat(now: datetime) -> bool:
    return dispatch.hand_over_due(claims.start_beat("test:1", now), now)


def finish(trigger: Trigger) -> None:
    trigger.events.unfinished().update(outcome="succeeded", hand_over_at=None, finished_at=NOW)


def counts(trigger: Trigger) -> tuple[int, int, int, int]:
    """Return what the ledger says: due, fired, missed, overlapped."""
    ledger = Trigger.objects.get(pk=trigger.pk).ledger
    return ledger.due, ledger.fired, ledger.missed, ledger.overlapped


# --- Downtime ----------------------------------------------------------------------------------------


def test_run_all_fires_what_was_missed() -> None:
    trigger = make_trigger(schedule_value="600", missed_policy="run_all", now=NOW - 61 * MINUTE)

    beat(NOW)

    assert [event.scheduled_for for event in trigger.events.order_by("scheduled_for")] == [
        NOW - minutes * MINUTE for minutes in (51, 41, 31, 21, 11, 1)
    ]
    assert {event.triggered_at for event in trigger.events.all()} == {NOW}
    assert counts(trigger) == (6, 6, 0, 0)


def test_skip_fires_nothing_that_was_missed() -> None:
    trigger = make_trigger(schedule_value="600", missed_policy="skip", now=NOW - 62 * MINUTE)

    beat(NOW)

    skipped = trigger.events.get()
    assert (skipped.outcome, skipped.skip_cause, skipped.skipped_count) == ("skipped", "missed", 6)
    assert (skipped.scheduled_for, skipped.skipped_until) == (NOW - 52 * MINUTE, NOW - 2 * MINUTE)
    assert skipped.reason == "6 fires were missed while the server was down"
    assert counts(trigger) == (6, 0, 6, 0)
    assert Trigger.objects.get().next_fire_at == NOW + 8 * MINUTE


def test_ten_hours_of_a_one_second_trigger_are_on_the_ledger() -> None:
    trigger = make_trigger(schedule_value="1", now=NOW - timedelta(hours=10))

    beat(NOW)

    assert counts(trigger) == (36_001, 63, 35_938, 0)
    assert trigger.events.count() == 64


@pytest.mark.parametrize("missed_policy", ["run_once", "skip"])
def test_a_date_fires_however_late_within_two_days(missed_policy: str) -> None:
    fields = {"schedule_type": "date", "schedule_value": "2026-03-26T14:00", "missed_policy": missed_policy}
    trigger = make_trigger(now=NOW, **fields)

    beat(NOW + timedelta(hours=48))

    event = trigger.events.get()
    assert (event.outcome, event.scheduled_for) == ("pending", datetime.fromisoformat("2026-03-26T14:00+00:00"))
    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.next_fire_at) == (False, None)


def test_a_date_that_passed_more_than_two_days_ago_is_on_record_as_missed() -> None:
    trigger = make_trigger(schedule_type="date", schedule_value="2026-03-26T14:00", now=NOW)

    beat(NOW + timedelta(hours=49))

    event = trigger.events.get()
    assert (event.outcome, event.skip_cause, event.skipped_count) == ("skipped", "missed", 1)
    assert "more than 48 h ago" in event.reason
    assert counts(trigger) == (1, 0, 1, 0)


# --- Overlaps ----------------------------------------------------------------------------------------


def test_an_instant_at_which_the_event_before_still_runs_is_skipped() -> None:
    trigger = make_trigger(schedule_value="10", overlap_policy="skip", now=NOW - 10 * SECOND)
    beat(NOW)

    for second in range(1, 11):
        beat(NOW + second * SECOND)

    first, second_event = trigger.events.order_by("scheduled_for")
    assert (first.outcome, first.scheduled_for) == ("pending", NOW)
    assert (second_event.outcome, second_event.skip_cause) == ("skipped", "overlap")
    assert second_event.reason == "The event before was not finished"
    assert counts(trigger) == (2, 1, 0, 1)


def test_an_event_that_ends_in_the_last_second_is_no_overlap() -> None:
    trigger = make_trigger(schedule_value="10", overlap_policy="skip", now=NOW - 10 * SECOND)
    beat(NOW)
    beat(NOW + 9.2 * SECOND)  # looks a second ahead, and cannot know yet
    assert trigger.events.count() == 1

    finish(trigger)
    beat(NOW + 9.4 * SECOND)

    assert trigger.events.get(outcome="pending").triggered_at == NOW + 10 * SECOND
    assert counts(trigger) == (2, 2, 0, 0)


def test_a_fast_trigger_that_skips_overlaps_fires_every_second_when_its_events_are_quick() -> None:
    trigger = make_trigger(schedule_value="1", overlap_policy="skip", now=NOW)

    for fifth in range(0, 51):
        now = NOW + fifth * SECOND / 5
        beat(now)
        # As a worker would: what was due by now is done.
        trigger.events.unfinished().filter(due_at__lte=now).update(outcome="succeeded", hand_over_at=None)

    assert counts(trigger) == (10, 10, 0, 0)


def test_a_test_press_is_no_overlap() -> None:
    trigger = make_trigger(schedule_value="10", overlap_policy="skip", now=NOW - 10 * SECOND)
    make_event(trigger, source="test", is_test=True, triggered_at=NOW - SECOND)

    beat(NOW)

    assert trigger.events.filter(source="schedule").get().outcome == "pending"


def test_overlaps_are_allowed_unless_somebody_says_otherwise() -> None:
    trigger = make_trigger(schedule_value="10", now=NOW - 10 * SECOND)

    beat(NOW)
    beat(NOW + 10 * SECOND)

    assert trigger.events.filter(outcome="pending").count() == 2


def test_one_that_waits_for_its_event_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "CHUNK", 1)
    waiting = make_trigger(schedule_value="10", overlap_policy="skip", now=NOW - 9.5 * SECOND)
    make_event(waiting, triggered_at=NOW - 5 * SECOND, hand_over_at=NOW + MINUTE)
    other = make_trigger(schedule_value="10", now=NOW - 9.4 * SECOND)

    beat(NOW)

    assert other.events.count() == 1
    assert waiting.events.count() == 1


# --- Ends --------------------------------------------------------------------------------------------


def test_it_switches_itself_off_after_the_last_fire_allowed() -> None:
    trigger = make_trigger(schedule_value="10", max_fires=2, now=NOW - 10 * SECOND)
    beat(NOW)
    beat(NOW + 10 * SECOND)
    beat(NOW + 20 * SECOND)

    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.next_fire_at) == (False, None)
    assert counts(trigger) == (2, 2, 0, 0)

    again = definition.switch(trigger.pk, on=True, now=NOW + 25 * SECOND)

    assert (again.fired_count, again.next_fire_at) == (0, NOW + 30 * SECOND)


def test_it_switches_itself_off_at_the_end_of_its_window() -> None:
    trigger = make_trigger(schedule_value="10", not_after=NOW + 15 * SECOND, now=NOW)

    beat(NOW + 10 * SECOND)

    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.next_fire_at, trigger.fired_count) == (False, None, 1)


def test_a_spread_moves_every_fire_by_the_same_delay() -> None:
    cron = {"schedule_type": "cron", "schedule_value": "0 * * * *", "spread_seconds": 60}
    triggers = [make_trigger(now=NOW, **cron) for _ in range(3)]
    hour = datetime.fromisoformat("2026-03-26T14:00:00+00:00")
    delays = [schedules.spread_delay(trigger.pk, 60) for trigger in triggers]
    assert len(set(delays)) == 3

    for _ in range(2):
        assert [trigger.next_fire_at for trigger in triggers] == [hour + delay for delay in delays]
        beat(hour + MINUTE)
        assert {event.scheduled_for for event in Event.objects.filter(scheduled_for__gte=hour)} == {
            hour + delay for delay in delays
        }
        hour += timedelta(hours=1)
        for trigger in triggers:
            trigger.refresh_from_db()


# --- Rows that cannot be read ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"time_zone": "Mars/Olympus"}, "IANA time zone name"),
        ({"schedule_type": "moon"}, "fixed_time, fixed_interval, cron or date"),
        ({"schedule_value": "later"}, "whole number of seconds"),
        ({"weekdays": [9], "schedule_type": "fixed_time", "schedule_value": "12:00"}, "1 for Monday"),
        ({"missed_policy": "whatever"}, "whatever"),
    ],
)
def test_a_bad_row_is_paused_with_its_error_and_the_others_fire(
    broken: dict[str, object], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = (make_trigger(schedule_value="3600", now=NOW - 2 * timedelta(hours=1)) for _ in range(2))
    # As an older version, another machine's zones, or a hand in the database may have left it.
    if "time_zone" in broken:
        broken |= {"schedule_type": "cron", "schedule_value": "0 * * * *"}
    Trigger.objects.filter(pk=bad.pk).update(**broken)

    with caplog.at_level(logging.ERROR):
        beat(NOW)

    bad.refresh_from_db()
    assert (bad.enabled, bad.next_fire_at) == (False, None)
    assert bad.problem.startswith("The server switched it off, because it cannot read its schedule: ")
    assert words in bad.problem
    assert f"Trigger {bad.pk} is switched off" in caplog.text
    assert bad.events.get().reason == bad.problem
    assert good.events.filter(outcome="pending").exists()

    mended = definition.change(
        bad.pk,
        {
            "schedule_type": "fixed_interval",
            "schedule_value": "60",
            "time_zone": "UTC",
            "missed_policy": "skip",
            "enabled": True,
        },
        NOW,
    )
    assert (mended.problem, mended.enabled) == ("", True)


# --- A clock that is not the machine's ---------------------------------------------------------------


class ShiftedClock:
    """A clock that starts where it is told, goes on by a fifth of a second a reading, and can be stepped."""

    def __init__(self, now: datetime, steps: dict[int, timedelta]) -> None:
        self.now, self.steps, self.readings = now, steps, 0

    def __call__(self) -> datetime:
        self.readings += 1
        self.now += SECOND / 5 + self.steps.get(self.readings, timedelta())
        return self.now


@pytest.fixture
def fast_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """The beat passes as often as it can: its clock goes on at every reading, whatever the machine's does."""
    monkeypatch.setattr(dispatch, "EVERY_SECONDS", 0)


@pytest.mark.usefixtures("fast_beat")
@pytest.mark.parametrize(
    ("steps", "missed"),
    [
        ({}, 0),
        # Half an hour forward is downtime: one fires for the latest, the rest is counted.
        ({50: timedelta(minutes=30)}, 28),
        # Back by two minutes, and on from there: no instant fires a second time.
        ({400: timedelta(minutes=-2)}, 0),
    ],
)
def test_the_real_beat_follows_its_clock_over_a_step(steps: dict[int, timedelta], missed: int) -> None:
    trigger = make_trigger(schedule_type="cron", schedule_value="* * * * *", now=NOW)
    clock = ShiftedClock(NOW, steps)

    dispatch.run_beat(clock, lasts_seconds=3)

    assert clock.readings > 300  # over a minute by its own clock
    pending = trigger.events.filter(outcome="pending").order_by("id")
    fired = [event.scheduled_for for event in pending if event.scheduled_for]
    assert len(fired) == len(pending) > 0
    assert all(one < following for one, following in pairwise(fired))
    assert all(instant.second == instant.microsecond == 0 for instant in fired)
    ledger = Trigger.objects.get().ledger
    assert (ledger.fired, ledger.missed) == (len(fired), missed)
    timetable = schedules.timetable_of(trigger)
    next_fire_at = Trigger.objects.get().next_fire_at
    assert next_fire_at is not None
    # Every instant up to the next one is in the ledger, once.
    assert ledger.due == timetable.count(NOW, next_fire_at - timedelta(microseconds=1))


@pytest.mark.usefixtures("fast_beat")
@pytest.mark.parametrize(
    ("zone", "text", "start"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T22:00+00:00"),
        ("Europe/Berlin", "*/20 2 * * *", "2026-10-24T23:30+00:00"),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00+00:00"),
        ("Africa/Cairo", "0 0 * * *", "2026-04-23T12:00+00:00"),
        ("Pacific/Chatham", "* 2,4 * * *", "2028-09-23T13:50+00:00"),
    ],
)
def test_the_beat_fires_what_the_preview_says_over_a_change_of_clock(zone: str, text: str, start: str) -> None:
    begin = datetime.fromisoformat(start)
    trigger = make_trigger(schedule_type="cron", schedule_value=text, time_zone=zone, now=begin)
    timetable = schedules.timetable_of(trigger)
    previewed = [fire.at.astimezone(UTC) for fire in schedules.preview(timetable, schedules.zone(zone), begin, 5)]

    generation = claims.start_beat("test:1", begin)
    for at in previewed:
        for now in (at - 3 * SECOND, at - 0.9 * SECOND, at):
            dispatch.hand_over_due(generation, now)

    fired = trigger.events.filter(outcome="pending").order_by("scheduled_for").values_list("scheduled_for", flat=True)
    assert list(fired) == previewed


class PreviewAndBeat(TestCase):
    """hypothesis rolls the database back for every case."""

    @given(
        minute=st.sampled_from(["*", "0", "*/20", "15,45"]),
        hour=st.sampled_from(["*", "2", "0-3", "*/6"]),
        zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
        seconds=st.integers(0, 5 * 366 * 86_400),
        spread=st.sampled_from([0, 90]),
    )
    @hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_preview_equals_what_the_beat_fires(
        self, minute: str, hour: str, zone: str, seconds: int, spread: int
    ) -> None:
        start = datetime(2026, 1, 1, tzinfo=UTC) + seconds * SECOND
        fields = {"schedule_type": "cron", "schedule_value": f"{minute} {hour} * * *", "time_zone": zone}
        trigger = make_trigger(now=start, spread_seconds=spread, **fields)
        timetable = schedules.timetable_of(trigger)
        assert trigger.next_fire_at is not None
        # From the next fire on, as the trigger's page lists them.
        fires = schedules.preview(timetable, schedules.zone(zone), trigger.next_fire_at - SECOND / 1000, 3)
        previewed = [fire.at.astimezone(UTC) for fire in fires]
        assert trigger.next_fire_at == previewed[0]

        for at in previewed:
            beat(at)

        fired = trigger.events.filter(outcome="pending").order_by("scheduled_for")
        assert list(fired.values_list("scheduled_for", flat=True)) == previewed
