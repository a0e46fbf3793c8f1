"""`manage.py backup`: all that counts in one file, of one instant, while the server runs."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from triggers import backups


class Command(BaseCommand):
    help = (
        "Write a backup: people, keys of the API, triggers, events and all else that counts, of one instant, while the "
        "server runs. It can be restored into SQLite and into PostgreSQL. Secrets in it stay encrypted, and the keys "
        "are not in it."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", help="default: one named by the time, in DATA_DIR/backups; -: to stdout")
        parser.add_argument("--no-events", action="store_true", help="the definitions alone, without what was fired")
        parser.add_argument("--keep", type=int, metavar="N", help="of those in DATA_DIR/backups only the newest N stay")

    def run_from_argv(self, argv: list[str]) -> None:
        with contextlib.suppress(OSError):
            os.nice(10)  # the beat and the workers come first
        super().run_from_argv(argv)

    def handle(self, *args: Any, file: str | None, no_events: bool, keep: int | None, **options: Any) -> None:
        if keep is not None and (file or keep < 1):
            raise CommandError("--keep: use 1 or more, and only without a file of your own.")
        began = time.monotonic()
        try:
            if file == "-":
                taken, where = _to_stdout(has_events=not no_events), "to standard output"
            else:
                path = Path(file) if file else _place()
                with backups.save(path) as unfinished:
                    taken = backups.write(unfinished, has_events=not no_events)
                where = f"{path}, {path.stat().st_size / 1e6:,.1f} MB"
        except OSError as error:
            raise CommandError(f"No backup was made: {error.strerror} ({error.filename or file}).") from error
        except (backups.SchemaError, DatabaseError) as error:
            raise CommandError(f"No backup was made: {error}") from error
        self.stderr.write(
            f"Backup {where}: {taken.counts['triggers_trigger']:,} triggers, "
            f"{taken.counts.get('triggers_event', 0):,} events, {taken.rows:,} rows in all, "
            f"in {time.monotonic() - began:.1f} s."
        )
        self.stderr.write(_about_keys())
        if keep:
            backups.forget_all_but(keep, _folder())


def _place() -> Path:
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{timezone.now():%Y-%m-%d-%H%M%S}{backups.ENDING}"


def _folder() -> Path:
    return settings.DATA_DIR / "backups"


def _to_stdout(has_events: bool) -> backups.Taken:
    if sys.stdout.isatty():
        raise CommandError("A backup is no text for a terminal: send it into a file or a pipe.")
    try:
        taken = backups.write(sys.stdout.buffer, has_events=has_events)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Or Python would try to write the rest there when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
    return taken


def _about_keys() -> str:
    kept = settings.DATA_DIR / "encryption_keys"
    where = f" ({kept})" if kept.exists() else ""
    return f"The keys are not in it: keep a copy of ENCRYPTION_KEYS{where} in another place."
