"""A trigger is defined: checked, stored, changed, switched, deleted, its next fire always in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from triggers import outbound, payloads, schedules
from triggers.models import Trigger

# What a person or a program may set; everything else is kept by the machine.
EDITABLE = (
    "name",
    "type",
    "schedule_type",
    "schedule_value",
    "is_recurring",
    "time_zone",
    "api_endpoint",
    "payload",
    "is_test",
    "enabled",
)
_OF_THE_SCHEDULE = (
    "type",
    "schedule_type",
    "schedule_value",
    "is_recurring",
    "time_zone",
)


def create(fields: Mapping[str, Any], now: datetime) -> Trigger:
    """Store a new trigger from EDITABLE `fields` and return it; an empty name becomes its schedule in words.

    Raises ValidationError (field → words) and then stores nothing.
    """
    trigger = Trigger(starts_at=now, **fields)
    _check(trigger)
    _restart(trigger, now)
    trigger.save()
    return trigger


def change(pk: int, fields: Mapping[str, Any], now: datetime) -> Trigger:
    """Set the given EDITABLE fields of a trigger, leave the others, and return it.

    A change of the schedule, or switching on, recomputes the next fire; any other edit does not move it.
    Raises Trigger.DoesNotExist, or ValidationError (field → words), and then changes nothing.
    """
    with transaction.atomic():
        # Locked, so that the beat cannot move `next_fire_at` between our reading and writing it.
        trigger = Trigger.objects.select_for_update().get(pk=pk)
        before = {name: getattr(trigger, name) for name in EDITABLE}
        for name, value in fields.items():
            setattr(trigger, name, value)
        _check(trigger, is_payload_new=trigger.payload != before["payload"])
        if any(getattr(trigger, name) != before[name] for name in _OF_THE_SCHEDULE):
            _restart(trigger, now)
        elif trigger.enabled != before["enabled"]:
            _switch(trigger, now)
        trigger.save()
    return trigger


def switch(pk: int, *, on: bool, now: datetime) -> Trigger:
    """Switch a trigger on or off and return it; off is effective within a second. Raises Trigger.DoesNotExist."""
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


def schedule_of(trigger: Trigger) -> schedules.Schedule:
    """Return the schedule of a scheduled trigger; raises ScheduleError when its row can no longer be read."""
    return schedules.read(
        trigger.schedule_type,
        trigger.schedule_value,
        trigger.time_zone,
        trigger.starts_at,
    )


def schedule_in_words(trigger: Trigger) -> str:
    return schedules.in_words(trigger.schedule_type, trigger.schedule_value, trigger.is_recurring)


def _check(trigger: Trigger, *, is_payload_new: bool = True) -> None:
    """Put the fields into their stored form, or raise ValidationError with words for every field at fault.

    A payload that is not new was checked once: PostgreSQL gives 1e20 back as a whole number, which would be too
    large, and the trigger could never be switched off.
    """
    errors: dict[str, str] = {}
    if not trigger.is_scheduled:
        trigger.schedule_type = trigger.schedule_value = ""
    elif trigger.type == Trigger.Type.SCHEDULED:
        try:
            schedule_of(trigger)
        except schedules.ScheduleError as error:
            errors[error.field] = str(error)
    try:
        schedules.zone(trigger.time_zone)
    except schedules.ScheduleError as error:
        errors[error.field] = str(error)
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


def _name_for(trigger: Trigger) -> str:
    return schedule_in_words(trigger) if trigger.is_scheduled else "API trigger"


def _restart(trigger: Trigger, now: datetime) -> None:
    """Its schedule is new: intervals count from now."""
    trigger.starts_at = now
    _switch(trigger, now)


def _switch(trigger: Trigger, now: datetime) -> None:
    """Set the next fire as `enabled` asks; a recurring interval that was off keeps its rhythm."""
    if not trigger.is_recurring:
        trigger.starts_at = now
    is_waiting = trigger.enabled and trigger.is_scheduled
    trigger.next_fire_at = schedule_of(trigger).next_after(now) if is_waiting else None
