"""The red note above every page when nothing beats: a real beat is killed while somebody looks at a page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from triggers.tests.factories import make_api_trigger, make_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SOON = 40_000  # milliseconds: a beat counts as dead after 10 s, the page asks every 10 s, and a slow machine
WAY_OUT = "Start it with manage.py cluster; nothing that was accepted is lost."


@pytest.fixture
def start_beat() -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a process that beats on the database of this test."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        code = "from triggers import dispatch; dispatch.run_beat(lasts_seconds=300)"
        environment = os.environ | {"DATABASE_URL": _database_url(), "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", f"import django; django.setup(); {code}"],
                cwd=settings.BASE_DIR,
                env=environment,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def _database_url() -> str:
    where = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{where['NAME']}"
    person = f"{where['USER']}:{quote(str(where['PASSWORD']), safe='')}"
    return f"postgres://{person}@{where['HOST']}:{where['PORT']}/{where['NAME']}"


@pytest.mark.parametrize("width", [1440, 390])
def test_a_page_says_by_itself_that_nothing_beats_any_more_and_that_it_does_again(
    visitor: Page, live_server: LiveServer, start_beat: Callable[[], subprocess.Popen[bytes]], width: int
) -> None:
    beat = start_beat()
    visitor.set_viewport_size({"width": width, "height": 800})
    visitor.goto(live_server.url + reverse("overview"))
    note = visitor.locator("#dispatcher-note .note-bad")
    expect(note).to_have_count(0, timeout=SOON)

    beat.kill()
    beat.wait()

    expect(note).to_be_visible(timeout=SOON)
    expect(note).to_have_role("alert")
    expect(note).to_contain_text("The dispatcher has stopped. Nothing fires since")
    expect(note).to_contain_text(WAY_OUT)
    expect(note).to_be_in_viewport()

    start_beat()
    expect(note).to_have_count(0, timeout=SOON)


def test_it_stands_above_every_page(visitor: Page, live_server: LiveServer) -> None:
    trigger = make_api_trigger()
    event = make_event(trigger, outcome="failed")
    pages = [
        *("overview", "trigger-list", "trigger-create", "trigger-upcoming", "event-log", "failed-list", "jump"),
        *("key-list", "key-create", "people-list", "people-add", "sink", "settings", "password-change"),
    ]
    addresses = [reverse(name) for name in pages]
    addresses += [reverse(name, args=[trigger.pk]) for name in ("trigger-detail", "trigger-edit", "trigger-changes")]
    addresses.append(reverse("event-detail", args=[event.pk]))
    for width in (1440, 390):
        visitor.set_viewport_size({"width": width, "height": 800})
        for address in addresses:
            visitor.goto(live_server.url + address)
            note = visitor.locator("#dispatcher-note .note-bad")
            expect(note).to_be_in_viewport()
            expect(note).to_contain_text(WAY_OUT)
    # System health says it itself, and says it once.
    visitor.goto(live_server.url + reverse("health"))
    expect(visitor.locator("#health-sentence")).to_contain_text("nothing fires")
    expect(visitor.locator("#dispatcher-note")).to_be_hidden()
