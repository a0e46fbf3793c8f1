"""Signing in, signing out, a new password."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.test import Client, RequestFactory

from dashboard.middleware import client_address
from dashboard.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def sign_in(client: Client, **fields: str) -> str:
    """Sign in and return where it leads."""
    answer = client.post("/login", {"username": "mara", "password": PASSWORD} | fields)
    return str(answer.headers.get("Location", ""))


def test_it_signs_in_and_leads_to_the_overview(client: Client, person: User) -> None:
    assert sign_in(client) == "/dashboard/"
    assert client.get("/dashboard/").status_code == 200


def test_it_leads_back_to_where_one_wanted_to_go(client: Client, person: User) -> None:
    asked = client.get("/dashboard/triggers/?type=api")

    assert asked.headers["Location"] == "/login?next=/dashboard/triggers/%3Ftype%3Dapi"
    assert "You are then where you wanted to go" in client.get(asked.headers["Location"]).text
    assert sign_in(client, next="/dashboard/triggers/?type=api") == "/dashboard/triggers/?type=api"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_it_leads_nowhere_else(client: Client, person: User, elsewhere: str) -> None:
    assert sign_in(client, next=elsewhere) == "/dashboard/"


def test_it_says_one_thing_for_a_wrong_name_and_a_wrong_password(client: Client, person: User) -> None:
    wrong_name = client.post("/login", {"username": "eve", "password": PASSWORD}).text
    wrong_password = client.post("/login", {"username": "mara", "password": "no"}).text

    for page in (wrong_name, wrong_password):
        assert "The username or the password is wrong" in page
        assert "<title> Error: " in " ".join(page.split())


def test_it_forgets_at_the_browsers_end_unless_asked_to_keep(client: Client, person: User) -> None:
    sign_in(client)
    assert client.session.get_expire_at_browser_close()

    sign_in(Client(), keep="on")
    kept = Client()
    sign_in(kept, keep="on")
    assert not kept.session.get_expire_at_browser_close()


def test_it_says_when_the_next_try_is_allowed_after_too_many(
    client: Client, person: User, settings: LazySettings
) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    for _ in range(3):
        answer = client.post("/login", {"username": "mara", "password": "no"})

    assert answer.status_code == 429
    assert "The next is allowed" in answer.text
    assert "in 14 min" in answer.text or "in 15 min" in answer.text
    assert answer.headers["Retry-After"] == "900"
    assert sign_in(client) == ""  # not even with the right one
    assert sign_in(Client(REMOTE_ADDR="192.0.2.7")) == "/dashboard/"  # but from elsewhere


def test_it_signs_out_by_post_only_and_says_so(signed_in: Client) -> None:
    assert signed_in.get("/logout").status_code == 405

    page = signed_in.post("/logout", follow=True)
    assert page.redirect_chain[-1][0] == "/login"
    assert "You are signed out." in page.text
    assert signed_in.get("/dashboard/").status_code == 302


def test_it_changes_the_password_and_keeps_this_session(signed_in: Client, person: User) -> None:
    fields = {"old_password": PASSWORD, "new_password1": "battery staple 9", "new_password2": "battery staple 9"}
    other = Client()
    sign_in(other)

    assert signed_in.post("/dashboard/password/", fields).status_code == 302
    assert signed_in.get("/dashboard/password/").status_code == 200
    assert other.get("/dashboard/password/").status_code == 302
    person.refresh_from_db()
    assert person.check_password("battery staple 9")


def test_it_does_not_change_the_password_without_the_old_one(signed_in: Client, person: User) -> None:
    fields = {"old_password": "no", "new_password1": "battery staple 9", "new_password2": "battery staple 9"}

    page = signed_in.post("/dashboard/password/", fields).text
    assert "Your old password was entered incorrectly" in page
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("behind_https", "forwarded", "address"),
    [
        (False, "198.51.100.7", "127.0.0.1"),  # anyone may say so
        (True, "198.51.100.7", "198.51.100.7"),
        (True, "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the proxy adds what it has seen itself
        (True, "2001:db8::1", "2001:db8::1"),
        (True, "nonsense", "127.0.0.1"),
        (True, "", "127.0.0.1"),
    ],
)
def test_tries_count_by_the_address_that_the_proxy_saw(
    behind_https: bool, forwarded: str, address: str, settings: LazySettings, rf: RequestFactory
) -> None:
    settings.BEHIND_HTTPS = behind_https

    assert client_address(rf.post("/login", headers={"X-Forwarded-For": forwarded})) == address


def test_who_signed_in_by_a_former_secret_key_stays_signed_in(
    client: Client, person: User, settings: LazySettings
) -> None:
    settings.SECRET_KEY = "former" * 10
    sign_in(client)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, ["former" * 10]
    assert client.get("/dashboard/").status_code == 200

    # From that visit on by the new one: the former can be taken away.
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get("/dashboard/").status_code == 200


def test_without_the_former_secret_key_one_signs_in_again(client: Client, person: User, settings: LazySettings) -> None:
    settings.SECRET_KEY = "former" * 10
    sign_in(client)

    settings.SECRET_KEY = "new" * 20

    assert client.get("/dashboard/").headers["Location"].startswith("/login")
