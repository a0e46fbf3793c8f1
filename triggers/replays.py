"""Many events that failed for good are fired again: counted first, then worked off bit by bit, so fast and no faster.

A batch remembers its place. A step is one transaction that makes a few replays and moves the place behind them, so a
crash anywhere neither doubles nor loses one; whoever takes the next step (the caller who began it, a task, the
schedule of each minute) goes on from there. Replays are made only a little ahead of their time: what is cancelled,
or has succeeded in the meantime, was never fired.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Max, Min, OuterRef, Q, Subquery
from django_q.brokers import get_broker
from django_q.tasks import async_task

from triggers import claims, firing, liveness
from triggers.models import Event, EventQuerySet, ReplayBatch, Trigger

logger = logging.getLogger(__name__)

GO_ON = "triggers.tasks.go_on_with_replays"
STEP = 200  # events in one transaction
AHEAD = timedelta(minutes=3)  # the schedule comes by each minute, sometimes half a minute late
LASTS_SECONDS = 2.0  # of one task; then the next one goes on: hints wait behind it where only one worker delivers
_AT_ONCE = 200  # triggers in one question

CANCELLED = "Cancelled by {}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the events that failed for good; None: no such bound. `last_id`: the newest that is meant."""

    trigger_id: int | None = None
    fired_from: datetime | None = None
    fired_until: datetime | None = None
    last_id: int | None = None

    def events(self) -> EventQuerySet:
        found = Event.objects.failed_for_good()
        if self.trigger_id is not None:
            found = found.filter(trigger_id=self.trigger_id)
        if self.fired_from is not None:
            found = found.filter(triggered_at__gte=self.fired_from)
        if self.fired_until is not None:
            found = found.filter(triggered_at__lte=self.fired_until)
        if self.last_id is not None:
            found = found.filter(pk__lte=self.last_id)
        return found


@dataclass(frozen=True, slots=True)
class How:
    """To the endpoint of today or of then; where a later event of the trigger has succeeded, or not; so fast."""

    uses_todays_endpoint: bool = True
    skips_superseded: bool = True
    rate_per_minute: int = 60

    def lasts(self, count: int) -> timedelta:
        """Return the time from the first of so many replays to the last."""
        return max(count - 1, 0) * timedelta(minutes=1) / self.rate_per_minute


class Forecast(NamedTuple):
    """How many events are selected, and how many of them would be left out: `superseded`, where a later event of the
    trigger has succeeded; `homeless`, whose trigger was deleted, so that no endpoint of today is left."""

    failed: int
    superseded: int = 0
    homeless: int = 0

    @property
    def replayed(self) -> int:
        return self.failed - self.superseded - self.homeless


class Progress(NamedTuple):
    """How far a batch is. `outcomes`: of its replays, by outcome; `left`: not looked at yet."""

    outcomes: dict[str, int]
    left: int
    is_over: bool

    @property
    def unfinished(self) -> int:
        return sum(self.outcomes.get(outcome, 0) for outcome in Event.UNFINISHED)

    @property
    def finished(self) -> int:
        return sum(self.outcomes.values()) - self.unfinished


def count(selection: Selection, how: How) -> Forecast:
    """Return what a batch would do now; nothing is changed."""
    failed = superseded = homeless = 0
    spans = selection.events().order_by().values_list("trigger").annotate(Count("pk"), Min("pk"), Max("pk"))
    of_triggers = {trigger_id: span for trigger_id, *span in spans}
    for trigger_ids in _in_parts(list(of_triggers)):
        newest, existing = _newest_success(trigger_ids) if how.skips_superseded else {}, _existing(trigger_ids)
        # Triggers of which some events are older than the newest success, and some are not.
        mixed = Q()
        for trigger_id in trigger_ids:
            amount, first, last = of_triggers[trigger_id]
            success = newest.get(trigger_id, 0)
            failed += amount
            if how.uses_todays_endpoint and trigger_id not in existing:
                homeless += amount
            elif success > last:
                superseded += amount
            elif success > first:
                mixed |= Q(trigger_id=trigger_id, pk__lt=success)
        if mixed:
            superseded += selection.events().filter(mixed).count()
    return Forecast(failed, superseded, homeless)


def begin(selection: Selection, how: How, by: str, now: datetime) -> ReplayBatch:
    """Begin a batch with its first step, and ask the cluster for the rest; return it.

    It holds what is on record now: events that fail later are not of it. `by` is who wants it, in words.
    """
    if selection.last_id is None:
        newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first()
        selection = replace(selection, last_id=newest or 0)
    batch = ReplayBatch.objects.create(
        trigger_id=selection.trigger_id,
        fired_from=selection.fired_from,
        fired_until=selection.fired_until,
        last_id=selection.last_id or 0,
        uses_todays_endpoint=how.uses_todays_endpoint,
        skips_superseded=how.skips_superseded,
        rate_per_minute=how.rate_per_minute,
        begun_by=by[:150],
        begun_at=now,
        next_due_at=now,
        total=selection.events().count(),
    )
    if _step(batch.pk, now):
        ask_to_go_on()
    batch.refresh_from_db()
    return batch


def go_on(now: datetime, lasts_seconds: float = LASTS_SECONDS) -> bool:
    """Work off what is begun, up to AHEAD of `now`, and return whether more could be done at once.

    What a cancelled batch still had under way, and waits for a retry now, is skipped too.
    """
    ends_at = time.monotonic() + lasts_seconds
    left_over = Event.objects.filter(hand_over_at__isnull=False, outcome=Event.Outcome.PENDING)
    cancelled = ReplayBatch.objects.filter(state=ReplayBatch.State.CANCELLED)
    for batch in cancelled.filter(pk__in=left_over.filter(batch__isnull=False).values("batch")):
        said = batch.events.filter(outcome=Event.Outcome.SKIPPED).values_list("reason", flat=True).first()
        with transaction.atomic():
            claims.skip_pending(batch.pk, said or "Cancelled", now)
    running = ReplayBatch.objects.filter(state=ReplayBatch.State.RUNNING).order_by("pk")
    waiting = list(running.filter(next_due_at__lte=now + AHEAD).values_list("pk", flat=True))
    while waiting and time.monotonic() < ends_at:
        # In turns, so that a long batch does not hold up a short one.
        waiting = [pk for pk in waiting if _step(pk, now)]
    return bool(waiting)


def cancel(pk: int, by: str, now: datetime) -> ReplayBatch:
    """Make no more replays, skip those that nobody has in hand yet, and return the batch; what is under way finishes.

    A batch that is over, or was cancelled before, stays as it is. Raises ReplayBatch.DoesNotExist.
    """
    with transaction.atomic():
        batch = ReplayBatch.objects.select_for_update().get(pk=pk)
        if batch.state == ReplayBatch.State.CANCELLED or progress(batch).is_over:
            return batch
        batch.state, batch.ended_at = ReplayBatch.State.CANCELLED, now
        batch.save(update_fields=["state", "ended_at"])
        claims.skip_pending(batch.pk, CANCELLED.format(by), now)
    return batch


def progress(batch: ReplayBatch) -> Progress:
    """Return how far the batch is, from the rows themselves."""
    rows = batch.events.order_by().values_list("outcome").annotate(Count("pk"))
    outcomes = dict(rows)
    is_running = batch.state == ReplayBatch.State.RUNNING
    left = max(batch.total - batch.looked_at, 0) if is_running else 0
    return Progress(outcomes, left, is_over=not is_running and not any(outcomes.get(each) for each in Event.UNFINISHED))


def ask_to_go_on() -> None:
    """Ask the cluster to go on at once; where that cannot be asked, the schedule does within about a minute."""
    try:
        async_task(GO_ON, broker=get_broker())
    except Exception:
        logger.exception("The cluster could not be asked to go on with replays; its schedule will")


def _step(pk: int, now: datetime) -> bool:
    """Make the next few replays of a batch; return whether more could be made at once."""
    liveness.show_life()
    with transaction.atomic():
        # Locked: of two that step at once, the second goes on where the first ended.
        batch = ReplayBatch.objects.select_for_update().filter(pk=pk, state=ReplayBatch.State.RUNNING).first()
        if batch is None:
            return False
        # After a silence it goes on from now: what was missed is not made up for faster than the rate.
        due_at = max(batch.next_due_at, now)
        room = min(STEP, math.ceil((now + AHEAD - due_at) / batch.interval))
        if room <= 0:
            return False
        selection = Selection(batch.trigger_id, batch.fired_from, batch.fired_until, batch.last_id)
        ahead = selection.events().filter(pk__gt=batch.place_id).order_by("pk")
        pks = list(ahead.values_list("pk", flat=True)[:room])
        events = _locked(pks)
        chosen = _worth_it(events, batch)
        dues = [due_at + number * batch.interval for number in range(len(chosen))]
        firing.replay_all(
            list(zip(chosen, dues, strict=True)), uses_todays_endpoint=batch.uses_todays_endpoint, batch=batch
        )
        batch.place_id = max([*pks, batch.place_id])
        batch.replayed_count += len(chosen)
        batch.skipped_count += len(events) - len(chosen)
        batch.next_due_at = due_at + len(chosen) * batch.interval
        is_more = len(pks) == room
        if not is_more:
            batch.state, batch.ended_at = ReplayBatch.State.DONE, now
        batch.save()
    return is_more


def _locked(pks: Sequence[int]) -> list[Event]:
    """Return those of the events that still are to be replayed, oldest first, locked against another who would.

    Asked again once they are locked: a second batch, or a person, may have replayed one since.
    """
    list(Event.objects.select_for_update().filter(pk__in=pks).order_by("pk").values_list("pk"))
    return list(Event.objects.failed_for_good().filter(pk__in=pks).select_related("trigger").order_by("pk"))


def _worth_it(events: Iterable[Event], batch: ReplayBatch) -> list[Event]:
    """Return the events that the batch does not leave out."""
    events = list(events)
    newest = _newest_success([event.trigger_id for event in events]) if batch.skips_superseded else {}
    return [
        event
        for event in events
        if newest.get(event.trigger_id, 0) < event.pk
        and (firing.has_endpoint_of_today(event) or not batch.uses_todays_endpoint)
    ]


def _newest_success(trigger_ids: Iterable[int | None]) -> dict[int | None, int]:
    """Return the id of the newest event that succeeded, by trigger; replays, which repeat older ones, do not count."""
    fired = Event.objects.counted().exclude(source=Event.Source.REPLAY).filter(trigger=OuterRef("pk"))
    newest = fired.filter(outcome=Event.Outcome.SUCCEEDED).order_by("-pk").values("pk")[:1]
    triggers = Trigger.with_deleted.filter(pk__in={pk for pk in trigger_ids if pk})
    return {pk: success for pk, success in triggers.values_list("pk", Subquery(newest)) if success}


def _existing(trigger_ids: Iterable[int | None]) -> set[int | None]:
    return set(Trigger.objects.filter(pk__in=[pk for pk in trigger_ids if pk]).values_list("pk", flat=True))


def _in_parts(pks: Sequence[int | None]) -> Iterable[Sequence[int | None]]:
    return (pks[start : start + _AT_ONCE] for start in range(0, len(pks), _AT_ONCE))
