"""The drill would notice: whatever is wrong in one of the three books, the accounts say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from triggers.drill.accounts import (
    Accounts,
    Books,
    Call,
    EventRow,
    Ledger,
    Planned,
    Request,
    Shift,
    Strike,
    draw_up,
    real_time,
)

START = 1_800_000_000
FAULT_AT = START + 2.5
TIMED, CALLED = 7, 8  # trigger ids
STRIKE = Strike(FAULT_AT, FAULT_AT, in_flight=1, recovery_from=FAULT_AT)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def scheduled(pk: int, instant: float, outcome: str = "succeeded") -> EventRow:
    return EventRow(pk, TIMED, at(instant), at(instant), outcome, None, {"trigger": 1})


def delivered(pk: int, instant: int, *, came: float | None = None, status: int = 200) -> Request:
    body = {"trigger": 1, "instant": at(instant).isoformat()}
    return Request(came or instant + 0.01, f"evt_{pk}", 1, body, status)


def skipped(pk: int, first: int, last: int, cause: str, handled_at: float) -> EventRow:
    count = last - first + 1
    return EventRow(pk, TIMED, at(first), at(handled_at), "skipped", None, {"trigger": 1}, cause, count, at(last))


@dataclass
class Drill:
    """The books of a drill in which all went well: six instants, and a call with a key."""

    plan: list[Planned] = field(default_factory=lambda: [Planned(TIMED, 1, range(START, START + 6))])
    calls: list[Call] = field(
        default_factory=lambda: [Call("c-1", True, START + 1, answered=[100], answered_at=START + 1.1)]
    )
    events: list[EventRow] = field(
        default_factory=lambda: [
            *(scheduled(10 + number, START + number) for number in range(6)),
            EventRow(100, CALLED, None, at(START + 1), "succeeded", "c-1", {"call": "c-1"}),
        ]
    )
    ledgers: dict[int, Ledger] = field(default_factory=lambda: {TIMED: Ledger(6, 0, 0), CALLED: Ledger(0, 0, 0)})
    requests: list[Request] = field(
        default_factory=lambda: [
            *(delivered(10 + number, START + number) for number in range(6)),
            Request(START + 1.2, "evt_100", 1, {"call": "c-1"}, 200),
        ]
    )
    strike: Strike = STRIKE
    shifts: list[Shift] = field(default_factory=list)

    def accounts(self) -> Accounts:
        books = Books(self.plan, self.calls, self.events, self.ledgers, sorted(self.requests), self.strike, self.shifts)
        return draw_up(books)

    def drop_event(self, pk: int) -> None:
        self.events = [event for event in self.events if event.id != pk]

    def drop_requests(self, webhook_id: str) -> None:
        self.requests = [request for request in self.requests if request.webhook_id != webhook_id]

    def change_event(self, pk: int, **fields: object) -> None:
        self.events = [event._replace(**fields) if event.id == pk else event for event in self.events]  # type: ignore[arg-type]


def test_a_drill_in_which_all_went_well_has_nothing_to_say() -> None:
    accounts = Drill().accounts()

    assert accounts.breaches == ()
    assert (accounts.acked, accounts.events, accounts.duplicates) == (1, 7, 0)
    assert (accounts.recovery_seconds, accounts.caught_up_seconds) == (0, 0)


def _forget_the_call(drill: Drill) -> None:
    drill.drop_event(100)
    drill.drop_requests("evt_100")


def _mix_up_the_payload(drill: Drill) -> None:
    drill.change_event(100, payload={"call": "c-2"})


def _mix_up_the_key(drill: Drill) -> None:
    drill.change_event(100, idempotency_key="c-2")


def _lose_an_instant(drill: Drill) -> None:
    drill.drop_event(13)
    drill.drop_requests("evt_13")


def _skip_as_missed_in_a_short_downtime(drill: Drill) -> None:
    _lose_an_instant(drill)
    drill.events.append(skipped(50, START + 3, START + 3, "missed", START + 70))


def _skip_as_overlap_where_overlaps_fire(drill: Drill) -> None:
    _lose_an_instant(drill)
    drill.events.append(skipped(50, START + 3, START + 3, "overlap", START + 3))


def _skip_too_soon_in_a_long_downtime(drill: Drill) -> None:
    _lose_an_instant(drill)
    drill.strike = replace(drill.strike, is_long_downtime=True)
    drill.events.append(skipped(50, START + 3, START + 3, "missed", START + 30))


def _fire_an_instant_twice(drill: Drill) -> None:
    drill.events.append(scheduled(50, START + 3))


def _fire_at_no_instant(drill: Drill) -> None:
    drill.events.append(scheduled(50, START + 99))
    drill.requests.append(delivered(50, START + 99))


def _fire_a_call_twice(drill: Drill) -> None:
    drill.events.append(EventRow(101, CALLED, None, at(START + 2), "succeeded", None, {"call": "c-1"}))


def _answer_a_key_with_two_events(drill: Drill) -> None:
    drill.calls[0].answered.append(101)
    drill.events.append(EventRow(101, CALLED, None, at(START + 2), "succeeded", "c-1", {"call": "c-1"}))


def _deliver_under_another_webhook_id(drill: Drill) -> None:
    drill.requests.append(delivered(99, START + 3, came=START + 3.5))


def _use_a_webhook_id_twice(drill: Drill) -> None:
    drill.drop_requests("evt_13")
    drill.requests.append(delivered(12, START + 3))


def _deliver_early(drill: Drill) -> None:
    drill.drop_requests("evt_13")
    drill.requests.append(delivered(13, START + 3, came=START + 2.999))


def _never_deliver(drill: Drill) -> None:
    drill.drop_requests("evt_13")


def _have_it_refused(drill: Drill) -> None:
    drill.drop_requests("evt_13")
    drill.requests.append(delivered(13, START + 3, status=503))


def _leave_it_unfinished(drill: Drill) -> None:
    drill.change_event(13, outcome="delivering")


def _never_accept(drill: Drill) -> None:
    drill.calls.append(Call("c-2", True, START + 2))


def _count_wrong(drill: Drill) -> None:
    drill.ledgers[TIMED] = Ledger(5, 0, 0)


def _deliver_twice_more_than_were_in_flight(drill: Drill) -> None:
    drill.requests += [delivered(13, START + 3, came=START + 20 + number) for number in range(2)]


def _recover_late(drill: Drill) -> None:
    drill.plan = [Planned(TIMED, 1, range(START, START + 60))]
    drill.ledgers[TIMED] = Ledger(60, 0, 0)
    drill.events = [*(scheduled(10 + n, START + n) for n in range(60)), drill.events[-1]._replace(id=100)]
    late = dict.fromkeys(range(3, 50), START + 58)
    drill.requests = [drill.requests[-1], *(delivered(10 + n, START + n, came=late.get(n)) for n in range(60))]


@pytest.mark.parametrize(
    ("spoil", "figure", "words"),
    [
        (_forget_the_call, "lost", "call c-1 was answered with event 100, which is not there"),
        (_mix_up_the_payload, "lost", "which is another's"),
        (_mix_up_the_key, "lost", "which is another's"),
        (_lose_an_instant, "missed", "trigger 1 at 2027-01-15T08:00:03"),
        (_skip_as_missed_in_a_short_downtime, "missed", "trigger 1"),
        (_skip_as_overlap_where_overlaps_fire, "missed", "trigger 1"),
        (_skip_too_soon_in_a_long_downtime, "missed", "trigger 1"),
        (_fire_an_instant_twice, "extra", "event 50 is a second one"),
        (_fire_at_no_instant, "extra", "event 50"),
        (_fire_a_call_twice, "extra", "event 101 is a second one for call c-1"),
        (_answer_a_key_with_two_events, "extra", "several events: [100, 101]"),
        (_deliver_under_another_webhook_id, "extra", "was delivered as evt_13, evt_99"),
        (_use_a_webhook_id_twice, "extra", "evt_12 is both"),
        (_deliver_early, "early", "by 1 ms, as evt_13"),
        (_never_deliver, "undelivered", "event 13"),
        (_have_it_refused, "undelivered", "event 13"),
        (_leave_it_unfinished, "undelivered", "is delivering"),
        (_never_accept, "undelivered", "call c-2 was never accepted"),
    ],
)
def test_it_notices(spoil: Callable[[Drill], None], figure: str, words: str) -> None:
    drill = Drill()
    spoil(drill)

    accounts = drill.accounts()

    assert getattr(accounts, figure) >= 1
    assert any(breach.startswith(figure) and words in breach for breach in accounts.breaches), accounts.breaches


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_count_wrong, "ledger off"),
        (_deliver_twice_more_than_were_in_flight, "duplicates beyond the 1 in flight"),
        (_recover_late, "on time again only after 46.5 s"),
    ],
)
def test_it_notices_also(spoil: Callable[[Drill], None], words: str) -> None:
    drill = Drill()
    spoil(drill)

    assert any(words in breach for breach in drill.accounts().breaches)


def test_what_was_in_flight_may_come_twice_and_a_retry_is_no_duplicate() -> None:
    drill = Drill()
    drill.requests.append(delivered(12, START + 2, came=START + 20))
    drill.requests.append(delivered(13, START + 3, came=START + 3.001, status=503))

    assert (drill.accounts().duplicates, drill.accounts().breaches) == (1, ())


def test_an_overlap_and_a_long_downtime_may_be_on_record_in_place_of_an_event() -> None:
    drill = Drill()
    drill.plan = [replace(drill.plan[0], skips_overlaps=True)]
    _lose_an_instant(drill)
    drill.events.append(skipped(50, START + 3, START + 3, "overlap", START + 3))
    assert (drill.accounts().on_record, drill.accounts().breaches) == (1, ())

    drill = Drill()
    _lose_an_instant(drill)
    drill.strike = replace(drill.strike, is_long_downtime=True)
    drill.events.append(skipped(50, START + 3, START + 3, "missed", START + 64))
    assert (drill.accounts().on_record, drill.accounts().breaches) == (1, ())


def test_a_call_without_a_key_may_have_an_unknown_fate_but_not_an_undelivered_event() -> None:
    drill = Drill()
    drill.calls.append(Call("c-2", False, START + 2))
    assert drill.accounts().breaches == ()

    drill.events.append(EventRow(101, CALLED, None, at(START + 2), "succeeded", None, {"call": "c-2"}))
    assert drill.accounts().undelivered == 1


def test_recovery_is_until_what_falls_due_comes_on_time_and_caught_up_until_the_last_late_one_came() -> None:
    drill = Drill()
    drill.drop_requests("evt_12")
    drill.drop_requests("evt_13")
    # 12 was in the hands of what was killed; 13 fell due after the fault.
    drill.requests += [delivered(12, START + 2, came=START + 22.5), delivered(13, START + 3, came=START + 6)]

    accounts = drill.accounts()

    assert accounts.recovery_seconds == pytest.approx(0.5)
    assert accounts.caught_up_seconds == pytest.approx(20)
    assert accounts.breaches == ()


@pytest.mark.parametrize(
    ("shift", "instant", "expected"),
    [
        (Shift(1000, 30), 999, 999),  # before the step
        (Shift(1000, 30), 1010, 1000),  # stepped over
        (Shift(1000, 30), 1031, 1001),
        (Shift(1000, -20), 990, 990),  # shown twice: the first time counts
        (Shift(1000, -20), 1001, 1021),
    ],
)
def test_real_time_is_when_a_clock_that_is_set_first_shows_an_instant(
    shift: Shift, instant: int, expected: float
) -> None:
    assert real_time(instant, [shift]) == expected


def test_early_is_by_the_servers_clock() -> None:
    drill = Drill(shifts=[Shift(START - 10, -5)])
    assert drill.accounts().early == 6

    drill = Drill(shifts=[Shift(START + 2.9, 10)])
    drill.drop_requests("evt_15")
    drill.requests.append(delivered(15, START + 5, came=START + 3.1))
    assert drill.accounts().early == 0
