"""A database that may not grow, as on a full disk: nothing is accepted, all can be read, and it passes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client

from dashboard.models import User
from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger, make_event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite,
]

LARGE = {"text": "x" * 200_000}


@contextmanager
def full_disk() -> Iterator[None]:
    """Let SQLite say "database or disk is full" to whatever needs another page."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 1000000000")


def test_a_fire_is_refused_in_words_and_accepted_when_there_is_room(program: Client) -> None:
    trigger = make_api_trigger()
    path = f"/triggers/{trigger.pk}/fire"
    with full_disk():
        response = program.post(path, LARGE, content_type="application/json")
        assert program.get("/triggers").status_code == 200

    assert response.status_code == 503
    assert response["Retry-After"] == "30"
    assert response.json()["error"]["code"] == "unavailable"
    assert response.json()["message"].startswith("The disk of the server is full. Make room")
    assert Event.objects.count() == 0
    assert program.post(path, LARGE, content_type="application/json").status_code == 202


@pytest.mark.parametrize("address", ["/dashboard/", "/dashboard/triggers/", "/dashboard/events/", "/dashboard/health/"])
def test_pages_can_be_read(signed_in: Client, address: str) -> None:
    make_event(outcome="succeeded")
    with full_disk():
        assert signed_in.get(address).status_code == 200


def sent(name: str) -> dict[str, str]:
    return {"name": name, "type": "api", "payload": '{"text": "' + "x" * 200_000 + '"}', "schedule_type": "daily"}


def test_a_form_is_not_lost_without_scripts(person: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(person)
    with full_disk():
        answer = client.post("/dashboard/triggers/new/", sent("Night <report>"))

    assert answer.status_code == 503
    assert "The disk of the server is full." in answer.text
    assert '<input type="hidden" name="name" value="Night &lt;report&gt;">' in answer.text
    assert "Send again" in answer.text
    assert "wait.js" not in answer.text  # it would open the address, without what was sent
    assert not Trigger.objects.exists()


def test_a_form_in_a_page_stays_as_it_is_and_a_toast_says_why(person: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(person)
    with full_disk():
        answer = client.post("/dashboard/triggers/new/", sent("Night report"), headers={"HX-Request": "true"})

    assert answer.status_code == 503
    assert "The disk of the server is full." in answer.headers["HX-Trigger"]
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_it_says_it_in_the_language_of_its_reader(person: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(person)
    with full_disk():
        answer = client.post("/dashboard/triggers/new/", sent("Bericht"), headers={"Accept-Language": "de"})
    assert '<html lang="de"' in answer.text


def test_no_password_is_kept_on_the_page(person: User) -> None:
    client = Client(raise_request_exception=False)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = 1")
        answer = client.post("/login", {"username": "mara", "password": "correct horse battery"})
        cursor.execute("PRAGMA query_only = 0")

    assert answer.status_code == 503
    assert "correct horse" not in answer.text
    assert "Go back in your browser" in answer.text
