"""The last 48 hours of triggers that never were, written straight into the tables, an hour in memory at a time."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models, transaction

from triggers import claims, definition, schedules, signing
from triggers.claims.sql import instant, is_postgres
from triggers.demo.plans import HOURS, Plan
from triggers.models import Attempt, Change, Event, Recipe, ReplayBatch, Trigger, webhook_id

CHUNK = 5000  # events in one transaction
# How many calls come in each hour of the day (UTC), against each other.
_DAY = (4, 3, 3, 3, 4, 6, 10, 15, 19, 21, 22, 22, 21, 22, 22, 21, 19, 17, 15, 13, 11, 9, 7, 5)
_NO_ANSWER_MS = 10_000
_NO_ANSWER = "No answer within 10 s. Give it more time, or look at the endpoint."
_BAD_ANSWER = '{"error": "upstream_unavailable", "detail": "worker pool is full (12 of 12 busy)", "trace": "%012x"}'
_GOOD_ANSWER = '{"accepted": true, "trace": "%012x"}'
_ANSWER_HEADERS = '[["content-type", "application/json"], ["server", "nginx"]]'


@dataclass(frozen=True, slots=True)
class Written:
    triggers: int
    events: int
    attempts: int


@dataclass(frozen=True, slots=True)
class _Fire:
    at: datetime
    plan: int  # its place
    source: str
    due: datetime | None = None  # of a scheduled one


def write(plans: Sequence[Plan], now: datetime, chance: random.Random, alike: int = 1) -> Written:
    """Store the triggers, and the events, attempts and sums of the last 48 hours; return how many of each.

    `alike`: so many plans at a time are told the same; the dice are thrown for the first of them, and PostgreSQL makes
    the rows of the others from its rows, many times quicker. Their ids follow each other, from triggers to events:
    nothing else may write at the same time.
    """
    began = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS)
    triggers = _triggers(plans, began, now)
    calendar = _Calendar(plans, triggers, max(began, now - timedelta(hours=HOURS)), now, chance, alike)
    first_id = (Event.objects.aggregate(last=models.Max("id"))["last"] or 0) + 1
    writer = _Writer(plans, triggers, now, chance, first_id, alike)
    for hour in range(HOURS):
        writer.write(calendar.fires_of(hour))
    for place, trigger in enumerate(triggers):
        trigger.fired_count = calendar.fired[place - place % alike]
    Trigger.objects.bulk_update(triggers, ["fired_count"], batch_size=500)
    with connection.cursor() as cursor:  # where ids come from a sequence of its own, it goes on behind ours
        for statement in connection.ops.sequence_reset_sql(no_style(), [Event]):
            cursor.execute(statement)
    return Written(len(triggers), writer.next_id - first_id, writer.attempts)


# --- Triggers --------------------------------------------------------------------------------------------


def _triggers(plans: Sequence[Plan], began: datetime, now: datetime) -> list[Trigger]:
    """Store the triggers as if their schedules had begun when the history begins, each with its next fire."""
    in_a_week = f"{(now + timedelta(days=7)):%Y-%m-%d}"
    triggers = []
    for plan in plans:
        value = plan.fields.get("schedule_value", "").format(in_a_week=in_a_week)
        trigger = definition.draft({**plan.fields, "schedule_value": value}, began)
        trigger.created_at = began - timedelta(days=30)
        if trigger.recipe:
            trigger.recipe.signing_secret = signing.new_secret()
        if plan.off_because:
            trigger.enabled, trigger.next_fire_at, trigger.problem = False, None, plan.off_because
            trigger.failures_in_a_row = plan.fields["switch_off_after"]
        elif trigger.next_fire_at:
            trigger.next_fire_at = schedules.timetable_of(trigger).next_after(now)
        triggers.append(trigger)
    with transaction.atomic():
        Recipe.objects.bulk_create([trigger.recipe for trigger in triggers if trigger.recipe], batch_size=500)
        for trigger in triggers:
            trigger.recipe = trigger.recipe  # now that it has an id
        Trigger.objects.bulk_create(triggers, batch_size=500)
        created = [
            Change(trigger=trigger, at=trigger.created_at, by_kind=Change.By.SERVER, kind=Change.Kind.CREATED)
            for trigger in triggers
        ]
        Change.objects.bulk_create(created, batch_size=500)
        return triggers


# --- Fires -----------------------------------------------------------------------------------------------


class _Calendar:
    """When each trigger fires, told hour by hour: millions of fires need not be in memory at once."""

    def __init__(
        self,
        plans: Sequence[Plan],
        triggers: Sequence[Trigger],
        since: datetime,
        now: datetime,
        chance: random.Random,
        alike: int,
    ) -> None:
        self.plans, self.since, self.now, self.chance = plans, since, now, chance
        self.places = range(0, len(plans), alike)
        self.fired = [0] * len(plans)  # by schedule, so far
        self.timetables = [
            schedules.timetable_of(each) if each.is_scheduled and each.is_recurring and each.enabled else None
            for each in triggers
        ]
        # Of a timetable: the first instant that is not told yet.
        self.next_due = [timetable and timetable.next_after(since) for timetable in self.timetables]
        hours = list(range(HOURS))
        weights = [_DAY[(since + timedelta(hours=hour)).hour] for hour in hours]
        self.calls = [Counter(chance.choices(hours, weights, k=plan.calls)) for plan in plans]
        self.tests = [Counter(chance.choices(hours, weights, k=plan.tests)) for plan in plans]
        self.replays = [Counter(chance.choices(hours, weights, k=plan.replays)) for plan in plans]

    def fires_of(self, hour: int) -> list[_Fire]:
        """Return what fires in an hour, counted from the first, in order of time. Ask for one hour after the other."""
        begins = self.since + timedelta(hours=hour)
        ends = self.now if hour == HOURS - 1 else begins + timedelta(hours=1)
        fires = [fire for place in self.places for fire in self._fires(place, hour, begins, ends)]
        return sorted(fires, key=attrgetter("at"))

    def _fires(self, place: int, hour: int, begins: datetime, ends: datetime) -> Iterator[_Fire]:
        plan, chance = self.plans[place], self.chance
        seconds = (ends - begins).total_seconds()
        timetable, due = self.timetables[place], self.next_due[place]
        while timetable and due and due <= ends:
            yield _Fire(due + timedelta(milliseconds=chance.uniform(1, 60)), place, Event.Source.SCHEDULE, due)
            self.fired[place] += 1
            due = timetable.next_after(due)
        self.next_due[place] = due
        for source, count, at in (
            (Event.Source.API, self.calls[place][hour], plan.calls_at),
            (Event.Source.TEST, self.tests[place][hour], plan.tests_at),
            (Event.Source.REPLAY, self.replays[place][hour], plan.replays_at),
        ):
            for _ in range(count):
                yield _Fire(begins + timedelta(seconds=chance.random() * seconds), place, source)
            for ago in at:
                if begins < self.now - ago <= ends:
                    yield _Fire(self.now - ago, place, source)


# --- Events and attempts -----------------------------------------------------------------------------------


def _batches(plans: Sequence[Plan], triggers: Sequence[Trigger], now: datetime) -> dict[int, int]:
    """Store the batches of replays, all of them done; return their ids by plan."""
    batches = {
        place: ReplayBatch(
            trigger=triggers[place],
            last_id=0,
            state=ReplayBatch.State.DONE,
            begun_by="mara",
            begun_at=now - timedelta(hours=HOURS),
            ended_at=now,
            total=plan.replays,
            replayed_count=plan.replays,
            next_due_at=now,
        )
        for place, plan in enumerate(plans)
        if plan.replays and plan.are_replays_batched
    }
    ReplayBatch.objects.bulk_create(batches.values(), batch_size=500)
    return {place: batch.pk for place, batch in batches.items()}


class _Writer:
    """Throws the dice for every fire, and writes rows in the order of their ids."""

    def __init__(
        self,
        plans: Sequence[Plan],
        triggers: Sequence[Trigger],
        now: datetime,
        chance: random.Random,
        first_id: int,
        alike: int,
    ) -> None:
        self.plans, self.triggers, self.now, self.chance, self.alike = plans, triggers, now, chance, alike
        self.next_id = first_id
        self.attempts = 0
        self.last_failed: dict[int, int] = {}  # event ids by plan
        self.batches = _batches(plans, triggers, now)
        self.events_table = _Table(Event, alike, keeps_ids=True)
        self.attempts_table = _Table(Attempt, alike, keeps_ids=False)
        # As the database takes them; instant() asks which one it is, every time.
        self.instant: Callable[[datetime | None], Any] = _as_it_is if is_postgres() else instant
        self.methods = [trigger.recipe.method if trigger.recipe else "POST" for trigger in triggers]
        self.payloads = [json.dumps(trigger.payload, ensure_ascii=False) for trigger in triggers]
        self.numbered_payloads = [_numbered(trigger.payload) for trigger in triggers]

    def write(self, fires: Sequence[_Fire]) -> None:
        """Write what became of the fires of an hour. Their sums are taken together: they are many times fewer."""
        finished: list[claims.Finished] = []
        for start in range(0, len(fires), CHUNK):
            finished += self._write(fires[start : start + CHUNK])
        with transaction.atomic():
            claims.count_finished(
                event._replace(trigger_id=(event.trigger_id or 0) + number)
                for event in finished
                for number in range(self.alike)
            )

    def _write(self, fires: Sequence[_Fire]) -> list[claims.Finished]:
        events: list[dict[str, Any]] = []
        attempts: list[dict[str, Any]] = []
        finished: list[claims.Finished] = []
        for fire in fires:
            event, of_event = self._happened(fire)
            events.append(event)
            attempts += of_event
            if event["outcome"] not in Event.UNFINISHED:
                is_answered = bool(of_event) and of_event[-1]["status"] is not None
                took = of_event[-1]["duration_ms"] if is_answered else None
                finished.append(claims.Finished(event["trigger_id"], event["outcome"], fire.at, event["is_test"], took))
        with transaction.atomic():
            self.events_table.insert(events)
            self.attempts_table.insert(attempts)
        self.attempts += len(attempts) * self.alike
        return finished

    def _happened(self, fire: _Fire) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the columns of the event, and of its attempts."""
        plan, trigger = self.plans[fire.plan], self.triggers[fire.plan]
        pk, self.next_id = self.next_id, self.next_id + self.alike
        replayed = self.last_failed.get(fire.plan) if fire.source == Event.Source.REPLAY else None
        event = {
            "id": pk,
            "trigger_id": trigger.pk,
            "source": Event.Source.API if fire.source == Event.Source.REPLAY and not replayed else fire.source,
            "is_test": trigger.is_test or fire.source == Event.Source.TEST,
            "payload": self._payload(fire, pk),
            "endpoint": trigger.api_endpoint,
            "recipe_id": trigger.recipe_id,
            "replay_of_id": replayed,
            "batch_id": self.batches.get(fire.plan) if replayed else None,
            "scheduled_for": self.instant(fire.due),
            "triggered_at": self.instant(fire.at),
            "due_at": self.instant(fire.at),
        }
        if fire.due and self.chance.random() < plan.skipped:
            reason = "1 fire was skipped, because the event before was not finished"
            skipped = {"skipped_count": 1, "skipped_until": self.instant(fire.due), "skip_cause": "overlap"}
            return event | skipped | {"outcome": "skipped", "reason": reason, "finished_at": self.instant(fire.at)}, []
        if not trigger.api_endpoint:
            return event | {"outcome": "logged", "finished_at": self.instant(fire.at)}, []
        progress, attempts = self._delivered(fire, plan, pk)
        if progress["outcome"] == "failed":
            self.last_failed[fire.plan] = pk
        return event | progress, attempts

    def _payload(self, fire: _Fire, pk: int) -> str:
        numbered = self.numbered_payloads[fire.plan] if fire.source == Event.Source.API else ""
        return numbered % (10_000 + pk) if numbered else self.payloads[fire.plan]

    def _delivered(self, fire: _Fire, plan: Plan, pk: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return how far the delivery has come by now, and its attempts."""
        delays = [] if fire.source == Event.Source.TEST else plan.fields["retry_delays"]
        failures = self._failures(fire, plan, 1 + len(delays))
        attempts: list[dict[str, Any]] = []
        starts = fire.at + timedelta(milliseconds=self.chance.uniform(1, 12))
        common: dict[str, Any] = {}
        for number in range(1, 2 + len(delays)):
            is_bad = number <= failures
            took = _NO_ANSWER_MS if is_bad and plan.status is None else plan.latency_ms * self.chance.uniform(0.7, 1.6)
            ends = starts + timedelta(milliseconds=took)
            if starts > self.now:
                waiting = {"outcome": "pending", "due_at": self.instant(starts), "hand_over_at": self.instant(starts)}
                return common | waiting, attempts
            common = {"first_sent_at": common.get("first_sent_at") or self.instant(starts), "attempt_count": number}
            if ends > self.now:
                held = {"outcome": "delivering", "token": "demo", "hand_over_at": self.instant(ends)}
                return common | held, attempts
            attempts.append(self._attempt(fire, plan, pk, number, starts, took, is_bad))
            common["last_status"] = attempts[-1]["status"]
            if not is_bad:
                return common | {"outcome": "succeeded", "finished_at": self.instant(ends)}, attempts
            common["reason"] = attempts[-1]["error"] or f"Status {plan.status} is not one of 200-299."
            if number > len(delays):
                return common | {"outcome": "failed", "finished_at": self.instant(ends)}, attempts
            starts = ends + timedelta(seconds=delays[number - 1] * self.chance.uniform(0.95, 1.05))
        raise AssertionError("The last attempt ends it.")

    def _failures(self, fire: _Fire, plan: Plan, most: int) -> int:
        """Return how many attempts fail before one succeeds; `most`: all do."""
        if plan.down_since and plan.down_until <= self.now - fire.at <= plan.down_since:
            return most
        dice = self.chance.random()
        if dice < (1 / 12 if plan.worse_since and self.now - fire.at <= plan.worse_since else plan.broken):
            return most
        return min(self.chance.randint(1, 2), most - 1) if dice < plan.broken + plan.flaky else 0

    def _attempt(
        self, fire: _Fire, plan: Plan, pk: int, number: int, starts: datetime, took: float, is_bad: bool
    ) -> dict[str, Any]:
        # As text from the start: making it from lists would take a third of the whole time.
        kind = "" if self.methods[fire.plan] == "GET" else '["Content-Type", "application/json"], '
        request = (
            f'[{kind}["User-Agent", "EventTriggerPlatform"], ["webhook-id", "{webhook_id(pk, fire.at)}"], '
            f'["webhook-timestamp", "{int(starts.timestamp())}"], ["event-attempt", "{number}"]]'
        )
        attempt = {
            "event_id": pk,
            "number": number,
            "started_at": self.instant(starts),
            "duration_ms": round(took, 2),
            "request_headers": request,
            "remote_address": f"203.0.113.{fire.plan % 250 + 1}",
        }
        if is_bad and plan.status is None:
            return attempt | {"status": None, "error_kind": "timeout", "error": _NO_ANSWER}
        status = plan.status if is_bad else plan.good_status
        body = (_BAD_ANSWER if is_bad else _GOOD_ANSWER) % self.chance.getrandbits(48)
        words = f"Status {status} is not one of 200-299" if is_bad else f"Status {status}"
        first = round(took * 0.97, 2)
        return attempt | {
            "status": status,
            "error": "",
            "dns_ms": 4.0 if number == 1 else None,
            "connect_ms": 9.0,
            "tls_ms": 12.0,
            "first_byte_ms": first,
            "body_ms": round(took - first, 2),
            "checks": f'[["status", {"false" if is_bad else "true"}, "{words}"]]',
            "response_headers": _ANSWER_HEADERS,
            "response_body": "" if status == 204 else body,
            "response_bytes": 0 if status == 204 else len(body),
        }


def _numbered(payload: dict[str, Any]) -> str:
    """Return the payload as JSON with a place (%d) for the number of its order, or "" when it has none."""
    if "order_id" not in payload:
        return ""
    rest = {name: value for name, value in payload.items() if name != "order_id"}
    return '{"order_id": %d, ' + json.dumps(rest, ensure_ascii=False).replace("%", "%%").removeprefix("{")


def _as_it_is(at: datetime | None) -> datetime | None:
    return at


class _Table:
    """A model's table, that takes rows given by their columns; a column that is not given has the model's default.

    Each row is written so many times, for triggers that are `alike`: what points to something points to the next.
    """

    def __init__(self, model: type[models.Model], alike: int, *, keeps_ids: bool) -> None:
        fields = [field for field in model._meta.concrete_fields if keeps_ids or not field.primary_key]
        blank = model()
        defaults = {str(field.column): (field, getattr(blank, field.attname)) for field in fields}
        self.defaults = {
            column: json.dumps(value) if isinstance(field, models.JSONField) else value
            for column, (field, value) in defaults.items()
        }
        columns = list(defaults)
        self.in_order = itemgetter(*columns)
        self.alike, self.name, self.names = alike, str(model._meta.db_table), ", ".join(columns)
        self.made = f"made_{self.name}"
        points = {str(field.column) for field in fields if field.primary_key or field.many_to_one}
        of_the_next = ", ".join(f"{name} + n" if name in points else _of_the_next(name) for name in columns)
        order, marks = "id" if keeps_ids else "event_id", ", ".join(["%s"] * len(columns))
        # All of the names are ours.
        self.one = f"INSERT INTO {self.name} ({self.names}) VALUES ({marks})"  # noqa: S608
        self.make_room = f"CREATE TEMP TABLE IF NOT EXISTS {self.made} AS SELECT {self.names} FROM {self.name} LIMIT 0"  # noqa: S608
        self.multiply = (
            f"INSERT INTO {self.name} ({self.names}) SELECT {of_the_next} "  # noqa: S608
            f"FROM {self.made}, generate_series(0, {alike - 1}) AS n ORDER BY {order}, n"
        )

    def insert(self, rows: Sequence[dict[str, Any]]) -> None:
        in_order = [self.in_order(self.defaults | row) for row in rows]
        with connection.cursor() as cursor:
            if not is_postgres():
                cursor.executemany(self.one, in_order)
            elif self.alike == 1:
                self._copy(cursor, self.name, in_order)
            else:
                cursor.execute(self.make_room)
                self._copy(cursor, self.made, in_order)
                cursor.execute(self.multiply)
                cursor.execute(f"TRUNCATE {self.made}")

    def _copy(self, cursor: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with cursor.copy(f"COPY {table} ({self.names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def _of_the_next(column: str) -> str:
    """SQL of a column in the n-th of rows that are alike: the id of an event stands in the headers of its requests."""
    if column != "request_headers":
        return column
    return "replace(request_headers::text, 'evt_' || event_id || '_', 'evt_' || event_id + n || '_')::jsonb"
