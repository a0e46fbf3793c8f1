"""Who may call: a program with its key, a person who is signed in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard import key_calls
from dashboard.models import ApiKey, User
from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db

JSON = "application/json"
CALLS = [
    ("post", "/api/triggers"),
    ("post", "/scheduled/triggers"),
    ("get", "/triggers"),
    ("head", "/triggers"),
    ("get", "/triggers/1"),
    ("put", "/triggers/1"),
    ("delete", "/triggers/1"),
    ("post", "/triggers/1/test"),
    ("post", "/triggers/1/fire"),
    ("get", "/event_logs"),
    ("get", "/event_logs/1"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/swagger-ui"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer etp_wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic dTpw"},
        {"X-API-Key": "etp_" + "x" * 43},
        {"X-API-Key": ""},
        {"X-API-Key": "é" * 20},
        {"X-API-Key": "x" * 10_000},
        {"Cookie": "sessionid=stale"},
    ],
)
def test_it_asks_for_a_key(method: str, path: str, headers: dict[str, str]) -> None:
    client = Client(enforce_csrf_checks=True, headers=headers)

    response = getattr(client, method)(path)

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert method == "head" or response.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("name", "value"), [("Authorization", "Bearer {}"), ("authorization", "bearer {}"), ("X-API-Key", "{}")]
)
def test_a_key_opens_every_call(api_key: str, name: str, value: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={name: value.format(api_key)})
    make_api_trigger()

    assert client.get("/triggers").status_code == 200
    assert client.generic("POST", f"/triggers/{Trigger.objects.get().pk}/fire").status_code == 202
    assert client.get("/openapi.json").status_code == 200


def test_a_wrong_key_is_refused_whoever_is_signed_in(signed_in: Client) -> None:
    assert signed_in.get("/triggers", headers={"X-API-Key": "etp_wrong"}).status_code == 401


def test_the_keys_start_alone_opens_nothing(client: Client, api_key: str) -> None:
    assert client.get("/triggers", headers={"X-API-Key": api_key[:-1] + "!"}).status_code == 401


def test_it_remembers_when_a_key_was_used(program: Client) -> None:
    program.get("/triggers")
    key_calls.write()

    key = ApiKey.objects.get()
    assert key.last_used_at is not None
    assert timezone.now() - key.last_used_at < timedelta(minutes=1)
    assert key.last_used_from == "127.0.0.1"


def test_who_is_signed_in_may_read(signed_in: Client) -> None:
    assert signed_in.get("/triggers").status_code == 200
    assert signed_in.get("/event_logs").status_code == 200


def test_who_is_signed_in_needs_the_form_token_to_change_anything(person: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    trigger = make_api_trigger()

    for method, path in [("post", "/triggers/{}/fire"), ("put", "/triggers/{}"), ("delete", "/triggers/{}")]:
        for content_type in (JSON, "multipart/form-data", "application/x-www-form-urlencoded"):
            response: Any = getattr(client, method)(path.format(trigger.pk), b"{}", content_type=content_type)
            assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert not Event.objects.exists()
    assert Trigger.objects.get() == trigger


def test_the_form_token_of_swagger_ui_is_enough(person: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    page = client.get("/swagger-ui").content.decode()
    token = page.partition('data-csrf-token="')[2].partition('"')[0]

    response = client.generic("POST", f"/triggers/{make_api_trigger().pk}/fire", headers={"X-CSRFToken": token})

    assert response.status_code == 202


def test_it_refuses_who_was_locked_out(person: User, signed_in: Client) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)

    assert signed_in.get("/triggers").status_code == 401
