"""Which tables travel, in which order, and how their values do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models

# Of what the apps have in the database, this does not travel, for it is made anew or would mean nothing elsewhere.
LEFT_OUT = frozenset(
    {
        # Hints, which are signed by SECRET_KEY: without them events are handed over again. Results nobody reads.
        "django_q.OrmQ",
        "django_q.Task",
        # The cluster makes its schedules when it starts, `migrate` makes permissions; nobody here uses groups.
        "django_q.Schedule",
        "contenttypes.ContentType",
        "auth.Permission",
        "auth.Group",
        # What the processes of then say of themselves.
        "triggers.Beat",
        "triggers.Cluster",
        "triggers.CleanUp",
    }
)
# Whoever reads a session can sign in with it: it goes from database to database, and into no file.
SESSIONS = "sessions.Session"
# What was fired, and what is reckoned from it: left out of a backup of the definitions alone.
FIRED = frozenset(
    {
        "triggers.Event",
        "triggers.Attempt",
        "triggers.ReplayBatch",
        "triggers.BulkDeed",
        "triggers.HourlyCount",
        "triggers.TriggerHour",
    }
)

# How the values of a field travel: as they are, or as text in one form for both databases.
_KINDS = {
    "boolean": {"BooleanField"},  # 0 or 1
    "instant": {"DateTimeField"},  # UTC: 2026-11-24 10:00:00.123456, without the fraction where it is zero
    "json": {"JSONField"},  # its text
    "address": {"GenericIPAddressField"},
    "plain": {"AutoField", "BigAutoField", "BigIntegerField", "CharField", "FloatField", "IntegerField"}
    | {"PositiveBigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField", "SmallIntegerField"}
    | {"SmallAutoField", "TextField"},
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it travels; its first column is its key."""

    name: str
    columns: tuple[Column, ...]


def kept(apps: Apps, *, has_events: bool = True, has_sessions: bool = False) -> list[Table]:
    """Return the tables that travel, each after those that its rows point to."""
    left_out = LEFT_OUT | (frozenset() if has_events else FIRED) | (frozenset() if has_sessions else {SESSIONS})
    chosen = [model for model in in_order(apps) if not _is_left_out(model, left_out)]
    return [Table(model._meta.db_table, _columns(model)) for model in chosen]


def in_order(apps: Apps) -> list[type[models.Model]]:
    """Return all that has a table, each after those that its rows point to."""
    stored = [model for model in apps.get_models(include_auto_created=True) if _has_table(model)]
    by_name = {model._meta.label: model for model in stored}
    sorter = TopologicalSorter({label: _points_to(model) - {label} for label, model in by_name.items()})
    return [by_name[label] for label in sorter.static_order() if label in by_name]


def _has_table(model: type[models.Model]) -> bool:
    return model._meta.managed and not model._meta.proxy


def _is_left_out(model: type[models.Model], left_out: Iterable[str]) -> bool:
    """Also what ties something that travels to something that does not."""
    names = {model._meta.label} | (_points_to(model) if model._meta.auto_created else set())
    return bool(names & set(left_out))


def _points_to(model: type[models.Model]) -> set[str]:
    fields = (field for field in model._meta.local_concrete_fields if isinstance(field, models.ForeignKey))
    return {field.related_model._meta.label for field in fields}


def _columns(model: type[models.Model]) -> tuple[Column, ...]:
    fields = sorted(model._meta.local_concrete_fields, key=lambda field: not field.primary_key)
    return tuple(Column(str(field.column), _kind(field)) for field in fields)


def _kind(field: models.Field[Any, Any]) -> str:
    inner = field.target_field if isinstance(field, models.ForeignKey) else field
    for kind, types in _KINDS.items():
        if inner.get_internal_type() in types:
            return kind
    raise ImproperlyConfigured(f"{field} cannot travel yet: say in backups.tables how its values do.")
