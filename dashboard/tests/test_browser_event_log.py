"""The live log in a real browser: it never moves under the reader's hands. And every page of ours at every width."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from dashboard.views.events import PER_PAGE
from triggers.models import Event, HourlyCount
from triggers.tests.factories import make_api_trigger, make_attempt, make_event, make_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOG = reverse("event-log")
# Two ticks of two seconds, and a slow machine.
SOON = 7000  # milliseconds
TWO_TICKS = 4500  # milliseconds


def fill(count: int, **fields: Any) -> list[Event]:
    trigger = make_api_trigger(name="Order paid", api_endpoint="https://example.com/")
    return [make_event(trigger, **{"outcome": "logged", **fields}) for _ in range(count)]


def open_log(page: Page, live_server: LiveServer, query: str = "") -> None:
    page.goto(f"{live_server.url}{LOG}{query}")
    expect(page.locator("#live-switch")).to_contain_text("Live")
    # A reload would lose this mark.
    page.evaluate("document.body.dataset.mark = 'same page'")
    page.mouse.move(5, 5)


def row(page: Page, event: Event) -> Any:
    return page.locator(f"#event-{event.pk}")


def bar(page: Page) -> Any:
    return page.locator("#log-news a")


def is_the_same_page(page: Page) -> bool:
    return bool(page.evaluate("document.body.dataset.mark === 'same page'"))


def test_new_events_come_in_on_top_by_themselves(visitor: Page, live_server: LiveServer) -> None:
    old = fill(3)
    open_log(visitor, live_server)
    new = [*fill(2), *fill(1, outcome="failed")]
    expect(row(visitor, new[2])).to_be_visible(timeout=SOON)
    ids = visitor.locator("#log-rows tr").evaluate_all("rows => rows.map(row => Number(row.dataset.id))")
    assert ids == [event.pk for event in reversed([*old, *new])]
    expect(row(visitor, new[2])).to_have_class(re.compile("is-new"))
    expect(row(visitor, new[2])).not_to_have_class(re.compile("is-new"), timeout=8000)
    assert is_the_same_page(visitor)


def test_a_scrolled_reader_keeps_the_place_and_is_told_the_number(visitor: Page, live_server: LiveServer) -> None:
    fill(PER_PAGE)
    open_log(visitor, live_server)
    visitor.evaluate("window.scrollTo(0, 700)")
    new = fill(3)
    expect(bar(visitor)).to_have_text("3 new events", timeout=SOON)
    expect(bar(visitor)).to_be_in_viewport()
    assert visitor.evaluate("window.scrollY") == 700
    expect(row(visitor, new[0])).to_have_count(0)

    bar(visitor).click()
    expect(row(visitor, new[2])).to_be_visible()
    expect(bar(visitor)).to_have_count(0)
    expect(row(visitor, new[2]).locator("a")).to_be_focused()
    assert visitor.evaluate("window.scrollY") == 0
    assert is_the_same_page(visitor)


def test_a_hovered_row_stays_where_it_is(visitor: Page, live_server: LiveServer) -> None:
    events = fill(5)
    open_log(visitor, live_server)
    row(visitor, events[2]).hover()
    before = row(visitor, events[2]).bounding_box()
    fill(1)
    expect(bar(visitor)).to_have_text("1 new event", timeout=SOON)
    expect(visitor.locator("#log-rows tr")).to_have_count(5)
    after = row(visitor, events[2]).bounding_box()
    assert before
    assert after
    # The bar takes its own line above all rows, once.
    assert abs(after["y"] - before["y"]) < 45
    visitor.mouse.move(5, 5)
    expect(visitor.locator("#log-rows tr")).to_have_count(6, timeout=SOON)


def test_the_focus_and_a_selection_are_left_alone(visitor: Page, live_server: LiveServer) -> None:
    events = fill(5)
    open_log(visitor, live_server)
    row(visitor, events[1]).locator("a").focus()
    fill(1)
    expect(bar(visitor)).to_be_visible(timeout=SOON)
    expect(row(visitor, events[1]).locator("a")).to_be_focused()

    visitor.evaluate("document.activeElement.blur()")
    expect(visitor.locator("#log-rows tr")).to_have_count(6, timeout=SOON)
    visitor.evaluate(f"getSelection().selectAllChildren(document.querySelector('#event-{events[1].pk} .log-name'))")
    fill(1)
    expect(bar(visitor)).to_be_visible(timeout=SOON)
    assert visitor.evaluate("getSelection().toString().trim()") == "Order paid"


def test_paused_tells_the_number_only_until_live_again(visitor: Page, live_server: LiveServer) -> None:
    fill(2)
    open_log(visitor, live_server)
    visitor.locator("#live-switch").click()
    expect(visitor.locator("#live-switch")).to_contain_text("Paused")
    expect(visitor.locator("#live-switch")).to_have_attribute("aria-checked", "false")
    fill(2)
    expect(bar(visitor)).to_have_text("2 new events", timeout=SOON)
    expect(visitor.locator("#log-rows tr")).to_have_count(2)
    visitor.reload()
    expect(visitor.locator("#live-switch")).to_contain_text("Paused")
    visitor.locator("#live-switch").click()
    fill(1)
    expect(visitor.locator("#log-rows tr")).to_have_count(5, timeout=SOON)


def test_an_unfinished_row_changes_in_its_place(visitor: Page, live_server: LiveServer) -> None:
    fill(2)
    (pending,) = fill(1, outcome="pending")
    newest = fill(2)
    open_log(visitor, live_server)
    row(visitor, newest[1]).hover()
    expect(row(visitor, pending)).to_contain_text("Pending")
    Event.objects.filter(pk=pending.pk).update(outcome="failed", attempt_count=1, finished_at=timezone.now())
    expect(row(visitor, pending)).to_contain_text("Failed", timeout=SOON)
    assert visitor.locator("#log-rows tr").nth(2).get_attribute("id") == f"event-{pending.pk}"


def test_a_filter_goes_into_the_address_and_stays_while_live(visitor: Page, live_server: LiveServer) -> None:
    fill(2)
    fill(1, outcome="failed")
    open_log(visitor, live_server)
    visitor.get_by_text("Outcome: any").click()
    visitor.get_by_label("Failed").check()
    expect(visitor.locator("#log-rows tr")).to_have_count(1)
    expect(visitor).to_have_url(re.compile(r"\?outcome=failed$"))
    expect(visitor.locator(".chip").first).to_contain_text("Outcome: failed")
    visitor.keyboard.press("Escape")
    visitor.mouse.move(5, 5)
    fill(1)
    fill(1, outcome="failed")
    expect(visitor.locator("#log-rows tr")).to_have_count(2, timeout=SOON)
    assert is_the_same_page(visitor)
    visitor.reload()
    expect(visitor.locator("#log-rows tr")).to_have_count(2)
    visitor.get_by_label("Any outcome").click()
    expect(visitor.locator("#log-rows tr")).to_have_count(5)
    visitor.go_back()
    expect(visitor.locator("#log-rows tr")).to_have_count(2)
    expect(visitor.locator(".chip").first).to_contain_text("Outcome: failed")


def test_the_search_answers_while_typing_and_keeps_every_letter(visitor: Page, live_server: LiveServer) -> None:
    fill(3)
    make_event(make_api_trigger(name="Nightly backup"), outcome="logged")
    open_log(visitor, live_server)
    visitor.get_by_label("Search", exact=True).press_sequentially("nightly", delay=90)
    expect(visitor.locator("#log-rows tr")).to_have_count(1)
    expect(visitor.get_by_label("Search", exact=True)).to_be_focused()
    expect(visitor.get_by_label("Search", exact=True)).to_have_value("nightly")


def test_an_outage_is_said_and_its_end_too(visitor: Page, live_server: LiveServer, request: Any) -> None:
    request.node.expected_in_console = ("net::ERR", "htmx:")
    fill(1)
    open_log(visitor, live_server)
    visitor.route("**/dashboard/**", lambda route: route.abort())
    expect(visitor.locator("#offline-note")).to_contain_text("No connection since", timeout=20_000)
    expect(visitor.locator(".toast-item")).to_have_count(0)
    visitor.unroute("**/dashboard/**")
    visitor.locator(".offline-now").click()
    expect(visitor.locator("#offline-note")).to_have_count(0)
    expect(visitor.locator("#announcements")).to_have_text("Live again")


def test_a_session_that_ended_is_renewed_over_the_page(visitor: Page, live_server: LiveServer, request: Any) -> None:
    request.node.expected_in_console = ("401", "htmx:")
    fill(1)
    open_log(visitor, live_server)
    visitor.get_by_label("Search", exact=True).fill("half typed")
    Session.objects.all().delete()
    dialog = visitor.get_by_role("dialog")
    expect(dialog).to_contain_text("Your session ended", timeout=SOON)
    dialog.get_by_label("Password for mara").fill("wrong")
    dialog.get_by_role("button", name="Sign in and go on").click()
    expect(dialog).to_contain_text("This password is not right.")
    dialog.get_by_label("Password for mara").fill("correct horse battery")
    dialog.get_by_role("button", name="Sign in and go on").click()
    expect(dialog).to_be_hidden()
    assert is_the_same_page(visitor)
    visitor.get_by_label("Search", exact=True).fill("")
    fill(1)
    expect(visitor.locator("#log-rows tr")).to_have_count(2, timeout=SOON)


def test_an_event_is_followed_until_it_is_final(visitor: Page, live_server: LiveServer) -> None:
    (event,) = fill(1, outcome="delivering", attempt_count=1)
    visitor.goto(f"{live_server.url}{reverse('event-detail', args=[event.pk])}")
    expect(visitor.locator(".page-title")).to_contain_text("Delivering")
    make_attempt(event, status=503)
    Event.objects.filter(pk=event.pk).update(outcome="failed", finished_at=timezone.now())
    expect(visitor.locator(".page-title")).to_contain_text("Failed", timeout=SOON)
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(request.url) if "?v=" in request.url else None)
    visitor.wait_for_timeout(TWO_TICKS)
    assert asked == []


def everything() -> dict[str, str]:
    """Some of all there is to see, and the addresses of the pages."""
    trigger = make_trigger(name="A name that is rather long and has no end in sight " * 2, payload={"k": [1, "two"]})
    for outcome in Event.Outcome.values:
        event = make_event(trigger, outcome=outcome, attempt_count=2, last_status=503, source="schedule")
        make_event(trigger, outcome=outcome, triggered_at=timezone.now() - timedelta(hours=4))
    failed = make_event(trigger, outcome="failed", attempt_count=2, endpoint="https://example.com/" + "long/" * 60)
    make_attempt(failed, 1, status=503, response_body="x" * 2000, response_headers=[["server", "y" * 300]])
    make_attempt(failed, 2, status=None, error="No answer within 10 s.", error_kind="timeout")
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for outcome in ("succeeded", "failed", "logged", "skipped"):
        HourlyCount.objects.create(hour=hour, outcome=outcome, count=12)
    return {
        "overview": reverse("overview"),
        "log": LOG,
        "no match": f"{LOG}?q=nothing+like+this&outcome=failed&trigger={trigger.pk}",
        "failed event": reverse("event-detail", args=[failed.pk]),
        "skipped event": reverse("event-detail", args=[event.pk]),
    }


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
def test_nothing_scrolls_sideways(visitor: Page, live_server: LiveServer, width: int) -> None:
    pages = everything()
    visitor.set_viewport_size({"width": width, "height": 900})
    for name, address in pages.items():
        visitor.goto(f"{live_server.url}{address}")
        root = "document.documentElement"
        assert visitor.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0, (name, width)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing(visitor: Page, live_server: LiveServer, theme: str, width: int) -> None:
    pages = everything()
    visitor.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    visitor.set_viewport_size({"width": width, "height": 900})
    for name, address in pages.items():
        visitor.goto(f"{live_server.url}{address}")
        expect(visitor.locator("html")).to_have_attribute("data-bs-theme", theme)
        found = Axe().run(visitor)
        assert found.violations_count == 0, f"{name}, {theme}, {width} px: {found.generate_report()}"


def test_without_javascript_the_log_filters_and_pages(browser: Any, visitor: Page, live_server: LiveServer) -> None:
    fill(PER_PAGE + 3)
    fill(1, outcome="failed")
    context = browser.new_context(java_script_enabled=False, storage_state=visitor.context.storage_state())
    page = context.new_page()
    page.goto(f"{live_server.url}{LOG}")
    page.get_by_text("Outcome: any").click()
    page.get_by_label("Failed").check()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#log-rows tr")).to_have_count(1)
    page.goto(f"{live_server.url}{LOG}?outcome=logged")
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tr[data-id]")).to_have_count(3)
    page.locator("tr[data-id] a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order paid")
    context.close()
