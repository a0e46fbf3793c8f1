"""The beat: claims what falls due, writes its events, and hands batches of event ids to the workers.

One beat at a time, however many clusters run: the newest generation of the lease row is the beat, an older one
finds out inside its next transaction and ends. A message carries event ids and is only a hint: an event whose
hint is lost is handed over again.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone
from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.tasks import async_task

from triggers import claims, faults, liveness, schedules
from triggers.models import Beat, Cluster

logger = logging.getLogger(__name__)

EVERY_SECONDS = 0.2
LOOKAHEAD = timedelta(seconds=1)  # a worker holds an event until its exact instant
LASTS_SECONDS = 100  # the schedule starts the next beat every 60 s, looked at every 30 s
SEEN_EVERY_SECONDS = 1.0
SILENT_AFTER = timedelta(seconds=4)  # a beat not seen for this long is dead or stuck
ASK_EVERY_SECONDS = 2.0
HINT_LOST_AFTER = timedelta(seconds=30)  # longer than a healthy queue ever is
ONCE_WITHIN = timedelta(hours=48)  # promise 5: so late, and no later, a one-time trigger still fires
CHUNK = 3000  # events in one transaction, or a few more: on SQLite about 0.2 s in which no other may write
SETTLE_SECONDS = 1.0  # in one transaction, which is idle meanwhile: PostgreSQL ends one that is idle for 10 s
CHUNKS = 4  # in one pass
SMALLEST_BATCH = 100  # events in one message; fewer are not worth another

# Why a trigger has switched itself off, for its record.
FIRED_ONCE = "It was to fire once, and has."
FIRED_ALL = "It has fired as often as it may."
IS_OVER = "Its window has ended."

BEAT = "triggers.tasks.beat"
DELIVER = "triggers.tasks.deliver"


_handed_over: Counter[int] = Counter()  # events, by generation: as many as are not written yet


class Superseded(Exception):
    """A newer beat has taken the lease: this one must write nothing more."""


def run_beat(clock: Callable[[], datetime] = timezone.now, lasts_seconds: float = LASTS_SECONDS) -> None:
    """Be the beat until a newer one takes over, the cluster stops, or `lasts_seconds` have passed.

    `clock` tells what is due, and may be set or stepped like any other; how long a pass takes is measured apart.
    """
    generation = claims.start_beat(holder(), clock(), liveness.cluster_name())
    try:
        _beat_on(generation, clock, lasts_seconds)
    finally:
        _write_rest(generation)


def _beat_on(generation: int, clock: Callable[[], datetime], lasts_seconds: float) -> None:
    ends_at = time.monotonic() + lasts_seconds
    seen_at = time.monotonic()
    while time.monotonic() < ends_at:
        if liveness.is_stopping():
            claims.end_beat(generation)
            return
        started_at = time.monotonic()
        try:
            if started_at - seen_at > SEEN_EVERY_SECONDS:
                count = _handed_over[generation]
                _keep(generation, clock(), count)
                _handed_over[generation] -= count
                seen_at = started_at
            busy = hand_over_due(generation, clock())
        except Superseded:
            return
        except (DatabaseError, InterfaceError) as error:
            # Restarted, locked for long, full or gone: the beat goes on when it is back.
            faults.log(logger, "The beat could not use the database", error)
            connection.close()
            time.sleep(1)
            continue
        if not busy:
            time.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - started_at)))


def _write_rest(generation: int) -> None:
    if count := _handed_over.pop(generation, 0):
        try:
            claims.count_handed_over(generation, count)
        except (DatabaseError, InterfaceError):
            connection.close()  # a figure: not worth another try


def hand_over_due(generation: int, now: datetime) -> bool:
    """Hand over all that falls due within LOOKAHEAD of `now`; return whether there is more than one pass may hold.

    One reading of the clock serves the whole pass. Raises Superseded.
    """
    if not claims.anything_due(now + LOOKAHEAD):
        return False
    is_more_to_fire = _claim(_fire_due_triggers, generation, now)
    is_more_to_hold = _claim(_hold_due_events, generation, now)
    return is_more_to_fire or is_more_to_hold


def holder() -> str:
    """Return who beats here: "host:pid"."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_silent(now: datetime) -> bool:
    """Return whether nothing beats: never started, not seen lately, or its process in this cluster is gone."""
    beat = Beat.objects.filter(pk=Beat.ID).first()
    # Seen in the future: the clock was set back, and the beat that saw that time has not been seen since.
    if beat is None or beat.seen_at is None or abs(now - beat.seen_at) > SILENT_AFTER:
        return True
    # Of another cluster nothing can be seen from here: in containers both may call their host the same.
    host, _, pid = beat.holder.rpartition(":")
    is_ours = (beat.cluster, host) == (liveness.cluster_name(), socket.gethostname())
    return is_ours and not liveness.is_alive(int(pid))


def _claim(step: Callable[[datetime], tuple[bool, claims.Held]], generation: int, now: datetime) -> bool:
    """Run a claiming step in short transactions behind the fence, send its hints; return whether more is left.

    A step returns whether it left something, and what it holds.

    The hints go out together, so that every worker gets an equal share of a herd before its instant. On the database
    broker they are rows, committed with the last claim or not at all.
    """
    pks: list[int] = []
    alone: set[int] = set()
    workers = 1
    is_more = True
    try:
        for _ in range(CHUNKS):
            with transaction.atomic():
                _keep(generation, now)
                is_more, held = step(now)
                pks += held.pks
                alone |= held.alone
                if len(pks) > SMALLEST_BATCH:
                    workers = _delivering_workers(now)
                if not is_more and _hints_share_the_transaction():
                    _send_hints(pks, alone, workers)
            if not is_more:
                break
    except Exception:
        # Superseded, say, between two chunks: what is committed counts as handed over, and must not wait 30 s.
        if pks:
            _send_hints(pks, alone, workers)
        raise
    if is_more or not _hints_share_the_transaction():
        _send_hints(pks, alone, workers)
    _handed_over[generation] += len(pks)
    return is_more


def _keep(generation: int, now: datetime, handed_over: int = 0) -> None:
    if not claims.keep_beat(generation, now, handed_over):
        raise Superseded


def _hold_due_events(now: datetime) -> tuple[bool, claims.Held]:
    held = claims.hold_due_events(now, now + LOOKAHEAD, now + LOOKAHEAD + HINT_LOST_AFTER, CHUNK)
    for pk in held.failed:
        logger.error("Event %d has failed: the server stopped in each of its last attempts", pk)
    return len(held.pks) + len(held.failed) == CHUNK, held


def _fire_due_triggers(now: datetime) -> tuple[bool, claims.Held]:
    due = claims.due_triggers(now, now + LOOKAHEAD, CHUNK)
    if not due:
        return False, claims.Held([])
    moves: list[claims.Move] = []
    slots: list[claims.Slot] = []
    settle_until = time.monotonic() + SETTLE_SECONDS
    for trigger in due:
        move, its_slots = _settle(trigger, now)
        moves.append(move)
        slots += its_slots
        # After a downtime one trigger gives many: the rest of them, unmoved, is due as before in the next transaction.
        if len(slots) >= CHUNK or time.monotonic() > settle_until:
            break
    pks, tallies = claims.write_slots(slots, now + LOOKAHEAD + HINT_LOST_AFTER, now)
    claims.write_moves(moves, tallies)
    claims.note_switched_off([(move.trigger_id, move.end) for move in moves if move.next_fire_at is None], now)
    return len(moves) < len(due) or len(due) == CHUNK, claims.Held(pks)


def _settle(trigger: claims.DueTrigger, now: datetime) -> tuple[claims.Move, list[claims.Slot]]:
    """Return how the trigger moves on, and a slot for every instant, or run of instants, that is settled now."""
    if not trigger.is_recurring:
        slot = _once(trigger, now)
        return claims.Move(trigger.id, trigger.next_fire_at, None, end=slot.reason or FIRED_ONCE), [slot]
    try:
        settled = schedules.settle(
            schedules.timetable_of(trigger),
            trigger.next_fire_at,
            now,
            now + LOOKAHEAD,
            missed_policy=trigger.missed_policy,
            overlap_policy=trigger.overlap_policy,
            is_running=trigger.is_running,
            fires_left=trigger.fires_left,
        )
    except Exception as error:
        # A row that can no longer be read (a zone this machine does not know, say) must not stop the others.
        return _put_aside(trigger, error, now)
    slots = [_skipped(trigger, skip, now) for skip in settled.skips]
    slots += [_slot(trigger, instant, now) for instant in settled.fires]
    is_exhausted = trigger.fires_left is not None and len(settled.fires) >= trigger.fires_left
    end = FIRED_ALL if is_exhausted else IS_OVER
    return claims.Move(trigger.id, trigger.next_fire_at, settled.following, end=end), slots


def _once(trigger: claims.DueTrigger, now: datetime) -> claims.Slot:
    """A one-time trigger fires once whatever was missed, unless that is too long ago to be meant."""
    at = trigger.next_fire_at
    if now - at <= ONCE_WITHIN:
        return _slot(trigger, at, now)
    reason = f"Its time passed more than {ONCE_WITHIN.total_seconds() / 3600:.0f} h ago, while the server was down"
    return claims.Slot(trigger.id, at, now, schedules.Cause.MISSED.value, 1, at, reason)


def _put_aside(trigger: claims.DueTrigger, error: Exception, now: datetime) -> tuple[claims.Move, list[claims.Slot]]:
    """Return the move that switches the trigger off and says why, and the record of the instant that did not fire."""
    if isinstance(error, schedules.ScheduleError):
        logger.error("Trigger %d is switched off: %s", trigger.id, error)
    else:
        logger.error("Trigger %d is switched off", trigger.id, exc_info=error)
    problem = f"The server switched it off, because it cannot read its schedule: {error}"[:500]
    at = trigger.next_fire_at
    slot = claims.Slot(trigger.id, at, now, schedules.Cause.MISSED.value, 1, at, problem)
    return claims.Move(trigger.id, at, None, problem, end=problem), [slot]


def _slot(trigger: claims.DueTrigger, instant: datetime, now: datetime) -> claims.Slot:
    return claims.Slot(trigger.id, scheduled_for=instant, triggered_at=max(instant, now))


def _skipped(trigger: claims.DueTrigger, skip: schedules.Skip, now: datetime) -> claims.Slot:
    reason = _REASONS[skip.cause](skip.count)
    return claims.Slot(trigger.id, skip.first, now, skip.cause.value, skip.count, skip.last, reason)


def _fires(count: int) -> str:
    return "1 fire was" if count == 1 else f"{count:,} fires were"


_REASONS: dict[str, Callable[[int], str]] = {
    schedules.Cause.MISSED: lambda count: f"{_fires(count)} missed while the server was down",
    schedules.Cause.OVERLAP: lambda count: (
        "The event before was not finished"
        if count == 1
        else f"{_fires(count)} skipped, because the event before was not finished"
    ),
}


def _send_hints(pks: Sequence[int], alone: Collection[int], workers: int) -> None:
    """Put a message with event ids on the queue for every batch; a message that cannot be sent is only a delay."""
    together = [pk for pk in pks if pk not in alone]
    # An equal share for every worker: a herd is in their hands before its instant.
    size = max(SMALLEST_BATCH, math.ceil(len(together) / workers))
    batches = [together[start : start + size] for start in range(0, len(together), size)]
    for batch in [*batches, *([pk] for pk in sorted(alone))]:
        try:
            async_task(DELIVER, batch, broker=_broker())
        except DatabaseError:
            raise  # the claim's own transaction is broken, and with it the claim
        except Exception:
            logger.exception("A hint could not be sent; its events are handed over again in 30 s")
            return


def _delivering_workers(now: datetime) -> int:
    """Return how many workers of all clusters share what falls due: all but the one that the beat has."""
    return max(1, (Cluster.objects.living_workers(now) or settings.CLUSTER_WORKERS) - 1)


@lru_cache(maxsize=1)
def _broker() -> Broker:
    """One broker for the life of the process: making one is slower than sending a hint."""
    return get_broker()


def _hints_share_the_transaction() -> bool:
    return isinstance(_broker(), ORM) and not Conf.SYNC


def start_beat_if_silent() -> bool:
    """Ask the cluster for a new beat when nothing beats; return whether it was asked."""
    if not is_silent(timezone.now()) or liveness.asked_lately(ASK_EVERY_SECONDS):
        return False
    async_task(BEAT, broker=_broker(), timeout=LASTS_SECONDS + 30)
    return True
