"""The keyboard: Jump to, and single letters that are silent while somebody types."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from triggers.tests.factories import make_api_trigger, make_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_jump_to_goes_to_a_trigger_by_its_name(visitor: Page, live_server: LiveServer) -> None:
    trigger = make_api_trigger(name="Order paid")
    visitor.goto(f"{live_server.url}/dashboard/")
    visitor.keyboard.press("Control+k")
    expect(visitor.get_by_role("combobox", name="A trigger, an event's id, or a page")).to_be_focused()
    visitor.keyboard.type("order p")
    expect(visitor.get_by_role("option", name=re.compile("Order paid"))).to_have_attribute("aria-selected", "true")
    expect(visitor.locator("#announcements")).to_have_text("1 place found")
    visitor.keyboard.press("Enter")
    expect(visitor).to_have_url(f"{live_server.url}/dashboard/triggers/{trigger.pk}/")


def test_jump_to_is_steered_by_arrows_and_gives_the_focus_back(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(f"{live_server.url}/dashboard/")
    opener = visitor.locator(".jump-button")
    opener.focus()
    visitor.keyboard.press("Enter")
    options = visitor.get_by_role("option")
    expect(options.first).to_have_attribute("aria-selected", "true")
    visitor.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    visitor.keyboard.press("ArrowUp")
    visitor.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    visitor.keyboard.press("Escape")
    expect(visitor.locator("#jump-dialog")).to_be_hidden()
    expect(opener).to_be_focused()


def test_letters_lead_to_the_pages(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(f"{live_server.url}/dashboard/")
    visitor.keyboard.press("g")
    visitor.keyboard.press("t")
    expect(visitor).to_have_url(f"{live_server.url}/dashboard/triggers/")
    visitor.keyboard.press("g")
    visitor.keyboard.press("e")
    expect(visitor).to_have_url(f"{live_server.url}/dashboard/events/")
    visitor.keyboard.press("n")
    expect(visitor).to_have_url(re.compile("/dashboard/triggers/new/"))


def test_letters_are_silent_in_fields(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(f"{live_server.url}/dashboard/triggers/new/")
    visitor.get_by_label("Name", exact=False).first.focus()
    visitor.keyboard.type("ngt?/jk")
    expect(visitor).to_have_url(re.compile("/dashboard/triggers/new/"))
    expect(visitor.locator("#shortcuts-dialog")).to_be_hidden()
    expect(visitor.locator("#id_name")).to_have_value("ngt?/jk")


def test_rows_are_walked_and_opened(visitor: Page, live_server: LiveServer) -> None:
    events = [make_event(outcome="succeeded") for _ in range(3)]
    visitor.goto(f"{live_server.url}/dashboard/events/")
    for key in ("j", "j", "j", "k"):
        visitor.keyboard.press(key)
    rows = visitor.locator("#log-rows tr[data-id]")
    expect(rows.nth(1).locator("a").first).to_be_focused()
    visitor.keyboard.press("Enter")
    expect(visitor).to_have_url(re.compile(f"/dashboard/events/{events[1].pk}/"))


def test_search_and_pause_have_a_key_each(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(f"{live_server.url}/dashboard/events/")
    visitor.keyboard.press("p")
    expect(visitor.locator("#live-switch")).to_have_attribute("aria-checked", "false")
    visitor.keyboard.press("/")
    expect(visitor.locator("#log-search")).to_be_focused()


def test_t_tests_the_page_s_trigger(visitor: Page, live_server: LiveServer) -> None:
    trigger = make_api_trigger(name="Order paid")
    visitor.goto(f"{live_server.url}/dashboard/triggers/{trigger.pk}/")
    visitor.keyboard.press("t")
    expect(visitor.locator(f"#test-button-{trigger.pk}")).to_contain_text("Testing")
    assert trigger.events.get().is_test


def test_the_list_of_shortcuts_opens_and_closes(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(f"{live_server.url}/dashboard/")
    visitor.keyboard.press("?")
    expect(visitor.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    visitor.keyboard.press("Escape")
    expect(visitor.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()


def test_the_last_word_counts_however_fast_it_is_typed(visitor: Page, live_server: LiveServer) -> None:
    make_api_trigger(name="Order paid")
    make_api_trigger(name="Ledger")
    visitor.goto(f"{live_server.url}/dashboard/")
    visitor.keyboard.press("Control+k")
    visitor.keyboard.type("ledger", delay=60)
    expect(visitor.get_by_role("option")).to_have_count(1)
    expect(visitor.get_by_role("option")).to_contain_text("Ledger")
