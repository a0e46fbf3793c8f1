"""GET /swagger-ui and GET /openapi.json."""

from __future__ import annotations

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

pytestmark = pytest.mark.django_db


def test_everything_on_the_page_comes_from_here(signed_in: Client) -> None:
    page = signed_in.get("/swagger-ui").content.decode()

    linked = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert "/static/ninja/swagger-ui-bundle.js" in linked
    for address in linked:
        assert address == "/openapi.json" or finders.find(address.removeprefix("/static/")), address


def test_the_page_keeps_to_the_strict_policy(signed_in: Client) -> None:
    response = signed_in.get("/swagger-ui")
    page = response.content.decode()

    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    assert all('src="' in tag or 'type="application/json"' in tag for tag in re.findall(r"<script[^>]*>", page))
    assert "<style" not in page
    assert not re.search(r"\s(style|on\w+)=", page)


def test_a_browser_is_led_to_the_login(client: Client) -> None:
    response = client.get("/swagger-ui", headers={"Accept": "text/html,*/*"})

    assert (response.status_code, response["Location"]) == (302, "/login?next=/swagger-ui")


def test_the_description_names_every_call(program: Client) -> None:
    described = program.get("/openapi.json").json()

    assert {f"{method.upper()} {path}" for path, calls in described["paths"].items() for method in calls} == {
        "POST /api/triggers",
        "POST /scheduled/triggers",
        "GET /triggers",
        "GET /triggers/{trigger_id}",
        "PUT /triggers/{trigger_id}",
        "DELETE /triggers/{trigger_id}",
        "GET /triggers/{trigger_id}/changes",
        "POST /triggers/{trigger_id}/test",
        "POST /triggers/test",
        "POST /triggers/{trigger_id}/fire",
        "POST /triggers/{trigger_id}/signing_secret",
        "POST /schedule/preview",
        "GET /upcoming",
        "GET /event_logs",
        "GET /event_logs/{event_id}",
        "POST /event_logs/{event_id}/retry",
        "POST /event_logs/{event_id}/give_up",
        "POST /event_logs/{event_id}/replay",
        "POST /replays",
        "GET /replays/{replay_id}",
        "POST /replays/{replay_id}/cancel",
        "GET /healthz",
        "GET /metrics",
    }
    for path, calls in described["paths"].items():
        for call in calls.values():
            assert call["summary"]
            assert call["tags"]
            assert path == "/healthz" or {"401", "403", "503"} <= set(call["responses"])
