"""Changes of the clock: every one of 2026 to 2030, and random expressions, against a walk through real minutes."""

from __future__ import annotations

import csv
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from hypothesis import Phase, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from triggers import schedules
from triggers.schedules import Cron, FixedTime, Schedule, cron
from triggers.schedules.zones import changes
from triggers.tests.clock_oracle import MINUTE, fires

TRANSITIONS: Path = settings.BASE_DIR.parent / "shared" / "vectors" / "tz" / "transitions_2026_2030.csv"
needs_vectors = pytest.mark.skipif(
    not TRANSITIONS.exists(), reason="the public test vectors are not at ../shared/vectors"
)


@dataclass(frozen=True)
class Turn:
    """A change of the clock, from the vectors."""

    zone: str
    at: datetime
    before: timedelta
    after: timedelta


@pytest.fixture(scope="module")
def turns() -> Iterator[list[Turn]]:
    """All changes of 2026 to 2030; zones come from the tzdata package meanwhile, however old the machine's own are."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()
    with TRANSITIONS.open() as file:
        yield [
            Turn(
                row["zone"],
                datetime.fromisoformat(row["utc_instant"]),
                timedelta(seconds=int(row["offset_before_s"])),
                timedelta(seconds=int(row["offset_after_s"])),
            )
            for row in csv.DictReader(file)
        ]
    zoneinfo.reset_tzpath(to=before)
    ZoneInfo.clear_cache()


@needs_vectors
def test_it_knows_every_change_of_the_clock(turns: list[Turn]) -> None:
    assert len(turns) > 1000
    expected: dict[str, list[tuple[datetime, timedelta, timedelta]]] = {}
    for turn in turns:
        expected.setdefault(turn.zone, []).append((turn.at, turn.before, turn.after))

    for name, of_zone in expected.items():
        found = changes(ZoneInfo(name), datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC))
        assert [(change.at, change.before, change.after) for change in found] == sorted(of_zone), name


@needs_vectors
def test_a_fixed_time_fires_once_a_day_over_every_change_of_the_clock(turns: list[Turn]) -> None:
    for turn in turns:
        # The gap or the fold by the clock on the wall: its first minute, its middle, its last, and those around it.
        low, high = sorted(((turn.at + turn.before).replace(tzinfo=None), (turn.at + turn.after).replace(tzinfo=None)))
        for wall in {low - MINUTE, low, low + (high - low) / 2, high - MINUTE, high}:
            clock = time(wall.hour, wall.minute)
            expected = list(_fires_around(turn, clock))
            schedule = FixedTime(clock, ZoneInfo(turn.zone))
            found = []
            now = expected[0] - MINUTE
            for _ in expected:
                now = schedule.next_after(now)
                found.append(now)
            assert found == expected, (turn, clock)
            assert all(one < following for one, following in pairwise(found)), (turn, clock)


def _fires_around(turn: Turn, clock: time) -> Iterator[datetime]:
    """One fire for each of five days around a change, by sums alone."""
    first_day = (turn.at + turn.before).date() - timedelta(days=2)
    for days in range(5):
        wall = datetime.combine(first_day + timedelta(days=days), clock, tzinfo=UTC)
        if wall - turn.before < turn.at:
            yield wall - turn.before  # the first of two, if it comes twice
        elif wall - turn.after >= turn.at:
            yield wall - turn.after
        else:
            yield turn.at  # in the gap: the first instant after it


# What it matches by hand, whether minute or hour begins with *, how many minutes are walked on both sides of a change.
SHAPES: dict[str, tuple[Callable[[datetime], bool], bool, int]] = {
    "* * * * *": (lambda wall: True, True, 70),
    "*/15 * * * *": (lambda wall: wall.minute % 15 == 0, True, 240),
    "30 * * * *": (lambda wall: wall.minute == 30, True, 240),
    "10 */2 * * *": (lambda wall: wall.minute == 10 and wall.hour % 2 == 0, True, 240),
    "*/4 0,2,4,23 * * *": (lambda wall: wall.minute % 4 == 0 and wall.hour in (0, 2, 4, 23), True, 240),
    "0,30 0-5,22-23 * * *": (lambda wall: wall.minute in (0, 30) and (wall.hour < 6 or wall.hour > 21), False, 240),
    "0-59 0-23 * * *": (lambda wall: True, False, 70),
    "15 0-23/3 * * *": (lambda wall: wall.minute == 15 and wall.hour % 3 == 0, False, 240),
}


@needs_vectors
@pytest.mark.parametrize("text", SHAPES)
def test_cron_agrees_with_a_walk_through_the_minutes_around_every_change(text: str, turns: list[Turn]) -> None:
    expression, (matches, is_wildcard, minutes_around) = cron.parse(text), SHAPES[text]
    around = minutes_around * MINUTE

    @cache  # a few dozen kinds of change make up all of them
    def expected(wall: datetime, shift: timedelta) -> list[timedelta]:
        """How long after the change each fire comes, when the clock showed `wall` before it and jumps by `shift`."""
        steps = [minutes * MINUTE for minutes in range(-minutes_around, minutes_around + 1)]
        walk = [(wall + step, wall + step + (shift if step >= timedelta() else timedelta())) for step in steps]
        return [instant - wall for instant in fires(walk, matches, is_wildcard)]

    for turn in turns:
        # The date does not matter to these expressions.
        wall = datetime.combine(datetime(2026, 6, 15), (turn.at + turn.before).time())  # noqa: DTZ001
        wanted = [turn.at + step for step in expected(wall, turn.after - turn.before)]
        schedule = Cron(expression, ZoneInfo(turn.zone))
        found = list(_between(schedule, turn.at - around, turn.at + around))
        assert found == wanted, turn
        assert schedule.count(turn.at - around, turn.at + around) == len(wanted), turn


def _between(schedule: Schedule, low: datetime, high: datetime) -> Iterator[datetime]:
    while (low := schedule.next_after(low)) <= high:
        yield low


# --- Random expressions ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """A part of an expression: its text, and which values it means, both made here."""

    text: str
    values: frozenset[int]


def parts(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[Drawn]:
    everything = frozenset(range(low, high + 1))

    def term(one: int, other: int, step: int, form: str) -> Drawn:
        first, last = sorted((one, other))
        name = names[first - low] if names and first - low < len(names) else str(first)
        return {
            "one": Drawn(name, frozenset({first})),
            "range": Drawn(f"{name}-{last}", frozenset(range(first, last + 1))),
            "stepped": Drawn(f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))),
            "open": Drawn(f"{first}/{step}", frozenset(range(first, high + 1, step))),
            "star": Drawn(f"*/{step}", frozenset(range(low, high + 1, step))),
        }[form]

    value = st.integers(low, high)
    terms = st.builds(
        term, value, value, st.integers(1, 20), st.sampled_from(("one", "one", "range", "stepped", "open", "star"))
    )
    lists = st.lists(terms, min_size=1, max_size=3).map(
        lambda drawn: Drawn(",".join(one.text for one in drawn), frozenset().union(*(one.values for one in drawn)))
    )
    return st.just(Drawn("*", everything)) | lists


EXPRESSIONS = st.tuples(parts(0, 59), parts(0, 23), parts(1, 31), parts(1, 12, cron.MONTHS), parts(0, 7, cron.WEEKDAYS))


def _matches(drawn: tuple[Drawn, ...], wall: datetime) -> bool:
    minute, hour, day, month, weekday = drawn
    if wall.minute not in minute.values or wall.hour not in hour.values or wall.month not in month.values:
        return False
    on_day = wall.day in day.values
    on_weekday = bool({wall.isoweekday(), wall.isoweekday() % 7} & weekday.values)
    # As in Debian's: both when one of the two begins with *, else either.
    either = not (day.text.startswith("*") or weekday.text.startswith("*"))
    return (on_day or on_weekday) if either else (on_day and on_weekday)


def _ever_matches(drawn: tuple[Drawn, ...]) -> bool:
    """Whether it matches some day of 28 years, which hold every kind of year."""
    begin = datetime(2001, 1, 1, min(drawn[1].values), min(drawn[0].values))  # noqa: DTZ001
    return any(_matches(drawn, begin + timedelta(days=days)) for days in range(28 * 366))


@pytest.mark.parametrize("days_are_free", [True, False], ids=["every day", "some days"])
@needs_vectors
def test_random_expressions_agree_with_a_walk_through_the_minutes(days_are_free: bool, turns: list[Turn]) -> None:
    everything = Drawn("*", frozenset(range(32)))

    @hypothesis_settings(max_examples=60, deadline=None, phases=[Phase.generate], derandomize=True)
    @given(drawn=EXPRESSIONS, turn=st.sampled_from(turns), lead=st.integers(0, 600))
    def agrees(drawn: tuple[Drawn, ...], turn: Turn, lead: int) -> None:
        if days_are_free:  # so that most examples fire about the change at all
            drawn = (*drawn[:2], everything, everything, everything)
        text = " ".join(part.text for part in drawn)
        assume(len(text) <= cron.LONGEST and _ever_matches(drawn))
        expression = cron.parse(text)
        zone = ZoneInfo(turn.zone)
        begin = turn.at - lead * MINUTE
        walk = ((now, now.astimezone(zone).replace(tzinfo=None, fold=0)) for now in _minutes(begin, 36 * 60))
        is_wildcard = drawn[0].text.startswith("*") or drawn[1].text.startswith("*")
        wanted = fires(walk, lambda wall: _matches(drawn, wall), is_wildcard)
        end = begin + timedelta(hours=36)
        schedule = Cron(expression, zone)

        found = list(_between(schedule, begin, end))

        assert found == wanted, (text, turn)
        assert all(one < following for one, following in pairwise([begin, *found]))
        assert schedule.count(begin, end) == len(found)
        assert schedules.Timetable(schedule).newest(begin, end, 3) == found[-3:]
        assert [fire.at.astimezone(UTC) for fire in schedules.preview(schedules.Timetable(schedule), zone, begin, 3)][
            : len(found)
        ] == found[:3]

    agrees()


def _minutes(begin: datetime, count: int) -> Iterator[datetime]:
    return (begin + minutes * MINUTE for minutes in range(count + 1))


@pytest.mark.parametrize(
    ("zone", "text", "after", "expected"),
    [
        # Gap 02:45 → 03:45: cronsim 2.8 itself loses the whole of hour 04.
        ("Pacific/Chatham", "* 2,4 * * *", "2028-09-23 13:58", ["13:59", "14:15", "14:16"]),
        # The gap is part of an hour: what is left of the hour fires.
        ("Australia/Lord_Howe", "*/20 2 * * *", "2026-10-03 15:00", ["15:40"]),
        ("Australia/Lord_Howe", "0,20,40 2 * * *", "2026-10-03 15:00", ["15:30", "15:40"]),
        # 2 hours forward at 01:00 (Troll), and back at 03:00.
        ("Antarctica/Troll", "30 1,2 * * *", "2026-03-29 00:00", ["01:00"]),
        ("Antarctica/Troll", "30 1,2 * * *", "2026-10-24 23:00", ["23:30", "00:30", "01:30"]),
        ("Antarctica/Troll", "30 * * * *", "2026-10-24 23:00", ["23:30", "00:30", "01:30", "02:30"]),
        # Midnight does not exist: the day's own fire comes at its first instant.
        ("Africa/Cairo", "0 0 * * FRI", "2026-04-22 00:00", ["22:00"]),
        ("Africa/Cairo", "0 0 24 4 *", "2026-04-22 00:00", ["22:00"]),
        # 23:00 comes twice on Thursday 29 October.
        ("Africa/Cairo", "30 23 * * THU", "2026-10-29 00:00", ["20:30"]),
        ("Africa/Cairo", "*/30 23 * * THU", "2026-10-29 00:00", ["20:00", "20:30", "21:00", "21:30"]),
        # 00:01 → 23:01 of the day before (Newfoundland until 2011).
        ("America/St_Johns", "30 * 6 11 *", "2010-11-07 02:30", ["03:00"]),
        ("America/St_Johns", "30 * 6 11 *", "2010-11-07 01:30", ["02:00", "03:00"]),
        ("America/St_Johns", "30 23 6 11 *", "2010-11-07 01:30", ["02:00"]),
        # 00:01 → 01:01: a gap that begins after midnight.
        ("America/St_Johns", "0,30 0 * * *", "2010-03-14 03:00", ["03:30", "03:31"]),
        # Samoa left out Friday, 30 December 2011: a whole day's fires are one.
        ("Pacific/Apia", "0 9,17 * * *", "2011-12-29 10:00", ["19:00", "03:00", "10:00", "19:00"]),
        ("Pacific/Apia", "0 9 * * FRI", "2011-12-28 00:00", ["10:00"]),
    ],
)
def test_special_changes_by_hand(zone: str, text: str, after: str, expected: list[str]) -> None:
    schedule = schedules.read("cron", text, zone, datetime.now(UTC))
    now, found = datetime.fromisoformat(after).replace(tzinfo=UTC), []

    for _ in expected:
        now = schedule.next_after(now)
        found.append(f"{now:%H:%M}")

    assert found == expected


def test_seconds_follow_real_time_over_a_change() -> None:
    schedule = schedules.read("cron", "*/30 * * * * *", "Europe/Berlin", datetime.now(UTC))
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)

    assert schedule.next_after(change - timedelta(seconds=1)) == change
    assert schedule.next_after(change) == change + timedelta(seconds=30)
    assert schedule.count(change - timedelta(hours=2), change + timedelta(hours=2)) == 4 * 120
