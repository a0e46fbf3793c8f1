"""The one way in: a trigger fires by API, by a press on Test or again by replay, and an Event is written.

(A scheduled fire is written by `dispatch`, many in one statement, in the same form.) When a function here
returns, the event is committed: accepted means stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from triggers import signing
from triggers.models import Event, Recipe, ReplayBatch, Trigger


class TriggerIsOff(Exception):
    """A trigger that is switched off does not fire by API; a test of it does."""


class KeyUsedDifferently(Exception):
    """The idempotency key was used before, with another body."""


class NotFinished(Exception):
    """Only what is finished can be replayed."""


class NoEndpointOfToday(Exception):
    """The event's trigger was deleted, or it never had one: it can only be replayed as it was then."""


@dataclass(frozen=True, slots=True)
class Fired:
    """`is_repeat`: the key was seen before, this is the event of the first call, and no second one was made."""

    event: Event
    is_repeat: bool = False


def test(trigger: Trigger, now: datetime) -> Event:
    """Fire for a test: a real delivery, tried once, never counted in figures. A trigger that is off can be tested."""
    return Event.objects.create(**_fields(trigger, Event.Source.TEST, trigger.payload, now))


def test_draft(draft: Trigger, now: datetime) -> Event:
    """Fire what definition.draft() returned, for a test: an event of no trigger, tried once, in no figure."""
    with transaction.atomic():
        recipe = draft.recipe
        if recipe is not None and recipe._state.adding:
            # Nobody else's, so it goes when its event is forgotten. A new one has no secret yet: the receiver shall see
            # all headers all the same.
            recipe.signing_secret = recipe.signing_secret or signing.new_secret()
            recipe.superseded_at = now
            recipe.save()
        fields = _fields(draft, Event.Source.TEST, draft.payload, now)
        return Event.objects.create(**fields | {"trigger": None, "recipe_id": recipe.pk if recipe else None})


def fire(
    trigger: Trigger,
    now: datetime,
    payload: dict[str, Any] | None = None,
    key: str | None = None,
) -> Fired:
    """Fire by API; `payload` (None: the trigger's own) goes with this event only, `key` is the idempotency key.

    The same key and payload again, for as long as the event is kept, return the first event.
    Raises TriggerIsOff, or KeyUsedDifferently.
    """
    digest = _digest(payload) if key else ""
    if key and (first := _fired_before(trigger.pk, digest, key)):
        return Fired(first, is_repeat=True)
    if not trigger.enabled:
        raise TriggerIsOff
    fields = _fields(trigger, Event.Source.API, trigger.payload if payload is None else payload, now)
    try:
        # No transaction around it: one statement is one, and SQLite's write lock is held for it alone. A thread that
        # holds the lock while Python works lets all others wait in SQLite's coarse sleeps.
        event = Event.objects.create(**fields, idempotency_key=key, request_digest=digest)
    except IntegrityError:
        first = _fired_before(trigger.pk, digest, key) if key else None
        if not first:
            raise
        # Two calls with one key at once: the database let one through, this is the other.
        return Fired(first, is_repeat=True)
    return Fired(event)


def replay(event: Event, now: datetime, *, uses_todays_endpoint: bool, key: str | None = None) -> Fired:
    """Fire a finished event again, as a new one with the same payload.

    It goes to the endpoint, and by the recipe, of its trigger today, or of the event itself then. The same `key` for
    the same replay again returns the first one; the keys of a trigger's fires and replays are one set.
    Raises NotFinished, NoEndpointOfToday or KeyUsedDifferently.
    """
    if not event.is_finished:
        raise NotFinished
    digest = _digest({"replay_of": event.pk, "today": uses_todays_endpoint}) if key else ""
    try:
        with transaction.atomic():
            # Against a batch that is about to do the same, and another call with this key.
            Event.objects.select_for_update().filter(pk=event.pk).first()
            if key and (first := _fired_before(event.trigger_id, digest, key)):
                return Fired(first, is_repeat=True)
            made = replay_all([(event, now)], uses_todays_endpoint=uses_todays_endpoint, key=key, digest=digest)[0]
    except IntegrityError:
        # At this very moment the key was used for a fire, or for a replay of another event: that is refused.
        first = _fired_before(event.trigger_id, digest, key) if key else None
        if not first:
            raise
        return Fired(first, is_repeat=True)
    return Fired(made)


def replay_all(
    events: Sequence[tuple[Event, datetime]],
    *,
    uses_todays_endpoint: bool,
    batch: ReplayBatch | None = None,
    key: str | None = None,
    digest: str = "",
) -> list[Event]:
    """Fire finished events again, each due at the instant beside it, and return the new ones.

    For a caller that has a transaction open and has locked the events. `key` is the idempotency key of a single one.
    Raises NoEndpointOfToday.
    """
    if uses_todays_endpoint and not all(has_endpoint_of_today(event) for event, _ in events):
        raise NoEndpointOfToday
    if not events:
        return []
    recipes = set() if uses_todays_endpoint else _kept([(event.recipe_id, due_at) for event, due_at in events])
    return Event.objects.bulk_create(
        Event(
            **_fields_of_then(event, due_at, recipes) | (_of_today(event.trigger) if uses_todays_endpoint else {}),
            replay_of=event,
            batch=batch,
            idempotency_key=key,
            request_digest=digest,
        )
        for event, due_at in events
    )


def has_endpoint_of_today(event: Event) -> bool:
    """Return whether the event's trigger is still there, so that a replay may go where it delivers today."""
    return event.trigger is not None and event.trigger.deleted_at is None


def _fields_of_then(event: Event, due_at: datetime, recipes: set[int]) -> dict[str, Any]:
    return {
        "trigger_id": event.trigger_id,
        "source": Event.Source.REPLAY,
        "is_test": event.is_test,
        "payload": event.payload,
        "endpoint": event.endpoint,
        # Without one it is delivered by the standard recipe.
        "recipe_id": event.recipe_id if event.recipe_id in recipes else None,
        "triggered_at": due_at,
        "due_at": due_at,
        "hand_over_at": due_at,
    }


def _of_today(trigger: Trigger | None) -> dict[str, Any]:
    return {"endpoint": trigger.api_endpoint, "recipe_id": trigger.recipe_id} if trigger else {}


def _kept(used: Sequence[tuple[int | None, datetime]]) -> set[int]:
    """Return the recipes that are still there, and keep them for as long as events that use them at `due_at` may live.

    (retention.forget_recipes() deletes what was replaced so long ago that no event can be of it.)
    """
    wanted = {recipe_id for recipe_id, _ in used if recipe_id}
    latest = max(due_at for _, due_at in used)
    replaced = Recipe.objects.filter(superseded_at__isnull=False, superseded_at__lt=latest, pk__in=wanted)
    # In order: another batch may want the same ones.
    locked = replaced.select_for_update(no_key=True).order_by("pk")
    Recipe.objects.filter(pk__in=list(locked.values_list("pk", flat=True))).update(superseded_at=latest)
    return set(Recipe.objects.filter(pk__in=wanted).values_list("pk", flat=True))


def _fields(trigger: Trigger, source: Event.Source, payload: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "trigger": trigger,
        "source": source,
        "is_test": trigger.is_test or source == Event.Source.TEST,
        "payload": payload,
        "endpoint": trigger.api_endpoint,
        "recipe_id": trigger.recipe_id,
        "triggered_at": now,
        "due_at": now,
        "hand_over_at": now,
    }


def _fired_before(trigger_id: int | None, digest: str, key: str) -> Event | None:
    first = Event.objects.filter(trigger=trigger_id, idempotency_key=key).first()
    if first and first.request_digest != digest:
        raise KeyUsedDifferently
    return first


def _digest(payload: dict[str, Any] | None) -> str:
    """The same for the same JSON, however it was written."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
