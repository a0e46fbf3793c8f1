"""`make screenshots`: the pictures of every page in docs/screenshots/, of believable data in a folder of its own.

No cluster runs, because it would send requests to example.com: in its place, the stage keeps the beat's row fresh. It
asks for nothing outside of this machine.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "screenshots"
NAME, PASSWORD = "mara", "a long enough password"
CLUSTER = "north-kilo-seven"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

# Before Django reads its settings: a folder and a port of its own, and reachable from here only.
STAGE = tempfile.TemporaryDirectory(prefix="event-trigger-screenshots-")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    PORT = free.getsockname()[1]
os.environ |= {"DATA_DIR": STAGE.name, "PORT": str(PORT), "HOST": "127.0.0.1", "DJANGO_ALLOW_ASYNC_UNSAFE": "true"}
os.environ |= {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "PUBLIC_URL": f"http://127.0.0.1:{PORT}"}
sys.path.insert(0, str(ROOT))

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from dashboard.models import ApiKey, User  # noqa: E402
from triggers.models import Beat, Cluster, Event, Trigger  # noqa: E402


def set_up() -> None:
    """Fill the database: three people, two keys, the demo's triggers and their last two days."""
    call_command("migrate", verbosity=0)
    User.objects.create_superuser(
        NAME, "mara@example.org", PASSWORD, first_name="Mara Lindqvist", time_zone="Europe/Berlin"
    )
    User.objects.create_user("jonas", "jonas@example.org", PASSWORD, first_name="Jonas Weber", role=User.Role.OPERATOR)
    User.objects.create_user("ines", "ines@example.org", PASSWORD, first_name="Ines Duarte", role=User.Role.VIEWER)
    for name in ("shop-backend", "deploy-pipeline"):
        ApiKey.create(name)
    call_command("demo_data", preset="small")


def keep_fresh() -> None:
    """As if a cluster beat: nothing is late."""
    now = timezone.now()
    Beat.objects.update_or_create(pk=Beat.ID, defaults={"seen_at": now, "cluster": CLUSTER})
    Event.objects.filter(hand_over_at__lte=now + timedelta(seconds=30)).update(
        due_at=now + timedelta(seconds=40), hand_over_at=now + timedelta(seconds=40)
    )
    row = {"host": "worker-1", "pid": 4711, "started_at": now - timedelta(days=6), "workers": 4}
    Cluster.objects.update_or_create(name=CLUSTER, defaults={**row, "seen_at": now})
    for trigger in Trigger.objects.filter(next_fire_at__lte=now + timedelta(seconds=20)):
        Trigger.objects.filter(pk=trigger.pk).update(next_fire_at=now + timedelta(seconds=25 + trigger.pk % 30))


def pages() -> dict[str, str]:
    """Return the addresses to take, by the name of their picture."""
    trigger = Trigger.objects.get(name="Sync CRM contacts")
    called = Trigger.objects.get(name="Order paid")
    failed = Event.objects.filter(trigger=trigger, outcome=Event.Outcome.FAILED).latest("pk")
    return {
        "overview": reverse("overview"),
        "triggers": reverse("trigger-list"),
        "trigger": reverse("trigger-detail", args=[trigger.pk]),
        "api-trigger": reverse("trigger-detail", args=[called.pk]),
        "trigger-form": reverse("trigger-edit", args=[trigger.pk]),
        "events": reverse("event-log"),
        "event": reverse("event-detail", args=[failed.pk]),
        "failed": reverse("failed-list"),
        "upcoming": reverse("trigger-upcoming"),
        "test-receiver": reverse("sink"),
        "system-health": reverse("health"),
        "api-keys": reverse("key-list"),
        "people": reverse("people-list"),
        "settings": reverse("settings"),
        "jump-to": f"{reverse('jump')}?q=sync",
    }


@contextmanager
def server() -> Iterator[str]:
    """Yield the address of a running web server."""
    running = subprocess.Popen([sys.executable, "manage.py", "web"], cwd=ROOT, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{PORT}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{address}/login", timeout=2)  # noqa: S310 (our own server)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        running.terminate()
        running.wait()


def take(page: Page, address: str, name: str, *, whole: bool = False) -> None:
    keep_fresh()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)
    sys.stdout.write(f"{name}.png\n")


def main() -> None:
    set_up()
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with server() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=WIDE)
        take(page, f"{base}/login", "sign-in")
        page.get_by_label("Username").fill(NAME)
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        for name, address in pages().items():
            take(page, base + address, name, whole=name in ("trigger", "api-trigger", "trigger-form", "event"))
        for theme, size, mark in (("dark", WIDE, "dark"), ("light", PHONE, "phone")):
            page.context.add_cookies([{"name": "theme", "value": theme, "url": base}])
            page.set_viewport_size(size)
            for name in ("overview", "triggers", "events"):
                take(page, base + pages()[name], f"{name}-{mark}")
        browser.close()


if __name__ == "__main__":
    main()
