"""The list of triggers in a browser: rows are selected, done something to, and left alone by what refreshes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger, make_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def named(count: int) -> list[Trigger]:
    return [make_api_trigger(name=f"Order {number:02}") for number in range(count)]


def open_list(page: Page, server: LiveServer, query: str = "?sort=name") -> None:
    page.goto(f"{server.url}/dashboard/triggers/{query}")


def checked(page: Page) -> int:
    return page.locator("input[name=id]:checked").count()


def test_the_bar_is_there_while_something_is_selected(visitor: Page, live_server: LiveServer) -> None:
    named(27)
    open_list(visitor, live_server)
    bar, page_box = visitor.locator("#bulk"), visitor.get_by_role("checkbox", name="Select all on this page")
    expect(bar).to_be_hidden()
    first = visitor.locator("tbody tr").first
    stood_at = first.bounding_box()

    visitor.get_by_role("checkbox", name="Select Order 03").click()
    expect(bar).to_contain_text("1 selected")
    expect(visitor.locator("#announcements")).to_have_text("1 selected")
    expect(page_box).to_have_js_property("indeterminate", True)
    assert first.bounding_box() == stood_at  # no row moves under the pointer

    visitor.get_by_role("checkbox", name="Select Order 07").click(modifiers=["Shift"])
    expect(bar).to_contain_text("5 selected")
    visitor.get_by_role("checkbox", name="Select Order 05").focus()
    visitor.keyboard.press("Space")
    expect(bar).to_contain_text("4 selected")

    page_box.click()
    expect(bar).to_contain_text("25 selected")
    visitor.get_by_role("button", name="Select all 27").click()
    expect(bar).to_contain_text("27 selected")
    visitor.get_by_role("button", name="Clear selection").click()
    expect(bar).to_be_hidden()
    expect(page_box).to_be_focused()
    assert checked(visitor) == 0


def test_switching_off_offers_undo_for_a_while(visitor: Page, live_server: LiveServer) -> None:
    first, second, third = named(3)
    open_list(visitor, live_server)
    for name in ("Order 00", "Order 01"):
        visitor.get_by_role("checkbox", name=f"Select {name}").click()
    visitor.get_by_role("button", name="Turn off").click()

    toast = visitor.locator(".toast-item")
    expect(toast).to_contain_text("2 triggers are off.")
    expect(visitor.locator("#bulk")).to_be_hidden()
    expect(visitor.locator(f"#switch-button-{second.pk}")).to_have_attribute("aria-checked", "false")
    expect(visitor.locator(f"#switch-button-{third.pk}")).to_have_attribute("aria-checked", "true")
    expect(visitor.locator("#trigger-list")).to_be_focused()

    toast.get_by_role("button", name="Undo").click()
    expect(visitor.locator(".toast-item")).to_contain_text("2 triggers are on.")
    expect(visitor.locator(f"#switch-button-{first.pk}")).to_have_attribute("aria-checked", "true")
    assert Trigger.objects.enabled().count() == 3


def test_the_way_back_passes(visitor: Page, live_server: LiveServer) -> None:
    named(1)
    visitor.clock.install()
    open_list(visitor, live_server)
    visitor.get_by_role("checkbox", name="Select Order 00").click()
    visitor.get_by_role("button", name="Turn off").click()
    undo = visitor.get_by_role("button", name=re.compile("Undo"))
    expect(undo).to_contain_text("(8)")
    expect(visitor.locator("#trigger-list")).to_be_focused()
    undo.focus()
    visitor.clock.run_for(20_000)
    expect(undo).to_be_visible()  # not while somebody is on it
    visitor.locator("h1").click()
    visitor.mouse.move(0, 0)
    visitor.clock.run_for(3_000)
    expect(undo).to_contain_text("(5)")
    visitor.clock.run_for(6_000)
    expect(undo).to_have_count(0)


def test_deleting_asks_in_a_dialog_and_leaves_the_rest(visitor: Page, live_server: LiveServer) -> None:
    named(3)
    open_list(visitor, live_server)
    visitor.get_by_role("checkbox", name="Select Order 01").click()
    visitor.get_by_role("button", name="Delete…").click()
    dialog = visitor.get_by_role("dialog", name="Delete 1 trigger?")
    expect(dialog).to_contain_text("Order 01")
    expect(dialog.get_by_role("button", name="Keep them")).to_be_focused()
    visitor.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(visitor.locator("#bulk")).to_contain_text("1 selected")

    visitor.get_by_role("button", name="Delete…").click()
    dialog.get_by_role("button", name="Delete 1 trigger").click()
    expect(visitor.locator(".toast-item")).to_contain_text("1 trigger is deleted.")
    expect(dialog).to_be_hidden()
    expect(visitor.locator("tbody tr")).to_have_count(2)


def test_what_refreshes_by_itself_leaves_boxes_and_focus_alone(visitor: Page, live_server: LiveServer) -> None:
    trigger, _ = named(2)
    open_list(visitor, live_server)
    ticked = visitor.get_by_role("checkbox", name="Select Order 00")
    ticked.click()
    make_event(trigger, outcome=Event.Outcome.FAILED)
    visitor.evaluate("etp.fireTicks(true)")
    expect(visitor.locator(f"#marks-{trigger.pk}")).to_contain_text("Failing")
    expect(ticked).to_be_checked()
    expect(ticked).to_be_focused()
    expect(visitor.locator("#bulk")).to_contain_text("1 selected")


def test_another_filter_keeps_nothing_selected(visitor: Page, live_server: LiveServer) -> None:
    named(3)
    make_api_trigger(name="Other", api_endpoint="https://crm.example.com/hook")
    open_list(visitor, live_server)
    visitor.get_by_role("checkbox", name="Select Other").click()
    visitor.get_by_label("Search name or endpoint").fill("other")
    expect(visitor.locator("tbody tr")).to_have_count(1)
    expect(visitor.locator("#bulk")).to_be_hidden()
    assert checked(visitor) == 0

    visitor.get_by_label("Search name or endpoint").fill("")
    expect(visitor.locator("tbody tr")).to_have_count(4)
    visitor.locator(".chip summary").click()
    visitor.get_by_label("Host").fill("crm.example.com")
    visitor.get_by_label("Host").press("Enter")
    expect(visitor.locator("tbody tr")).to_have_count(1)
    expect(visitor.locator(".chip-words")).to_have_text("crm.example.com")
    expect(visitor).to_have_url(re.compile("host=crm.example.com"))
    visitor.locator("h1").click()
    visitor.get_by_role("button", name="Any endpoint").click()
    expect(visitor.locator("tbody tr")).to_have_count(4)
    expect(visitor.locator(".chip-words")).to_have_text("any")


def test_t_tests_the_row_that_has_the_focus(visitor: Page, live_server: LiveServer) -> None:
    first, _ = named(2)
    open_list(visitor, live_server)
    visitor.get_by_role("checkbox", name="Select Order 00").focus()
    visitor.keyboard.press("t")
    expect(visitor.locator(f"#test-button-{first.pk}")).to_contain_text("Testing")
    assert first.events.filter(source="test").count() == 1


def test_without_javascript_the_same_is_done_by_plain_forms(
    visitor: Page, live_server: LiveServer, browser: Browser
) -> None:
    named(27)
    context = browser.new_context(java_script_enabled=False, storage_state=visitor.context.storage_state())
    page = context.new_page()
    open_list(page, live_server)
    expect(page.get_by_role("checkbox", name="Select all on this page")).to_be_hidden()
    for name in ("Order 00", "Order 01"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    page.get_by_role("button", name="Turn off").click()
    expect(page.locator(".toast-item")).to_contain_text("2 triggers are off.")
    page.locator(".toast-item").get_by_role("link", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast-item")).to_contain_text("2 triggers are on.")

    page.get_by_role("button", name="Select all 27").click()
    expect(page.locator("#bulk")).to_contain_text("27 selected")
    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 27 triggers?")
    page.get_by_role("button", name="Delete 27 triggers").click()
    expect(page.get_by_role("heading", name="No triggers yet")).to_be_visible()
    context.close()


@pytest.mark.parametrize("width", [1440, 1024, 768, 390, 320])
def test_it_fits_at_every_width(visitor: Page, live_server: LiveServer, width: int) -> None:
    make_api_trigger(name="A" * 60, api_endpoint=f"https://crm.example.com/{'hooks/' * 40}")
    visitor.set_viewport_size({"width": width, "height": 900})
    open_list(visitor, live_server)
    if width >= 768:
        visitor.locator("input[name=id]").click()
    else:
        expect(visitor.locator("input[name=id]")).to_be_hidden()
    assert visitor.evaluate("document.documentElement.scrollWidth") <= width
