"""This server as it is: a trigger for each event, and `manage.py cluster`. Run by the server's own Python."""

from __future__ import annotations

import sys
from pathlib import Path

import django
from orders import SETTINGS, Herd, instant, serve, start

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))
django.setup()

from django.core.management import call_command  # noqa: E402 (after setup)

from triggers.models import Event, Trigger  # noqa: E402


def schedule(herd: Herd) -> None:
    Trigger.objects.bulk_create(
        (
            Trigger(
                name=f"Herd {number}",
                type="scheduled",
                schedule_type="fixed_interval",
                schedule_value="86400",
                is_recurring=False,
                api_endpoint=SETTINGS["url"],
                payload={"n": number, "due": due},
                starts_at=instant(due),
                next_fire_at=instant(due),
            )
            for number, due in herd
        ),
        batch_size=1000,
    )


def recorded() -> int:
    return Event.objects.filter(outcome="succeeded").count()


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    serve(schedule, recorded, start(sys.executable, str(ROOT / "manage.py"), "cluster"))
