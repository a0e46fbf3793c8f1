"""`manage.py create_api_key NAME`: make an API key and print it, and only it; it is never shown again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from dashboard.models import LONGEST_LIFE_DAYS, ApiKey
from dashboard.permissions import SCOPES, Permission

LONGEST_NAME = 120


class Command(BaseCommand):
    help = "Make an API key and print it, and only it. It is shown this once: only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for, such as the program that uses it")
        parser.add_argument(
            "--scopes",
            default=",".join(SCOPES),
            help="what the key may do, with commas between; none includes another (default: %(default)s)",
        )
        parser.add_argument("--expires-days", type=int, help="after how many days it works no more (default: never)")

    def handle(self, *args: Any, name: str, scopes: str, expires_days: int | None, **options: Any) -> None:
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise CommandError(f"Give a name of 1 to {LONGEST_NAME} printable characters.")
        if expires_days is not None and not 1 <= expires_days <= LONGEST_LIFE_DAYS:
            raise CommandError(
                f"--expires-days: use 1 to {LONGEST_LIFE_DAYS}, or leave it out for a key that never expires."
            )
        expires_at = None if expires_days is None else timezone.now() + timedelta(days=expires_days)
        self.stdout.write(ApiKey.create(name, _scopes(scopes), expires_at=expires_at)[1])


def _scopes(said: str) -> list[Permission]:
    """Return the scopes in "read,fire"; raises CommandError."""
    names = [part.strip() for part in said.split(",")]
    if unknown := [name for name in names if name not in SCOPES]:
        raise CommandError(
            f"--scopes: there is no “{unknown[0]}”. Use some of {', '.join(SCOPES)}, with commas between."
        )
    return [Permission(name) for name in names]
