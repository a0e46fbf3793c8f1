"""The first visit: one account, made only by who holds the token from the server's log."""

from __future__ import annotations

import re
import stat
import threading
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from dashboard import setup_token
from dashboard.models import User
from triggers.models import Trigger

pytestmark = pytest.mark.django_db
PERSON = {"username": "mara", "email": "mara@example.org", "password": "correct horse battery"}


@pytest.fixture(autouse=True)
def address(settings: LazySettings, tmp_path: Path) -> str:
    """The address that the server prints, with a token of this test's own."""
    settings.DATA_DIR = tmp_path
    return f"/setup?token={setup_token.token()}"


def test_it_makes_one_token_that_only_the_owner_may_read(settings: LazySettings) -> None:
    path = settings.DATA_DIR / "setup_token"

    assert setup_token.token() == setup_token.token() == path.read_text()
    assert len(setup_token.token()) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("token", ["", "?token=", "?token=wrong", "?token=%00", "?token=ü"])
def test_it_refuses_without_the_token_and_says_where_to_find_it(client: Client, token: str) -> None:
    answer = client.post(f"/setup{token}", PERSON)

    assert answer.status_code == 403
    assert "prints in its log" in answer.text
    assert not User.objects.exists()


@pytest.mark.parametrize("path", ["/", "/dashboard/", "/login", "/dashboard/triggers/"])
def test_it_is_where_every_page_leads_while_there_is_no_account(client: Client, path: str) -> None:
    answer = client.get(path, follow=True)

    assert answer.status_code == 403
    assert "This server has no account yet" in answer.text


def test_it_makes_the_administrator_and_signs_in(client: Client, address: str) -> None:
    answer = client.post(address, PERSON, follow=True)

    assert answer.redirect_chain[-1][0] == "/dashboard/"
    person = User.objects.get()
    assert (person.username, person.email, person.is_superuser) == ("mara", "mara@example.org", True)
    assert person.check_password("correct horse battery")
    assert not Trigger.objects.exists()


def test_it_adds_three_examples_where_asked_for(client: Client, address: str) -> None:
    client.post(address, PERSON | {"with_examples": "on"})

    heartbeat = Trigger.objects.get(name="Heartbeat")
    assert (heartbeat.schedule_value, heartbeat.enabled, heartbeat.api_endpoint) == ("10", True, "")
    assert Trigger.objects.count() == 3


def test_it_closes_once_the_account_exists(client: Client, address: str) -> None:
    client.post(address, PERSON)

    assert Client().get(address).headers["Location"] == "/login"
    assert Client().post(address, PERSON | {"username": "eve"}).status_code == 302
    assert User.objects.count() == 1
    assert not (setup_token._path()).exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": ""}, "Choose a name"),
        ({"username": "ma ra"}, "Enter a valid username"),
        ({"username": "m" * 151}, "at most 150"),
        ({"email": "mara"}, "valid email"),
        ({"password": "password"}, "too common"),
        ({"password": "12345678901"}, "entirely numeric"),
        ({"password": "mara@example.org"}, "too similar"),
        ({"password": ""}, "Choose a password"),
        ({"username": "m\x00"}, "Null characters"),
    ],
)
def test_it_names_what_is_wrong_and_makes_nothing(
    client: Client, address: str, change: dict[str, str], words: str
) -> None:
    answer = client.post(address, PERSON | change)

    assert answer.status_code == 422
    assert words in answer.text
    assert "<title> Error: " in " ".join(answer.text.split())
    assert not User.objects.exists()


def test_it_never_shows_the_password_again(client: Client, address: str) -> None:
    assert "correct horse" not in client.post(address, PERSON | {"email": ""}).text


def test_it_shows_only_what_it_checked_of_the_server(client: Client, address: str) -> None:
    def without_milliseconds(text: str) -> str:
        return re.sub(r"[0-9.]+ ms", "", text)

    page = without_milliseconds(client.get(address).text)

    assert "migrations applied" in page
    assert "Not seen: nothing fires until a cluster runs" in page
    again = client.get(address.replace("/setup", "/setup/checks")).text
    assert without_milliseconds(again).strip() in page


@pytest.mark.django_db(transaction=True)
def test_two_who_come_at_once_make_one_administrator(address: str) -> None:
    start = threading.Barrier(2)

    def come(username: str) -> None:
        start.wait()
        Client().post(address, PERSON | {"username": username})
        connection.close()

    threads = [threading.Thread(target=come, args=(name,)) for name in ("mara", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert User.objects.count() == 1
