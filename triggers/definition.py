"""A trigger is defined: checked, stored, changed, switched, deleted, its next fire always in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from triggers import outbound, payloads, schedules
from triggers.models import Trigger

# What a person or a program may set; everything else is kept by the machine. `not_before` and `not_after` may come as
# text (ISO 8601): by the clock of the trigger's zone, unless it has an offset.
EDITABLE = (
    "name",
    "type",
    "schedule_type",
    "schedule_value",
    "is_recurring",
    "weekdays",
    "time_zone",
    "not_before",
    "not_after",
    "max_fires",
    "spread_seconds",
    "missed_policy",
    "overlap_policy",
    "api_endpoint",
    "payload",
    "is_test",
    "enabled",
)
# A change of one of these makes a new schedule: its intervals and its ledger begin anew.
_OF_THE_SCHEDULE = (
    "type",
    "schedule_type",
    "schedule_value",
    "is_recurring",
    "weekdays",
    "time_zone",
    "not_before",
)
# These bound the schedule; it goes on in its rhythm, but the next fire may be another.
_OF_ITS_BOUNDS = ("not_after", "max_fires", "spread_seconds")


def create(fields: Mapping[str, Any], now: datetime) -> Trigger:
    """Store a new trigger from EDITABLE `fields` and return it; an empty name becomes its schedule in words.

    Raises ValidationError (field → words) and then stores nothing.
    """
    trigger = Trigger(starts_at=now, counted_since=now, **fields)
    _check(trigger, now)
    with transaction.atomic():
        trigger.save()  # first: a spread follows from the id
        _begin(trigger, now)
        trigger.save()
    return trigger


def change(pk: int, fields: Mapping[str, Any], now: datetime) -> Trigger:
    """Set the given EDITABLE fields of a trigger, leave the others, and return it.

    A change of the schedule or its bounds, or switching on, recomputes the next fire; any other edit does not move it.
    Raises Trigger.DoesNotExist, or ValidationError (field → words), and then changes nothing.
    """
    with transaction.atomic():
        # Locked, so that the beat cannot move `next_fire_at` between our reading and writing it.
        trigger = Trigger.objects.select_for_update().get(pk=pk)
        _apply(trigger, fields, now)
        trigger.save()
    return trigger


def draft(fields: Mapping[str, Any], now: datetime, of: Trigger | None = None) -> Trigger:
    """Return the trigger that create(), or change() of this one, would make, and store nothing.

    Raises ValidationError (field → words).
    """
    if of is None:
        trigger = Trigger(starts_at=now, counted_since=now, **fields)
        _check(trigger, now)
        _begin(trigger, now)
    else:
        trigger = copy(of)
        _apply(trigger, fields, now)
    return trigger


def switch(pk: int, *, on: bool, now: datetime) -> Trigger:
    """Switch a trigger on or off and return it; off is effective within a second.

    One that is done (one-time, or its last fire allowed) begins anew. Raises Trigger.DoesNotExist, or ValidationError
    when its schedule has no further fire.
    """
    return change(pk, {"enabled": on}, now)


def delete(pk: int, now: datetime) -> Trigger:
    """Delete a trigger: it fires no more and is no longer found; its events stay until they expire.

    The row itself goes with its last event (retention.forget_triggers). Raises Trigger.DoesNotExist.
    """
    with transaction.atomic():
        trigger = Trigger.objects.select_for_update().get(pk=pk)
        trigger.enabled, trigger.next_fire_at, trigger.deleted_at = False, None, now
        trigger.save(update_fields=["enabled", "next_fire_at", "deleted_at", "updated_at"])
    return trigger


def schedule_in_words(trigger: Trigger, today: date | None = None) -> str:
    """Return "Every 15 min", "Monday to Friday at 08:00", "When called"; of a date, the year unless it is `today`'s."""
    return schedules.in_words(
        trigger.schedule_type, trigger.schedule_value, trigger.is_recurring, trigger.weekdays, today
    )


def _apply(trigger: Trigger, fields: Mapping[str, Any], now: datetime) -> None:
    before = {name: getattr(trigger, name) for name in EDITABLE}
    for name, value in fields.items():
        setattr(trigger, name, value)
    _check(trigger, now, is_payload_new=trigger.payload != before["payload"])
    changed = {name for name in EDITABLE if getattr(trigger, name) != before[name]}
    if changed & {*_OF_THE_SCHEDULE}:
        _begin(trigger, now)
    elif "enabled" in changed:
        _switch(trigger, now)
    elif changed & {*_OF_ITS_BOUNDS}:
        _arm(trigger, now, is_delay_new="spread_seconds" in changed)


def _check(trigger: Trigger, now: datetime, *, is_payload_new: bool = True) -> None:
    """Put the fields into their stored form, or raise ValidationError with words for every field at fault.

    A payload that is not new was checked once: PostgreSQL gives 1e20 back as a whole number, which would be too
    large, and the trigger could never be switched off.
    """
    errors: dict[str, str] = {}
    _bring_into_form(trigger)
    if trigger.type == Trigger.Type.SCHEDULED:
        _read_schedule(trigger, errors)
    with _blamed(errors):
        schedules.zone(trigger.time_zone)
    try:
        trigger.api_endpoint = outbound.checked_endpoint(trigger.api_endpoint) if trigger.api_endpoint else ""
    except ValueError as error:
        errors["api_endpoint"] = str(error)
    try:
        if is_payload_new:
            payloads.check_payload(trigger.payload)
    except payloads.PayloadError as error:
        errors["payload"] = str(error)
    try:
        payloads.check_text(trigger.name)
    except payloads.PayloadError as error:
        errors["name"] = str(error)
    if errors:
        raise ValidationError({field: [words] for field, words in errors.items()})
    trigger.name = trigger.name.strip() or _name_for(trigger)
    # The payload is checked above; Django would call an empty object blank.
    trigger.full_clean(exclude=("payload",), validate_unique=False)


def _bring_into_form(trigger: Trigger) -> None:
    """Leave out what the kind of trigger has no use for: an API trigger has no schedule, a date comes once."""
    if not trigger.is_scheduled:
        trigger.schedule_type = trigger.schedule_value = ""
        trigger.not_before = trigger.not_after = trigger.max_fires = None
        trigger.spread_seconds = 0
    if trigger.schedule_type != Trigger.ScheduleType.FIXED_TIME:
        trigger.weekdays = []
    if trigger.schedule_type == Trigger.ScheduleType.DATE:
        trigger.is_recurring = False


@contextmanager
def _blamed(errors: dict[str, str]) -> Iterator[None]:
    """Note a ScheduleError at the field that it blames."""
    try:
        yield
    except schedules.ScheduleError as error:
        errors[error.field] = str(error)


def _read_schedule(trigger: Trigger, errors: dict[str, str]) -> None:
    """Bring window and weekdays into their stored form, and read the timetable; faults go into `errors`."""
    for name in ("not_before", "not_after"):
        with _blamed(errors):
            setattr(trigger, name, _instant(name, getattr(trigger, name), trigger.time_zone))
    with _blamed(errors):
        trigger.weekdays = list(schedules.read_weekdays(trigger.weekdays))
    if not errors:
        with _blamed(errors):
            schedules.timetable_of(trigger)


def _instant(field: str, given: datetime | str | None, time_zone: str) -> datetime | None:
    """Return the instant that was given, or said by the zone's clock; raises ScheduleError."""
    if given is None or given == "":
        return None
    said = given if isinstance(given, str) else given.isoformat()
    return schedules.read_instant(field, said, schedules.zone(time_zone))


def _name_for(trigger: Trigger) -> str:
    return schedule_in_words(trigger) if trigger.is_scheduled else "API trigger"


def _begin(trigger: Trigger, now: datetime) -> None:
    """Its schedule is new: intervals and the ledger begin, and the next fire is its first."""
    trigger.starts_at = _start(trigger, now)
    _forget_counts(trigger, now)
    _arm(trigger, now)


def _switch(trigger: Trigger, now: datetime) -> None:
    """It was switched: one that is done begins anew, a recurring interval that was off keeps its rhythm."""
    if trigger.enabled and not trigger.is_recurring:
        trigger.starts_at = _start(trigger, now)
    if trigger.enabled and trigger.is_exhausted:
        _forget_counts(trigger, now)
    _arm(trigger, now)


def _start(trigger: Trigger, now: datetime) -> datetime:
    """Return what intervals count from: `now`, or so that the first fire of a recurring one is at `not_before`."""
    if trigger.schedule_type != Trigger.ScheduleType.FIXED_INTERVAL or trigger.not_before is None:
        return now
    if trigger.is_recurring:
        return trigger.not_before - timedelta(seconds=int(trigger.schedule_value))
    return max(now, trigger.not_before)


def _forget_counts(trigger: Trigger, now: datetime) -> None:
    trigger.counted_since = now
    trigger.fired_count = trigger.missed_count = trigger.overlap_count = 0


def _arm(trigger: Trigger, now: datetime, *, is_delay_new: bool = True) -> None:
    """Set the next fire as `enabled` asks; raises ValidationError when there is none."""
    trigger.problem = ""
    trigger.next_fire_at = None
    if not (trigger.enabled and trigger.is_scheduled):
        return
    if trigger.is_exhausted:
        words = f"It has fired {trigger.fired_count:,} times already. Use a larger number, or switch it off."
        raise ValidationError({"max_fires": [words]})
    timetable = schedules.timetable_of(trigger)
    # With a new delay, what the schedule named before now has been dealt with, or is not meant.
    trigger.next_fire_at = timetable.next_after(now + timetable.delay if is_delay_new else now)
    if trigger.next_fire_at is None:
        raise ValidationError(_why_never(trigger, now))


def _why_never(trigger: Trigger, now: datetime) -> dict[str, list[str]]:
    """Return the field that keeps a schedule which can be read from ever firing, and the way out."""
    try:
        schedules.timetable_of(trigger).schedule.next_after(now)
    except schedules.Over as error:
        return {error.field: [str(error)]}
    return {"not_after": ["The window ends before the next fire, so it would never fire. Use a later end, or none."]}
