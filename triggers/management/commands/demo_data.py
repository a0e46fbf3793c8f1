"""`manage.py demo_data`: believable triggers and their last 48 hours, to look at or to measure on."""

from __future__ import annotations

import random
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from triggers import demo
from triggers.models import Trigger

THROWN = 1_000_000  # events for which dice are thrown, one by one


class Command(BaseCommand):
    help = (
        "Fill a database with believable triggers, events and attempts. Nothing is sent. The endpoints are of "
        "example.com, so a cluster that runs on this database will see its deliveries fail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--preset", choices=("small", "large"), default="small", help="27 triggers, or very many")
        parser.add_argument("--triggers", type=int, default=10_000, help="of the large one")
        parser.add_argument("--events", type=int, default=1_000_000, help="of the large one, about")
        parser.add_argument("--seed", type=int, default=1, help="the same one makes the same data")
        parser.add_argument("--add", action="store_true", help="even where there are triggers already; stop the server")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["add"] and Trigger.with_deleted.exists():
            raise CommandError("This database has triggers already. Use an empty one, or say --add to add to it.")
        if options["triggers"] < 1 or options["events"] < 0:
            raise CommandError("Give at least one trigger, and no fewer than 0 events.")
        chance, began = random.Random(options["seed"]), time.monotonic()
        alike = 1
        if options["preset"] == "small":
            plans = demo.small()
        else:
            alike = _alike(options["triggers"], options["events"])
            plans = demo.large(options["triggers"], options["events"], chance, alike)
        written = demo.write(plans, timezone.now(), chance, alike)
        self.stdout.write(
            f"{written.triggers:,} triggers, {written.events:,} events and {written.attempts:,} attempts "
            f"in {time.monotonic() - began:.0f} s."
        )


def _alike(triggers: int, events: int) -> int:
    """Return how many triggers are to be alike: on PostgreSQL, which multiplies rows, one in a million events."""
    return min(max(events // THROWN, 1), triggers) if connection.vendor == "postgresql" else 1
