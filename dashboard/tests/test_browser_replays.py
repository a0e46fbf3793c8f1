"""Failed events in a real browser: one or many are fired again, followed or cancelled, with and without scripts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer
from pytest_httpserver import HTTPServer

from triggers import claims, dispatch, replays
from triggers.models import Event, ReplayBatch
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FAILED = reverse("failed-list")
SOON = 7000  # milliseconds: two ticks of two seconds, and a slow machine
TICK_10 = 14_000  # milliseconds


def fail(count: int, endpoint: str = "https://example.com/", name: str = "Order paid") -> list[Event]:
    trigger = make_api_trigger(name=name, api_endpoint=endpoint)
    events = [make_event(trigger, outcome="failed", attempt_count=1, reason="No answer.") for _ in range(count)]
    for event in events:
        make_attempt(event, status=503)
    return events


def beat() -> None:
    """Deliver all that is due; the queue is sync."""
    now = timezone.now()
    dispatch.hand_over_due(claims.start_beat("test:1", now), now)


def test_one_is_replayed_from_its_page(
    visitor: Page, live_server: LiveServer, receiver: HTTPServer, sync_queue: None
) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    (event,) = fail(1, receiver.url_for("/hook"))
    visitor.goto(live_server.url + reverse("event-detail", args=[event.pk]))

    visitor.get_by_role("link", name="Replay…").click()
    expect(visitor.get_by_role("heading", name="Replay this event?")).to_be_visible()
    expect(visitor.get_by_role("button", name="Replay", exact=True)).to_be_focused()
    expect(visitor.get_by_role("radio", name="Today’s endpoint and headers")).to_be_checked()
    visitor.keyboard.press("Enter")

    expect(visitor.get_by_role("link", name=f"event {event.pk}")).to_be_visible()
    replay = event.replays.get()
    assert visitor.url.endswith(reverse("event-detail", args=[replay.pk]))
    beat()
    expect(visitor.locator(".page-title .outcome")).to_have_text("Succeeded", timeout=SOON)
    visitor.get_by_role("link", name=f"event {event.pk}").click()
    expect(visitor.get_by_role("link", name=f"event {replay.pk}")).to_be_visible()


def test_many_are_replayed_and_followed_to_the_end(
    visitor: Page, live_server: LiveServer, receiver: HTTPServer, sync_queue: None
) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    paid = fail(5, receiver.url_for("/hook"))
    (other,) = fail(1, name="Another")
    visitor.goto(live_server.url + FAILED)
    menu = visitor.locator("#failed-count-sidebar")
    expect(menu).to_contain_text("6")

    visitor.get_by_label("Trigger", exact=True).select_option(label="Order paid")
    expect(visitor.locator(".failed-table tbody tr")).to_have_count(5)
    expect(visitor).to_have_url(re.compile(rf"trigger={paid[0].trigger_id}"))
    visitor.get_by_role("link", name="Replay these…").click()
    expect(visitor.get_by_role("heading", name="Replay 5 failed events?")).to_be_visible()
    forecast = visitor.locator("#replay-forecast")
    expect(forecast).to_contain_text("5 events would be fired again, 60 a minute, over 4.0 s.")
    visitor.get_by_label("Events per minute").fill("6000")
    expect(forecast).to_contain_text("6,000 a minute")
    visitor.get_by_role("button", name="Replay them").click()

    expect(visitor.locator(".page-title .outcome")).to_have_text("Running")
    beat()
    expect(visitor.locator(".page-title .outcome")).to_have_text("Done", timeout=SOON)
    expect(visitor.locator(".replay-parts")).to_have_text(re.compile(r"5\s+Succeeded"))
    expect(visitor.get_by_role("button", name="Cancel the rest")).to_have_count(0)
    expect(visitor.locator("#announcements")).to_have_text("Replay over: 5 succeeded, 0 failed")
    expect(menu).to_contain_text("1", timeout=TICK_10)
    assert not other.replays.exists()


def test_many_are_cancelled_while_they_wait(visitor: Page, live_server: LiveServer) -> None:
    fail(10)
    visitor.goto(live_server.url + FAILED)
    visitor.get_by_role("link", name="Replay these…").click()
    visitor.get_by_label("Events per minute").fill("2")
    visitor.get_by_role("button", name="Replay them").click()
    expect(visitor.get_by_text("not begun")).to_be_visible()

    visitor.get_by_role("button", name="Cancel the rest").click()

    expect(visitor.locator(".page-title .outcome")).to_have_text("Cancelled")
    expect(visitor.locator(".replay-parts")).to_have_text(re.compile(r"6\s+Skipped"))
    visitor.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Failed").click()
    expect(visitor.locator(".failed-table tbody tr")).to_have_count(10)
    expect(visitor.get_by_text("cancelled").first).to_be_visible()


def test_the_list_follows_what_happens(visitor: Page, live_server: LiveServer) -> None:
    fail(2)
    visitor.goto(live_server.url + FAILED)
    visitor.mouse.move(5, 5)
    fail(1, name="Newly broken")
    expect(visitor.get_by_text("Newly broken").last).to_be_visible(timeout=TICK_10)
    expect(visitor.locator(".failed-table tbody tr")).to_have_count(3)


def test_without_javascript_many_are_replayed_and_cancelled(
    browser: Browser, visitor: Page, live_server: LiveServer
) -> None:
    fail(61)
    context = browser.new_context(java_script_enabled=False, storage_state=visitor.context.storage_state())
    page = context.new_page()
    page.goto(live_server.url + FAILED)
    page.get_by_role("link", name="Replay these…").click()
    expect(page.get_by_role("heading", name="Replay 61 failed events?")).to_be_visible()
    page.get_by_label("Events per minute").fill("6")
    page.get_by_role("button", name="Count again").click()
    expect(page.locator("#replay-forecast")).to_contain_text("over 10 min")
    assert not ReplayBatch.objects.exists()
    page.get_by_role("button", name="Replay them").click()
    page.get_by_role("button", name="Cancel the rest").click()
    expect(page.locator(".page-title .outcome")).to_have_text("Cancelled")

    page.goto(live_server.url + FAILED)
    page.get_by_role("link", name=re.compile("^Replay… event")).first.click()
    page.get_by_label("Exactly as it was to be sent then").check()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.locator(".page-title .outcome")).to_have_text("Pending")
    context.close()


def everything() -> dict[str, str]:
    """Every page of failed events and replays, each with what makes it large."""
    *_, last = fail(3, name="A long name " * 9)
    running = fail(4)
    batch = replays.begin(
        replays.Selection(trigger_id=running[0].trigger_id), replays.How(rate_per_minute=1), "mara", timezone.now()
    )
    done = batch.events.order_by("pk")[0]
    Event.objects.filter(pk=done.pk).update(outcome="succeeded", hand_over_at=None)
    return {
        "list": FAILED,
        "nothing matches": f"{FAILED}?until=2020-01-01T00:00",
        "one": reverse("event-replay", args=[last.pk]),
        "many": reverse("failed-replay"),
        "progress": reverse("replay-detail", args=[batch.pk]),
        "replay": reverse("event-detail", args=[done.pk]),
    }


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(visitor: Page, live_server: LiveServer, theme: str, width: int) -> None:
    pages = everything()
    visitor.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    visitor.set_viewport_size({"width": width, "height": 900})

    def look(name: str) -> None:
        found = Axe().run(visitor)
        assert found.violations_count == 0, f"{name}, {theme}, {width} px: {found.generate_report()}"

    for name, address in pages.items():
        visitor.goto(f"{live_server.url}{address}")
        look(name)
    for link in ("Replay these…", re.compile("^Replay… event")):
        visitor.goto(f"{live_server.url}{FAILED}")
        visitor.get_by_role("link", name=link).first.click()
        expect(visitor.locator("#confirm")).to_be_visible()
        look(f"dialog of {link}")


@pytest.mark.parametrize("width", [1440, 1024, 768, 390, 320])
def test_no_page_scrolls_sideways(visitor: Page, live_server: LiveServer, width: int) -> None:
    pages: dict[str, Any] = everything()
    visitor.set_viewport_size({"width": width, "height": 900})
    for name, address in pages.items():
        visitor.goto(f"{live_server.url}{address}")
        wide = visitor.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name}, {width} px"
