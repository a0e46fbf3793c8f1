"""POST /triggers/test: a draft is tried once, by the one road, and no trigger is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_httpserver import HTTPServer

from triggers import claims, definition, dispatch, firing, retention, stats
from triggers.models import DRAFT_NAME, Event, HourlyCount, Recipe, Trigger
from triggers.tests.factories import make_api_trigger
from triggers.vault import MASK

JSON = "application/json"
SESAME = {"name": "Authorization", "value": "Bearer sesame-7719"}


@contextmanager
def beating() -> Iterator[None]:
    """Let the beat go on in a thread; the queue is sync, so it delivers as well."""
    is_over = threading.Event()

    def beat() -> None:
        generation = claims.start_beat("test:1", timezone.now())
        while not is_over.wait(0.05):
            dispatch.hand_over_due(generation, timezone.now())
        connection.close()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def tried(program: Client, **fields: Any) -> dict[str, Any]:
    with beating():
        response = program.post("/triggers/test?wait_seconds=30", fields, content_type=JSON)
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


# --- Through a worker ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("sync_queue")
def test_a_draft_is_delivered_once_and_what_came_back_is_the_answer(program: Client, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook", method="PUT").respond_with_data("no", status=500)

    body = tried(
        program,
        api_endpoint=receiver.url_for("/hook"),
        method="PUT",
        payload={"a": 1},
        headers=[SESAME],
        body_template='{"of": "{{trigger.name}}", "a": {{payload.a}}}',
        most_at_once=1,
        rate_per_minute=1,
        switch_off_after=1,
    )

    assert (body["outcome"], body["source"], body["is_test"], body["trigger_id"]) == ("failed", "test", True, None)
    assert (body["method"], body["most_attempts"], len(body["attempts"])) == ("PUT", 1, 1)
    attempt = body["attempts"][0]
    assert (attempt["status"], attempt["response_body"]) == (500, "no")
    assert "$AUTHORIZATION" in attempt["curl"]
    [(request, _)] = receiver.log
    assert request.json == {"of": DRAFT_NAME, "a": 1}
    assert request.headers["Authorization"] == "Bearer sesame-7719"
    assert request.headers["webhook-signature"].startswith("v1,")
    assert not Trigger.objects.exists()
    # Not counted in figures.
    assert not HourlyCount.objects.exists()
    assert stats.latency() is None
    # The next one need not wait for a minute.
    assert len(tried(program, api_endpoint=receiver.url_for("/hook"), method="PUT", rate_per_minute=1)["attempts"]) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("sync_queue")
def test_a_draft_of_a_trigger_takes_what_is_left_out_from_it_and_its_secrets(
    program: Client, receiver: HTTPServer
) -> None:
    receiver.expect_request("/hook").respond_with_data("")
    trigger = make_api_trigger(
        api_endpoint=receiver.url_for("/hook"), headers=[["Authorization", "Bearer sesame-7719", True]], enabled=False
    )

    body = tried(
        program, trigger_id=trigger.pk, payload={"b": 2}, headers=[{**SESAME, "value": MASK}], timeout_seconds=5
    )

    assert (body["outcome"], body["trigger_id"]) == ("succeeded", None)
    [(request, _)] = receiver.log
    assert (request.json, request.headers["Authorization"]) == ({"b": 2}, "Bearer sesame-7719")
    trigger.refresh_from_db()
    assert trigger.payload == {"greeting": "hello"}


# --- Without one -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_it_says_so_when_the_test_is_not_finished_in_time(program: Client) -> None:
    fields = {"type": "scheduled", "schedule_type": "fixed_interval", "schedule_value": "60"}

    response = program.post("/triggers/test?wait_seconds=0", fields, content_type=JSON)

    assert response.status_code == 202
    assert response.json() == program.get(f"/event_logs/{response.json()['id']}").json()
    assert response.json()["outcome"] == "pending"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "api_endpoint"),
        ({"type": "scheduled"}, "schedule_type"),
        ({"api_endpoint": "ftp://example.org"}, "api_endpoint"),
        ({"api_endpoint": "", "trigger_id": None}, "trigger_id"),
        ({"api_endpoint": "", "trigger_id": "1"}, "trigger_id"),
        ({"api_endpoint": "", "headers": [{**SESAME, "value": MASK}]}, "headers"),
    ],
)
def test_it_refuses_what_could_not_be_saved_either(program: Client, fields: dict[str, Any], field: str) -> None:
    response = program.post("/triggers/test?wait_seconds=0", fields, content_type=JSON)

    assert (response.status_code, list(response.json()["error"]["fields"])) == (422, [field])
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_it_knows_no_such_trigger(program: Client) -> None:
    response = program.post("/triggers/test?wait_seconds=0", {"trigger_id": 7}, content_type=JSON)

    assert response.status_code == 404


@pytest.mark.django_db
def test_the_recipe_of_a_draft_is_deleted_when_its_event_is() -> None:
    now = timezone.now() - timedelta(days=3)
    event = firing.test_draft(definition.draft({"type": "api", "method": "GET"}, now), now)
    assert event.recipe is not None
    retention.forget_events(timezone.now())
    retention.forget_recipes(timezone.now())
    assert Recipe.objects.exists()  # its event still waits

    Event.objects.update(outcome="failed", hand_over_at=None)
    retention.forget_events(timezone.now())
    retention.forget_recipes(timezone.now())

    assert not Event.objects.exists()
    assert not Recipe.objects.exists()
