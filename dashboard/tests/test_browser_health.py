"""System health in a real browser: it goes live by itself, says when the beat stops, and is copied as text."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from triggers.models import Beat, Cluster
from triggers.tests.factories import make_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGE = reverse("health")
SOON = 15_000  # milliseconds: a tick of 5 s, and a slow machine


FOR_A_WHILE = -9  # seconds ago: it then counts as alive for almost 20 s


def beat(seconds_ago: float) -> None:
    seen_at = timezone.now() - timedelta(seconds=seconds_ago)
    Beat.objects.update_or_create(pk=Beat.ID, defaults={"cluster": "north-kilo-seven", "seen_at": seen_at})
    Cluster.objects.update_or_create(
        name="north-kilo-seven",
        defaults={"host": "worker-1", "pid": 7, "started_at": seen_at, "seen_at": seen_at, "workers": 4},
    )


def test_it_is_live_and_says_when_the_dispatcher_stops(visitor: Page, live_server: LiveServer) -> None:
    beat(FOR_A_WHILE)
    visitor.goto(f"{live_server.url}{PAGE}")
    note = visitor.locator("#health-sentence")
    expect(note).to_contain_text("Everything is running.")
    expect(visitor.locator(".cluster-table tbody tr")).to_contain_text("Leader")

    make_event(outcome="delivering")
    expect(visitor.locator(".tiles")).to_contain_text("1 delivering", timeout=SOON)

    beat(120)
    expect(note).to_contain_text("The dispatcher stopped, nothing fires since", timeout=SOON)
    expect(visitor.locator(".cluster-table tbody tr")).to_contain_text("Silent")
    # Said once: the note above every page gives way.
    visitor.reload()
    expect(note).to_be_visible()
    expect(visitor.locator("#dispatcher-note")).to_be_hidden()


def test_copying_it_does_not_stop_it(visitor: Page, live_server: LiveServer) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    beat(FOR_A_WHILE)
    visitor.goto(f"{live_server.url}{PAGE}")
    visitor.get_by_role("link", name="Copy as text").click()
    expect(visitor.locator(".copy-words")).to_have_text("Copied")
    text = visitor.evaluate("navigator.clipboard.readText()")
    assert "north-kilo-seven: leader" in text

    make_event(outcome="delivering")
    expect(visitor.locator(".tiles")).to_contain_text("1 delivering", timeout=SOON)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", ["running", "stopped"])
def test_it_is_accessible_and_fits_every_width(visitor: Page, live_server: LiveServer, theme: str, state: str) -> None:
    visitor.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    for width in (1440, 1024, 768, 390, 320):
        visitor.set_viewport_size({"width": width, "height": 900})
        beat(FOR_A_WHILE if state == "running" else 120)
        visitor.goto(f"{live_server.url}{PAGE}")
        assert visitor.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(visitor)
        assert found.violations_count == 0, found.generate_report()
