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
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone
from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.tasks import async_task

from triggers import claims, liveness, schedules
from triggers.models import Beat

logger = logging.getLogger(__name__)

EVERY_SECONDS = 0.2
LOOKAHEAD = timedelta(seconds=1)  # a worker holds an event until its exact instant
LASTS_SECONDS = 100  # the schedule starts the next beat every 60 s, looked at every 30 s
SEEN_EVERY_SECONDS = 1.0
SILENT_AFTER = timedelta(seconds=4)  # a beat not seen for this long is dead or stuck
ASK_EVERY_SECONDS = 2.0
HINT_LOST_AFTER = timedelta(seconds=30)  # longer than a healthy queue ever is
MISSED_AFTER = timedelta(seconds=60)  # promise 5
CHUNK = 3000  # triggers, or events, in one transaction: on SQLite about 0.2 s in which no other may write
CHUNKS = 4  # in one pass
SMALLEST_BATCH = 100  # events in one message; fewer are not worth another

BEAT = "triggers.tasks.beat"
DELIVER = "triggers.tasks.deliver"


class Superseded(Exception):
    """A newer beat has taken the lease: this one must write nothing more."""


def run_beat() -> None:
    """Be the beat until a newer one takes over, the cluster stops, or LASTS_SECONDS have passed."""
    generation = claims.start_beat(holder(), timezone.now())
    ends_at = time.monotonic() + LASTS_SECONDS
    seen_at = time.monotonic()
    while time.monotonic() < ends_at:
        if liveness.is_stopping():
            claims.end_beat(generation)
            return
        started_at = time.monotonic()
        try:
            if started_at - seen_at > SEEN_EVERY_SECONDS:
                _keep(generation, timezone.now())
                seen_at = started_at
            busy = hand_over_due(generation, timezone.now())
        except Superseded:
            return
        except (DatabaseError, InterfaceError):
            # Restarted, locked for long, or gone: the beat goes on when it is back.
            logger.exception("The beat could not use the database")
            connection.close()
            time.sleep(1)
            continue
        if not busy:
            time.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - started_at)))


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
    """Return whether nothing beats: never started, not seen lately, or its process on this machine is gone."""
    beat = Beat.objects.filter(pk=Beat.ID).first()
    # Seen in the future: the clock was set back, and the beat that saw that time has not been seen since.
    if beat is None or beat.seen_at is None or abs(now - beat.seen_at) > SILENT_AFTER:
        return True
    host, _, pid = beat.holder.rpartition(":")
    return host == socket.gethostname() and not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # A killed process stays a zombie until its parent looks.
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _claim(step: Callable[[datetime], tuple[int, list[int]]], generation: int, now: datetime) -> bool:
    """Run a claiming step in short transactions behind the fence, send its hints; return whether more is left.

    The hints go out together, so that every worker gets an equal share of a herd before its instant. On the database
    broker they are rows, committed with the last claim or not at all.
    """
    pks: list[int] = []
    is_more = True
    try:
        for _ in range(CHUNKS):
            with transaction.atomic():
                _keep(generation, now)
                count, claimed = step(now)
                pks += claimed
                is_more = count == CHUNK
                if not is_more and _hints_share_the_transaction():
                    _send_hints(pks)
            if not is_more:
                break
    except Exception:
        # Superseded, say, between two chunks: what is committed counts as handed over, and must not wait 30 s.
        if pks:
            _send_hints(pks)
        raise
    if is_more or not _hints_share_the_transaction():
        _send_hints(pks)
    return is_more


def _keep(generation: int, now: datetime) -> None:
    if not claims.keep_beat(generation, now):
        raise Superseded


def _hold_due_events(now: datetime) -> tuple[int, list[int]]:
    pks = claims.hold_due_events(now + LOOKAHEAD, now + LOOKAHEAD + HINT_LOST_AFTER, CHUNK)
    return len(pks), pks


def _fire_due_triggers(now: datetime) -> tuple[int, list[int]]:
    due = claims.due_triggers(now + LOOKAHEAD, CHUNK)
    moves: list[claims.Move] = []
    slots: list[claims.Slot] = []
    for trigger in due:
        following, fires = _fires_of(trigger, now)
        moves.append(claims.Move(trigger.id, trigger.next_fire_at, following))
        slots += fires
    if not due:
        return 0, []
    claims.write_moves(moves)
    return len(due), claims.write_slots(slots, now + LOOKAHEAD + HINT_LOST_AFTER, now)


def _fires_of(trigger: claims.DueTrigger, now: datetime) -> tuple[datetime | None, list[claims.Slot]]:
    """Return the next fire after this pass (None: it switches itself off) and the slots that are due now."""
    if not trigger.is_recurring:
        return None, [_slot(trigger, trigger.next_fire_at, now)]
    try:
        schedule = schedules.read(trigger.schedule_type, trigger.schedule_value, trigger.time_zone, trigger.starts_at)
    except schedules.ScheduleError as error:
        # A row that can no longer be read (a zone this machine does not know, say) must not stop the others.
        logger.error("Trigger %d is switched off: %s", trigger.id, error)
        reason = f"The trigger was switched off, because its schedule cannot be read: {error}"
        return None, [claims.Slot(trigger.id, trigger.next_fire_at, now, reason, skipped_count=1)]
    slots: list[claims.Slot] = []
    instant = trigger.next_fire_at
    if instant < now - MISSED_AFTER:
        missed, latest = schedules.missed(schedule, instant, now - MISSED_AFTER)
        if missed > 1:
            reason = f"{missed - 1:,} earlier fires were missed while the server was down"
            slots.append(claims.Slot(trigger.id, instant, now, reason, skipped_count=missed - 1))
        slots.append(_slot(trigger, latest, now))
        instant = schedule.next_after(latest)
    while instant <= now + LOOKAHEAD:
        slots.append(_slot(trigger, instant, now))
        instant = schedule.next_after(instant)
    return instant, slots


def _slot(trigger: claims.DueTrigger, instant: datetime, now: datetime) -> claims.Slot:
    return claims.Slot(trigger.id, scheduled_for=instant, triggered_at=max(instant, now))


def _send_hints(pks: Sequence[int]) -> None:
    """Put a message with event ids on the queue for every batch; a message that cannot be sent is only a delay."""
    # An equal share for every worker but the beat's own: a herd is in their hands before its instant.
    size = max(SMALLEST_BATCH, math.ceil(len(pks) / (settings.CLUSTER_WORKERS - 1)))
    for start in range(0, len(pks), size):
        try:
            async_task(DELIVER, list(pks[start : start + size]), broker=_broker())
        except DatabaseError:
            raise  # the claim's own transaction is broken, and with it the claim
        except Exception:
            logger.exception("A hint could not be sent; its events are handed over again in 30 s")
            return


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
