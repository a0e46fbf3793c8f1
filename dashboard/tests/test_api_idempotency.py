"""The header Idempotency-Key of POST /triggers/{id}/fire and POST /event_logs/{id}/replay: promise 2."""

from __future__ import annotations

import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_event

JSON = "application/json"


@pytest.mark.django_db
def test_it_repeats_the_first_answer(program: Client) -> None:
    path, key = f"/triggers/{make_api_trigger().pk}/fire", {"Idempotency-Key": "order 7"}

    first = program.post(path, {"a": 1, "b": 2}, content_type=JSON, headers=key)
    again = program.post(path, b'{"b": 2,  "a": 1}', content_type=JSON, headers=key)

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert ("Idempotent-Replay" in first, again["Idempotent-Replay"]) == (False, "true")
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_it_refuses_the_key_with_another_body(program: Client) -> None:
    path, key = f"/triggers/{make_api_trigger().pk}/fire", {"Idempotency-Key": "order 7"}
    program.post(path, {"a": 1}, content_type=JSON, headers=key)

    for body in ({"a": 2}, {}, b""):
        response = program.post(path, body, content_type=JSON, headers=key)
        assert (response.status_code, list(response.json()["error"]["fields"])) == (422, ["Idempotency-Key"])
    assert Event.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb"])
def test_it_refuses_a_key_that_is_none(program: Client, key: str) -> None:
    path = f"/triggers/{make_api_trigger().pk}/fire"

    response = program.generic("POST", path, headers={"Idempotency-Key": key})

    assert (response.status_code, list(response.json()["error"]["fields"])) == (422, ["Idempotency-Key"])
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["k", "x" * 255, "~ !"])
def test_it_takes_1_to_255_printable_characters(program: Client, key: str) -> None:
    path = f"/triggers/{make_api_trigger().pk}/fire"

    assert program.generic("POST", path, headers={"Idempotency-Key": key}).status_code == 202
    assert Event.objects.get().idempotency_key == key


@pytest.mark.django_db(transaction=True)
def test_of_calls_at_once_one_makes_the_event(live_server: LiveServer, api_key: str) -> None:
    url = f"{live_server.url}/triggers/{make_api_trigger().pk}/fire"
    headers = {"X-API-Key": api_key, "Idempotency-Key": "once"}

    def call(_: int) -> tuple[int, bytes, bool]:
        request = urllib.request.Request(url, method="POST", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read(), "Idempotent-Replay" in response.headers

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(call, range(16)))

    assert {answer[:2] for answer in answers} == {answers[0][:2]}
    assert answers[0][0] == 202
    assert [is_repeat for *_, is_repeat in answers].count(False) == 1
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_a_replay_repeats_its_first_answer_too(program: Client) -> None:
    path = f"/event_logs/{make_event(outcome='failed').pk}/replay"
    key = {"Idempotency-Key": "again 7"}

    first = program.post(path, {"endpoint": "then"}, content_type=JSON, headers=key)
    again = program.post(path, {"endpoint": "then"}, content_type=JSON, headers=key)

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert ("Idempotent-Replay" in first, again["Idempotent-Replay"]) == (False, "true")
    assert Event.objects.filter(source="replay").count() == 1


@pytest.mark.django_db
def test_the_keys_of_fires_and_replays_of_a_trigger_are_one_set(program: Client) -> None:
    trigger = make_api_trigger()
    event, other = make_event(trigger, outcome="failed"), make_event(trigger, outcome="failed")
    key = {"Idempotency-Key": "order 7"}
    assert program.generic("POST", f"/event_logs/{event.pk}/replay", headers=key).status_code == 202

    for path, body in [
        (f"/event_logs/{other.pk}/replay", b""),  # of another event
        (f"/event_logs/{event.pk}/replay", b'{"endpoint": "then"}'),  # to elsewhere
        (f"/triggers/{trigger.pk}/fire", b""),
    ]:
        response = program.post(path, body, content_type=JSON, headers=key)
        assert (response.status_code, list(response.json()["error"]["fields"])) == (422, ["Idempotency-Key"])
    assert Event.objects.count() == 3


@pytest.mark.django_db
def test_a_replay_of_a_draft_has_keys_as_well(program: Client) -> None:
    draft = make_event(outcome="failed", source="test", is_test=True)
    Event.objects.filter(pk=draft.pk).update(trigger=None)
    path, key = f"/event_logs/{draft.pk}/replay", {"Idempotency-Key": "draft"}

    answers = [program.post(path, {"endpoint": "then"}, content_type=JSON, headers=key).json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert Event.objects.count() == 2
