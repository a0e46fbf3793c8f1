"""An attempt's request as a command: just what was sent, secrets left out."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer

from triggers import claims, dispatch, exchange, firing
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sync_queue")]


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": {"text": 'Jürgen’s\n"it" \\ 1e20', "n": [1.0, 1e20, None], "☂": {}}},
        {"body_template": '{"t": "{{payload.greeting}} {{event.id}} {{trigger.name}} #{{attempt}}"}', "name": "A & B"},
        {"method": "GET"},
        {"method": "DELETE", "headers": [["Content-Type", "text/plain; charset=utf-8", False]]},
    ],
)
def test_the_command_sends_what_was_sent(receiver: HTTPServer, fields: dict[str, Any]) -> None:
    receiver.expect_request("/hook").respond_with_data("")
    headers = [["X-Token", "sesame-7719", True], *fields.pop("headers", [])]
    trigger = make_api_trigger(api_endpoint=receiver.url_for("/hook"), headers=headers, **fields)
    event = firing.fire(trigger, timezone.now()).event
    now = timezone.now()
    dispatch.hand_over_due(claims.start_beat("test:1", now), now)

    event.refresh_from_db()
    command = exchange.curl_of(event, event.attempts.get())

    [(request, _)] = receiver.log
    sent = request.get_data()
    assert command is not None
    words = shlex.split(command)
    assert words[:2] == ["curl", receiver.url_for("/hook")]

    def said_with(option: str) -> list[str]:
        return [words[index + 1] for index, word in enumerate(words) if word == option]

    assert (said_with("--request") or ["GET"]) == [request.method]
    assert "".join(said_with("--data-raw")).encode() == sent
    said = said_with("--header")
    assert "X-Token: $X_TOKEN" in said
    assert f"webhook-signature: {request.headers['webhook-signature']}" in said
    assert f"event-attempt: {request.headers['event-attempt']}" in said
    assert "sesame" not in command


def test_an_attempt_that_nobody_saw_end_has_none() -> None:
    event = make_event()
    attempt = make_attempt(event, 1, error_kind="interrupted", status=None)

    assert exchange.curl_of(event, attempt) is None
