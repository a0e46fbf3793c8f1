"""Every instant that has come due ends in exactly one way: fired, missed, or overlapping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from triggers import schedules
from triggers.schedules import Cause, Settled, Skip, Timetable, Window, settle

NOW = datetime(2026, 3, 26, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AHEAD = SECOND


def every(seconds: int, *, until: datetime | None = None) -> Timetable:
    """Fires at NOW, and every so many seconds before and after."""
    start = NOW - timedelta(days=30)
    return Timetable(schedules.FixedInterval(timedelta(seconds=seconds), start), Window(not_after=until))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


# --- In time -----------------------------------------------------------------------------------------


def test_it_fires_what_is_due_within_the_horizon() -> None:
    assert settle(every(10), NOW, NOW, NOW + AHEAD) == Settled([NOW], [], NOW + 10 * SECOND)
    assert settle(every(1), NOW, NOW, NOW + AHEAD) == Settled([NOW, NOW + SECOND], [], NOW + 2 * SECOND)


def test_up_to_a_minute_late_nothing_is_missed() -> None:
    settled = settle(every(20), ago(60), NOW, NOW + AHEAD, missed_policy="skip")

    assert settled == Settled([ago(60), ago(40), ago(20), NOW], [], NOW + 20 * SECOND)


# --- Missed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "fires", "skips"),
    [
        ("run_once", [ago(120)], [Skip(Cause.MISSED, ago(3600), ago(240), 29)]),
        ("run_all", [ago(seconds) for seconds in range(3600, 0, -120)], []),
        ("skip", [], [Skip(Cause.MISSED, ago(3600), ago(120), 30)]),
    ],
)
def test_a_downtime_of_an_hour(policy: str, fires: list[datetime], skips: list[Skip]) -> None:
    settled = settle(every(120), ago(3600), NOW, NOW + AHEAD, missed_policy=policy)

    assert settled == Settled([*fires, NOW], skips, NOW + 120 * SECOND)


def test_a_single_missed_instant_is_the_latest() -> None:
    settled = settle(every(7200), ago(7200), ago(30), ago(29))

    assert settled == Settled([ago(7200)], [], NOW)


@pytest.mark.parametrize("seconds", [1, 10])
def test_run_all_fires_the_newest_hundred_and_counts_the_rest(seconds: int) -> None:
    settled = settle(every(seconds), ago(36_000), NOW, NOW + AHEAD, missed_policy="run_all")

    missed = [fire for fire in settled.fires if fire < ago(60)]
    assert len(missed) == 100
    assert settled.skips == [
        Skip(
            Cause.MISSED,
            ago(36_000),
            missed[0] - timedelta(seconds=seconds),
            # What is 60 s late or less was not missed, nor are the hundred.
            36_000 // seconds - 60 // seconds - 100,
        )
    ]


def test_a_window_that_ended_in_the_downtime_ends_the_trigger() -> None:
    settled = settle(every(600, until=ago(1800)), ago(3600), NOW, NOW + AHEAD)

    assert settled == Settled([ago(1800)], [Skip(Cause.MISSED, ago(3600), ago(2400), 3)], None)


# --- Overlapping -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "is_running", "expected"),
    [
        # Free: it fires, ahead of its instant as always.
        (NOW + SECOND, False, Settled([NOW + SECOND], [], NOW + 2 * SECOND)),
        # Still running a second before: it may be over by then, so a later pass decides.
        (NOW + SECOND, True, Settled([], [], NOW + SECOND)),
        # Still running when the instant comes: skipped.
        (NOW, True, Settled([], [Skip(Cause.OVERLAP, NOW, NOW, 1)], NOW + SECOND)),
        # Free, and two have come: one fires, the other would overlap with it.
        (ago(1), False, Settled([ago(1)], [Skip(Cause.OVERLAP, NOW, NOW, 1)], NOW + SECOND)),
    ],
)
def test_one_event_at_a_time(first: datetime, is_running: bool, expected: Settled) -> None:
    settled = settle(every(1), first, NOW, NOW + AHEAD, overlap_policy="skip", is_running=is_running)

    assert settled == expected


def test_overlaps_are_allowed_unless_somebody_says_otherwise() -> None:
    assert settle(every(1), ago(5), NOW, NOW, is_running=True).skips == []


# --- At most so many ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "fires"), [(1, [ago(20)]), (2, [ago(20), ago(10)]), (3, [ago(20), ago(10), NOW])])
def test_the_last_allowed_fire_ends_the_trigger(left: int, fires: list[datetime]) -> None:
    assert settle(every(10), ago(20), NOW, NOW + AHEAD, fires_left=left) == Settled(fires, [], None)


def test_it_goes_on_while_fires_are_left() -> None:
    assert settle(every(10), NOW, NOW, NOW + AHEAD, fires_left=2) == Settled([NOW], [], NOW + 10 * SECOND)


# --- Exactly one outcome -----------------------------------------------------------------------------


@given(
    seconds=st.integers(1, 900),
    back=st.integers(0, 20_000),
    offset=st.floats(0, 1, exclude_max=True),
    missed_policy=st.sampled_from(["run_once", "run_all", "skip"]),
    overlap_policy=st.sampled_from(["allow", "skip"]),
    is_running=st.booleans(),
)
@hypothesis_settings(deadline=None)
def test_every_due_instant_has_exactly_one_outcome(
    seconds: int, back: int, offset: float, missed_policy: str, overlap_policy: str, is_running: bool
) -> None:
    timetable = every(seconds)
    first = timetable.next_after(ago(back))
    assert first is not None
    now = max(first, NOW + timedelta(seconds=offset))

    settled = settle(
        timetable,
        first,
        now,
        now + AHEAD,
        missed_policy=missed_policy,
        overlap_policy=overlap_policy,
        is_running=is_running,
    )

    assert settled.following is not None
    before = settled.following - timedelta(microseconds=1)
    due = timetable.newest(first - timedelta(microseconds=1), before, 100_000)
    of_skips = [
        instant
        for skip in settled.skips
        for instant in timetable.newest(skip.first - timedelta(microseconds=1), skip.last, 100_000)
    ]
    assert sorted(settled.fires + of_skips) == due
    assert sum(skip.count for skip in settled.skips) == len(of_skips)
    # What has come is settled; nothing is claimed further ahead than allowed.
    assert settled.following > now
    assert all(fire <= now + AHEAD for fire in settled.fires)
