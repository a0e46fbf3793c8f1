"""API keys and people in a real browser: made, copied, refused, and gone when the page is left."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from dashboard.models import ApiKey, User
from dashboard.permissions import Role
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_key_is_made_focused_copied_and_gone_after_back(visitor: Page, live_server: LiveServer) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    visitor.goto(f"{live_server.url}/dashboard/api-keys/new/")
    visitor.get_by_label("Name", exact=True).fill("deploy-pipeline")
    visitor.get_by_label("Fire and test").check()
    visitor.get_by_role("button", name="Create key").click()

    key = visitor.get_by_label("The key itself")
    expect(key).to_be_focused()
    clear = key.input_value()
    visitor.get_by_role("button", name="Copy key").click()
    expect(visitor.get_by_role("button", name="Copied")).to_be_visible()
    assert visitor.evaluate("navigator.clipboard.readText()") == clear

    visitor.get_by_role("link", name="I have saved it").click()
    expect(visitor.get_by_role("link", name="Revoke… deploy-pipeline")).to_be_visible()
    visitor.go_back()
    assert clear not in visitor.content()


def test_triggers_are_searched_while_typing_and_what_is_ticked_stays(visitor: Page, live_server: LiveServer) -> None:
    for name in ("Order paid", "Backup"):
        make_api_trigger(name=name)
    visitor.goto(f"{live_server.url}/dashboard/api-keys/new/")
    expect(visitor.get_by_label("Order paid")).to_be_hidden()
    visitor.get_by_label("Only these").check()
    visitor.get_by_label("Order paid").check()
    visitor.get_by_label("Search name or endpoint").press_sequentially("back")

    expect(visitor.get_by_label("Backup")).to_be_visible()
    expect(visitor.get_by_label("Order paid")).to_be_checked()


def test_revoking_asks_in_a_dialog(visitor: Page, live_server: LiveServer) -> None:
    ApiKey.create("grafana")
    visitor.goto(f"{live_server.url}/dashboard/api-keys/")
    visitor.get_by_role("link", name="Revoke… grafana").click()
    expect(visitor.get_by_role("button", name="Keep it")).to_be_focused()
    visitor.keyboard.press("Escape")
    assert ApiKey.objects.get().revoked_at is None

    visitor.get_by_role("link", name="Revoke… grafana").click()
    visitor.get_by_role("button", name="Revoke key").click()
    expect(visitor.get_by_text("is revoked.")).to_be_visible()
    assert ApiKey.objects.get().revoked_at is not None


def test_who_lost_the_role_meanwhile_is_told_once_in_a_toast(
    visitor: Page, live_server: LiveServer, person: User, request: pytest.FixtureRequest
) -> None:
    request.node.expected_in_console = ("403",)
    make_trigger(name="Probe")
    visitor.goto(f"{live_server.url}/dashboard/triggers/")
    User.objects.filter(pk=person.pk).update(role=Role.VIEWER)
    visitor.get_by_role("switch", name="Probe").click()

    toast = visitor.get_by_role("region", name="Notifications").get_by_role("alert")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text("for operators and administrators. You are signed in as mara")
    expect(visitor.get_by_role("switch", name="Probe")).to_be_enabled()


@pytest.mark.parametrize("at", ["api-keys/", "api-keys/new/", "people/", "people/new/", "people/1/switch-off/"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1440])
def test_nothing_is_in_anyones_way(
    visitor: Page, live_server: LiveServer, person: User, at: str, theme: str, width: int
) -> None:
    """axe finds nothing, and no page scrolls sideways."""
    ApiKey.create("grafana", by=person)
    ApiKey.create("shop with quite a long name, as people give them", triggers=[make_api_trigger(name="Order " * 10)])
    User.objects.create_user("nia", "nia.with.a.long.address@department.example.org", is_active=False)
    User.objects.create_user("ola")
    visitor.set_viewport_size({"width": width, "height": 900})
    visitor.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    visitor.goto(f"{live_server.url}/dashboard/{at.replace('1', str(person.pk))}")

    found = Axe().run(visitor).response["violations"]
    assert found == [], json.dumps([(each["id"], each["nodes"][0]["html"]) for each in found], indent=1)
    assert visitor.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
