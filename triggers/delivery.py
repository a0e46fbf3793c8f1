"""A worker delivers events: takes them, has each sent at its instant, and writes what came of it.

Threads share the work. The worker's own takes events (`take_on`) and is free again at once, so that a hint behind this
one never waits for an endpoint. The courier's loop speaks HTTP. The writer's speaks with the database: it writes
results in flushes and keeps the leases. No transaction is open around HTTP.

Every event is held under a lease with the token of its take. The lease is renewed for as long as the event is held; a
worker that dies lets it run out, and the beat hands its events over again; one that wakes up late finds another token.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import util
from typing import Any

import aiohttp
from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connection, transaction
from django.utils import timezone
from yarl import URL

from triggers import claims, exchange, faults, liveness, outbound, vault
from triggers.courier import Courier
from triggers.exchange import Parcel
from triggers.models import DRAFT_NAME, Event, Recipe, Trigger

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=20)
OURS_SECONDS = 18.0  # what is not begun by then is not begun: the beat looks a second ahead, and clocks differ a little
RENEW_EVERY_SECONDS = 5.0
FLUSH_EVERY_SECONDS = 0.1
FLUSH_IN_RUSH_SECONDS = 1.0  # while requests keep the courier busy: sending comes first, writing can wait a little
START_WITHIN_SECONDS = 30  # what is not begun by then is given back, for a worker that has room
HOLD_AT_MOST = timedelta(seconds=2)  # the beat hands over at most a second ahead
TAKE_AT_ONCE = 1000  # events; large payloads come in bits
MANY, SHARE_SECONDS = 100, 0.05  # so many events at once, and a worker lets others have the next hint
MOST_HELD_BYTES = 64 * 1024 * 1024  # of payloads in one worker; further hints are left to lapse
SHOW_HANDS_EVERY_SECONDS = 1.0  # how many events this worker has, and has finished, to its watcher
RECIPES_KEPT = 5000  # in memory, of one worker
PUT_OFF = timedelta(seconds=3)  # what could not be made ready; longer than the beat looks ahead, or it came at once

SWITCHED_OFF = "Switched off after {} failed events in a row. Mend the endpoint, then switch it on again."
SWITCHED_OFF_AFTER_ONE = "Switched off after a failed event. Mend the endpoint, then switch it on again."
_SLOW = frozenset(
    {
        outbound.ErrorKind.CONNECT_TIMEOUT,
        outbound.ErrorKind.TIMEOUT,
        outbound.ErrorKind.READ_TIMEOUT,
        outbound.ErrorKind.TOTAL,
    }
)


def deliver(pks: Sequence[int]) -> int:
    """Deliver those of the events that are pending and due, and return how many were taken.

    When it returns, each of them is finished, waits for its retry, was given back, or is no longer ours.
    """
    desk = _desk()
    before = len(desk.held)
    taken = desk.take(pks)
    while (len(desk.held) > before or desk.has_results) and desk.write():
        pass
    return taken


def take_on(pks: Sequence[int]) -> int:
    """Take those of the events that are pending and due, and return how many; the rest is done in the background."""
    desk = _desk()
    desk.keep_writing()  # first: it also writes what is given back where taking fails
    taken = desk.take(pks)
    if taken >= MANY:
        # A herd comes as a hint for every worker, one right after another: this one has its share.
        time.sleep(SHARE_SECONDS)
    return taken


def forget_recipes() -> None:
    """Read recipes anew: where another database takes the place of this one, as between tests, ids come again."""
    for desk in _desks.values():
        desk.recipes.clear()


# --- Holding -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Lease:
    """Until when (monotonic seconds) the events of one take are ours, and may be begun."""

    until: float
    start_by: float

    def may_begin(self) -> bool:
        now = time.monotonic()
        return now < self.start_by and now < self.until and not liveness.is_stopping()


@dataclass(slots=True)
class _Held:
    """A parcel in the courier's hands."""

    parcel: Parcel
    lease: _Lease
    due: float  # epoch seconds
    lane: str
    lane_limit: int
    host: str
    host_limit: int
    is_lost: bool = False  # it was taken from us before its lease ran out

    @property
    def may_begin(self) -> bool:
        return not self.is_lost and self.lease.may_begin()

    @property
    def size(self) -> int:
        return len(self.parcel.event.payload)


class _Desk:
    """What one process holds, and what came of it. `held` is kept by the thread that writes."""

    def __init__(self, allowed: Sequence[Any], own_sinks: Sequence[str]) -> None:
        self.allowed, self.own_sinks = allowed, own_sinks
        self.held: dict[tuple[int, str], _Held] = {}
        self._held_bytes = 0
        self._counting = threading.Lock()
        self._results: list[claims.Result] = []  # appended to by the courier's loop
        self._has_results = threading.Event()
        self.recipes: dict[int, Recipe] = {}
        self._written_at = self._renewed_at = self._shown_at = time.monotonic()
        self._finished = 0  # events, since this worker started
        self._shown = (0, 0)  # in hand and finished, as its watcher knows them
        self._writer: threading.Thread | None = None
        self.courier: Courier[_Held] = Courier(self._open_session, self._begin, self._put_back)
        # A worker that ends by itself finishes what it has begun, and gives back the rest.
        util.Finalize(None, self.close, exitpriority=10)

    @property
    def has_results(self) -> bool:
        return bool(self._results)

    def take(self, pks: Sequence[int]) -> int:
        """Take events and pass them to the courier; return how many."""
        taken = 0
        for start in range(0, len(pks), TAKE_AT_ONCE):
            if self._held_bytes > MOST_HELD_BYTES:
                logger.warning("This worker holds enough; %d hints are left to lapse", len(pks) - start)
                break
            taken += self._take(pks[start : start + TAKE_AT_ONCE])
        return taken

    def _take(self, pks: Sequence[int]) -> int:
        now, began = timezone.now(), time.monotonic()
        token = uuid.uuid4().hex
        events = claims.take(pks, token, now + HOLD_AT_MOST, now + LEASE)
        if not events:
            return 0
        try:
            held, settled = self._made_ready(events, token, now, began)
        except Exception:  # a statement that fails, say
            # Or nobody would have them for 20 s, and then they would count as interrupted.
            parcels = [Parcel(event, _STANDARD, "", token) for event in events]
            self._results += [
                exchange.given_back(parcel, max(parcel.event.due_at, now + PUT_OFF)) for parcel in parcels
            ]
            raise
        self._results += settled
        self.held |= {(each.parcel.event.id, token): each for each in held}
        self._count_bytes(sum(each.size for each in held))
        self.courier.accept(held)
        return len(events)

    def _made_ready(
        self, events: Sequence[claims.TakenEvent], token: str, now: datetime, began: float
    ) -> tuple[list[_Held], list[claims.Result]]:
        """Return the events as the courier takes them, and what came already of those that do not go to it."""
        lease = _Lease(began + OURS_SECONDS, began + START_WITHIN_SECONDS)
        settled: list[claims.Result] = []
        parcels = _paced(self._parcels(events, token, settled), now, settled.append)
        held = [each for parcel in parcels if (each := _held(parcel, lease, settled))]
        return held, settled

    def _parcels(self, events: Sequence[claims.TakenEvent], token: str, settled: list[claims.Result]) -> list[Parcel]:
        """Return the events with their recipes; an event whose recipe cannot be read is settled: it fails, and why."""
        unreadable = self._read_recipes({event.recipe_id for event in events if event.recipe_id})
        readable = []
        for event in events:
            if event.recipe_id and event.recipe_id not in self.recipes:
                words = unreadable.get(event.recipe_id, "How it was to be delivered is no longer on record. Replay it.")
                settled.append(exchange.not_made(event, token, words))
            else:
                readable.append((event, self.recipes[event.recipe_id] if event.recipe_id else _STANDARD))
        names = _names(readable)
        return [
            Parcel(event, recipe, names.get(event.trigger_id, "") if event.trigger_id else DRAFT_NAME, token)
            for event, recipe in readable
        ]

    def _read_recipes(self, pks: set[int]) -> dict[int, str]:
        """Have the recipes in memory; return those that cannot be decrypted, each with why."""
        if len(self.recipes) + len(pks) > RECIPES_KEPT:
            self.recipes.clear()
        wanted = pks - self.recipes.keys()
        unreadable = {}
        try:
            self.recipes |= Recipe.objects.in_bulk(wanted) if wanted else {}
        except vault.VaultError:
            for pk in wanted:  # one of them: the others must not fail with it
                try:
                    self.recipes |= Recipe.objects.in_bulk([pk])
                except vault.VaultError as error:
                    unreadable[pk] = str(error)
        return unreadable

    # --- On the courier's loop -----------------------------------------------------------------------

    def _open_session(self, connections: int) -> aiohttp.ClientSession:
        return outbound.open_session(self.allowed, connections, own_sinks=self.own_sinks)

    async def _begin(self, session: aiohttp.ClientSession, held: _Held) -> bool:
        try:
            result = await exchange.attempt(session, held.parcel)
        except BaseException as error:  # cancelled, say: without a result it would be held for ever
            self._add(exchange.not_made(held.parcel.event, held.parcel.token, f"The server broke off: {error!r}"))
            raise
        self._add(result)
        return result.error_kind in _SLOW

    def _put_back(self, held: _Held) -> None:
        self._add(exchange.given_back(held.parcel))

    def _add(self, result: claims.Result) -> None:
        self._results.append(result)
        if len(self._results) >= len(self.held):
            self._has_results.set()

    # --- Writing -------------------------------------------------------------------------------------

    def write(self) -> bool:
        """Write what has come, and keep the leases; return False when it cannot be written and all leases are lost."""
        # One look in 0.1 s: a thread that wakes for every result takes the interpreter from the one that sends.
        self._has_results.wait(FLUSH_EVERY_SECONDS)
        self._has_results.clear()
        is_rush = self.courier.is_rushed and time.monotonic() - self._written_at < FLUSH_IN_RUSH_SECONDS
        results = [] if is_rush else self._results[:]
        try:
            # First: what cannot be written must not cost the leases of the others.
            if self.held and time.monotonic() - self._renewed_at > RENEW_EVERY_SECONDS:
                self._renew()
            if results:
                self._write(results)
        except (DataError, IntegrityError, ValueError):
            logger.exception("One of %d results cannot be stored as it is", len(results))
            self._write_each(results)
        except (DatabaseError, InterfaceError) as error:
            faults.log(logger, f"What came of {len(results)} events could not be written yet", error)
            connection.close()
            time.sleep(0.5)
            # What came is kept all the same, and tried again: nobody else may have taken the event, and if so, the
            # token tells. Nothing more is begun.
            leases = [each.lease for each in list(self.held.values())]
            return not leases or any(time.monotonic() < lease.until for lease in leases)
        return True

    def _write_each(self, results: list[claims.Result]) -> None:
        """Write one by one; of what cannot be stored, at least that."""
        for result in results:
            try:
                self._write([result])
            except (DataError, IntegrityError, ValueError) as error:
                held = self.held.get((result.event_id, result.token))
                del self._results[0]  # it is at the head: those before it are written
                if held:
                    words = f"What came back could not be stored ({type(error).__name__})."
                    self._results.insert(0, exchange.not_made(held.parcel.event, result.token, words))
                    self._write(self._results[:1])

    def _write(self, results: list[claims.Result]) -> None:
        with transaction.atomic():
            # Triggers before events before hours, as the beat has them: so that the two never wait for each other.
            failing = claims.lock_failing(self._streaks(results))
            ours, finished = claims.write_results(results)
            streaks = self._streaks([result for result in results if result.event_id in ours])
            if streaks := [streak for streak in streaks if streak.trigger_id in failing]:
                switched_off = claims.count_streaks(streaks, SWITCHED_OFF, SWITCHED_OFF_AFTER_ONE)
                claims.note_switched_off(switched_off, timezone.now())
                for pk, _ in switched_off:
                    logger.warning("Trigger %d is switched off, because its events failed in a row", pk)
            claims.count_finished(finished)
        self._finished += len(finished)
        del self._results[: len(results)]
        self._forget([(result.event_id, result.token) for result in results])
        self._written_at = time.monotonic()

    def _streaks(self, results: Sequence[claims.Result]) -> list[claims.Streak]:
        """Return how many failed in a row, of the triggers that ask for it."""
        streaks: dict[int, claims.Streak] = {}
        for result in results:
            held = self.held.get((result.event_id, result.token))
            if held is None or result.due_again_at or held.parcel.event.is_test:
                continue
            trigger_id, most = held.parcel.event.trigger_id, held.parcel.recipe.switch_off_after
            if trigger_id is None or most is None:
                continue
            failed, is_unbroken = streaks.get(trigger_id, (0, 0, True, 0))[1:3]
            has_failed = result.outcome == Event.Outcome.FAILED
            streaks[trigger_id] = claims.Streak(
                trigger_id, failed + 1 if has_failed else 0, is_unbroken and has_failed, most
            )
        return sorted(streaks.values())

    def _renew(self) -> None:
        self._renewed_at = time.monotonic()
        # What has run out is another's by now: its old end stands, and nothing more of it is begun.
        held = {key: each for key, each in list(self.held.items()) if each.lease.until > self._renewed_at}
        ours = claims.renew(list(held), timezone.now() + LEASE) if held else set()
        lost = [key for key in held if key not in ours]
        for key, each in held.items():
            if key in ours:
                each.lease.until = self._renewed_at + OURS_SECONDS
        for key in lost:
            # Others of its take may be ours still, and lengthen the lease that it shares with them.
            held[key].is_lost = True
        self._forget(lost)
        self.courier.put_back_waiting()

    def _forget(self, keys: Sequence[tuple[int, str]]) -> None:
        gone = [each for key in keys if (each := self.held.pop(key, None))]
        self._count_bytes(-sum(each.size for each in gone))

    def _count_bytes(self, more: int) -> None:
        with self._counting:
            self._held_bytes += more

    # --- The writer's thread -------------------------------------------------------------------------

    def keep_writing(self) -> None:
        """See to it that a thread writes for as long as anything is held."""
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_for_ever, name="writer", daemon=True)
            self._writer.start()

    def _write_for_ever(self) -> None:
        while True:
            try:
                if self.held or self._results:
                    if liveness.is_stopping():
                        self.courier.put_back_waiting()
                    self.write()
                else:
                    self._has_results.wait(FLUSH_EVERY_SECONDS)
                self._show_hands()
            except Exception:
                logger.exception("The writer failed, and goes on")
                time.sleep(0.5)

    def _show_hands(self) -> None:
        hands = (len(self.held), self._finished)
        if hands != self._shown and time.monotonic() - self._shown_at > SHOW_HANDS_EVERY_SECONDS:
            liveness.show_hands(*hands)
            self._shown, self._shown_at = hands, time.monotonic()

    def close(self) -> None:
        """Wait for what has begun; what waits is given back by the writer, as the cluster stops."""
        ends_at = time.monotonic() + LEASE.total_seconds()
        while self._writer and (self.held or self._results) and time.monotonic() < ends_at:
            self.courier.put_back_waiting()
            time.sleep(FLUSH_EVERY_SECONDS)
        liveness.show_hands(len(self.held), self._finished)


_desks: dict[int, _Desk] = {}  # by process: a fork does not carry threads over
_STANDARD = Recipe()  # of events that have none: nothing but the defaults, and unsigned


def _desk() -> _Desk:
    allowed, own_sinks = settings.DELIVERY_ALLOWED_NETWORKS, settings.OWN_SINKS
    desk = _desks.get(os.getpid())
    if desk is not None and (desk.allowed, desk.own_sinks) != (allowed, own_sinks):
        desk.courier.close()
        desk = None
    if desk is None:
        desk = _desks[os.getpid()] = _Desk(allowed, own_sinks)
    return desk


# --- Who goes where, and how fast --------------------------------------------------------------------


def _held(parcel: Parcel, lease: _Lease, settled: list[claims.Result]) -> _Held | None:
    """Return the parcel as the courier takes it; one that cannot be must not stop the others."""
    try:
        return _Held(parcel, lease, parcel.event.due_at.timestamp(), *_lane(parcel))
    except Exception as error:
        logger.exception("Event %d has no way to go", parcel.event.id)
        settled.append(exchange.not_made(parcel.event, parcel.token, f"It has no way to go: {error}"))
        return None


def _lane(parcel: Parcel) -> tuple[str, int, str, int]:
    """Return the lane of a parcel and its host, each with how many requests this worker may have at once."""
    url = URL(parcel.event.endpoint, encoded=True)
    # The host as it is written: to decode xn-- can fail.
    host, most = f"{url.raw_host}:{url.port}", _share(settings.DELIVERY_REQUESTS_PER_HOST)
    recipe = parcel.recipe
    if recipe.most_at_once and parcel.event.trigger_id:
        return f"trigger {parcel.event.trigger_id} to {host}", min(most, _share(recipe.most_at_once)), host, most
    return host, most, host, most


def _share(limit: int) -> int:
    """Return this worker's part of what all workers of a cluster may have; one of them is the beat's."""
    return max(1, math.ceil(limit / (settings.CLUSTER_WORKERS - 1)))


def _names(events: Sequence[tuple[claims.TakenEvent, Recipe]]) -> dict[int, str]:
    """Return the names of the triggers whose bodies may say them."""
    named = {event.trigger_id for event, recipe in events if event.trigger_id and recipe.body_template}
    if not named:
        return {}
    return dict(Trigger.with_deleted.filter(pk__in=named).values_list("pk", "name"))


def _paced(parcels: list[Parcel], now: datetime, put_back: Any) -> list[Parcel]:
    """Return the parcels that may go; under a rate limit they wait for an instant that is reserved for them.

    The reservation is made on the trigger's row, so it holds over all workers and clusters; it is kept with the event.
    """
    limited: dict[int, list[Parcel]] = {}
    free = []
    for parcel in parcels:
        event, rate = parcel.event, parcel.recipe.rate_per_minute
        if rate and event.trigger_id and event.paced_for != event.due_at:
            limited.setdefault(event.trigger_id, []).append(parcel)
        else:
            free.append(parcel)
    for trigger_id, waiting in limited.items():
        interval = timedelta(minutes=1) / (waiting[0].recipe.rate_per_minute or 1)
        first = _reserve(trigger_id, len(waiting), interval, now)
        for number, parcel in enumerate(waiting):
            at = max(first + number * interval, parcel.event.due_at)
            if at <= now:
                free.append(parcel)
            else:
                put_back(exchange.given_back(parcel, at, at))
    return free


def _reserve(trigger_id: int, count: int, interval: timedelta, now: datetime) -> datetime:
    """Reserve the next `count` instants of a trigger, one interval apart, and return the first."""
    with transaction.atomic():
        trigger = Trigger.with_deleted.select_for_update(no_key=True).only("rate_free_at").get(pk=trigger_id)
        first = max(trigger.rate_free_at or now, now)
        Trigger.with_deleted.filter(pk=trigger_id).update(rate_free_at=first + count * interval)
    return first
