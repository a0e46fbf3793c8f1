"""What people see when a page cannot be shown."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from dashboard import request_ids, urls
from dashboard.models import User
from triggers.tests.factories import make_trigger

pytestmark = pytest.mark.django_db


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret words of the inside")


def without_database(request: HttpRequest) -> HttpResponse:
    raise OperationalError("the database is gone")


urlpatterns = [
    path("forbidden/", forbidden),
    path("broken/", broken),
    path("without-database/", without_database),
    *urls.urlpatterns,
]
handler403 = urls.handler403
handler500 = urls.handler500


@pytest.fixture(autouse=True)
def _with_broken_pages(settings: object) -> None:
    settings.ROOT_URLCONF = __name__  # type: ignore[attr-defined]


def test_it_says_that_events_expire(signed_in: Client) -> None:
    answer = signed_in.get("/dashboard/events/999/")

    assert answer.status_code == 404
    assert "events are deleted after 48 h" in answer.text
    assert "Open the event log" in answer.text
    assert '<nav aria-label="Main">' in answer.text


def test_it_uses_the_bare_frame_for_strangers(client: Client, person: User) -> None:
    answer = client.get("/no/such/page")

    assert answer.status_code == 404
    assert "Nothing here (404)" in answer.text
    assert '<nav aria-label="Main">' not in answer.text
    assert answer.text.count("<h1>") == 1


def test_it_escapes_the_address(signed_in: Client) -> None:
    assert "<script>x" not in signed_in.get("/dashboard/<script>x").text


def test_it_says_who_one_is_where_one_may_not_go(signed_in: Client) -> None:
    answer = signed_in.get("/forbidden/")

    assert answer.status_code == 403
    assert "You are signed in as mara" in answer.text


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [("/broken/", 500, "Something broke here (500)"), ("/without-database/", 503, "Back in a moment (503)")],
)
def test_it_tells_no_inside(person: User, address: str, status: int, words: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(person)

    answer = client.get(address)
    assert answer.status_code == status
    assert words in answer.text
    assert "secret words" not in answer.text
    assert "{%" not in answer.text


def test_a_broken_page_is_found_in_the_log_by_its_reference(person: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(request_ids.InEachLine())
    client = Client(raise_request_exception=False)
    client.force_login(person)

    answer = client.get("/broken/")
    mark = answer.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{4}-[0-9a-f]{4}", mark)
    assert f'Reference <span class="reference">{mark}</span>' in answer.text
    assert [record for record in caplog.records if record.exc_info and record.request_id.strip() == mark]  # type: ignore[attr-defined]


def test_the_mark_of_a_proxy_is_kept_but_not_what_is_none(client: Client) -> None:
    assert client.get("/login", headers={"X-Request-ID": "from-proxy.1"}).headers["X-Request-ID"] == "from-proxy.1"
    assert "<" not in client.get("/login", headers={"X-Request-ID": "<b>"}).headers["X-Request-ID"]


def test_it_says_when_to_come_back_while_the_database_is_away(person: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(person)

    assert client.get("/without-database/").headers["Retry-After"] == "1"


def test_it_explains_a_form_that_is_too_old(person: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    trigger = make_trigger()

    answer = client.post(f"/dashboard/triggers/{trigger.pk}/delete/")
    assert answer.status_code == 403
    assert "this form was too old" in answer.text
    assert "Nothing was changed" in answer.text
    trigger.refresh_from_db()
    assert trigger.deleted_at is None


def test_it_explains_it_to_strangers_too(person: User) -> None:
    with override_settings(ROOT_URLCONF="dashboard.urls"):
        assert "this form was too old" in Client(enforce_csrf_checks=True).post("/login").text
