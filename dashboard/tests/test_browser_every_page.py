"""The pages that no other file looks at: by axe in both themes, at every width, without scrolling sideways."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.template import loader
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from triggers.tests.factories import make_api_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDTHS = (1440, 1024, 768, 390, 320)


def _addresses() -> list[str]:
    make_api_trigger(
        name="A name that is long enough to be broken on the smallest of all phones, if it must " + "x" * 30
    )
    return [
        reverse("jump"),
        f"{reverse('jump')}?q=name",
        f"{reverse('jump')}?q={'nothing' * 20}",
        reverse("settings"),
        reverse("password-change"),
        reverse("trigger-upcoming"),
        "/dashboard/no/such/page",
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    visitor: Page, live_server: LiveServer, theme: str, request: Any
) -> None:
    request.node.expected_in_console = ("404",)
    visitor.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    for address in _addresses():
        visitor.goto(live_server.url + address)
        for width in WIDTHS:
            visitor.set_viewport_size({"width": width, "height": 900})
            _look(visitor, f"{address}, {theme}, {width} px")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_dialogs_of_the_keyboard_are_clean(visitor: Page, live_server: LiveServer, theme: str) -> None:
    visitor.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    make_api_trigger(name="Order paid")
    for width in (1440, 320):
        visitor.set_viewport_size({"width": width, "height": 900})
        visitor.goto(live_server.url + reverse("overview"))
        visitor.keyboard.press("Control+k")
        visitor.get_by_role("option").first.wait_for()
        _look(visitor, f"Jump to, {theme}, {width} px")
        visitor.keyboard.press("Escape")
        expect(visitor.locator("#jump-dialog")).to_be_hidden()
        expect(visitor.locator("#jump-field")).not_to_be_focused()
        visitor.keyboard.press("?")
        visitor.locator("#shortcuts-dialog").wait_for()
        _look(visitor, f"shortcuts, {theme}, {width} px")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["500.html", "503.html"])
def test_the_pages_of_a_broken_server_are_clean(page: Page, live_server: LiveServer, name: str, theme: str) -> None:
    """They stand alone: put in place of a page of the running server, so that they find their stylesheet."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.route(
        "**/dashboard/", lambda route: route.fulfill(body=loader.render_to_string(name), content_type="text/html")
    )
    page.goto(f"{live_server.url}/dashboard/")
    for width in (1440, 320):
        page.set_viewport_size({"width": width, "height": 900})
        _look(page, f"{name}, {theme}, {width} px")


def _look(page: Page, where: str) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, where
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], where
