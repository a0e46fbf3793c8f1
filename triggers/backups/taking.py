"""Writing a backup, of one instant, while the server runs."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection
from django.utils import timezone

from triggers.backups import rows, schema, stream, tables

ENDING = ".jsonl.gz"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a backup holds: rows by table."""

    counts: dict[str, int]

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


def write(
    out: IO[bytes],
    *,
    has_events: bool = True,
    has_sessions: bool = False,
    is_alone: bool = False,
    level: int = stream.LEVEL,
) -> Taken:
    """Write a backup; return what is in it.

    `is_alone`: nobody may write meanwhile, for it would be lost. Raises SchemaError, or InUse.
    """
    apps, migrations = schema.of_database()
    if not migrations:
        raise schema.SchemaError("The database has no tables, so there is nothing to keep. Is DATABASE_URL right?")
    kept = tables.kept(apps, has_events=has_events, has_sessions=has_sessions)
    header = stream.Header(
        version=settings.VERSION,
        made_at=timezone.now().isoformat(timespec="seconds"),
        database=connection.vendor,
        has_events=has_events,
        migrations=migrations,
    )
    with rows.alone(kept) if is_alone else rows.of_one_instant():
        writer = stream.Writer(out, header, level)
        try:
            for table in kept:
                writer.table(table, rows.read(table))
            writer.end()
        except BaseException:
            writer.give_up()
            raise
    return Taken(writer.counts)


@contextmanager
def save(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that stands at `path` once it is whole and on disk: until then, and if that fails, nothing does.

    It is for its owner's eyes only. Raises OSError.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def forget_all_but(newest: int, folder: Path) -> None:
    """Delete the oldest backups of this folder, so that so many are left; their names begin with their time."""
    for path in [*sorted(folder.glob(f"[0-9]*{ENDING}"))[:-newest], *_left_by_killed(folder)]:
        path.unlink(missing_ok=True)


def _left_by_killed(folder: Path) -> list[Path]:
    """Return what was not finished, and no process can be at any more."""
    yesterday = time.time() - 24 * 3600
    return [path for path in folder.glob(f".[0-9]*{ENDING}.*.part") if path.stat().st_mtime < yesterday]
