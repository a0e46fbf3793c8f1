"""What three books say together: what callers were told, what the database holds, what the receiver got. Pure.

No book is believed for what it says of itself: instants are reckoned from the plan by plain arithmetic, deliveries are
told apart by what stands in their bodies, and an answer counts for what the caller read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

ON_TIME_SECONDS = 2.0  # a delivery that comes later than this after its instant, or its call, was held up
MISSED_AFTER_SECONDS = 60.0  # promise 5: an instant handled later than this may be skipped, on record
RECOVERS_WITHIN_SECONDS = 45.0
SHOWN = 8  # of what is wrong, in words

# What an event is, by itself: ("trigger", its number, the instant in epoch seconds) or ("call", the caller's name).
Identity = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """A trigger of the plan: `number` stands in its payload, `instants` (epoch seconds) are when it has to fire."""

    trigger_id: int
    number: int
    instants: Sequence[int]
    skips_overlaps: bool = False


@dataclass(slots=True)
class Call:
    """One fire by API, as its caller knows it. Without a key it is made once, and its fate may stay unknown."""

    name: str
    has_key: bool
    began_at: float
    answered: list[int] = field(default_factory=list)  # the event's id in every 2xx
    answered_at: float | None = None


class EventRow(NamedTuple):
    """An event as the database has it at the end. `skipped_*` speak of a record of instants that did not fire."""

    id: int
    trigger_id: int
    scheduled_for: datetime | None
    triggered_at: datetime
    outcome: str
    idempotency_key: str | None
    payload: Mapping[str, Any]
    skip_cause: str = ""
    skipped_count: int = 0
    skipped_until: datetime | None = None


class Ledger(NamedTuple):
    """What a trigger's own row says became of its instants."""

    fired: int
    missed: int
    overlapped: int


class Request(NamedTuple):
    """A request as the receiver wrote it down before it answered. `status` 0: it was not answered."""

    at: float
    webhook_id: str
    attempt: int
    body: Mapping[str, Any]
    status: int


class Shift(NamedTuple):
    """From this real time on the server's clock is so many seconds ahead of it (behind: negative)."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Strike:
    """The fault: from when to when (epoch seconds), and how many events were due or held right before it."""

    began_at: float
    ended_at: float
    in_flight: int
    recovery_from: float
    is_long_downtime: bool = False  # over 60 s by the server's clock: missed instants may be on record


@dataclass(frozen=True, slots=True)
class Books:
    """All that is known of a drill when it is over."""

    plan: Sequence[Planned]
    calls: Sequence[Call]
    events: Sequence[EventRow]
    ledgers: Mapping[int, Ledger]  # by trigger id
    requests: Sequence[Request]
    strike: Strike
    shifts: Sequence[Shift] = ()


@dataclass(frozen=True, slots=True)
class Accounts:
    """The figures of a drill, and in words what is wrong."""

    acked: int
    events: int
    lost: int
    missed: int
    extra: int
    early: int
    duplicates: int
    in_flight: int
    undelivered: int
    on_record: int  # instants that did not fire and are on record as they should be: overlaps, a long downtime
    recovery_seconds: float
    caught_up_seconds: float  # from the fault's end until the last event that it held up was delivered
    slowest_answer_seconds: float
    breaches: tuple[str, ...]


def draw_up(books: Books) -> Accounts:
    """Return the accounts of a drill."""
    plan = {planned.trigger_id: planned for planned in books.plan}
    by_identity = _by_identity(books.requests)
    identities = {event.id: _of_event(event, plan) for event in books.events if not event.skip_cause}
    lost = _lost(books.calls, books.events)
    missed, on_record = _missed(books, plan)
    extra = _extra(books, plan, identities, by_identity)
    early = _early(by_identity, books.shifts)
    undelivered = _undelivered(books, identities, by_identity)
    duplicates = [identity for identity, requests in by_identity.items() for _ in _beyond_the_first(requests)]
    ledger = _ledger_off(books, plan)
    recovery, caught_up = _recovery(books, by_identity)
    breaches = [
        *_words("lost", lost),
        *_words("missed", missed),
        *_words("extra", extra),
        *_words("early", early),
        *_words("undelivered", undelivered),
        *_words("ledger off", ledger),
    ]
    if len(duplicates) > books.strike.in_flight:
        names = [_name(identity) for identity in duplicates]
        breaches += _words(f"duplicates beyond the {books.strike.in_flight} in flight", names)
    if recovery > RECOVERS_WITHIN_SECONDS:
        breaches.append(f"recovery: on time again only after {recovery:.1f} s")
    answers = [call.answered_at - call.began_at for call in books.calls if call.answered_at]
    return Accounts(
        acked=sum(bool(call.answered) for call in books.calls),
        events=len(identities),
        lost=len(lost),
        missed=len(missed),
        extra=len(extra),
        early=len(early),
        duplicates=len(duplicates),
        in_flight=books.strike.in_flight,
        undelivered=len(undelivered),
        on_record=on_record,
        recovery_seconds=recovery,
        caught_up_seconds=caught_up,
        slowest_answer_seconds=max(answers, default=0.0),
        breaches=tuple(breaches),
    )


# --- What a thing is -----------------------------------------------------------------------------------


def identity_of(body: Mapping[str, Any]) -> Identity | None:
    """Return what the body of a request, or a payload, says of itself; None when it says nothing."""
    if "call" in body:
        return ("call", body["call"])
    if body.get("instant"):
        return ("trigger", body["trigger"], round(datetime.fromisoformat(body["instant"]).timestamp()))
    return None


def _of_event(event: EventRow, plan: Mapping[int, Planned]) -> Identity | None:
    """Return the identity of an event: of a scheduled one by its row, of a call by its payload."""
    planned = plan.get(event.trigger_id)
    if event.scheduled_for and planned:
        return ("trigger", planned.number, round(event.scheduled_for.timestamp()))
    return identity_of(event.payload)


def _by_identity(requests: Iterable[Request]) -> dict[Identity | None, list[Request]]:
    found: dict[Identity | None, list[Request]] = defaultdict(list)
    for request in requests:
        found[identity_of(request.body)].append(request)
    return found


def _name(identity: Identity | None) -> str:
    if identity is None:
        return "something unknown"
    if identity[0] == "call":
        return f"call {identity[1]}"
    at = datetime.fromtimestamp(identity[2]).astimezone().isoformat(timespec="seconds")
    return f"trigger {identity[1]} at {at}"


# --- The accounts --------------------------------------------------------------------------------------


def _lost(calls: Iterable[Call], events: Iterable[EventRow]) -> list[str]:
    """Accepted calls whose event is not there, or is another's."""
    rows = {event.id: event for event in events}
    lost = []
    for call in calls:
        for pk in sorted(set(call.answered)):
            event = rows.get(pk)
            if event is None:
                lost.append(f"call {call.name} was answered with event {pk}, which is not there")
            elif event.payload.get("call") != call.name or (call.has_key and event.idempotency_key != call.name):
                lost.append(f"call {call.name} was answered with event {pk}, which is another's")
    return lost


def _missed(books: Books, plan: Mapping[int, Planned]) -> tuple[list[str], int]:
    """Instants that have no event and no record that may stand for one; and how many have such a record."""
    fired: dict[int, set[int]] = defaultdict(set)
    skips: dict[int, list[EventRow]] = defaultdict(list)
    for event in books.events:
        if event.skip_cause:
            skips[event.trigger_id].append(event)
        elif event.scheduled_for:
            fired[event.trigger_id].add(round(event.scheduled_for.timestamp()))
    missed, on_record = [], 0
    for trigger_id, planned in plan.items():
        for instant in planned.instants:
            if instant in fired[trigger_id]:
                continue
            if any(_stands_for(skip, instant, planned, books.strike) for skip in skips[trigger_id]):
                on_record += 1
            else:
                missed.append(f"{_name(('trigger', planned.number, instant))} (id {trigger_id})")
    return missed, on_record


def _stands_for(skip: EventRow, instant: int, planned: Planned, strike: Strike) -> bool:
    """Whether a record may stand for an instant: by the promises, not merely because it is there."""
    if not skip.scheduled_for or not skip.skipped_until:
        return False
    if not skip.scheduled_for.timestamp() <= instant <= skip.skipped_until.timestamp():
        return False
    if skip.skip_cause == "overlap":
        return planned.skips_overlaps
    return strike.is_long_downtime and skip.triggered_at.timestamp() - instant > MISSED_AFTER_SECONDS


def _extra(
    books: Books,
    plan: Mapping[int, Planned],
    identities: Mapping[int, Identity | None],
    by_identity: Mapping[Identity | None, Sequence[Request]],
) -> list[str]:
    """Second events for one instant or call, events of nothing that was planned, second webhook-ids."""
    planned = {("trigger", each.number, instant) for each in plan.values() for instant in each.instants}
    called = {("call", call.name) for call in books.calls}
    extra, seen = [], set()
    for pk, identity in identities.items():
        if identity not in planned and identity not in called:
            extra.append(f"event {pk} ({_name(identity)}) was never asked for")
        elif identity in seen:
            extra.append(f"event {pk} is a second one for {_name(identity)}")
        seen.add(identity)
    extra += [
        f"call {call.name} was answered with several events: {sorted(set(call.answered))}"
        for call in books.calls
        if len(set(call.answered)) > 1
    ]
    named: dict[str, Identity | None] = {}
    for identity, requests in by_identity.items():
        names = sorted({request.webhook_id for request in requests})
        if len(names) > 1:
            extra.append(f"{_name(identity)} was delivered as {', '.join(names)}")
        for name in names:
            if name in named:
                extra.append(f"{name} is both {_name(named[name])} and {_name(identity)}")
            named[name] = identity
    return extra


def _early(by_identity: Mapping[Identity | None, Sequence[Request]], shifts: Sequence[Shift]) -> list[str]:
    early = []
    for identity, requests in by_identity.items():
        if identity is None or identity[0] != "trigger":
            continue
        for request in requests:
            ahead = identity[2] - (request.at + _ahead(request.at, shifts))
            if ahead > 0:
                early.append(f"{_name(identity)} by {ahead * 1000:.0f} ms, as {request.webhook_id}")
    return early


def _ahead(at: float, shifts: Sequence[Shift]) -> float:
    """Return how far the server's clock is ahead of the real one; around a step, the more lenient of both."""
    before = [shift.seconds for shift in shifts if shift.at <= at - 2.0]
    around = [shift.seconds for shift in shifts if at - 2.0 < shift.at <= at + 2.0]
    return max([before[-1] if before else 0.0, *around])


def _undelivered(
    books: Books,
    identities: Mapping[int, Identity | None],
    by_identity: Mapping[Identity | None, Sequence[Request]],
) -> list[str]:
    """Events that the receiver never took, or that are not on record as delivered; accepted calls that never came."""
    rows = {event.id: event for event in books.events}
    undelivered = []
    for pk, identity in identities.items():
        if not any(200 <= request.status < 300 for request in by_identity.get(identity, ())):
            undelivered.append(f"event {pk} ({_name(identity)}) never came")
        elif rows[pk].outcome != "succeeded":
            undelivered.append(f"event {pk} ({_name(identity)}) came, and is {rows[pk].outcome}")
    for call in books.calls:
        if call.answered and ("call", call.name) not in by_identity:
            undelivered.append(f"call {call.name} was accepted and never came")
        if call.has_key and not call.answered:
            undelivered.append(f"call {call.name} was never accepted, however often it was made")
    return undelivered


def _beyond_the_first(requests: Sequence[Request]) -> list[Request]:
    """Return the requests after the first one that was answered well: what comes after a refusal is a retry."""
    taken = [number for number, request in enumerate(requests) if 200 <= request.status < 300]
    return list(requests[taken[0] + 1 :]) if taken else []


def _ledger_off(books: Books, plan: Mapping[int, Planned]) -> list[str]:
    """Triggers whose own counts do not add up to their instants."""
    off = []
    for trigger_id, planned in plan.items():
        ledger = books.ledgers.get(trigger_id)
        if ledger is None or sum(ledger) != len(planned.instants):
            off.append(f"trigger {planned.number} (id {trigger_id}) counts {ledger}, of {len(planned.instants)} due")
    return off


def _recovery(books: Books, by_identity: Mapping[Identity | None, Sequence[Request]]) -> tuple[float, float]:
    """Return the seconds from the fault until all that fell due came on time, and until the last late one had come.

    Both in real time. What never came is the matter of another account.
    """
    due: dict[Identity, float] = {("call", call.name): call.began_at for call in books.calls if call.answered}
    for planned in books.plan:
        for instant in planned.instants:
            due["trigger", planned.number, instant] = real_time(instant, books.shifts)
    from_when = books.strike.recovery_from
    late_until, caught_up = from_when, from_when
    for identity, at in due.items():
        requests = by_identity.get(identity)
        if requests is None or requests[0].at - at <= ON_TIME_SECONDS:
            continue
        late_until = max(late_until, at)
        caught_up = max(caught_up, requests[0].at)
    return late_until - from_when, caught_up - from_when


def real_time(instant: float, shifts: Sequence[Shift]) -> float:
    """Return when the server's clock first showed that instant, in real time."""
    ahead = 0.0
    for shift in shifts:
        if instant - ahead <= shift.at:
            return instant - ahead
        if instant - shift.seconds < shift.at:
            return shift.at  # stepped over
        ahead = shift.seconds
    return instant - ahead


def _words(name: str, wrong: Sequence[str]) -> list[str]:
    if not wrong:
        return []
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return [f"{name} ({len(wrong)}): " + "; ".join(wrong[:SHOWN]) + more]
