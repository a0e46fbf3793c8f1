"""What a worker does: takes events, keeps their lease, and writes what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from triggers.claims.hours import Finished
from triggers.claims.sql import (
    among,
    as_json,
    aware,
    aware_if_any,
    fetch,
    id_set,
    instant,
    locked,
    locked_in_order,
    rows_table,
    run,
)


class TakenEvent(NamedTuple):
    """What a worker must know to deliver an event. `payload` is JSON text; `attempt` counts from 1."""

    id: int
    trigger_id: int | None
    source: str
    is_test: bool
    due_at: datetime
    triggered_at: datetime
    scheduled_for: datetime | None
    paced_for: datetime | None
    first_sent_at: datetime | None  # by an attempt before this one
    endpoint: str
    recipe_id: int | None
    payload: str
    attempt: int


class Result(NamedTuple):
    """What came of an event in a worker's hands. `number` None: nothing was sent, so there is no attempt to record.

    `token` is that of the take: an event that has another by now is no longer this worker's.
    """

    event_id: int
    token: str
    outcome: str
    at: datetime
    # When it is due again; None: it is finished.
    due_again_at: datetime | None = None
    # Under a rate limit: the instant that was reserved for it.
    paced_for: datetime | None = None
    # What its lateness counts from; None under a rate limit, where it is late on purpose.
    due_from: datetime | None = None
    # When its first attempt began, this one or an earlier one; None: it was not sent.
    first_sent_at: datetime | None = None
    reason: str = ""
    number: int | None = None
    started_at: datetime | None = None
    duration_ms: float = 0.0
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    body_ms: float | None = None
    status: int | None = None
    error_kind: str = ""
    error: str = ""
    remote_address: str = ""
    location: str = ""
    checks: Sequence[tuple[str, bool, str]] = ()
    request_headers: Sequence[tuple[str, str]] = ()
    response_headers: Sequence[tuple[str, str]] = ()
    response_body: str = ""
    response_bytes: int = 0
    is_response_binary: bool = False
    is_response_cut: bool = False


class Streak(NamedTuple):
    """The last finished events of a trigger in one flush: so many failed one after another, up to the newest."""

    trigger_id: int
    failed: int
    # None of them succeeded: what failed before counts too.
    is_unbroken: bool
    # After so many the trigger is switched off.
    most: int


def take(pks: Sequence[int], token: str, due_by: datetime, lease_until: datetime) -> list[TakenEvent]:
    """Take those of the events that are pending and due by `due_by`, and return them, soonest first.

    One compare-and-set: of two workers with one hint, one gets an event and the other does not.
    """
    wanted = f"id {among()} AND outcome = 'pending' AND due_at <= %s"
    rows = fetch(
        "UPDATE triggers_event SET outcome = 'delivering', token = %s, hand_over_at = %s, "
        "attempt_count = attempt_count + CASE WHEN endpoint = '' THEN 0 ELSE 1 END "
        # Of two workers with one hint (it was under way for long, and sent again) the second waits, and finds nothing.
        f"WHERE id {locked('triggers_event', wanted)} AND outcome = 'pending' "
        "RETURNING id, trigger_id, source, is_test, due_at, triggered_at, scheduled_for, paced_for, first_sent_at, "
        "endpoint, recipe_id, CAST(payload AS text), attempt_count",
        token,
        instant(lease_until),
        id_set(pks),
        instant(due_by),
    )
    taken = [
        TakenEvent(
            pk,
            trigger_id,
            source,
            bool(is_test),
            aware(due),
            aware(at),
            aware_if_any(instant),
            aware_if_any(paced),
            aware_if_any(first_sent),
            *rest,
        )
        for pk, trigger_id, source, is_test, due, at, instant, paced, first_sent, *rest in rows
    ]
    return sorted(taken, key=lambda event: (event.due_at, event.id))


def renew(held: Iterable[tuple[int, str]], lease_until: datetime) -> set[tuple[int, str]]:
    """Lengthen the lease of the events (id, token) that are still this worker's, and return these."""
    table, values = rows_table({"id": "bigint", "token": "text"}, list(held))
    renewed = fetch(
        f"UPDATE triggers_event SET hand_over_at = %s FROM {table} "
        "WHERE triggers_event.id = r.id AND triggers_event.token = r.token AND outcome = 'delivering' "
        "RETURNING triggers_event.id, triggers_event.token",
        instant(lease_until),
        *values,
    )
    return {(pk, token) for pk, token in renewed}


def write_results(results: Sequence[Result]) -> tuple[set[int], list[Finished]]:
    """Write what came of the events, each with its attempt.

    Return the ids of those that were still ours, and of those that are finished what count_finished() wants.

    An event whose lease ran out has another token: its result is refused, whoever holds it now will write one.
    """
    table, values = rows_table(
        {
            "id": "bigint",
            "token": "text",
            "outcome": "text",
            "reason": "text",
            "due": "timestamptz",
            "paced_for": "timestamptz",
            "finished_at": "timestamptz",
            "started_at": "timestamptz",
            "status": "bigint",
            "is_unsent": "boolean",
        },
        [
            (
                result.event_id,
                result.token,
                result.outcome,
                result.reason,
                instant(result.due_again_at),
                instant(result.paced_for),
                None if result.due_again_at else instant(result.at),
                instant(result.started_at),
                result.status,
                result.number is None and result.due_again_at is not None,
            )
            for result in results
        ],
    )
    written = fetch(
        "UPDATE triggers_event SET outcome = r.outcome, "
        # One that only goes back waits on for the reason that it waited for.
        "reason = CASE WHEN r.is_unsent THEN triggers_event.reason ELSE r.reason END, "
        "due_at = COALESCE(r.due, due_at), paced_for = r.paced_for, "
        "hand_over_at = r.due, finished_at = r.finished_at, first_sent_at = COALESCE(first_sent_at, r.started_at), "
        "last_status = CASE WHEN r.is_unsent THEN last_status ELSE r.status END, token = '', "
        # Taken but given back unsent: that was no attempt.
        "attempt_count = attempt_count - CASE WHEN r.is_unsent AND endpoint <> '' THEN 1 ELSE 0 END "
        f"FROM {table} WHERE triggers_event.id = r.id AND triggers_event.token = r.token "
        "RETURNING triggers_event.id, trigger_id, triggers_event.outcome, triggered_at, is_test",
        *values,
    )
    ours = {row[0] for row in written}
    _write_attempts([result for result in results if result.number is not None and result.event_id in ours])
    by_event = {result.event_id: result for result in results}
    finished = [
        _finished(by_event[event_id], trigger_id, outcome, triggered_at, is_test)
        for event_id, trigger_id, outcome, triggered_at, is_test in written
        if outcome not in ("pending", "delivering")
    ]
    return ours, finished


def _finished(
    result: Result, trigger_id: int | None, outcome: str, triggered_at: datetime | str, is_test: bool
) -> Finished:
    # What is only logged is sent nowhere; that it is on record is all that was to be done.
    sent_at = result.first_sent_at or (result.at if outcome == "logged" else None)
    return Finished(
        trigger_id,
        outcome,
        triggered_at,
        is_test,
        result.duration_ms if result.status is not None else None,
        (sent_at - result.due_from).total_seconds() if sent_at and result.due_from else None,
        (result.at - result.first_sent_at).total_seconds() if result.first_sent_at else None,
    )


def lock_failing(streaks: Sequence[Streak]) -> set[int]:
    """Lock the triggers whose failures in a row change, for count_streaks(), and return their ids.

    Most have not failed, nor before: their rows, which every worker would write at every flush, are left alone.
    """
    if not streaks:
        return set()
    table, values = rows_table(_STREAK, list(streaks))
    locked = fetch(
        f"SELECT triggers_trigger.id FROM triggers_trigger JOIN {table} ON triggers_trigger.id = r.id "
        f"WHERE r.failed > 0 OR failures_in_a_row > 0{locked_in_order('triggers_trigger')}",
        *values,
    )
    return {pk for (pk,) in locked}


def count_streaks(streaks: Sequence[Streak], reason: str, reason_for_one: str) -> list[tuple[int, str]]:
    """Count failures in a row on the triggers, switch off those that reach their most; return their ids, and why.

    `reason` stands on the trigger, with its number of failures for {}; `reason_for_one` after a single one.
    """
    table, values = rows_table(_STREAK, list(streaks))
    counted = "r.failed + CASE WHEN r.is_unbroken THEN failures_in_a_row ELSE 0 END"
    run(
        f"UPDATE triggers_trigger SET failures_in_a_row = {counted} FROM {table} WHERE triggers_trigger.id = r.id",
        *values,
    )
    before, after = reason.split("{}")
    return fetch(
        "UPDATE triggers_trigger SET enabled = false, next_fire_at = NULL, "
        "problem = CASE WHEN failures_in_a_row = 1 THEN %s ELSE %s || CAST(failures_in_a_row AS text) || %s END "
        f"FROM {table} "
        "WHERE triggers_trigger.id = r.id AND enabled AND failures_in_a_row >= r.most "
        "RETURNING triggers_trigger.id, problem",
        reason_for_one,
        before,
        after,
        *values,
    )


_STREAK = {"id": "bigint", "failed": "bigint", "is_unbroken": "boolean", "most": "bigint"}

# The columns of an attempt, in the order of the fields of Result, each with its type in PostgreSQL.
_ATTEMPT = {
    "event_id": "bigint",
    "number": "bigint",
    "started_at": "timestamptz",
    "duration_ms": "double precision",
    "dns_ms": "double precision",
    "connect_ms": "double precision",
    "tls_ms": "double precision",
    "first_byte_ms": "double precision",
    "body_ms": "double precision",
    "status": "bigint",
    "error_kind": "text",
    "error": "text",
    "remote_address": "text",
    "location": "text",
    "checks": "jsonb",
    "request_headers": "jsonb",
    "response_headers": "jsonb",
    "response_body": "text",
    "response_bytes": "bigint",
    "is_response_binary": "boolean",
    "is_response_cut": "boolean",
}
_READ_ATTEMPT = attrgetter(*_ATTEMPT)
_STARTED_AT = list(_ATTEMPT).index("started_at")
_JSON = [place for place, kind in enumerate(_ATTEMPT.values()) if kind == "jsonb"]


def _write_attempts(results: Sequence[Result]) -> None:
    if not results:
        return
    table, values = rows_table(_ATTEMPT, [_attempt_row(result) for result in results])
    names = ", ".join(_ATTEMPT)
    run(
        f"INSERT INTO triggers_attempt ({names}) SELECT {names} FROM {table} WHERE true ON CONFLICT DO NOTHING",
        *values,
    )


def _attempt_row(result: Result) -> tuple[Any, ...]:
    row = list(_READ_ATTEMPT(result))
    row[_STARTED_AT] = instant(result.started_at)
    for place in _JSON:
        row[place] = as_json(row[place])
    return tuple(row)
