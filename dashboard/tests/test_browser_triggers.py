"""Triggers in a real browser: by keyboard, by mouse, without JavaScript, at every width and in both themes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
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
    time = visitor.locator("#id_at")
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


def test_every_kind_shows_its_own_fields_and_keeps_what_was_typed(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(live_server.url + reverse("trigger-create"))
    kinds = {
        "At a time": ["Time", "Time zone"],
        "Every…": ["Every", "Unit of time", "Starting optional"],
        "Cron": ["Cron expression", "Time zone"],
        "On a date": ["Date", "Time", "Time zone"],
    }
    for kind, labels in kinds.items():
        visitor.get_by_text(kind, exact=True).click()
        section = visitor.locator("section", has=visitor.get_by_role("heading", name="Schedule", exact=True))
        shown = section.locator("input.form-control, select").filter(visible=True)
        assert [
            each.evaluate("(field) => field.ariaLabel || field.labels[0].innerText") for each in shown.all()
        ] == labels
    expect(visitor.get_by_role("group", name="Repeat")).to_be_hidden()
    visitor.locator("#id_on_date").fill("2096-04-02")
    visitor.get_by_text("Cron", exact=True).click()
    visitor.get_by_text("On a date", exact=True).click()
    expect(visitor.locator("#id_on_date")).to_have_value("2096-04-02")


def test_the_days_are_chosen_by_mouse_keyboard_and_in_one_go(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(live_server.url + reverse("trigger-create"))
    visitor.locator("#id_at").fill("08:00")
    expect(preview(visitor)).to_contain_text("Every day at 08:00")
    visitor.get_by_role("button", name="Monday to Friday").click()
    expect(preview(visitor)).to_contain_text("Monday to Friday at 08:00")
    visitor.locator(".day", has_text="Wed").click()
    expect(preview(visitor)).to_contain_text("Monday, Tuesday, Thursday and Friday at 08:00")
    visitor.get_by_role("checkbox", name="Wednesday").focus()
    visitor.keyboard.press("Space")
    expect(preview(visitor)).to_contain_text("Monday to Friday at 08:00")
    visitor.get_by_role("button", name="the weekend").focus()
    visitor.keyboard.press("Enter")
    expect(preview(visitor)).to_contain_text("Saturday and Sunday at 08:00")

    visitor.get_by_label("One time, then switch off").check()
    expect(visitor.get_by_role("checkbox", name="Monday")).to_be_hidden()
    expect(preview(visitor)).to_contain_text("Once, at 08:00")
    visitor.get_by_label("Recurring").check()
    visitor.get_by_role("checkbox", name="Saturday").uncheck()
    visitor.get_by_role("checkbox", name="Sunday").uncheck()
    expect(visitor.locator("#id_weekdays_error")).to_have_text("Choose at least one day.")
    visitor.get_by_role("button", name="every day").click()
    expect(visitor.locator("#id_weekdays_error")).to_be_empty()


def test_a_chip_fills_in_the_expression_and_each_field_says_what_it_means(
    visitor: Page, live_server: LiveServer
) -> None:
    visitor.goto(live_server.url + reverse("trigger-create"))
    visitor.get_by_text("Cron", exact=True).click()
    visitor.get_by_role("button", name="Weekdays", exact=True).click()
    cron = visitor.get_by_label("Cron expression")
    expect(cron).to_have_value("0 8 * * 1-5")
    expect(cron).to_be_focused()
    expect(preview(visitor)).to_contain_text("Monday to Friday at 08:00")
    cells = visitor.locator("#cron-guide li")
    expect(cells).to_have_text(
        [re.compile(words) for words in ("at :00", "at 08", "every day", "every month", "Mon to Fri")]
    )
    cron.fill("*/15 * * * * *")
    expect(cells).to_have_count(6)


def test_what_is_wrong_with_an_expression_is_said_field_by_field(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(live_server.url + reverse("trigger-create"))
    visitor.get_by_text("Cron", exact=True).click()
    cron = visitor.get_by_label("Cron expression")
    cron.fill("*/5 9-17 * * 1-5")
    sentence = "Every 5 min from 09:00 to 17:55, Monday to Friday"
    expect(preview(visitor)).to_contain_text(sentence)
    for place, name in enumerate(("Minute", "Hour", "Day of month", "Month", "Weekday")):
        fields = ["*"] * 5
        fields[place] = "99"
        cron.fill(" ".join(fields))
        expect(visitor.locator("#id_cron_error")).to_have_text(re.compile(f"^{name}: 99 is out of range"))
        expect(visitor.locator("#cron-guide .is-bad")).to_contain_text("not valid")
        expect(visitor.locator("#cron-guide li").nth(place)).to_have_class("is-bad")
        expect(cron).to_have_attribute("aria-invalid", "true")
        expect(preview(visitor)).to_contain_text(f"The last valid one was: {sentence}")
    cron.fill("0 9 * * *")
    expect(preview(visitor)).to_contain_text("Every day at 09:00")
    expect(visitor.locator("#id_cron_error")).to_be_empty()
    expect(cron).not_to_have_attribute("aria-invalid", "true")


def test_fast_typing_shows_the_last_answer_only(visitor: Page, live_server: LiveServer) -> None:
    """The first answer is held back until more was typed: it is not shown, not even for a moment."""
    visitor.goto(live_server.url + reverse("trigger-create"))
    with visitor.expect_response("**/triggers/preview/**"):
        visitor.get_by_text("Cron", exact=True).click()
    visitor.evaluate(
        """() => {
          window.shown = [];
          const look = () => window.shown.push(document.getElementById("preview").textContent);
          new MutationObserver(look).observe(document.querySelector(".form-side-inner"), { childList: true });
        }"""
    )
    held: list[Any] = []
    visitor.route("**/triggers/preview/**", lambda route: route.continue_() if held else held.append(route))
    cron = visitor.get_by_label("Cron expression")
    with visitor.expect_request("**/triggers/preview/**"):
        cron.fill("0 1 * * *")
    cron.fill("0 2 * * *")
    held[0].continue_()

    expect(preview(visitor)).to_contain_text("Every day at 02:00")
    shown = visitor.evaluate("window.shown")
    assert not [words for words in shown if "01:00" in words]


@pytest.mark.parametrize(
    ("zone", "date", "in_gap", "twice"),
    [
        ("Europe/Berlin", "2096-03-25", "02:30", ("2096-10-28", "02:30")),
        ("America/New_York", "2096-03-11", "02:30", ("2096-11-04", "01:30")),
        ("Australia/Lord_Howe", "2096-10-07", "02:15", ("2096-04-01", "01:45")),
    ],
)
def test_the_days_on_which_clocks_change_are_said(
    visitor: Page, live_server: LiveServer, zone: str, date: str, in_gap: str, twice: tuple[str, str]
) -> None:
    visitor.goto(live_server.url + reverse("trigger-create"))
    visitor.get_by_text("On a date", exact=True).click()
    visitor.get_by_label("Time zone").select_option(zone)
    visitor.locator("#id_on_date").fill(date)
    visitor.locator("#id_on_time").fill(in_gap)
    expect(visitor.locator("#id_on_time_error")).to_contain_text(f"This time does not exist in {zone}")
    visitor.locator("#id_on_date").fill(twice[0])
    visitor.locator("#id_on_time").fill(twice[1])
    expect(preview(visitor).locator(".has-note")).to_contain_text("comes twice, this fires at the first.")

    visitor.get_by_text("At a time", exact=True).click()
    visitor.locator("#id_at").fill(in_gap)
    visitor.locator("#advanced summary").click()
    visitor.get_by_label("First fire not before").fill(f"{date}T00:00")
    expect(preview(visitor).locator("li").first).to_contain_text(f"{in_gap} does not exist, so this one fires at")


def test_the_zone_of_an_interval_shows_once_a_time_is_given(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(live_server.url + reverse("trigger-create"))
    visitor.get_by_text("Every…").click()
    visitor.get_by_label("Every", exact=True).fill("1 h 30 min")
    expect(preview(visitor)).to_contain_text("Every 1 h 30 min")
    expect(visitor.get_by_label("Time zone")).to_be_hidden()
    visitor.get_by_label("Starting").fill("2096-04-02T08:00")
    expect(visitor.get_by_label("Time zone")).to_be_visible()
    expect(preview(visitor)).to_contain_text("From Mon 2 Apr 2096, 08:00.")
    visitor.get_by_label("Starting").fill("")
    expect(visitor.get_by_label("Time zone")).to_be_hidden()


def test_advanced_says_its_values_and_opens_when_something_in_it_is_wrong(
    visitor: Page, live_server: LiveServer, request: Any
) -> None:
    request.node.expected_in_console = ("422",)
    visitor.goto(live_server.url + reverse("trigger-create"))
    visitor.locator("#id_at").fill("08:00")
    advanced = visitor.locator("#advanced")
    advanced.locator("summary").click()
    visitor.get_by_label("If a fire was missed").select_option("Skip them")
    visitor.get_by_label("At most").fill("3")
    expect(advanced.locator("summary")).to_contain_text(
        "skip what was missed, overlaps allowed, no end, at most 3 fires"
    )
    expect(preview(visitor).locator("li")).to_have_count(3)
    expect(preview(visitor)).to_contain_text("The last of these is the last")
    visitor.get_by_label("At most").fill("none")
    advanced.locator("summary").click()
    expect(visitor.get_by_label("At most")).to_be_hidden()
    visitor.get_by_role("button", name="Create trigger").click()
    expect(visitor.locator("#form-errors")).to_be_focused()
    expect(visitor.get_by_label("At most")).to_be_visible()
    expect(visitor.locator("#id_max_fires_error")).to_contain_text("Use a whole number from 1")


def test_one_that_would_never_fire_stays_off_and_says_why_in_its_row(visitor: Page, live_server: LiveServer) -> None:
    begin = timezone.now() - timedelta(days=400)
    value = (begin + timedelta(days=1)).strftime("%Y-%m-%dT08:00")
    make_trigger(name="Migration", schedule_type="date", schedule_value=value, now=begin, enabled=False)
    visitor.goto(live_server.url + reverse("trigger-list"))
    switch = visitor.get_by_role("switch", name="Migration")
    switch.click()
    expect(visitor.locator(".toast-bad")).to_contain_text("has passed. Use a later date and time.")
    expect(switch).to_have_attribute("aria-checked", "false")
    visitor.get_by_role("link", name="Edit it").click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Edit Migration")


def test_errors_are_said_on_top_and_at_the_fields_and_nothing_typed_is_lost(
    visitor: Page, live_server: LiveServer, request: Any
) -> None:
    request.node.expected_in_console = ("422",)
    visitor.goto(live_server.url + reverse("trigger-create"))
    visitor.get_by_label("Name").fill("Probe")
    visitor.locator("#id_at").fill("25:00")
    visitor.get_by_label("Payload").fill('{\n  "a": 1\n  "b": 2\n}')
    expect(visitor.locator("#payload-state")).to_contain_text("Not JSON yet")
    visitor.get_by_role("button", name="Create trigger").click()

    note = visitor.locator("#form-errors")
    expect(note).to_be_focused()
    expect(note).to_contain_text("2 fields need a change")
    expect(visitor).to_have_title(re.compile("^Error: New trigger"))
    expect(visitor.locator("#id_at")).to_have_value("25:00")
    expect(visitor.locator("#id_payload_error")).to_contain_text("line 3, column 3")
    note.get_by_role("link", name="Time").click()
    expect(visitor.locator("#id_at")).to_be_focused()

    visitor.locator("#id_at").fill("08:00")
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
    expect(plain.get_by_text("Use 1 to 527,040 minutes, or a length such as 1 h 30 min.").first).to_be_visible()
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


def test_every_kind_of_schedule_goes_without_javascript(plain: Page) -> None:
    plain.goto(reverse("trigger-create"))
    plain.get_by_text("Cron", exact=True).click()
    expect(plain.locator("#id_at")).to_be_hidden()
    expect(plain.get_by_role("button", name="Weekdays", exact=True)).to_be_hidden()
    plain.get_by_label("Cron expression").fill("*/5 9-25 * * *")
    plain.locator("#advanced summary").click()
    plain.get_by_label("Spread over").fill("5000")
    plain.get_by_role("button", name="Create trigger").click()
    expect(plain.locator("#cron-guide .is-bad")).to_contain_text("9-25")
    expect(plain.get_by_label("Spread over")).to_be_visible()
    plain.get_by_label("Spread over").fill("50")
    plain.get_by_label("Cron expression").fill("*/5 9-17 * * *")
    plain.get_by_role("button", name="Create trigger").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Every 5 min from 09:00 to 17:55")
    expect(plain.locator(".ledger")).to_contain_text("no fire was due yet")

    plain.get_by_role("link", name="Edit", exact=True).first.click()
    plain.get_by_text("At a time", exact=True).click()
    plain.locator("#id_at").fill("08:00")
    plain.get_by_role("checkbox", name="Sunday").uncheck()
    plain.get_by_role("button", name="Save trigger").click()
    expect(plain.locator(".trigger-line")).to_contain_text("Monday to Saturday at 08:00")

    plain.get_by_role("link", name="Edit", exact=True).first.click()
    plain.get_by_text("On a date", exact=True).click()
    plain.locator("#id_on_date").fill("2096-04-02")
    plain.locator("#id_on_time").fill("22:00")
    plain.get_by_role("button", name="Save trigger").click()
    expect(plain.locator(".trigger-line")).to_contain_text("Once, Mon 2 Apr 2096 at 22:00")


def test_the_first_visit_ends_on_the_overview_with_examples(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/setup?token={setup_token.token()}")
    page.get_by_label("Username").fill("mara")
    page.get_by_label("Email").fill("mara@example.org")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Show: Password").click()
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
    missed = timezone.now() - timedelta(days=1)
    fields = {"skip_cause": "missed", "skipped_count": 12_000, "skipped_until": missed + timedelta(hours=9)}
    make_event(trigger, outcome=Event.Outcome.SKIPPED, source="schedule", scheduled_for=missed, **fields)
    Trigger.objects.filter(pk=trigger.pk).update(
        fired_count=172_000, missed_count=12_000, overlap_count=7, counted_since=missed - timedelta(days=30)
    )
    cron = make_trigger(
        name="Every quarter of an hour, but not at night",
        schedule_type="cron",
        schedule_value="*/15 8-17,20 1-7,15 JAN-MAR,OCT MON-FRI",
        time_zone="America/Argentina/ComodRivadavia",
        not_after=timezone.now() + timedelta(days=9999),
        max_fires=1_000_000_000,
        spread_seconds=3600,
    )
    paused = make_trigger(name="Paused", schedule_type="fixed_time", schedule_value="02:30")
    words = "The server switched it off, because it cannot read its schedule: " + "some long reason " * 8
    Trigger.objects.filter(pk=paused.pk).update(
        problem=words, enabled=False, next_fire_at=None, time_zone="Mars/Phobos"
    )
    date = make_trigger(schedule_type="date", schedule_value="2096-04-02T22:00")
    one = [trigger.pk]
    return {
        "list": reverse("trigger-list"),
        "no match": reverse("trigger-list") + "?q=nothing+like+this&type=api&state=off",
        "create": reverse("trigger-create"),
        "edit": reverse("trigger-edit", args=one),
        "one": reverse("trigger-detail", args=one),
        "api": reverse("trigger-detail", args=[api.pk]),
        "cron": reverse("trigger-detail", args=[cron.pk]),
        "edit cron": reverse("trigger-edit", args=[cron.pk]),
        "paused": reverse("trigger-detail", args=[paused.pk]),
        "edit paused": reverse("trigger-edit", args=[paused.pk]),
        "edit date": reverse("trigger-edit", args=[date.pk]),
        "overview": reverse("overview"),
        "log": reverse("event-log"),
        "delete": reverse("trigger-delete", args=one),
        "fire": reverse("trigger-fire", args=one),
        "password": reverse("password-change"),
        "gone": f"/dashboard/events/{event.pk + 100}/",
    }


def open_all(page: Page) -> None:
    """Unfold what a form has under Advanced, and write an expression that is wrong in every field."""
    if page.locator("#advanced").is_visible():
        page.locator("#advanced:not([open]) > summary").evaluate_all("(all) => all.forEach((each) => each.click())")
        page.locator("#id_cron").evaluate("(field) => { field.value = '99 99 99 99 99' }")
        page.locator("#id_name").press("End")
        with page.expect_response("**/triggers/preview/**"):
            page.locator("#id_name").press("x")
        page.on("dialog", lambda dialog: dialog.accept())


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
def test_nothing_scrolls_sideways(visitor: Page, live_server: LiveServer, width: int, request: Any) -> None:
    request.node.expected_in_console = ("404",)
    pages = everything()
    visitor.set_viewport_size({"width": width, "height": 900})
    for name, address in pages.items():
        visitor.goto(live_server.url + address)
        open_all(visitor)
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
        open_all(visitor)
        assert _violations(visitor) == [], (name, theme, width)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_before_there_is_a_session(page: Page, live_server: LiveServer, theme: str) -> None:
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    for address in ("/setup", f"/setup?token={setup_token.token()}"):
        page.goto(live_server.url + address)
        assert _violations(page) == [], address
    User.objects.create_user("mara", "mara@example.org", "correct horse battery", role=User.Role.ADMIN)
    for address in ("/login?next=/dashboard/", "/no/such/page"):
        page.goto(live_server.url + address)
        assert _violations(page) == [], address


def _violations(page: Page) -> list[tuple[str, list[str]]]:
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def test_who_saves_second_loses_nothing_and_sees_what_changed(
    visitor: Page, live_server: LiveServer, request: pytest.FixtureRequest
) -> None:
    request.node.expected_in_console = ("409 (Conflict)",)
    trigger = make_api_trigger(name="Order paid")
    visitor.goto(live_server.url + reverse("trigger-edit", args=[trigger.pk]))
    definition.change(trigger.pk, {"is_test": True}, timezone.now())
    visitor.get_by_label("Name").fill("Order paid twice")
    visitor.get_by_role("button", name="Save trigger").click()

    note = visitor.locator("#conflict")
    expect(note).to_contain_text("The server saved this")
    expect(note).to_contain_text("whether its events are tests")
    expect(note).to_be_focused()
    expect(visitor.get_by_label("Name")).to_have_value("Order paid twice")
    assert Axe().run(visitor).response["violations"] == []

    visitor.get_by_role("button", name="Save trigger").click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Order paid twice")
