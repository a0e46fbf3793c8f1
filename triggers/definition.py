"""A trigger is defined: checked, stored, changed, switched, deleted, its next fire always in the same transaction.

So is the record of who did it (chronicle): `by`, the server itself unless it is said.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from triggers import (
    backoff,
    bodies,
    chronicle,
    exchange,
    outbound,
    payloads,
    request_headers,
    schedules,
    signing,
    vault,
    verdict,
)
from triggers.models import SERVER, Author, Change, Event, EventQuerySet, Recipe, Trigger

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
# The same of how its events are delivered; see Recipe. A header is [name, value, is_secret]: the mask in place of a
# secret value leaves that as it is, as it does for `client_key`.
OF_THE_RECIPE = (
    "method",
    "headers",
    "body_template",
    "timeout_seconds",
    "success_statuses",
    "success_json_path",
    "success_json_equals",
    "success_contains",
    "success_longest_seconds",
    "retry_delays",
    "retry_statuses",
    "retries_silence",
    "most_at_once",
    "rate_per_minute",
    "switch_off_after",
    "verify_tls",
    "client_certificate",
    "client_key",
)
OLD_SECRET_LASTS = timedelta(hours=24)  # beside the new one, after a rotation
MOST_TRIES, TRY_AGAIN_SECONDS = 100, 0.01  # to reach events that workers hold locked, for milliseconds each
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


class Conflict(Exception):
    """Somebody has saved the trigger since it was seen."""


def create(fields: Mapping[str, Any], now: datetime, by: Author = SERVER) -> Trigger:
    """Store a new trigger from EDITABLE and OF_THE_RECIPE `fields` and return it, with a signing secret of its own.

    An empty name becomes its schedule in words. Raises ValidationError (field → words) and then stores nothing.
    """
    trigger, recipe = _new(fields, now)
    recipe.signing_secret = signing.new_secret()
    with transaction.atomic():
        recipe.save()
        trigger.recipe = recipe
        trigger.save()  # first: a spread follows from the id
        _begin(trigger, now)
        trigger.save()
        chronicle.note(trigger, Change.Kind.CREATED, by, now)
    return trigger


def change(
    pk: int,
    fields: Mapping[str, Any],
    now: datetime,
    by: Author = SERVER,
    *,
    seen: Collection[int] | None = None,
) -> Trigger:
    """Set the given EDITABLE and OF_THE_RECIPE fields of a trigger, leave the others, and return it.

    A change of the schedule or its bounds, or switching on, recomputes the next fire; any other edit does not move it.
    `seen`: the versions of the trigger that this is a change of; None: of any.
    Raises Trigger.DoesNotExist, Conflict, or ValidationError (field → words), and then changes nothing.
    """
    with transaction.atomic():
        # Locked, so that the beat cannot move `next_fire_at` between our reading and writing it.
        trigger = Trigger.objects.select_for_update(no_key=True).get(pk=pk)
        if seen is not None and trigger.version not in seen:
            raise Conflict
        before, was_on = chronicle.fields_of(trigger), trigger.enabled
        recipe = _apply(trigger, fields, now)
        if recipe is not trigger.recipe:
            _replace_recipe(trigger, recipe, now)
        chronicle.note_edit(trigger, before, was_on, by, now)
        trigger.save()
    return trigger


def draft(fields: Mapping[str, Any], now: datetime, of: Trigger | None = None) -> Trigger:
    """Return the trigger that create(), or change() of this one, would make, and store nothing.

    Raises ValidationError (field → words).
    """
    if of is None:
        trigger, recipe = _new(fields, now)
        trigger.recipe = recipe
        _begin(trigger, now)
    else:
        trigger = copy(of)
        trigger.recipe = _apply(trigger, fields, now)
    return trigger


def errors_of_delivery(fields: Mapping[str, Any], of: Trigger | None = None) -> dict[str, str]:
    """Return what is wrong with OF_THE_RECIPE fields by themselves, words by field; of a new trigger, or this one."""
    errors: dict[str, str] = {}
    _check_recipe(_recipe_with(of.recipe if of else None, fields), errors)
    return errors


def switch(pk: int, *, on: bool, now: datetime, by: Author = SERVER) -> Trigger:
    """Switch a trigger on or off and return it; off is effective within a second.

    One that is done (one-time, or its last fire allowed) begins anew. Raises Trigger.DoesNotExist, or ValidationError
    when its schedule has no further fire.
    """
    return change(pk, {"enabled": on}, now, by)


def delete(pk: int, now: datetime, by: Author = SERVER) -> Trigger:
    """Delete a trigger: it fires no more and is no longer found; its events stay until they expire.

    The row itself goes with its last event (retention.forget_triggers). Raises Trigger.DoesNotExist.
    """
    with transaction.atomic():
        trigger = Trigger.objects.select_for_update(no_key=True).get(pk=pk)
        trigger.enabled, trigger.next_fire_at, trigger.deleted_at = False, None, now
        trigger.save(update_fields=["enabled", "next_fire_at", "deleted_at", "updated_at"])
        chronicle.note(trigger, Change.Kind.DELETED, by, now, [{"field": "name", "old": trigger.name, "new": None}])
    return trigger


def rotate_signing_secret(pk: int, now: datetime, by: Author = SERVER) -> str:
    """Give a trigger a new signing secret, and return it: it is not shown again.

    For a day requests carry a signature by the old one too; so do those that wait already. Raises Trigger.DoesNotExist.
    """
    with transaction.atomic():
        trigger = Trigger.objects.select_for_update(of=("self",), no_key=True).select_related("recipe").get(pk=pk)
        recipe = _copy_of(trigger.recipe)
        recipe.old_signing_secret, recipe.old_secret_until = recipe.signing_secret, now + OLD_SECRET_LASTS
        recipe.signing_secret = signing.new_secret()
        before = trigger.recipe_id
        _replace_recipe(trigger, recipe, now)
        trigger.save(update_fields=["recipe", "updated_at"])
        chronicle.note(trigger, Change.Kind.SECRET_REPLACED, by, now)
    # Apart: the trigger is free by then, whatever this waits for.
    _let_follow(Event.objects.filter(trigger=trigger, recipe=before, hand_over_at__isnull=False), recipe)
    return str(recipe.signing_secret)


def _let_follow(waiting: EventQuerySet, recipe: Recipe) -> None:
    """Give events that wait another recipe; those that a worker holds locked at this moment, in the next moment."""
    for _try in range(MOST_TRIES):
        with transaction.atomic():
            # Never to wait while locks are held: workers lock events in an order of their own.
            free = list(waiting.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
            Event.objects.filter(pk__in=free).update(recipe=recipe)
        if not waiting.exists():
            return
        time.sleep(TRY_AGAIN_SECONDS)


def schedule_in_words(trigger: Trigger, today: date | None = None) -> str:
    """Return "Every 15 min", "Monday to Friday at 08:00", "When called"; of a date, the year unless it is `today`'s."""
    return schedules.in_words(
        trigger.schedule_type, trigger.schedule_value, trigger.is_recurring, trigger.weekdays, today
    )


def _new(fields: Mapping[str, Any], now: datetime) -> tuple[Trigger, Recipe]:
    """Return a trigger and its recipe, checked and not stored. Raises ValidationError."""
    of_recipe, of_trigger = _split(fields)
    recipe = Recipe(**of_recipe)
    trigger = Trigger(starts_at=now, counted_since=now, **of_trigger)
    _check(trigger, recipe)
    return trigger, recipe


def _split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return which fields belong to the recipe, and which to the trigger."""
    of_recipe = {name: value for name, value in fields.items() if name in OF_THE_RECIPE}
    return of_recipe, {name: value for name, value in fields.items() if name not in OF_THE_RECIPE}


def _apply(trigger: Trigger, fields: Mapping[str, Any], now: datetime) -> Recipe:
    """Set the fields and all that follows from them, and return the recipe: the same, or one to be stored."""
    before = {name: getattr(trigger, name) for name in EDITABLE}
    of_recipe, of_trigger = _split(fields)
    for name, value in of_trigger.items():
        setattr(trigger, name, value)
    recipe = _recipe_with(trigger.recipe, of_recipe)
    _check(trigger, recipe, is_payload_new=trigger.payload != before["payload"])
    changed = {name for name in EDITABLE if getattr(trigger, name) != before[name]}
    if changed & {*_OF_THE_SCHEDULE}:
        _begin(trigger, now)
    elif "enabled" in changed:
        _switch(trigger, now)
    elif changed & {*_OF_ITS_BOUNDS}:
        _arm(trigger, now, is_delay_new="spread_seconds" in changed)
    return recipe


def _recipe_with(recipe: Recipe | None, fields: Mapping[str, Any]) -> Recipe:
    """Return the recipe with the fields set: the same row when they are as they were, else a new one."""
    recipe = recipe or Recipe(signing_secret=signing.new_secret())
    changed = _copy_of(recipe)
    for name, value in fields.items():
        setattr(changed, name, value)
    changed.headers = _with_kept_values(changed.headers, recipe.headers)
    if changed.client_key == vault.MASK:
        changed.client_key = recipe.client_key
    is_same = all(getattr(changed, name) == getattr(recipe, name) for name in OF_THE_RECIPE)
    return recipe if is_same else changed


def _with_kept_values(headers: Any, kept: Sequence[Sequence[Any]]) -> Any:
    """Return the headers, the mask in place of a secret value replaced by the value that was kept."""
    values = {name.lower(): value for name, value, is_secret in kept if is_secret}
    try:
        return [
            [name, values.get(name.lower(), value) if value == vault.MASK and is_secret else value, is_secret]
            for name, value, is_secret in headers
        ]
    except (TypeError, ValueError, AttributeError):
        return headers  # _check_recipe() says what is wrong with it


def _copy_of(recipe: Recipe | None) -> Recipe:
    """Return a new recipe, not stored, that says the same."""
    if recipe is None:
        return Recipe()
    names = (*OF_THE_RECIPE, "signing_secret", "old_signing_secret", "old_secret_until")
    return Recipe(**{name: getattr(recipe, name) for name in names})


def _replace_recipe(trigger: Trigger, recipe: Recipe, now: datetime) -> None:
    """Store the recipe and give it to the trigger; the one before stays for the events that were fired with it."""
    if trigger.recipe_id:
        Recipe.objects.filter(pk=trigger.recipe_id).update(superseded_at=now)
    recipe.save()
    trigger.recipe = recipe


def _check(trigger: Trigger, recipe: Recipe, *, is_payload_new: bool = True) -> None:
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
    _check_recipe(recipe, errors)
    if errors:
        raise ValidationError({field: [words] for field, words in errors.items()})
    trigger.name = trigger.name.strip() or _name_for(trigger)
    # The payload is checked above; Django would call an empty object blank.
    trigger.full_clean(exclude=("payload", "recipe"), validate_unique=False)
    recipe.full_clean(validate_unique=False)


def _check_recipe(recipe: Recipe, errors: dict[str, str]) -> None:
    """Note what the rules of requests, answers and retries find wrong, by field."""
    try:
        recipe.headers = [[str(name), str(value), bool(is_secret)] for name, value, is_secret in recipe.headers]
        request_headers.check_headers([(name, value) for name, value, __ in recipe.headers])
        for name, value, __ in recipe.headers:
            if value == vault.MASK:
                errors["headers"] = _(
                    "No secret value is kept for “%(name)s”: give the value itself, not the mask."
                ) % {"name": name}
    except request_headers.HeaderError as error:
        errors["headers"] = str(error)
    except (TypeError, ValueError):
        errors["headers"] = _("Use a list of headers, each with a name, a value and whether it is secret.")
    try:
        if recipe.body_template and "headers" not in errors:
            bodies.check_template(recipe.body_template, bodies.kind_of(exchange.content_type_of(recipe)))
    except bodies.BodyError as error:
        errors["body_template"] = str(error)
    try:
        verdict.check_rule(recipe.success_rule)
    except verdict.RuleError as error:
        errors[f"success_{error.field}"] = str(error)
    try:
        backoff.check(recipe.retries)
    except backoff.RetriesError as error:
        errors[f"retry_{error.field}"] = str(error)
    except (TypeError, ValueError):
        errors["retry_delays"] = _("Use a list of seconds.")
    try:
        if recipe.client_certificate or recipe.client_key:
            outbound.check_client_certificate(recipe.client_certificate, recipe.client_key)
    except outbound.BadCertificate as error:
        errors["client_certificate"] = str(error)


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
    return schedule_in_words(trigger) if trigger.is_scheduled else _("API trigger")


def _begin(trigger: Trigger, now: datetime) -> None:
    """Its schedule is new: intervals and the ledger begin, and the next fire is its first."""
    trigger.starts_at = _start(trigger, now)
    _forget_counts(trigger, now)
    _arm(trigger, now)


def _switch(trigger: Trigger, now: datetime) -> None:
    """It was switched: one that is done begins anew, a recurring interval that was off keeps its rhythm."""
    if trigger.enabled:
        trigger.failures_in_a_row = 0  # else the next failure would switch it off again
    if trigger.enabled and not trigger.is_recurring:
        trigger.starts_at = _start(trigger, now)
    if trigger.enabled and trigger.is_exhausted:
        _forget_counts(trigger, now)
    if trigger.enabled:
        trigger.failures_in_a_row = 0
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
    due, trigger.problem, trigger.next_fire_at = trigger.next_fire_at, "", None
    if not (trigger.enabled and trigger.is_scheduled):
        return
    if trigger.is_exhausted:
        words = ngettext(
            "It has fired %(count)s times already. Use a larger number, or switch it off.",
            "It has fired %(count)s times already. Use a larger number, or switch it off.",
            trigger.fired_count,
        ) % {"count": number_format(trigger.fired_count, force_grouping=True)}
        raise ValidationError({"max_fires": [words]})
    timetable = schedules.timetable_of(trigger)
    # What has come due and is not settled yet (it waits for an event to finish, say) stays due. With a new delay, what
    # the schedule named before now has been dealt with, or is not meant.
    since = now if due is None else min(now, due - schedules.INSTANT)
    trigger.next_fire_at = timetable.next_after(now + timetable.delay if is_delay_new else since)
    if trigger.next_fire_at is None:
        raise ValidationError(_why_never(trigger, now))


def _why_never(trigger: Trigger, now: datetime) -> dict[str, list[str]]:
    """Return the field that keeps a schedule which can be read from ever firing, and the way out."""
    try:
        schedules.timetable_of(trigger).schedule.next_after(now)
    except schedules.Over as error:
        return {error.field: [str(error)]}
    return {"not_after": [_("The window ends before the next fire, so it would never fire. Use a later end, or none.")]}
