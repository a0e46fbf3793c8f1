"""The test receiver in a real browser: a delivery appears by itself, and stays open while others come."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import LazySettings
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from dashboard import sinks
from dashboard.models import Sink, SinkRequest, User
from triggers import delivery, firing
from triggers.models import Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGE = reverse("sink")
# Two ticks of two seconds, and a slow machine.
SOON = 7000  # milliseconds


@pytest.fixture
def trigger(live_server: LiveServer, person: User, settings: LazySettings) -> Trigger:
    """A trigger whose endpoint is the person's test receiver, as its page says it."""
    settings.DELIVERY_ALLOWED_NETWORKS = []
    settings.OWN_SINKS = [f"http://127.0.0.1:{live_server.url.rpartition(':')[2]}/sink/"]
    return make_api_trigger(name="Order paid", api_endpoint=sinks.sink_url_of(person), payload={"order": 7})


def fire(trigger: Trigger) -> None:
    delivery.deliver([firing.fire(trigger, timezone.now()).event.pk])


def test_a_delivery_is_seen_and_read_while_others_come(
    visitor: Page, live_server: LiveServer, trigger: Trigger
) -> None:
    visitor.goto(f"{live_server.url}{PAGE}")
    expect(visitor.locator("#sink-arrived")).to_contain_text("Listening")
    expect(visitor.locator("#sink-address")).to_have_text(trigger.api_endpoint)

    fire(trigger)
    first = visitor.locator(".arrival").last
    expect(first).to_contain_text("answered 200", timeout=SOON)
    first.locator("summary").click()
    expect(first).to_contain_text("Webhook-Id")
    expect(first.locator(".json-key")).to_have_text('"order"')

    # Nothing moves under the reader's hands; once they let go the next one comes in, and this one stays open.
    visitor.locator("#main").focus()
    fire(trigger)
    expect(visitor.locator(".arrival")).to_have_count(2, timeout=SOON)
    expect(visitor.locator(".arrival").last.locator(".json-key")).to_have_text('"order"')
    expect(visitor.locator(".arrival").first).to_have_js_property("open", False)


def test_it_is_told_what_to_answer_cleared_and_moved(visitor: Page, live_server: LiveServer, trigger: Trigger) -> None:
    visitor.goto(f"{live_server.url}{PAGE}")
    visitor.get_by_label("Status").fill("503")
    visitor.get_by_label("Retry-After").fill("60")
    visitor.get_by_role("button", name="Save answer").click()
    expect(visitor.locator("#toasts")).to_contain_text("Saved.")

    fire(trigger)
    expect(visitor.locator("#sink-arrived")).to_contain_text("answered 503", timeout=SOON)
    visitor.get_by_role("button", name="Clear").click()
    expect(visitor.locator("#sink-arrived")).to_contain_text("Listening")

    visitor.get_by_role("link", name="New address…").click()
    visitor.get_by_role("button", name="Keep it").click()
    expect(visitor.locator("#sink-address")).to_have_text(trigger.api_endpoint)
    visitor.get_by_role("link", name="New address…").click()
    visitor.get_by_role("dialog").get_by_role("button", name="New address").click()
    expect(visitor.locator("#sink-address")).not_to_have_text(trigger.api_endpoint)


def test_all_of_it_works_without_javascript(
    live_server: LiveServer, trigger: Trigger, visitor: Page, browser: object
) -> None:
    fire(trigger)
    cookies = visitor.context.cookies()
    context = browser.new_context(java_script_enabled=False)  # type: ignore[attr-defined]
    context.add_cookies(cookies)
    page: Page = context.new_page()
    page.goto(f"{live_server.url}{PAGE}")
    page.locator(".arrival summary").click()
    page.get_by_role("link", name="Headers and body").click()
    expect(page.locator("main")).to_contain_text("Webhook-Id")
    page.get_by_role("link", name="Test receiver").first.click()
    page.get_by_label("Status").fill("404")
    page.get_by_role("button", name="Save answer").click()
    expect(page.get_by_label("Status")).to_have_value("404")
    page.get_by_role("link", name="New address…").click()
    page.get_by_role("button", name="New address").click()
    expect(page.locator("#sink-address")).not_to_have_text(trigger.api_endpoint)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#sink-arrived")).to_contain_text("Listening")
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390, 320])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(
    visitor: Page, live_server: LiveServer, trigger: Trigger, theme: str, width: int
) -> None:
    visitor.set_viewport_size({"width": width, "height": 900})
    visitor.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    sink = Sink.objects.get()
    arrival = sinks.Arrival(
        "POST", f"a={'b' * 300}", [("X-Long", "v" * 400)], "", b'{"a": "' + b"x" * 300 + b'"}', "::1"
    )
    for shown in ("empty", "list", "open", "one"):
        if shown == "list":
            sinks.keep(sink, arrival, 200, timezone.now())
        where = reverse("sink-request", args=[SinkRequest.objects.get().pk]) if shown == "one" else PAGE
        visitor.goto(f"{live_server.url}{where}")
        if shown == "open":
            visitor.locator(".arrival summary").click()
            expect(visitor.locator(".sink-headers")).to_be_visible()
        assert visitor.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), shown
        found = Axe().run(visitor).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], shown
