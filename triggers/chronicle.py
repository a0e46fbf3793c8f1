"""What is changed about a definition goes on record, in the transaction of the change: who, when, old and new.

The names are those that the API uses: a schedule is one field, as are `success` and `retries`, for half of one says
nothing. Secrets are masked; of what is large only the size is kept.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from triggers import vault
from triggers.models import Author, Change, Recipe, Trigger

LARGEST_KEPT = 4096  # characters, of an old or a new value as JSON

_SCHEDULE = ("type", "schedule_type", "schedule_value", "is_recurring", "weekdays")
_PLAIN = (
    *("name", "time_zone", "not_before", "not_after", "max_fires", "spread_seconds"),
    *("missed_policy", "overlap_policy", "api_endpoint", "payload", "is_test"),
)
_OF_RECIPE = (
    *("method", "headers", "body_template", "timeout_seconds", "most_at_once", "rate_per_minute", "switch_off_after"),
    *("verify_tls", "client_certificate", "client_key"),
)
_SUCCESS = {name: f"success_{name}" for name in ("statuses", "json_path", "json_equals", "contains", "longest_seconds")}
_RETRIES = {"delays": "retry_delays", "statuses": "retry_statuses", "no_answer": "retries_silence"}

Fields = dict[str, Any]


def fields_of(trigger: Trigger) -> Fields:
    """Return the definition as it stands, with its secrets, to be compared by differences() when it has changed."""
    recipe = trigger.recipe or Recipe()
    fields = {"schedule": {name: getattr(trigger, name) for name in _SCHEDULE}}
    fields |= {name: getattr(trigger, name) for name in _PLAIN}
    fields |= {name: getattr(recipe, name) for name in _OF_RECIPE}
    fields["success"] = {name: getattr(recipe, column) for name, column in _SUCCESS.items()}
    fields["retries"] = {name: getattr(recipe, column) for name, column in _RETRIES.items()}
    return fields


def differences(before: Fields, after: Fields) -> list[dict[str, Any]]:
    """Return what became of each field that is not as it was, as it may be shown and stored: `field`, `old`, `new`.

    A header is an entry of its own, with its `name`; old None: it is new, new None: it is gone. Where a value is too
    large to keep, both are None and `old_bytes` and `new_bytes` say how large.
    """
    return list(_differences(before, after))


def _differences(before: Fields, after: Fields) -> Iterator[dict[str, Any]]:
    for field, new in after.items():
        old = before[field]
        if old == new:
            continue
        if field == "headers":
            yield from _of_headers(old, new)
        elif field == "client_key":
            yield {"field": field, "old": _masked(old), "new": _masked(new)}
        else:
            yield _entry(field, _storable(old), _storable(new))


def _of_headers(old: Sequence[Sequence[Any]], new: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    before = {name.lower(): (name, value, is_secret) for name, value, is_secret in old}
    after = {name.lower(): (name, value, is_secret) for name, value, is_secret in new}
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    for key in changed:
        was, now = before.get(key), after.get(key)
        # One that becomes a secret was one before, only unsaid (and note_edit() masks it in what is on record).
        is_secret = any(each and each[2] for each in (was, now))
        values = [None if each is None else _masked(each[1]) if is_secret else each[1] for each in (was, now)]
        yield _entry("headers", *values) | {"name": (now or was or ("",))[0]}
    if not changed:  # their order
        yield _entry("headers", [name for name, *_ in old], [name for name, *_ in new])


def _entry(field: str, old: Any, new: Any) -> dict[str, Any]:
    sizes = [len(json.dumps(value, ensure_ascii=False).encode()) for value in (old, new)]
    if max(sizes) > LARGEST_KEPT:
        return {"field": field, "old": None, "new": None, "old_bytes": sizes[0], "new_bytes": sizes[1]}
    return {"field": field, "old": old, "new": new}


def _storable(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _masked(secret: str) -> str:
    return vault.MASK if secret else ""


def note(
    trigger: Trigger, kind: Change.Kind, by: Author, now: datetime, fields: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Put a change of this trigger on record; in the transaction that makes it."""
    said: Any = list(fields) or None
    Change.objects.create(
        trigger=trigger,
        at=now,
        by_kind=by.kind,
        by_id=by.id,
        by_name=by.name[:150],
        kind=kind,
        version=trigger.version,
        fields=said,
    )


def note_edit(trigger: Trigger, before: Fields, was_on: bool, by: Author, now: datetime) -> bool:
    """Put on record what an edit has changed, and (apart) whether it switched; return whether there was anything.

    Then it is a new version of the trigger, for the caller to save.
    """
    changed = differences(before, fields_of(trigger))
    if not changed and trigger.enabled == was_on:
        return False
    trigger.version += 1
    if changed:
        _mask_on_record(trigger, {each["name"].lower() for each in changed if _is_of_a_secret_header(each)})
        note(trigger, Change.Kind.CHANGED, by, now, changed)
    if trigger.enabled != was_on:
        note(trigger, Change.Kind.SWITCHED_ON if trigger.enabled else Change.Kind.SWITCHED_OFF, by, now)
    return True


def _is_of_a_secret_header(entry: Mapping[str, Any]) -> bool:
    return "name" in entry and vault.MASK in (entry["old"], entry["new"])


def _mask_on_record(trigger: Trigger, names: Collection[str]) -> None:
    """Mask the values of these headers (lower case) in earlier changes: they were on record before they were secret."""
    if not names:
        return
    for change in Change.objects.filter(trigger=trigger, kind=Change.Kind.CHANGED):
        entries = [
            {**each, "old": _masked_again(each["old"]), "new": _masked_again(each["new"])}
            if each.get("name", "").lower() in names
            else each
            for each in change.fields or []
        ]
        if entries != change.fields:
            Change.objects.filter(pk=change.pk).update(fields=entries)


def _masked_again(value: str | None) -> str | None:
    return None if value is None else _masked(value)
