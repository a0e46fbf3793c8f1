"""What becomes of the instants of a trigger that have come due: each fires, or is skipped for a stated cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from triggers.schedules.timetable import INSTANT, Timetable

MISSED_AFTER = timedelta(seconds=60)  # an instant handled later than this was missed: downtime
NEWEST_OF_ALL = 100  # how many missed instants run_all fires


class MissedPolicy(StrEnum):
    """What a trigger does about the instants that it missed."""

    RUN_ONCE = "run_once"  # the latest fires
    RUN_ALL = "run_all"  # the newest NEWEST_OF_ALL fire
    SKIP = "skip"


class OverlapPolicy(StrEnum):
    """What a trigger does at an instant at which its event before is not finished."""

    ALLOW = "allow"
    SKIP = "skip"


class Cause(StrEnum):
    """Why an instant was skipped."""

    MISSED = "missed"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Skip:
    """Instants, one after another, that did not fire."""

    cause: Cause
    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Every instant from the first due one up to (not including) `following` is in `fires` or in `skips`, once.

    `following` None: it was the last, the trigger is done.
    """

    fires: list[datetime]
    skips: list[Skip]
    following: datetime | None


def settle(
    timetable: Timetable,
    first: datetime,
    now: datetime,
    horizon: datetime,
    *,
    missed_policy: str = MissedPolicy.RUN_ONCE,
    overlap_policy: str = OverlapPolicy.ALLOW,
    is_running: bool = False,
    fires_left: int | None = None,
) -> Settled:
    """Settle the instants from `first` (a fire that is due) up to `horizon`, and no further than can be known.

    With the overlap policy `skip`, an instant later than `now` is left for a later pass while an event is not
    finished (`is_running`): it may be by then. `fires_left` None: there is no most.
    """
    fires, skips, instant = _missed(timetable, first, now - MISSED_AFTER - INSTANT, missed_policy)
    while instant and instant <= horizon:
        fires.append(instant)
        instant = timetable.next_after(instant)
    if overlap_policy == OverlapPolicy.SKIP:
        fires, overlapping, waiting = _one_at_a_time(fires, now, is_running)
        skips += overlapping
        instant = waiting or instant
    if fires_left is not None and len(fires) >= fires_left:
        fires, instant = fires[:fires_left], None
    return Settled(fires, skips, instant)


def _missed(
    timetable: Timetable, first: datetime, until: datetime, policy: str
) -> tuple[list[datetime], list[Skip], datetime | None]:
    """Return which of the missed instants (up to `until`) fire all the same, what is skipped, and the one that follows.

    They are counted, not walked through: a long downtime of a frequent trigger is one Skip.
    """
    if first > until:
        return [], [], first
    most = {MissedPolicy.RUN_ALL: NEWEST_OF_ALL, MissedPolicy.RUN_ONCE: 1}.get(MissedPolicy(policy), 0)
    total = 1 + timetable.count(first, until)
    newest = [first, *timetable.newest(first, until, most + 1)][-(most + 1) :]
    following = timetable.next_after(newest[-1])
    if total <= most:
        return newest, [], following
    return newest[1:], [Skip(Cause.MISSED, first, newest[0], total - most)], following


def _one_at_a_time(
    due: Sequence[datetime], now: datetime, is_running: bool
) -> tuple[list[datetime], list[Skip], datetime | None]:
    """Return the one that fires, those that it or the running event overlaps, and the first that must wait to see."""
    come = [instant for instant in due if instant <= now]
    ahead = [instant for instant in due if instant > now]
    if not (is_running or come):
        return ahead[:1], [], ahead[1] if len(ahead) > 1 else None
    fires, over = ([], come) if is_running else (come[:1], come[1:])
    skips = [Skip(Cause.OVERLAP, over[0], over[-1], len(over))] if over else []
    return fires, skips, ahead[0] if ahead else None
