"""Reading a backup into an empty database, and bringing it up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO

from django.apps import apps as live_apps
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import DataError, IntegrityError, transaction
from django.db.models import F

from triggers import sealed
from triggers.backups import rows, schema, tables
from triggers.backups.stream import BackupError, Header, Reader
from triggers.backups.tables import Table
from triggers.models import Beat, Event
from triggers.models.clusters import SILENT_AFTER

# What a restore that replaces all lets be: what `migrate` made, and the generation of the beat, which must never be
# an old one's again.
_LEFT_ALONE = frozenset({"contenttypes.ContentType", "auth.Permission", "triggers.Beat"})


class RestoreError(Exception):
    """The database is not one to restore into; the words say why, and the way out."""


@dataclass(slots=True)
class Restored:
    """Rows by table; with the checksum of each where it was compared; and whether the secrets can be read here."""

    header: Header
    counts: dict[str, int] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    are_secrets_readable: bool = True


def check(file: IO[bytes]) -> Restored:
    """Read a backup to its end, and write nothing; return what is in it. Raises BackupError."""
    reader = Reader(file)
    _refuse_newer(reader.header)
    found = Restored(reader.header)
    known = _known(schema.at(reader.header.migrations))
    for table, chunks in reader.tables():
        _refuse_unlike(table, known)
        found.counts[table.name] = sum(map(len, chunks))
    return found


def restore(file: IO[bytes], now: datetime, *, replaces: bool = False, compares: bool = False) -> Restored:
    """Write a backup into the database in one transaction, and bring that up to date; return what was written.

    `replaces`: what the database holds is deleted first; else it must be empty. `compares`: all is read again, and
    compared. Raises BackupError, RestoreError or SchemaError, and has then deleted and written no row.
    """
    reader = Reader(file)
    _refuse_newer(reader.header)
    apps, here = schema.of_database()
    refuse_what_runs(now)
    are_alike = here == reader.header.migrations
    if held := [table.name for table in tables.kept(apps) if rows.holds_any(table.name)]:
        _refuse_what_is_there(held, replaces, are_alike, reader.header)
    if not are_alike:
        # Rows go in as they were when the backup was made, and are migrated as they would have been. What is
        # deleted here is what no backup holds (tables.LEFT_OUT), and sessions.
        with _one_transaction():
            _empty(apps)
        schema.bring_to(reader.header.migrations)
        apps, _ = schema.of_database()
    with _one_transaction():
        _empty(apps)
        restored = _load(reader, apps, compares)
    call_command("migrate", interactive=False, verbosity=0)
    begin_again()
    restored.are_secrets_readable = all(map(sealed.is_readable, live_apps.get_models()))
    return restored


def begin_again() -> None:
    """Let the beat have at once what a worker held, or was to get, in the world that the rows come from.

    What was being delivered then is delivered again: nobody here knows how it ended there.
    """
    with transaction.atomic():
        Event.objects.in_hand().update(hand_over_at=F("due_at"))
        Beat.objects.update(seen_at=None, generation=F("generation") + 1)


def refuse_what_runs(now: datetime) -> None:
    """Raise RestoreError when a cluster is at work on this database."""
    apps, _ = schema.of_database()
    try:
        clusters, beats = apps.get_model("triggers", "Cluster").objects, apps.get_model("triggers", "Beat").objects
    except LookupError:  # no tables yet, or very old ones
        return
    lately = clusters.filter(stopped_at=None, seen_at__gt=now - SILENT_AFTER, seen_at__lt=now + SILENT_AFTER)
    names = list(lately.values_list("name", flat=True))
    if names or beats.filter(seen_at__gt=now - Beat.DEAD_AFTER, seen_at__lt=now + Beat.DEAD_AFTER).exists():
        raise RestoreError(
            f"A server is at work on this database{f' (cluster {names[0]})' if names else ''}: stop it first, web and "
            "clusters. One that was killed counts as gone after 15 s."
        )


def _refuse_newer(header: Header) -> None:
    if name := schema.unknown(header.migrations):
        raise BackupError(
            f"The backup is of version {header.version}, which is newer than this server ({name} is not known here): "
            "restore it with that version."
        )


def _refuse_what_is_there(held: list[str], replaces: bool, are_alike: bool, header: Header) -> None:
    """Let pass what may be replaced: tables can be made those of then only when nothing is in them any more."""
    where = f"This database holds something already (in {', '.join(held[:3])}{', …' if len(held) > 3 else ''})"
    if not are_alike:
        raise RestoreError(
            f"{where}, and its tables are not those of the backup, which is of version {header.version} and other "
            "migrations. So it cannot be replaced, and stays as it is: name a new database, without tables."
        )
    if not replaces:
        raise RestoreError(f"{where}. Name an empty one, or say --replace: what it holds is deleted then.")


@contextmanager
def _one_transaction() -> Iterator[None]:
    """All of it or nothing, however long it takes; in the words of who restores where a row cannot be stored."""
    try:
        with transaction.atomic():
            rows.forget_timeouts()
            yield
    except (DataError, IntegrityError) as error:
        raise RestoreError(f"A row cannot be stored in this database, so nothing was: {error}") from error


def _empty(apps: Apps) -> None:
    rows.empty([model._meta.db_table for model in tables.in_order(apps) if model._meta.label not in _LEFT_ALONE])


def _known(apps: Apps) -> dict[str, Table]:
    return {table.name: table for table in tables.kept(apps, has_sessions=True)}


def _refuse_unlike(table: Table, known: dict[str, Table]) -> None:
    if known.get(table.name) != table:
        raise BackupError(f"The backup does not say right how its table {table.name} is. Use another backup.")


def _load(reader: Reader, apps: Apps, compares: bool) -> Restored:
    restored = Restored(reader.header)
    known = _known(apps)
    for table, chunks in reader.tables():
        _refuse_unlike(table, known)
        seen = rows.Sum(table)
        written = rows.insert(table, seen.passing(chunks) if compares else chunks)
        if compares:
            _compare(table, seen)
            restored.sums[table.name] = str(seen)
        rows.begin_ids_after(table)
        if rows.count(table.name) != written:
            raise RestoreError(f"{written:,} rows of {table.name} were written, and others are there: it was in use.")
        restored.counts[table.name] = written
    return restored


def _compare(table: Table, seen: rows.Sum) -> None:
    again = rows.Sum(table)
    for chunk in rows.read(table):
        again.add(chunk)
    if str(again) != str(seen):
        raise RestoreError(f"The rows of {table.name} are not in this database as they came, so nothing was kept.")
