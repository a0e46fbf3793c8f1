"""`manage.py move`: all of a database into another one, with ids kept, and compared row by row."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from triggers import backups


class Command(BaseCommand):
    help = (
        "Copy all of this database into another, empty one: from SQLite to PostgreSQL, or back. Stop the server first; "
        "nobody can write meanwhile. Ids stay, all rows are compared, and this database stays as it is."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to",
            metavar="URL",
            default=settings.MOVE_TO,
            help="as DATABASE_URL: postgres://user:password@host/name. Whoever is on this machine can read it while "
            "the command runs: a password is better given in MOVE_TO, or in the file that MOVE_TO_FILE names",
        )
        parser.add_argument("--replace", action="store_true", help="delete all that the other database holds first")

    def handle(self, *args: Any, to: str, replace: bool, **options: Any) -> None:
        if not to:
            raise CommandError("Say which database to move to: set MOVE_TO or MOVE_TO_FILE, or add --to URL.")
        _refuse_a_running_server(timezone.now())
        began = time.monotonic()
        # A process of its own with that database as its only one: what migrations and models do, they do there.
        restore = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "restore", "-", "--compare"]
            + (["--replace"] if replace else []),
            env={name: value for name, value in os.environ.items() if name != "DATABASE_URL_FILE"}
            | {"DATABASE_URL": to},
            stdin=subprocess.PIPE,
        )
        failure = _write_into(restore)
        if failure or restore.returncode:
            raise CommandError(failure or "The other database refused, as said above; this one is as it was.")
        self.stdout.write(
            f"Moved in {time.monotonic() - began:.0f} s. Now set DATABASE_URL to the other database, and start the "
            "server: what waits is delivered from there. Do not start one on this database again, or the triggers "
            "fire in both."
        )


def _refuse_a_running_server(now: datetime) -> None:
    try:
        backups.refuse_what_runs(now)
    except (backups.RestoreError, backups.SchemaError) as error:
        raise CommandError(str(error)) from error


def _write_into(restore: subprocess.Popen[bytes]) -> str:
    """Send it all, and wait until it is done with it; return why not, or ""."""
    assert restore.stdin is not None  # noqa: S101
    try:
        backups.write(restore.stdin, has_sessions=True, is_alone=True, level=0)
        restore.stdin.close()
    except BrokenPipeError:
        return ""  # it has said why
    except backups.InUse:
        restore.kill()  # before it wonders why nothing comes
        return "Another process has this database open: stop the server, web and clusters, and any other program."
    except (backups.SchemaError, DatabaseError, OSError) as error:
        restore.kill()
        return f"This database cannot be read to its end, and nothing was moved: {error}"
    finally:
        with contextlib.suppress(BrokenPipeError):
            restore.stdin.close()
        restore.wait()
    return ""
