"""Delivery in a real browser: the headers' editor, a test of the draft, secrets that go by, and what an event shows."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from dashboard.models import User
from triggers import firing
from triggers.delivery import deliver
from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SLOW = 15_000  # milliseconds: an answer of a machine that has much to do


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """Deliver what is pending, as a worker of the cluster does."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(0.1):
            deliver(list(Event.objects.filter(outcome="pending").values_list("pk", flat=True)))
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    is_over.set()
    thread.join()


def new_form(page: Page, live_server: LiveServer, endpoint: str) -> None:
    page.goto(f"{live_server.url}{reverse('trigger-create')}?type=api")
    page.get_by_label("Name", exact=False).first.fill("Order paid")
    page.get_by_label("Endpoint").fill(endpoint)


def panel(page: Page) -> Any:
    return page.locator("#draft-test")


def test_delivery_folds_away_while_there_is_no_endpoint(visitor: Page, live_server: LiveServer) -> None:
    visitor.goto(f"{live_server.url}{reverse('trigger-create')}?type=api")
    for hidden in ("#id_method", "#add-header", "#send-test", "#advanced"):
        expect(visitor.locator(hidden)).to_be_hidden()
    visitor.get_by_label("Endpoint").fill("https://crm.example.com/")
    for shown in ("#id_method", "#add-header", "#send-test", "#advanced"):
        expect(visitor.locator(shown)).to_be_visible()
    visitor.get_by_label("Method").select_option("GET")
    expect(visitor.get_by_text("has no body")).to_be_visible()
    expect(visitor.get_by_text("Body template").first).to_be_hidden()
    visitor.locator("#advanced summary").click()
    visitor.get_by_label("Retries").select_option("quick")
    expect(visitor.locator("#retries-words")).to_contain_text("3, after 1 s, 5 s and 15 s.")
    expect(visitor.locator("#advanced-words")).to_contain_text("3 retries")
    expect(visitor.get_by_label("First after")).to_be_hidden()
    visitor.get_by_label("Retries").select_option("own")
    visitor.get_by_label("First after").fill("2")
    expect(visitor.locator("#retries-words")).to_contain_text("5, after 2 s, 4 s, 8 s, 16 s and 32 s.")


def test_headers_are_added_masked_and_removed_by_keyboard(visitor: Page, live_server: LiveServer) -> None:
    new_form(visitor, live_server, "https://crm.example.com/")
    press, type_in = visitor.keyboard.press, visitor.keyboard.type
    visitor.get_by_role("button", name="Add header").focus()
    press("Enter")
    expect(visitor.locator(".header-name:visible")).to_be_focused()
    type_in("X-Token")
    press("Tab")
    type_in("tell-nobody")
    press("Tab")
    press("Space")
    expect(visitor.locator(".header-value:visible")).to_have_attribute("type", "password")
    visitor.get_by_role("button", name="Add header").click()
    type_in("X-Gone")
    visitor.get_by_role("button", name="Add header").click()
    type_in("X-Plain")
    press("Tab")
    type_in("seen")
    visitor.locator(".header-row:visible").nth(1).get_by_role("button", name="Remove").click()
    expect(visitor.locator(".header-name:visible")).to_have_count(2)
    expect(visitor.locator(".header-name:visible").nth(1)).to_be_focused()
    visitor.get_by_role("button", name="Create trigger").click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Order paid")

    recipe = Trigger.objects.get().recipe
    assert recipe is not None
    assert recipe.headers == [["X-Token", "tell-nobody", True], ["X-Plain", "seen", False]]
    visitor.goto(live_server.url + reverse("trigger-edit", args=[Trigger.objects.get().pk]))
    expect(visitor.get_by_placeholder("Replace value")).to_have_value("")
    assert "tell-nobody" not in visitor.content()
    visitor.get_by_role("button", name="Save trigger").click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Order paid")
    recipe = Trigger.objects.get().recipe
    assert recipe is not None
    assert recipe.headers[0] == ["X-Token", "tell-nobody", True]


def hang(request: Request) -> Response:
    time.sleep(4)
    return Response()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/ok", ["Succeeded", "200 OK", "44 bytes"]),
        ("/bad", ["Failed", "503 Service Unavailable"]),
        ("/html", ["Succeeded", "<script>document.title = 'taken'</script>"]),
        ("/hang", ["Failed", "No answer within 1 s"]),
        ("refused", ["Failed", "refused"]),
    ],
)
def test_a_draft_is_tested_beside_the_form(
    visitor: Page, live_server: LiveServer, receiver: HTTPServer, worker: None, path: str, words: list[str]
) -> None:
    receiver.expect_request("/ok").respond_with_data('{"accepted": true, "job": "bk-20260326-143"}')
    receiver.expect_request("/bad").respond_with_data("", status=503)
    script = "<script>document.title = 'taken'</script>"
    receiver.expect_request("/html").respond_with_data(script, content_type="text/html")
    receiver.expect_request("/hang").respond_with_handler(hang)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    new_form(visitor, live_server, nowhere if path == "refused" else receiver.url_for(path))
    visitor.locator("#advanced summary").click()
    visitor.get_by_label("Timeout").fill("1" if path == "/hang" else "10")
    visitor.get_by_role("button", name="Send test").click()
    expect(panel(visitor).get_by_text("Open event")).to_be_visible()
    for each in words:
        expect(panel(visitor)).to_contain_text(each, timeout=SLOW)
    expect(visitor.locator("#announcements")).to_have_text(re.compile(f"Test: {words[0]}"))
    visitor.get_by_role("tab", name="Request").click()
    expect(panel(visitor).get_by_text("webhook-id")).to_be_visible()
    assert "taken" not in visitor.title()

    visitor.get_by_label("Endpoint").fill("https://elsewhere.example.com/")
    expect(visitor.get_by_text("You have changed the endpoint since this test.")).to_be_visible()
    visitor.get_by_role("button", name="Close the test result").click()
    expect(panel(visitor)).to_be_hidden()
    assert not Trigger.objects.exists()
    assert Event.objects.count() == 1


def test_nobody_has_to_wait_for_a_test(visitor: Page, live_server: LiveServer) -> None:
    new_form(visitor, live_server, "https://crm.example.com/")
    visitor.get_by_role("button", name="Send test").click()
    expect(panel(visitor).get_by_role("progressbar")).to_be_visible()
    visitor.get_by_role("button", name="Stop waiting").click()
    expect(panel(visitor)).to_contain_text("it goes on by itself")


def test_what_is_wrong_in_advanced_opens_it(visitor: Page, live_server: LiveServer, request: Any) -> None:
    request.node.expected_in_console = ("422",)
    new_form(visitor, live_server, "https://crm.example.com/")
    for button in ("Send test", "Create trigger"):
        visitor.locator("#advanced summary").click()
        visitor.get_by_label("Timeout").fill("999")
        visitor.locator("#advanced summary").click()
        expect(visitor.get_by_label("Timeout")).to_be_hidden()
        visitor.get_by_role("button", name=button).click()
        expect(visitor.get_by_label("Timeout")).to_be_visible()
        expect(visitor.locator("#id_timeout_seconds_error")).to_contain_text("from 1 to 300")
        expect(visitor.locator("#form-errors")).to_be_focused()
        visitor.get_by_label("Timeout").fill("9")
        visitor.locator("#advanced summary").click()
    assert not Event.objects.exists()


def test_the_signing_secret_is_shown_once_and_not_after_back(visitor: Page, live_server: LiveServer) -> None:
    new_form(visitor, live_server, "https://crm.example.com/")
    visitor.get_by_role("button", name="Create trigger").click()
    secret = visitor.locator("#signing-secret")
    expect(secret).to_have_text(re.compile("^whsec_"))
    visitor.get_by_role("link", name="Events", exact=True).first.click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Events")
    visitor.go_back()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Order paid")
    expect(secret).to_have_count(0)

    visitor.get_by_role("link", name="Replace…").click()
    expect(visitor.get_by_role("button", name="Keep it")).to_be_focused()
    visitor.get_by_role("button", name="Replace secret").click()
    expect(secret).to_have_text(re.compile("^whsec_"))
    visitor.get_by_role("link", name="I have saved it").click()
    expect(secret).to_have_count(0)


def failed_event(receiver: HTTPServer) -> Event:
    answer = {"error": "upstream_unavailable " * 9, "long" * 40: "x"}
    receiver.expect_request("/hook").respond_with_json(answer, status=503)
    trigger = make_api_trigger(
        name="Order paid",
        api_endpoint=receiver.url_for("/hook"),
        headers=[["X-Token", "tell-nobody", True], ["X-Long", "long" * 100, False]],
        retry_delays=[],
        success_json_path="$.ok",
        verify_tls=False,
        switch_off_after=1,
    )
    event = firing.fire(trigger, timezone.now()).event
    deliver([event.pk])
    return event


def test_an_attempt_is_copied_as_curl(visitor: Page, live_server: LiveServer, receiver: HTTPServer) -> None:
    event = failed_event(receiver)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.goto(live_server.url + reverse("event-detail", args=[event.pk]))
    visitor.get_by_role("link", name="Copy as curl").first.click()
    expect(visitor.get_by_text("Copied", exact=True).first).to_be_visible()
    copied = visitor.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl {receiver.url_for('/hook')}")
    assert '--header "X-Token: $X_TOKEN"' in copied
    expect(visitor.get_by_text("Copy as curl").first).to_be_visible()

    visitor.get_by_role("tab", name="Response").focus()
    visitor.keyboard.press("ArrowRight")
    expect(visitor.get_by_role("tab", name="Request")).to_be_focused()
    expect(visitor.get_by_role("tabpanel", name="Request")).to_be_visible()
    expect(visitor.get_by_role("tabpanel", name="Response")).to_be_hidden()


def test_it_goes_without_javascript(browser: Browser, live_server: LiveServer, person: User) -> None:
    client = Client()
    client.force_login(person)
    context = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    plain = context.new_page()
    plain.set_default_timeout(8000)
    for button in ("Send test", "Create trigger"):
        plain.goto(f"{reverse('trigger-create')}?type=api")
        plain.get_by_label("Endpoint").fill("https://crm.example.com/")
        plain.locator(".header-name:visible").nth(2).fill("X-Token")
        plain.locator(".header-value:visible").nth(2).fill("tell-nobody")
        plain.locator(".header-secret:visible").nth(2).click()
        plain.get_by_role("button", name=button).click()
        expect(plain.get_by_role("heading", level=1)).to_have_text(re.compile("Test of a draft|API trigger"))
    expect(plain.locator("#signing-secret")).to_have_text(re.compile("^whsec_"))
    recipe = Trigger.objects.get().recipe
    assert recipe is not None
    assert recipe.headers == [["X-Token", "tell-nobody", True]]
    context.close()


def every_page(page: Page, live_server: LiveServer, receiver: HTTPServer) -> Iterator[str]:
    event = failed_event(receiver)
    for name, pk in (("event-detail", event.pk), ("trigger-detail", event.trigger_id)):
        page.goto(live_server.url + reverse(name, args=[pk]))
        yield name
    page.goto(live_server.url + reverse("trigger-edit", args=[event.trigger_id]))
    page.locator("#advanced summary").click()
    page.get_by_label("Retries").select_option("own")
    page.get_by_text("Body template").first.click()
    yield "edit"
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#send-test").click()
    expect(panel(page).get_by_role("progressbar")).to_be_visible()
    deliver([Event.objects.latest("pk").pk])
    expect(panel(page)).to_contain_text("503", timeout=SLOW)
    yield "tested"
    new_form(page, live_server, "https://crm.example.com/")
    page.locator("button[name=save]").click()
    expect(page.locator("#signing-secret")).to_be_visible()
    yield "secret"


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_scrolls_sideways(visitor: Page, live_server: LiveServer, receiver: HTTPServer, width: int) -> None:
    visitor.set_viewport_size({"width": width, "height": 900})
    for name in every_page(visitor, live_server, receiver):
        root = "document.documentElement"
        assert visitor.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0, (name, width)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing(
    visitor: Page, live_server: LiveServer, receiver: HTTPServer, theme: str, width: int
) -> None:
    visitor.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    visitor.set_viewport_size({"width": width, "height": 900})
    for name in every_page(visitor, live_server, receiver):
        found = Axe().run(visitor).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], (name, theme, width)
