"""`manage.py create_api_key NAME`: make an API key and print it, and only it; it is never shown again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.models import ApiKey

LONGEST_NAME = 120


class Command(BaseCommand):
    help = "Make an API key and print it, and only it. It is shown this once: only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for, such as the program that uses it")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise CommandError(f"Give a name of 1 to {LONGEST_NAME} printable characters.")
        self.stdout.write(ApiKey.create(name)[1])
