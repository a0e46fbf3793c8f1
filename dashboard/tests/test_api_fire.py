"""POST /triggers/{id}/fire and POST /triggers/{id}/test."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.test import Client

from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = pytest.mark.django_db

JSON = "application/json"


def test_it_fires_with_the_triggers_own_payload(program: Client) -> None:
    trigger = make_api_trigger(payload={"a": 1})

    response = program.generic("POST", f"/triggers/{trigger.pk}/fire")

    event = Event.objects.get()
    assert response.status_code == 202
    assert response.json() == {"message": "Trigger fired", "id": event.pk, "trigger_id": trigger.pk}
    assert (event.source, event.payload, event.is_test) == ("api", {"a": 1}, False)


@pytest.mark.parametrize("payload", [{}, {"b": {"c": [True]}}])
def test_it_fires_with_the_callers_payload(program: Client, payload: dict[str, Any]) -> None:
    program.post(f"/triggers/{make_api_trigger(payload={'a': 1}).pk}/fire", payload, content_type=JSON)

    assert Event.objects.get().payload == payload


def test_it_takes_an_empty_body_of_any_type(program: Client) -> None:
    path = f"/triggers/{make_api_trigger().pk}/fire"

    assert program.post(path, b"", content_type="application/x-www-form-urlencoded").status_code == 202


def test_it_reads_a_body_that_comes_in_chunks(program: Client) -> None:
    body: dict[str, Any] = {"wsgi.input": BytesIO(b'{"b": 2}'), "wsgi.input_terminated": True}
    chunked = {"Transfer-Encoding": "chunked", "Content-Type": JSON}

    response = program.generic("POST", f"/triggers/{make_api_trigger().pk}/fire", headers=chunked, **body)

    assert response.status_code == 202
    assert Event.objects.get().payload == {"b": 2}


def test_it_fires_a_scheduled_trigger_too(program: Client) -> None:
    assert program.generic("POST", f"/triggers/{make_trigger().pk}/fire").status_code == 202


def test_it_does_not_fire_a_trigger_that_is_off(program: Client) -> None:
    response = program.generic("POST", f"/triggers/{make_api_trigger(enabled=False).pk}/fire")

    assert (response.status_code, response.json()["error"]["code"]) == (409, "conflict")
    assert not Event.objects.exists()


def test_it_fires_with_three_queries(program: Client, django_assert_num_queries: Any) -> None:
    path = f"/triggers/{make_api_trigger().pk}/fire"
    program.generic("POST", path)  # the key's first use is noted, once a minute

    with django_assert_num_queries(3):  # the key, the trigger, the event
        program.generic("POST", path)


@pytest.mark.parametrize("enabled", [True, False])
def test_it_tests_a_trigger(program: Client, enabled: bool) -> None:
    trigger = make_trigger(enabled=enabled)

    response = program.generic("POST", f"/triggers/{trigger.pk}/test")

    event = Event.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "message": "Trigger fired manually for testing",
        "id": event.pk,
        "trigger_id": trigger.pk,
    }
    assert (event.source, event.is_test) == ("test", True)
