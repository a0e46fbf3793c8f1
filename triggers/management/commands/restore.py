"""`manage.py restore`: a backup into an empty database."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from triggers import backups


class Command(BaseCommand):
    help = (
        "Read a backup into the database, which must be empty, and bring it up to date. The backup may be of SQLite or "
        "of PostgreSQL, and of an older version. Stop the server first."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the backup; -: from stdin")
        parser.add_argument("--replace", action="store_true", help="delete all that the database holds first")
        parser.add_argument("--check", action="store_true", help="only read the file to its end; the database stays")
        parser.add_argument("--compare", action="store_true", help="read all again from the database, and compare")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        began = time.monotonic()
        try:
            if file == "-":
                done = _restore(sys.stdin.buffer, options)
            else:
                with open(Path(file), "rb") as source:
                    done = backups.check(source)  # whole, before anything is touched
                    if not options["check"]:
                        source.seek(0)
                        done = _restore(source, options)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except (backups.BackupError, backups.RestoreError, backups.SchemaError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database refused, and nothing was restored: {error}") from error
        self._say(done, options["check"], time.monotonic() - began)

    def _say(self, done: backups.Restored, is_check: bool, seconds: float) -> None:
        for table, count in done.counts.items():
            if count:
                self.stdout.write(f"  {table:32} {count:>12,}  {done.sums.get(table, '')[:12]}".rstrip())
        whole = f"{sum(done.counts.values()):,} rows of {done.header.made_at} (version {done.header.version})"
        if is_check:
            self.stdout.write(f"The backup is whole: {whole}, read in {seconds:.1f} s.")
            return
        compared = ", each read again and found equal" if done.sums else ""
        self.stdout.write(f"Restored: {whole}{compared}, in {seconds:.1f} s.")
        if not done.are_secrets_readable:
            self.stdout.write(
                "Its secrets cannot be read here: none of the ENCRYPTION_KEYS fits. Put the key of then at their end "
                "before you start the server, or deliveries fail."
            )


def _restore(source: IO[bytes], options: dict[str, Any]) -> backups.Restored:
    if options["check"]:
        return backups.check(source)
    return backups.restore(source, timezone.now(), replaces=options["replace"], compares=options["compare"])
