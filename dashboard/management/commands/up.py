"""`manage.py up`: web and cluster in one, on one machine. Stops both cleanly."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection

from dashboard import orphans, setup_token
from triggers import faults, sqlite_file

PARTS = ("web", "cluster")
LIVES_AT_LEAST_SECONDS = 5.0  # a part that ends sooner has a reason that a restart does not mend
LOOK_EVERY_SECONDS = 0.2


class Command(BaseCommand):
    help = "Apply migrations, then run web and cluster until Ctrl-C or SIGTERM; prints the address to open."

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_taken_port()
        self._migrate()
        self.is_stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        parts = {name: _Part(name) for name in PARTS}
        self._say_where()
        try:
            while not self.is_stopping:
                for part in parts.values():
                    part.restart_if_ended()
                time.sleep(LOOK_EVERY_SECONDS)
        finally:
            for part in parts.values():
                part.process.terminate()
            for part in parts.values():
                part.process.wait()
        self.stdout.write("Stopped.")

    def _migrate(self) -> None:
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except (DatabaseError, InterfaceError) as error:
            # To be opened, SQLite's database needs some room beside it.
            if faults.fault_of(error) is not faults.FULL or not sqlite_file.give_up_reserve():
                raise
            self.stderr.write(
                "The disk of the database is full: its reserve is given up, so that the server can start."
            )
            connection.close()
            call_command("migrate", interactive=False, verbosity=0)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True

    def _say_where(self) -> None:
        self.stdout.write(f"\n  Event Trigger Platform {settings.VERSION}, data in {settings.DATA_DIR}")
        if setup_token.is_needed():
            self.stdout.write("  First use: open this address and make the first account:\n")
            self.stdout.write(f"    {_address()}/setup?token={setup_token.token()}\n")
        else:
            self.stdout.write(f"  Open {_address()}\n")
        self.stdout.flush()


class _Part:
    """One of the two processes, started again when it ends by itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.start()

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), self.name],
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop both in order
            preexec_fn=orphans.end_with_parent,  # no threads here, or it could hang
        )

    def restart_if_ended(self) -> None:
        if self.process.poll() is None:
            return
        if time.monotonic() - self.started_at < LIVES_AT_LEAST_SECONDS:
            raise CommandError(f"{self.name} ended right after its start (exit code {self.process.returncode}).")
        self.start()


def _refuse_taken_port() -> None:
    family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {settings.HOST}:{settings.PORT}: {error.strerror}. Set PORT or HOST to another one."
            ) from error


def _address() -> str:
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(settings.HOST, settings.HOST)  # noqa: S104 (only shown)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}"
