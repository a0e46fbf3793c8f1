"""What the beat does: claims due triggers, writes their events, and holds events for the workers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from triggers.claims.hours import Finished, count_finished
from triggers.claims.sql import (
    among,
    aware,
    aware_if_any,
    fetch,
    id_set,
    instant,
    rows_table,
    run,
    skip_locked,
    timestamp,
)


class DueTrigger(NamedTuple):
    """What the beat must know of a trigger that falls due; schedules.Terms, and what to do about late instants."""

    id: int
    next_fire_at: datetime
    schedule_type: str
    schedule_value: str
    is_recurring: bool
    weekdays: Sequence[int]
    time_zone: str
    starts_at: datetime
    not_before: datetime | None
    not_after: datetime | None
    spread_seconds: int
    fires_left: int | None  # None: there is no most
    missed_policy: str
    overlap_policy: str
    is_running: bool  # it skips overlaps, and has an event that is not finished


class Move(NamedTuple):
    """`next_fire_at` None: the trigger has fired for the last time, or has a `problem`, and is switched off.

    `end` says why, in words for its record.
    """

    trigger_id: int
    seen_fire_at: datetime
    next_fire_at: datetime | None
    problem: str = ""
    end: str = ""


class Slot(NamedTuple):
    """One event to write for an instant of a trigger; with a `skip_cause`: a record of instants that did not fire."""

    trigger_id: int
    scheduled_for: datetime
    triggered_at: datetime
    skip_cause: str = ""
    skipped_count: int = 0
    skipped_until: datetime | None = None
    reason: str = ""


class Tally(NamedTuple):
    """How many due instants of a trigger ended in which way."""

    fired: int = 0
    missed: int = 0
    overlapped: int = 0


_NOTHING = Tally()


def anything_due(horizon: datetime) -> bool:
    """Return whether a trigger or an event falls due by `horizon`; reads two partial indexes, locks nothing."""
    rows = fetch(
        "SELECT EXISTS (SELECT 1 FROM triggers_trigger WHERE next_fire_at <= %s) "
        "OR EXISTS (SELECT 1 FROM triggers_event WHERE hand_over_at <= %s)",
        instant(horizon),
        instant(horizon),
    )
    return bool(rows[0][0])


def due_triggers(now: datetime, horizon: datetime, limit: int) -> list[DueTrigger]:
    """Return triggers that fall due by `horizon`, soonest first, locked until the transaction ends.

    One that skips overlaps and has an event that is not finished is left out until its instant has come.
    """
    is_running = (
        "(overlap_policy = 'skip' AND EXISTS (SELECT 1 FROM triggers_event e "
        "WHERE e.trigger_id = t.id AND e.hand_over_at IS NOT NULL AND e.source NOT IN ('test', 'replay')))"
    )
    rows = fetch(
        "SELECT id, next_fire_at, schedule_type, schedule_value, is_recurring, CAST(weekdays AS text), time_zone, "
        "starts_at, not_before, not_after, spread_seconds, max_fires - fired_count, missed_policy, overlap_policy, "
        f"{is_running} FROM triggers_trigger t WHERE next_fire_at <= %s AND (next_fire_at <= %s OR NOT {is_running}) "
        "ORDER BY next_fire_at LIMIT %s" + skip_locked("t"),
        instant(horizon),
        instant(now),
        limit,
    )
    return [
        DueTrigger(*row)._replace(
            next_fire_at=aware(row[1]),
            is_recurring=bool(row[4]),
            weekdays=json.loads(row[5]),
            starts_at=aware(row[7]),
            not_before=aware_if_any(row[8]),
            not_after=aware_if_any(row[9]),
            is_running=bool(row[14]),
        )
        for row in rows
    ]


def write_moves(moves: Iterable[Move], tallies: Mapping[int, Tally]) -> None:
    """Move `next_fire_at` on by compare-and-set, and count what was settled (by trigger id).

    A trigger without a next fire is switched off.
    """
    table, values = rows_table(
        {
            "id": "bigint",
            "seen": "timestamptz",
            "following": "timestamptz",
            "problem": "text",
            "fired": "bigint",
            "missed": "bigint",
            "overlapped": "bigint",
        },
        [
            (pk, instant(seen), instant(following), problem, *tallies.get(pk, _NOTHING))
            for pk, seen, following, problem, _ in moves
        ],
    )
    run(
        "UPDATE triggers_trigger SET next_fire_at = r.following, problem = r.problem, "
        "enabled = (triggers_trigger.enabled AND r.following IS NOT NULL), fired_count = fired_count + r.fired, "
        f"missed_count = missed_count + r.missed, overlap_count = overlap_count + r.overlapped FROM {table} "
        "WHERE triggers_trigger.id = r.id AND triggers_trigger.next_fire_at = r.seen",
        *values,
    )


def write_slots(slots: Iterable[Slot], hint_lost_at: datetime, now: datetime) -> tuple[list[int], dict[int, Tally]]:
    """Write an event for every slot, with the trigger's payload and endpoint of this moment.

    Return the ids of those to deliver, which count as handed over until `hint_lost_at`, and what was written by
    trigger id. An instant that has its event already gets no second one.
    """
    table, values = rows_table(
        {
            "trigger_id": "bigint",
            "scheduled_for": "timestamptz",
            "triggered_at": "timestamptz",
            "cause": "text",
            "skipped_count": "bigint",
            "skipped_until": "timestamptz",
            "reason": "text",
        },
        [
            (pk, instant(scheduled_for), instant(triggered_at), cause, count, instant(until), reason)
            for pk, scheduled_for, triggered_at, cause, count, until, reason in slots
        ],
    )
    written = fetch(
        "INSERT INTO triggers_event (trigger_id, source, is_test, payload, endpoint, recipe_id, scheduled_for, "
        "triggered_at, outcome, reason, skip_cause, skipped_count, skipped_until, due_at, attempt_count, hand_over_at, "
        "finished_at, token, request_digest) "
        "SELECT t.id, 'schedule', t.is_test, t.payload, t.api_endpoint, t.recipe_id, r.scheduled_for, r.triggered_at, "
        "CASE WHEN r.cause = '' THEN 'pending' ELSE 'skipped' END, r.reason, r.cause, r.skipped_count, "
        f"r.skipped_until, r.triggered_at, 0, CASE WHEN r.cause = '' THEN {timestamp('%s')} END, "
        f"CASE WHEN r.cause <> '' THEN {timestamp('%s')} END, '', '' "
        f"FROM {table} JOIN triggers_trigger t ON t.id = r.trigger_id WHERE true "
        "ORDER BY r.triggered_at, r.scheduled_for ON CONFLICT DO NOTHING "
        "RETURNING id, trigger_id, skip_cause, skipped_count, outcome, triggered_at, is_test",
        instant(hint_lost_at),
        instant(now),
        *values,
    )
    count_finished(
        Finished(trigger_id, outcome, triggered_at, is_test, skip_cause=cause, skipped_count=count)
        for _, trigger_id, cause, count, outcome, triggered_at, is_test in written
        if cause
    )
    return sorted(row[0] for row in written if not row[2]), _tallies(written)


def _tallies(written: Iterable[Sequence[Any]]) -> dict[int, Tally]:
    """Return what was written (…, trigger id, cause, count, …) by trigger id."""
    tallies: dict[int, Tally] = {}
    for _, trigger_id, cause, count, *_ in written:
        fired, missed, overlapped = tallies.get(trigger_id, _NOTHING)
        tallies[trigger_id] = Tally(
            fired + (not cause), missed + count * (cause == "missed"), overlapped + count * (cause == "overlap")
        )
    return tallies


class Held(NamedTuple):
    """Events to hand to workers. `alone`: those of them that go in a message each, interrupted time after time.

    `failed` were interrupted too often: they are over, and not to be handed to anybody.
    """

    pks: list[int]
    alone: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()


# Interruptions in a row: one event may end every worker that takes it, and others should not go with it.
ALONE_AFTER, FAILED_AFTER = 2, 5


def hold_due_events(now: datetime, horizon: datetime, hint_lost_at: datetime, limit: int) -> Held:
    """Return events that wait to be handed to a worker by `horizon`; they count as handed until `hint_lost_at`.

    They are new by API or Test, due for a retry, or were lost: their hint, or the worker that held them. The
    latter leave a record of the attempt whose end nobody saw, and their old worker's token no longer counts.
    """
    due = "SELECT id FROM triggers_event WHERE hand_over_at <= %s ORDER BY hand_over_at LIMIT %s"
    due += skip_locked("triggers_event")
    found = [pk for (pk,) in fetch(due, instant(horizon), limit)]
    if not found:
        return Held([])
    pks = id_set(found)
    run(
        "INSERT INTO triggers_attempt (event_id, number, started_at, duration_ms, error_kind, error, remote_address, "
        "location, checks, request_headers, response_headers, response_body, response_bytes, is_response_binary, "
        "is_response_cut) "
        "SELECT id, attempt_count, due_at, 0, 'interrupted', %s, '', '', '[]', '[]', '[]', '', 0, false, false "
        "FROM triggers_event "
        f"WHERE id {among()} AND outcome = 'delivering' AND attempt_count > 0 ON CONFLICT DO NOTHING",
        "The server stopped before it saw an answer. The request may have been sent; it is sent again.",
        pks,
    )
    in_a_row = _interrupted_in_a_row(pks)
    failed = frozenset(pk for pk, count in in_a_row.items() if count >= FAILED_AFTER)
    if failed:
        _fail(failed, now)
    held = fetch(
        f"UPDATE triggers_event SET hand_over_at = %s, outcome = 'pending', token = '' WHERE id {among()} "
        "AND hand_over_at IS NOT NULL RETURNING id",
        instant(hint_lost_at),
        pks,
    )
    alone = frozenset(pk for pk, count in in_a_row.items() if count >= ALONE_AFTER)
    return Held(sorted(pk for (pk,) in held), alone - failed, failed)


def _interrupted_in_a_row(pks: list[int] | str) -> dict[int, int]:
    """Return how many attempts in a row were interrupted, of those events whose worker is lost, not the first."""
    rows = fetch(
        "SELECT id, attempt_count - COALESCE((SELECT max(number) FROM triggers_attempt a "
        "WHERE a.event_id = e.id AND a.error_kind <> 'interrupted'), 0) "
        f"FROM triggers_event e WHERE id {among()} AND outcome = 'delivering' AND attempt_count >= %s",
        pks,
        ALONE_AFTER,
    )
    return dict(rows)


def _fail(pks: Iterable[int], now: datetime) -> None:
    failed = fetch(
        "UPDATE triggers_event SET outcome = 'failed', reason = %s, hand_over_at = NULL, finished_at = %s, token = '' "
        f"WHERE id {among()} RETURNING trigger_id, outcome, triggered_at, is_test",
        f"The server stopped in {FAILED_AFTER} attempts one after another. Perhaps this event made it stop, so it is "
        "not tried again by itself.",
        instant(now),
        id_set(pks),
    )
    count_finished(Finished(*row) for row in failed)
