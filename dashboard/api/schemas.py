"""What goes in and out of the API, as JSON. In: strict, nothing unknown. Out: times are ISO 8601 in UTC with offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from ninja.params.models import Header
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from dashboard.api import recipes
from dashboard.api.recipes import LEFT_OUT as LEFT_OUT
from dashboard.api.recipes import DeliveryAnswer, DeliveryGiven, Given
from triggers import definition, exchange
from triggers.doctor import Finding
from triggers.models import (
    LARGEST_ID,
    LONGEST_SPREAD,
    MOST_A_MINUTE,
    MOST_FIRES,
    Attempt,
    Change,
    Event,
    Recipe,
    ReplayBatch,
    Trigger,
)
from triggers.replays import Progress
from triggers.upcoming import Upcoming

LARGEST_PAGE = 1000
MOST_PREVIEWED = 100
MOST_HOURS = 8784  # a leap year
LONGEST_WAIT = 30  # seconds that a call may hold one of the few threads that answer


def _in_utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def _digits(value: object) -> object:
    """Refuse what int() would take but nobody means by a number in an address: " 7", "7.0", "1_000"."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 19):
        raise ValueError("Use a whole number.")
    return value


IDEMPOTENCY_KEY = Header(
    LEFT_OUT,
    alias="Idempotency-Key",
    min_length=1,
    max_length=255,
    pattern=r"^[\x20-\x7e]+$",
    description="1 to 255 printable ASCII characters. The same key and body again, for as long as the event is kept, "
    "give the first answer and no second event.",
)
Instant = Annotated[
    datetime,
    PlainSerializer(_in_utc, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T09:30:00.000000+00:00"]}),
]
Id = Annotated[int, Field(ge=0, le=LARGEST_ID), BeforeValidator(_digits)]
TriggerType = Literal["scheduled", "api"]
ScheduleType = Literal["fixed_time", "fixed_interval", "cron", "date"]
Outcome = Literal["pending", "delivering", "succeeded", "failed", "logged", "skipped"]
State = Literal["active", "archived"]
Payload = Annotated[
    dict[str, Any],
    Field(
        description="A JSON object: at most 256 KiB, at most 64 levels, no NaN, no U+0000, no half surrogate pair.",
        examples=[{"greeting": "hello"}],
    ),
]
Name = Annotated[str, Field(max_length=120, description="Empty or left out: a name is made from the schedule.")]
TimeZone = Annotated[
    str,
    Field(description="An IANA time zone; left out: the server's.", examples=["Europe/Berlin"]),
]
Endpoint = Annotated[
    str,
    Field(
        max_length=2000,
        description="Where events are delivered over HTTP; empty: they are only logged.",
        examples=["https://example.org/hook"],
    ),
]
ScheduleValue = Annotated[
    str,
    Field(
        description="A string: HH:MM for fixed_time; whole seconds, 1 to 31622400, for fixed_interval; for cron five "
        "fields (or six, seconds first), or a name such as @daily; YYYY-MM-DDTHH:MM for date, by the clock of "
        "time_zone unless it has an offset.",
        examples=["09:30", "60", "*/15 9-17 * * MON-FRI", "2027-04-02T22:00"],
    ),
]
Weekdays = Annotated[
    list[int],
    Field(max_length=7, description="Days of a fixed_time, 1 Monday to 7 Sunday; empty: every day.", examples=[[1, 5]]),
]
Bound = Annotated[
    str | None,
    Field(
        description="ISO 8601 date and time, by the clock of time_zone unless it has an offset; null: no bound. "
        "Intervals count from not_before.",
        examples=["2027-04-02T22:00", "2027-04-02T20:00:00+00:00"],
    ),
]
MaxFires = Annotated[
    int | None, Field(ge=1, le=MOST_FIRES, description="Scheduled fires, then it switches itself off; null: no most.")
]
SpreadSeconds = Annotated[
    int,
    Field(ge=0, le=LONGEST_SPREAD, description="Every fire is later by a fixed share of so many seconds."),
]
MissedPolicy = Annotated[
    Literal["run_once", "run_all", "skip"],
    Field(description="What fires of those that the server missed by over 60 s: the latest, the newest 100, none."),
]
OverlapPolicy = Annotated[
    Literal["allow", "skip"],
    Field(description="What a fire does while the trigger's event before is not finished."),
]
IsTest = Annotated[bool, Field(description="All its events are test events, which never count in figures.")]
IsRecurring = Annotated[bool, Field(description="false: it fires once and switches itself off.")]


class NewApiTrigger(DeliveryGiven):
    """A trigger that fires when it is called."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"api_endpoint": "https://example.org/hook", "payload": {"greeting": "hello"}, "is_test": False}
            ]
        }
    )

    api_endpoint: Endpoint
    payload: Payload = Field(default_factory=dict)
    is_test: IsTest = False
    name: Name = ""
    time_zone: TimeZone = LEFT_OUT
    enabled: bool = True


class NewScheduledTrigger(DeliveryGiven):
    """A trigger that fires by itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "schedule_type": "fixed_interval",
                    "schedule_value": "60",
                    "is_recurring": True,
                    "payload": {"greeting": "hello"},
                    "is_test": False,
                }
            ]
        }
    )

    schedule_type: ScheduleType
    schedule_value: ScheduleValue
    is_recurring: IsRecurring = True
    weekdays: Weekdays = Field(default_factory=list)
    not_before: Bound = LEFT_OUT
    not_after: Bound = LEFT_OUT
    max_fires: MaxFires = LEFT_OUT
    spread_seconds: SpreadSeconds = 0
    missed_policy: MissedPolicy = "run_once"
    overlap_policy: OverlapPolicy = "allow"
    payload: Payload = Field(default_factory=dict)
    is_test: IsTest = False
    name: Name = ""
    time_zone: TimeZone = LEFT_OUT
    api_endpoint: Endpoint = ""
    enabled: bool = True


class TriggerChange(DeliveryGiven):
    """What to change; fields that are left out stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"schedule_value": "300", "enabled": True}]})

    type: TriggerType = LEFT_OUT
    schedule_type: ScheduleType | None = LEFT_OUT
    schedule_value: ScheduleValue | None = LEFT_OUT
    is_recurring: IsRecurring = LEFT_OUT
    weekdays: Weekdays = LEFT_OUT
    not_before: Bound = LEFT_OUT
    not_after: Bound = LEFT_OUT
    max_fires: MaxFires = LEFT_OUT
    spread_seconds: SpreadSeconds = LEFT_OUT
    missed_policy: MissedPolicy = LEFT_OUT
    overlap_policy: OverlapPolicy = LEFT_OUT
    api_endpoint: Endpoint = LEFT_OUT
    payload: Payload = LEFT_OUT
    is_test: IsTest = LEFT_OUT
    name: Name = LEFT_OUT
    time_zone: TimeZone = LEFT_OUT
    enabled: bool = LEFT_OUT

    def fields(self) -> dict[str, Any]:
        """Return the fields that were given, as `definition` names them.

        null, which the API shows for an API trigger's schedule, is empty.
        """
        given = super().fields()
        return given | {name: "" for name in ("schedule_type", "schedule_value") if given.get(name, "") is None}


class DraftTest(TriggerChange):
    """A trigger to try, as for a create, or what to change of the one with `trigger_id`. No trigger is stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "api_endpoint": "https://example.org/hook",
                    "payload": {"greeting": "hello"},
                    "headers": [{"name": "Authorization", "value": "Bearer 5f3a"}],
                }
            ]
        }
    )

    trigger_id: Id = Field(
        LEFT_OUT, description="The trigger that is edited: fields left out are its own, secrets too."
    )

    def fields(self) -> dict[str, Any]:
        return {name: value for name, value in super().fields().items() if name != "trigger_id"}


class SchedulePreview(Given):
    """A schedule to look at. Nothing is stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"schedule_type": "cron", "schedule_value": "30 2 * * *", "time_zone": "Europe/Berlin", "count": 3}
            ]
        }
    )

    schedule_type: ScheduleType
    schedule_value: ScheduleValue
    is_recurring: IsRecurring = True
    time_zone: TimeZone = LEFT_OUT
    weekdays: Weekdays = Field(default_factory=list)
    not_before: Bound = LEFT_OUT
    not_after: Bound = LEFT_OUT
    from_: Annotated[
        str | None,
        Field(
            alias="from",
            description="Fires later than this, ISO 8601; by the clock of time_zone unless it has an offset. "
            "Left out: now. Intervals count from it.",
        ),
    ] = LEFT_OUT
    count: Annotated[int, Field(ge=1, le=MOST_PREVIEWED)] = 5


class Page(BaseModel):
    """Which part of a list: at most `limit` entries, from where the page before ended."""

    limit: Annotated[int, BeforeValidator(_digits)] = Field(LARGEST_PAGE, ge=1, le=LARGEST_PAGE)
    cursor: Id = Field(LEFT_OUT, description="`next` of the page before.")


class EventPage(Page):
    trigger_id: Id = Field(LEFT_OUT, description="Only events of this trigger.")
    outcome: Outcome = Field(LEFT_OUT, description="Only events with this outcome.")
    state: State = Field(LEFT_OUT, description="Only active events (fired lately), or only archived ones.")


class Patience(BaseModel):
    wait_seconds: Annotated[int, BeforeValidator(_digits)] = Field(
        LEFT_OUT,
        ge=0,
        le=LONGEST_WAIT,
        description="How long the call waits at most; left out: for the draft's timeout and 2 s.",
    )


class UpcomingPage(BaseModel):
    hours: Annotated[int, BeforeValidator(_digits)] = Field(
        24, ge=1, le=MOST_HOURS, description="How far to look ahead."
    )
    limit: Annotated[int, BeforeValidator(_digits)] = Field(LARGEST_PAGE, ge=1, le=LARGEST_PAGE)
    cursor: str = Field(LEFT_OUT, max_length=100, description="`next` of the page before.")


class Done(BaseModel):
    """It was done, to the trigger or the event with this id."""

    message: str
    id: int


class Warned(BaseModel):
    """What might surprise the owner of a trigger; it was saved all the same."""

    code: Literal[
        "fires_faster_than_timeout",
        "many_events",
        "next_fire_far_away",
        "same_second",
        "clock_change",
        "tls_not_verified",
    ]
    level: Literal["warn", "info"]
    field: str
    message: str

    @classmethod
    def of(cls, findings: list[Finding]) -> list[Warned]:
        return [
            cls.model_construct(code=each.code, level=each.level, field=each.field, message=each.words)
            for each in findings
        ]


class Saved(Done):
    """The trigger was saved, and fires next at this instant."""

    next_fire_at: Instant | None = Field(description="null: it does not fire by itself.")
    version: int = Field(description="For If-Match; the ETag too.")
    warnings: list[Warned]


class Created(Saved):
    signing_secret: str = Field(
        description="What requests are signed by. It is shown this once; POST …/signing_secret makes another.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class SigningSecret(Done):
    """The trigger signs by another secret from now on, and for a day by the old one too."""

    signing_secret: str = Field(
        description="It is shown this once.", examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    old_secret_until: Instant


class FireAnswer(BaseModel):
    at: str = Field(description="ISO 8601, with the offset of the time zone.", examples=["2027-03-28T03:00:00+02:00"])
    note: str | None = Field(description="What a change of clock does to this fire, in words.")


class PreviewAnswer(BaseModel):
    description: str = Field(description="The schedule in words.", examples=["Every day at 02:30"])
    next: list[FireAnswer]
    warnings: list[Warned]


class UpcomingAnswer(FireAnswer):
    trigger_id: int
    name: str

    @classmethod
    def of(cls, upcoming: Upcoming) -> UpcomingAnswer:
        return cls.model_construct(
            trigger_id=upcoming.trigger.pk,
            name=upcoming.trigger.name,
            at=upcoming.at.isoformat(),
            note=upcoming.note,
        )


class UpcomingList(BaseModel):
    upcoming: list[UpcomingAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


class LedgerAnswer(BaseModel):
    """What became of every instant that was due since the schedule began."""

    since: Instant
    due: int = Field(description="fired + missed + overlapped")
    fired: int
    missed: int = Field(description="The server was down, and missed_policy did not fire them.")
    overlapped: int = Field(description="The event before was not finished, and overlap_policy is skip.")


class Fired(BaseModel):
    """The trigger fired: `id` is the event's."""

    message: str
    id: int
    trigger_id: int


class TriggerAnswer(DeliveryAnswer):
    id: int
    type: TriggerType
    schedule_type: ScheduleType | None = Field(description="null for an API trigger.")
    schedule_value: str | None = Field(description="null for an API trigger.")
    is_recurring: bool
    description: str = Field(description="The schedule in words.", examples=["Every day at 02:30"])
    weekdays: list[int] = Field(description="1 Monday to 7 Sunday; empty: every day.")
    not_before: Instant | None
    not_after: Instant | None
    max_fires: int | None
    spread_seconds: int
    missed_policy: MissedPolicy
    overlap_policy: OverlapPolicy
    api_endpoint: str = Field(description="Empty: events are only logged.")
    payload: Payload
    is_test: bool
    name: str
    enabled: bool
    time_zone: str
    next_fire_at: Instant | None = Field(description="null: it does not fire by itself.")
    problem: str = Field(description="Why the server switched it off, in words; empty while all is well.")
    ledger: LedgerAnswer | None = Field(description="null for an API trigger.")
    version: int = Field(description="Counts what is saved of it, also that the server switches it off; the ETag too.")
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, trigger: Trigger) -> TriggerAnswer:
        # No second validation: the row was checked when it was written.
        return cls.model_construct(
            id=trigger.pk,
            type=trigger.type,
            schedule_type=trigger.schedule_type or None,
            schedule_value=trigger.schedule_value or None,
            is_recurring=trigger.is_recurring,
            description=definition.schedule_in_words(trigger),
            weekdays=trigger.weekdays,
            not_before=trigger.not_before,
            not_after=trigger.not_after,
            max_fires=trigger.max_fires,
            spread_seconds=trigger.spread_seconds,
            missed_policy=trigger.missed_policy,
            overlap_policy=trigger.overlap_policy,
            api_endpoint=trigger.api_endpoint,
            payload=trigger.payload,
            **recipes.shown(trigger.recipe or Recipe()),
            is_test=trigger.is_test,
            name=trigger.name,
            enabled=trigger.enabled,
            time_zone=trigger.time_zone,
            next_fire_at=trigger.next_fire_at,
            problem=trigger.problem,
            ledger=_ledger(trigger) if trigger.is_scheduled else None,
            version=trigger.version,
            created_at=trigger.created_at,
            updated_at=trigger.updated_at,
        )


class TriggerList(BaseModel):
    triggers: list[TriggerAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


class AuthorAnswer(BaseModel):
    kind: Literal["user", "api_key", "server"]
    id: int | None = Field(description="Of the person or the key; null: the server itself, or its command line.")
    name: str


class FieldChange(BaseModel):
    """What became of one field; •••••• in place of a secret value."""

    field: str = Field(description="As in a trigger; `schedule` is what is said of it together.", examples=["retries"])
    name: str | None = Field(None, description="Of the header, where the field is `headers`.")
    old: Any = Field(description="null with a `name`: the header is new.")
    new: Any = Field(description="null with a `name`: the header is gone.")
    old_bytes: int | None = Field(None, description="How large it was, where it is too large to be kept; else null.")
    new_bytes: int | None = None


class ChangeAnswer(BaseModel):
    id: int
    at: Instant
    by: AuthorAnswer
    kind: Literal["created", "changed", "switched_on", "switched_off", "secret_replaced", "deleted"]
    reason: str = Field(description="Why, in words, where the server switched it off by itself.")
    fields: list[FieldChange]

    @classmethod
    def of(cls, change: Change) -> ChangeAnswer:
        return cls.model_construct(
            id=change.pk,
            at=change.at,
            by=AuthorAnswer.model_construct(kind=change.by_kind, id=change.by_id, name=change.by_name),
            kind=change.kind,
            reason=change.reason,
            fields=[FieldChange.model_construct(**difference) for difference in change.differences],
        )


class ChangeList(BaseModel):
    changes: list[ChangeAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


class EventAnswer(BaseModel):
    id: int
    trigger_id: int | None = Field(description="null: a test of a draft, which is no trigger.")
    triggered_at: Instant
    payload: Payload
    is_test: bool
    state: State
    source: Literal["schedule", "api", "test", "replay"]
    replay_of: int | None = Field(description="The event that this one fires again; it may have expired.")
    outcome: Outcome
    reason: str = Field(description="Why it was skipped, or failed for good, in words.")
    skipped_count: int = Field(description="How many instants a skipped event stands for, from scheduled_for on.")
    skipped_until: Instant | None = Field(description="The last of them; null unless it was skipped.")
    skip_cause: Literal["missed", "overlap"] | None = Field(description="null unless it was skipped.")
    endpoint: str = Field(description="Empty: it was only logged.")
    method: recipes.Method
    webhook_id: str = Field(description="The id that receivers de-duplicate by, the same over all attempts.")
    scheduled_for: Instant | None = Field(description="The instant of the schedule; null for every other source.")
    due_at: Instant
    attempt_count: int
    most_attempts: int = Field(description="How often it is tried at most.")
    last_status: int | None = Field(description="The HTTP status of the last attempt; null: no answer came.")
    first_sent_at: Instant | None
    finished_at: Instant | None
    lateness_seconds: float | None = Field(description="From the due instant to the first attempt.")
    duration_seconds: float | None = Field(description="From the first attempt's start to the last one's end.")

    @classmethod
    def of(cls, event: Event, now: datetime) -> EventAnswer:
        return cls.model_construct(**_event(event, now))


class EventList(BaseModel):
    logs: list[EventAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


class TimingAnswer(BaseModel):
    """How long each part of an attempt took; null: it was not measured, because it was not reached or not needed."""

    dns: float | None
    connect: float | None
    tls: float | None
    first_byte: float | None
    body: float | None


class CheckAnswer(BaseModel):
    name: Literal["status", "json", "text", "duration"]
    passed: bool
    message: str


class AttemptAnswer(BaseModel):
    number: int
    started_at: Instant
    duration_seconds: float
    timing_seconds: TimingAnswer
    status: int | None = Field(description="null: no answer came; `error` says why.")
    error_kind: str
    error: str
    remote_address: str
    location: str = Field(description="Where a redirect pointed; it was not followed.")
    checks: list[CheckAnswer] = Field(description="What the success rule says; empty when no answer came.")
    request_headers: list[list[str]] = Field(description="Pairs of name and value, •••••• in place of secret values.")
    response_headers: list[list[str]] = Field(description="Pairs of name and value.")
    response_body: str = Field(description="Its beginning as text; empty when it is binary.")
    response_bytes: int = Field(description="Bytes of the body that were read.")
    is_response_binary: bool
    is_response_cut: bool = Field(description="There was more than is shown.")
    curl: str | None = Field(
        description="The request as a command, secret values as variables; null: it is not on record."
    )

    @classmethod
    def of(cls, attempt: Attempt, curl: str | None) -> AttemptAnswer:
        return cls.model_construct(
            number=attempt.number,
            started_at=attempt.started_at,
            duration_seconds=attempt.duration_ms / 1000,
            timing_seconds=_timing(attempt),
            status=attempt.status,
            error_kind=attempt.error_kind,
            error=attempt.error,
            remote_address=attempt.remote_address,
            location=attempt.location,
            checks=[
                CheckAnswer.model_construct(name=name, passed=passed, message=words)
                for name, passed, words in attempt.checks
            ],
            request_headers=attempt.request_headers,
            response_headers=attempt.response_headers,
            response_body=attempt.response_body,
            response_bytes=attempt.response_bytes,
            is_response_binary=attempt.is_response_binary,
            is_response_cut=attempt.is_response_cut,
            curl=curl,
        )


class EventDetail(EventAnswer):
    replays: list[int] = Field(description="The events that fire this one again.")
    attempts: list[AttemptAnswer]

    @classmethod
    def of(cls, event: Event, now: datetime) -> EventDetail:
        return cls.model_construct(
            **_event(event, now),
            replays=list(event.replays.order_by("pk").values_list("pk", flat=True)),
            attempts=[AttemptAnswer.of(attempt, exchange.curl_of(event, attempt)) for attempt in event.attempts.all()],
        )


class Replayed(BaseModel):
    """The event was fired again: `id` is the new event's."""

    message: str
    id: int
    replay_of: int


ReplayEndpoint = Annotated[
    Literal["today", "then"],
    Field(description="Where to, and how: as the trigger delivers today, or as the event itself was to be then."),
]


class NewReplays(Given):
    """Which of the events that failed for good to fire again, and how. Left out: no such bound."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rate_per_minute": 60, "dry_run": True}]})

    trigger_id: Annotated[int | None, Field(ge=0, le=LARGEST_ID, description="Only events of this trigger.")] = None
    fired_from: Annotated[
        str | None, Field(description="Only events fired from then on, ISO 8601; by the server's clock unless it says.")
    ] = None
    fired_until: Annotated[str | None, Field(description="Only events fired until then.")] = None
    endpoint: ReplayEndpoint = "today"
    skip_superseded: Annotated[
        bool, Field(description="Leave out an event if a later one of its trigger has succeeded.")
    ] = True
    rate_per_minute: Annotated[int, Field(ge=1, le=MOST_A_MINUTE)] = 60
    dry_run: Annotated[bool, Field(description="Only count: nothing is replayed.")] = False


class ReplayForecast(BaseModel):
    """What the call would do."""

    total: int = Field(description="Events that failed for good and are selected.")
    replayed: int
    superseded: int = Field(description="Left out, as a later event of the trigger has succeeded.")
    without_trigger: int = Field(description="Left out, as the trigger was deleted: no endpoint of today is left.")
    lasts_seconds: float = Field(description="From the first replay to the last.")


class ReplaysAnswer(BaseModel):
    """Many replays, and how far they are."""

    id: int
    state: Literal["running", "done", "cancelled"]
    is_over: bool = Field(description="false while anything is under way, also of what was cancelled.")
    trigger_id: int | None
    fired_from: Instant | None
    fired_until: Instant | None
    endpoint: ReplayEndpoint
    skip_superseded: bool
    rate_per_minute: int
    begun_by: str
    begun_at: Instant
    total: int = Field(description="Events that were selected when it began.")
    left: int = Field(description="Not looked at yet.")
    skipped: int = Field(description="Left out.")
    replayed: int = Field(description="Replays made so far, at most three minutes ahead of their time.")
    outcomes: dict[Outcome, int] = Field(description="Those replays by outcome; one that was cancelled is skipped.")

    @classmethod
    def of(cls, batch: ReplayBatch, progress: Progress) -> ReplaysAnswer:
        is_cancelled = batch.state == ReplayBatch.State.CANCELLED
        return cls.model_construct(
            id=batch.pk,
            state="cancelled" if is_cancelled else "done" if progress.is_over else "running",
            is_over=progress.is_over,
            trigger_id=batch.trigger_id,
            fired_from=batch.fired_from,
            fired_until=batch.fired_until,
            endpoint="today" if batch.uses_todays_endpoint else "then",
            skip_superseded=batch.skips_superseded,
            rate_per_minute=batch.rate_per_minute,
            begun_by=batch.begun_by,
            begun_at=batch.begun_at,
            total=batch.total,
            left=progress.left,
            skipped=batch.skipped_count,
            replayed=batch.replayed_count,
            outcomes={outcome: progress.outcomes.get(outcome, 0) for outcome in Event.Outcome.values},
        )


class Health(BaseModel):
    status: Literal["ok", "degraded"]


class ErrorPart(BaseModel):
    code: str = Field(examples=["not_valid"])
    message: str
    fields: dict[str, list[str]] = Field(description="Words for each field at fault.")


class ErrorAnswer(BaseModel):
    """Every refusal has this form."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "not_valid",
                        "message": "enabled: Use true or false.",
                        "fields": {"enabled": ["Use true or false."]},
                    },
                    "message": "enabled: Use true or false.",
                }
            ]
        }
    )

    error: ErrorPart
    message: str


# The errors that a call may answer with, for the schema.
REFUSED: dict[Any, Any] = dict.fromkeys((401, 403, 503), ErrorAnswer)
NOT_FOUND: dict[Any, Any] = {404: ErrorAnswer}
BODY_REFUSED: dict[Any, Any] = dict.fromkeys((400, 413, 415, 422), ErrorAnswer)


def _event(event: Event, now: datetime) -> dict[str, Any]:
    return {
        "id": event.pk,
        "trigger_id": event.trigger_id,
        "triggered_at": event.triggered_at,
        "payload": event.payload,
        "is_test": event.is_test,
        "state": event.state(now),
        "source": event.source,
        "replay_of": event.replay_of_id,
        "outcome": event.outcome,
        "reason": event.reason,
        "skipped_count": event.skipped_count,
        "skipped_until": event.skipped_until,
        "skip_cause": event.skip_cause or None,
        "endpoint": event.endpoint,
        "method": event.method,
        "webhook_id": event.webhook_id,
        "scheduled_for": event.scheduled_for,
        "due_at": event.due_at,
        "attempt_count": event.attempt_count,
        "most_attempts": event.most_attempts,
        "last_status": event.last_status,
        "first_sent_at": event.first_sent_at,
        "finished_at": event.finished_at,
        "lateness_seconds": _seconds(event.lateness),
        "duration_seconds": _seconds(event.duration),
    }


def _timing(attempt: Attempt) -> TimingAnswer:
    parts = {name: getattr(attempt, f"{name}_ms") for name in TimingAnswer.model_fields}
    return TimingAnswer.model_construct(**{name: None if ms is None else ms / 1000 for name, ms in parts.items()})


def _ledger(trigger: Trigger) -> LedgerAnswer:
    ledger = trigger.ledger
    return LedgerAnswer.model_construct(
        since=ledger.since, due=ledger.due, fired=ledger.fired, missed=ledger.missed, overlapped=ledger.overlapped
    )


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
