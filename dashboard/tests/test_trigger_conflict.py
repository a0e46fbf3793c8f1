"""Two who edit one trigger at once: the second is shown what the first has changed, and loses nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from triggers import claims, definition
from triggers.models import Author, Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
TERRAFORM = Author("api_key", 3, "terraform")


def sent(trigger: Trigger, version: int | None, **fields: Any) -> dict[str, Any]:
    """What the form of this API trigger sends."""
    given = {"name": trigger.name, "type": "api", "payload": "{}", "enabled": "on", "api_endpoint": ""}
    return given | ({} if version is None else {"version": version}) | fields


def save(client: Client, trigger: Trigger, version: int | None, headers: Any = None, **fields: Any) -> Any:
    address = f"/dashboard/triggers/{trigger.pk}/edit/"
    return client.post(address, sent(trigger, version, **fields), headers=headers)


def version_in(page: str) -> int:
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found
    return int(found[1])


def test_the_form_carries_the_version_that_it_was_filled_from(signed_in: Client) -> None:
    trigger = make_api_trigger(name="A", payload={})
    page = signed_in.get(f"/dashboard/triggers/{trigger.pk}/edit/").text
    assert version_in(page) == 1

    assert save(signed_in, trigger, 1, name="B").status_code == 302
    trigger.refresh_from_db()
    assert (trigger.name, trigger.version) == ("B", 2)


@pytest.mark.parametrize("headers", [None, HTMX])
def test_who_comes_second_sees_what_changed_and_saves_knowingly(signed_in: Client, headers: Any) -> None:
    trigger = make_api_trigger(name="A", payload={})
    definition.change(trigger.pk, {"api_endpoint": "https://theirs.example/"}, timezone.now(), TERRAFORM)

    answer = save(signed_in, trigger, 1, headers, name="Mine, all of it", payload='{"mine": 1}')

    assert answer.status_code == 409
    page = answer.text
    assert "API key “terraform” saved this <time" in page
    assert "API key “terraform” changed the endpoint" in page
    assert "https://theirs.example/</span>" in page
    assert 'value="Mine, all of it"' in page
    assert "{&quot;mine&quot;: 1}" in page
    trigger.refresh_from_db()
    assert (trigger.name, trigger.api_endpoint) == ("A", "https://theirs.example/")

    again = save(signed_in, trigger, version_in(page), name="Mine, all of it", payload='{"mine": 1}')
    assert again.status_code == 302
    trigger.refresh_from_db()
    assert (trigger.name, trigger.api_endpoint, trigger.version) == ("Mine, all of it", "", 3)


def test_a_form_with_errors_keeps_the_version_that_it_came_with(signed_in: Client) -> None:
    trigger = make_api_trigger(name="A", payload={})
    definition.change(trigger.pk, {"name": "Theirs"}, timezone.now(), TERRAFORM)

    page = save(signed_in, trigger, 1, payload="{")
    assert page.status_code == 422
    assert version_in(page.text) == 1


def test_the_server_switching_it_off_is_a_version_too_and_a_fire_is_none(signed_in: Client) -> None:
    trigger = make_api_trigger(name="A", payload={})
    Trigger.objects.update(fired_count=5, failures_in_a_row=2)
    assert save(signed_in, trigger, 1, name="B").status_code == 302

    Trigger.objects.update(enabled=False)
    claims.note_switched_off([(trigger.pk, "Switched off after 3 failed events in a row.")], timezone.now())
    page = save(signed_in, trigger, 2, name="C")
    assert page.status_code == 409
    assert "The server switched it off" in page.text
    assert "after 3 failed events" in page.text
    assert version_in(page.text) == 3


def test_saving_what_is_saved_is_no_new_version(signed_in: Client) -> None:
    trigger = make_api_trigger(name="A", payload={})
    for _ in range(2):
        assert save(signed_in, trigger, 1).status_code == 302
    trigger.refresh_from_db()
    assert trigger.version == 1


@pytest.mark.parametrize("version", [None, "", "x", "-1", "9" * 30])
def test_a_form_that_does_not_say_its_version_saves(signed_in: Client, version: Any) -> None:
    trigger = make_api_trigger(name="A", payload={})
    definition.change(trigger.pk, {"name": "Theirs"}, timezone.now(), TERRAFORM)
    assert save(signed_in, trigger, version, name="B").status_code == 302


# --- By API ----------------------------------------------------------------------------------------------


def put(program: Client, trigger: Trigger, if_match: str | None, **fields: Any) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    return program.put(f"/triggers/{trigger.pk}", fields, content_type="application/json", headers=headers)


def test_the_api_says_the_version_and_takes_it_back(program: Client) -> None:
    trigger = make_api_trigger(name="A")
    shown = program.get(f"/triggers/{trigger.pk}")
    assert (shown.json()["version"], shown["ETag"]) == (1, '"1"')

    saved = put(program, trigger, shown["ETag"], name="B")
    assert (saved.status_code, saved.json()["version"], saved["ETag"]) == (200, 2, '"2"')


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"2"', 200),
        ('W/"2"', 200),  # a proxy that compresses makes it weak
        ('"1", "2"', 200),
        ("*", 200),
        (None, 200),
        ('"1"', 412),
        ('"3"', 412),
        ("nonsense", 412),
        ('"' + "9" * 40 + '"', 412),
    ],
)
def test_the_api_refuses_a_change_of_what_was_saved_since(program: Client, if_match: str | None, status: int) -> None:
    trigger = make_api_trigger(name="A")
    definition.change(trigger.pk, {"name": "Theirs"}, timezone.now())

    answer = put(program, trigger, if_match, name="Mine")

    assert answer.status_code == status
    trigger.refresh_from_db()
    assert trigger.name == ("Mine" if status == 200 else "Theirs")
    if status == 412:
        assert answer.json()["error"]["code"] == "precondition_failed"
