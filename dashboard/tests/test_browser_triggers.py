"""Triggers in a real browser: by keyboard, by mouse, without JavaScript, at every width and in both themes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from dashboard import setup_token
from dashboard.models import User
from triggers import definition
from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger, make_attempt, make_event, make_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TICK_5 = 9000  # milliseconds: one tick of five seconds, and a slow machine
TICK_10 = 14_000  # milliseconds


@pytest.fixture
def plain(browser: Browser, live_server: LiveServer, person: User) -> Iterator[Page]:
    """A signed-in person's browser that runs no JavaScript."""
    client = Client()
    client.force_login(person)
    context = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.set_default_timeout(8000)
    yield page
    context.close()


def preview(page: Page) -> Locator:
    return page.locator("#preview")


def test_a_trigger_is_created_with_the_keyboard_alone(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(live_server.url + reverse("trigger-create"))
    press = visitor.keyboard.press
    visitor.get_by_label("Name").focus()
    visitor.keyboard.type("Probe")
    press("Tab")
    expect(visitor.get_by_role("radio", name="Scheduled")).to_be_focused()
    press("Tab")
    expect(visitor.get_by_role("radio", name="At a time", exact=True)).to_be_focused()
    press("ArrowRight")
    expect(visitor.get_by_role("radio", name="Every…")).to_be_focused()
    expect(visitor.get_by_label("Time zone")).to_be_hidden()
    press("Tab")
    visitor.keyboard.type("15")
    expect(preview(visitor)).to_contain_text("Every 15 min")
    expect(preview(visitor).locator("li")).to_have_count(5)
    expect(visitor.get_by_label("Every", exact=True)).to_be_focused()
    press("Enter")

    expect(visitor.get_by_role("heading", level=1)).to_have_text("Probe")
    expect(visitor.locator(".toast-item")).to_contain_text("Trigger created.")
    trigger = Trigger.objects.get()
    assert (trigger.schedule_value, trigger.enabled) == ("900", True)


def test_the_preview_follows_what_is_typed_and_says_what_is_wrong(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(live_server.url + reverse("trigger-create"))
    time = visitor.get_by_label("Time", exact=True)
    time.press_sequentially("02:30", delay=40)
    expect(preview(visitor)).to_contain_text("Every day at 02:30")
    visitor.get_by_label("Time zone").select_option("America/New_York")
    expect(preview(visitor)).to_contain_text("America/New_York")
    visitor.get_by_label("One time, then switch off").check()
    expect(preview(visitor)).to_contain_text("Once, at 02:30")
    time.fill("25:00")
    expect(preview(visitor)).to_contain_text("Use a time as HH:MM")
    visitor.get_by_role("radio", name="API").check()
    expect(preview(visitor)).to_contain_text("When called")
    expect(time).to_be_hidden()


def test_errors_are_said_on_top_and_at_the_fields_and_nothing_typed_is_lost(
    visitor: Page, live_server: LiveServer, request: Any
) -> None:
    request.node.expected_in_console = ("422",)
    visitor.goto(live_server.url + reverse("trigger-create"))
    visitor.get_by_label("Name").fill("Probe")
    visitor.get_by_label("Time", exact=True).fill("25:00")
    visitor.get_by_label("Payload").fill('{\n  "a": 1\n  "b": 2\n}')
    expect(visitor.locator("#payload-state")).to_contain_text("Not JSON yet")
    visitor.get_by_role("button", name="Create trigger").click()

    note = visitor.locator("#form-errors")
    expect(note).to_be_focused()
    expect(note).to_contain_text("2 fields need a change")
    expect(visitor).to_have_title(re.compile("^Error: New trigger"))
    expect(visitor.get_by_label("Time", exact=True)).to_have_value("25:00")
    expect(visitor.locator("#id_payload_error")).to_contain_text("line 3, column 3")
    note.get_by_role("link", name="Time").click()
    expect(visitor.get_by_label("Time", exact=True)).to_be_focused()

    visitor.get_by_label("Time", exact=True).fill("08:00")
    visitor.get_by_label("Payload").fill('{"a":1}')
    visitor.get_by_role("button", name="Format").click()
    expect(visitor.get_by_label("Payload")).to_have_value('{\n  "a": 1\n}')
    visitor.get_by_role("button", name="Create trigger").click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Probe")


def test_leaving_an_unsaved_form_asks_and_saving_does_not(visitor: Page, live_server: LiveServer) -> None:
    trigger = make_trigger(name="Probe")
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    visitor.on("dialog", stay)
    visitor.goto(live_server.url + reverse("trigger-edit", args=[trigger.pk]))
    visitor.get_by_label("Name").press("End")
    visitor.keyboard.type(" 2")
    visitor.get_by_role("link", name="Cancel").click()
    expect(visitor.get_by_label("Name")).to_have_value("Probe 2")
    assert asked == ["beforeunload"]

    visitor.get_by_role("button", name="Save trigger").click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Probe 2")
    assert asked == ["beforeunload"]


def test_the_switch_turns_in_its_row_and_keeps_the_focus(visitor: Page, live_server: LiveServer) -> None:
    trigger = make_trigger(name="Probe")
    visitor.goto(live_server.url + reverse("trigger-list"))
    switch = visitor.get_by_role("switch", name="Probe")
    switch.focus()
    visitor.keyboard.press("Enter")

    expect(switch).to_have_attribute("aria-checked", "false")
    expect(visitor.locator(f"#next-{trigger.pk}")).to_contain_text("Not scheduled")
    expect(switch).to_be_focused()
    trigger.refresh_from_db()
    assert not trigger.enabled


def test_a_test_shows_its_result_in_place(visitor: Page, live_server: LiveServer) -> None:
    make_trigger(name="Probe", api_endpoint="https://example.com/")
    visitor.goto(live_server.url + reverse("trigger-list"))
    visitor.get_by_role("button", name="Test Probe").click()
    expect(visitor.get_by_role("button", name="Testing Probe")).to_be_visible()

    event = Event.objects.get()
    make_attempt(event, status=200, duration_ms=184)
    Event.objects.filter(pk=event.pk).update(outcome="succeeded", finished_at=timezone.now(), hand_over_at=None)
    result = visitor.get_by_role("link", name="200 in 184 ms")
    expect(result).to_be_visible()
    expect(visitor.locator("#announcements")).to_have_text("Test of Probe: 200 in 184 ms")
    expect(visitor.get_by_role("button", name="Test Probe")).to_be_visible(timeout=20_000)
    assert Event.objects.count() == 1


def test_delete_asks_in_a_dialog_that_gives_the_focus_back(visitor: Page, live_server: LiveServer) -> None:
    make_trigger(name="Probe")
    visitor.goto(live_server.url + reverse("trigger-list"))
    menu = visitor.locator("summary", has_text="More actions for Probe")
    menu.click()
    visitor.get_by_role("link", name="Delete…").click()
    dialog = visitor.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete “Probe”?")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    visitor.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert Trigger.objects.exists()

    expect(menu).to_be_focused()
    visitor.keyboard.press("Enter")
    visitor.get_by_role("link", name="Delete…").click()
    visitor.get_by_role("dialog").get_by_role("button", name="Delete trigger").click()
    expect(visitor.locator(".toast-item")).to_contain_text("“Probe” is deleted")
    assert not Trigger.objects.exists()


def test_fire_now_asks_and_leads_to_the_event(visitor: Page, live_server: LiveServer) -> None:
    trigger = make_api_trigger(name="Order paid")
    visitor.goto(live_server.url + reverse("trigger-detail", args=[trigger.pk]))
    visitor.get_by_role("link", name="Fire now…").click()
    dialog = visitor.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Fire now")).to_be_focused()
    visitor.keyboard.press("Enter")
    expect(visitor).to_have_url(re.compile(r"/dashboard/events/\d+/$"))
    assert Event.objects.count() == 1


def test_the_list_searches_while_typing_and_goes_into_the_address(visitor: Page, live_server: LiveServer) -> None:
    make_trigger(name="Probe")
    make_api_trigger(name="Order paid")
    visitor.goto(live_server.url + reverse("trigger-list"))
    visitor.get_by_label("Search name or endpoint").press_sequentially("paid", delay=30)
    expect(visitor.locator("tbody tr")).to_have_count(1)
    expect(visitor).to_have_url(re.compile(r"[?&]q=paid"))
    expect(visitor.locator("#announcements")).to_have_text("1 trigger")
    visitor.get_by_text("Scheduled", exact=False).first.click()
    expect(visitor.get_by_text("No trigger matches “paid”")).to_be_visible()
    visitor.get_by_role("link", name="Clear search and filters").click()
    expect(visitor.locator("tbody tr")).to_have_count(2)


def test_rows_refresh_by_themselves(visitor: Page, live_server: LiveServer) -> None:
    trigger = make_trigger(name="Probe", schedule_value="3600")
    visitor.goto(live_server.url + reverse("trigger-list"))
    make_event(trigger, outcome="failed")
    definition.switch(trigger.pk, on=False, now=timezone.now())

    expect(visitor.locator("tbody tr")).to_contain_text("Failing", timeout=TICK_10)
    expect(visitor.locator("tbody tr")).to_contain_text("Not scheduled")
    expect(visitor.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    expect(visitor.get_by_role("img", name="Last 1: 1 failed")).to_be_visible()


def test_one_triggers_page_shows_new_events_by_itself(visitor: Page, live_server: LiveServer) -> None:
    trigger = make_api_trigger(name="Order paid")
    visitor.goto(live_server.url + reverse("trigger-detail", args=[trigger.pk]))
    expect(visitor.get_by_text("Listening")).to_be_visible()
    make_event(trigger, outcome="logged")
    expect(visitor.locator(".recent-table")).to_contain_text("Logged", timeout=TICK_5)


def test_everything_goes_without_javascript(plain: Page) -> None:
    plain.goto(reverse("trigger-list"))
    plain.get_by_role("button", name="Add three examples").click()
    expect(plain.locator("tbody tr")).to_have_count(3)
    plain.get_by_label("Search name or endpoint").fill("heart")
    plain.get_by_role("button", name="Apply").click()
    expect(plain.locator("tbody tr")).to_have_count(1)
    plain.get_by_role("switch", name="Heartbeat").click()
    expect(plain.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    plain.get_by_role("button", name="Test Heartbeat").click()
    expect(plain).to_have_url(re.compile(r"/dashboard/events/\d+/$"))

    plain.goto(reverse("trigger-create"))
    plain.get_by_label("Name").fill("Probe")
    plain.get_by_text("Every…").click()
    plain.get_by_label("Every", exact=True).fill("0")
    plain.get_by_role("button", name="Create trigger").click()
    expect(plain.get_by_text("Use a whole number, from 1.").first).to_be_visible()
    plain.get_by_label("Every", exact=True).fill("5")
    plain.get_by_role("button", name="Create trigger").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Probe")
    plain.get_by_role("link", name="Edit", exact=True).first.click()
    plain.get_by_label("Name").fill("Probe 2")
    plain.get_by_role("button", name="Save trigger").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Probe 2")
    plain.get_by_role("link", name="Fire now…").click()
    plain.get_by_role("button", name="Fire now").click()
    expect(plain).to_have_url(re.compile(r"/dashboard/events/\d+/$"))
    plain.go_back()
    plain.go_back()
    plain.get_by_role("link", name="Delete…").click()
    plain.get_by_role("button", name="Delete trigger").click()
    expect(plain.get_by_text("“Probe 2” is deleted")).to_be_visible()
    assert Trigger.objects.count() == 3


def test_the_first_visit_ends_on_the_overview_with_examples(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/setup?token={setup_token.token()}")
    page.get_by_label("Username").fill("mara")
    page.get_by_label("Email").fill("mara@example.org")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    page.get_by_role("button", name="Create and sign in").click()
    expect(page).to_have_url(re.compile("/dashboard/$"))
    assert Trigger.objects.count() == 3


def everything() -> dict[str, str]:
    """Some of all there is to see, and the addresses of the pages."""
    trigger = make_trigger(
        name="A name that is rather long and has no end in sight " * 2,
        api_endpoint="https://example.com/" + "long/" * 90,
        payload={"key" * 40: "value " * 40},
    )
    for outcome in Event.Outcome.values:
        event = make_event(trigger, outcome=outcome, attempt_count=2, reason="No answer within 10 s.")
    make_event(trigger, outcome=Event.Outcome.FAILED, last_status=503)
    api = make_api_trigger(name="Order paid", enabled=False)
    one = [trigger.pk]
    return {
        "list": reverse("trigger-list"),
        "no match": reverse("trigger-list") + "?q=nothing+like+this&type=api&state=off",
        "create": reverse("trigger-create"),
        "edit": reverse("trigger-edit", args=one),
        "one": reverse("trigger-detail", args=one),
        "api": reverse("trigger-detail", args=[api.pk]),
        "delete": reverse("trigger-delete", args=one),
        "fire": reverse("trigger-fire", args=one),
        "password": reverse("password-change"),
        "gone": f"/dashboard/events/{event.pk + 100}/",
    }


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
def test_nothing_scrolls_sideways(visitor: Page, live_server: LiveServer, width: int, request: Any) -> None:
    request.node.expected_in_console = ("404",)
    pages = everything()
    visitor.set_viewport_size({"width": width, "height": 900})
    for name, address in pages.items():
        visitor.goto(live_server.url + address)
        root = "document.documentElement"
        assert visitor.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0, (name, width)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing(visitor: Page, live_server: LiveServer, theme: str, width: int, request: Any) -> None:
    request.node.expected_in_console = ("404",)
    pages = everything()
    visitor.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    visitor.set_viewport_size({"width": width, "height": 900})
    for name, address in pages.items():
        visitor.goto(live_server.url + address)
        assert _violations(visitor) == [], (name, theme, width)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_before_there_is_a_session(page: Page, live_server: LiveServer, theme: str) -> None:
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    for address in ("/setup", f"/setup?token={setup_token.token()}"):
        page.goto(live_server.url + address)
        assert _violations(page) == [], address
    User.objects.create_user("mara", "mara@example.org", "correct horse battery")
    for address in ("/login?next=/dashboard/", "/no/such/page"):
        page.goto(live_server.url + address)
        assert _violations(page) == [], address


def _violations(page: Page) -> list[tuple[str, list[str]]]:
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
