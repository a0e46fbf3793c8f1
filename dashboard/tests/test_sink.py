"""/sink/<token>: it keeps what arrives and answers as it is told, plainly, and no more than it can bear."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from dashboard import sinks, tasks
from dashboard.models import Sink, SinkRequest, User
from triggers import delivery, firing
from triggers.models import Event
from triggers.tests.factories import make_api_trigger


@pytest.fixture
def sink(person: User) -> Sink:
    return sinks.sink_of(person)


@pytest.fixture
def stranger() -> Client:
    """Anybody, who knows nothing but an address; as strict as a browser about CSRF."""
    return Client(enforce_csrf_checks=True)


def path(sink: Sink) -> str:
    return f"/sink/{sink.token}"


def tell(sink: Sink, **answer: Any) -> Sink:
    Sink.objects.filter(pk=sink.pk).update(**answer)
    sink.refresh_from_db()
    return sink


# --- What arrives --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_it_takes_every_method_of_anybody(stranger: Client, sink: Sink, method: str) -> None:
    response = stranger.generic(method, f"{path(sink)}?a=1&b=%C3%A9", b'{"n": 1}', content_type="application/json")

    assert response.status_code == 200
    kept = SinkRequest.objects.get()
    assert (kept.method, kept.query, kept.body, kept.body_bytes) == (method, "a=1&b=%C3%A9", '{"n": 1}', 8)
    assert (kept.answered, kept.remote_address) == (200, "127.0.0.1")
    assert ["Content-Type", "application/json"] in kept.headers


def test_it_answers_as_a_plain_endpoint(stranger: Client, sink: Sink) -> None:
    response = stranger.post(path(sink), b"x", content_type="text/plain")

    assert response.content == b""
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert not response.cookies
    assert {"Content-Security-Policy", "X-Frame-Options", "Vary", "Set-Cookie"}.isdisjoint(response.headers)
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "tail", ["", "x", "/..", "/../api", "%00", "%0A", "?", "/", "é", "\N{FULLWIDTH LATIN SMALL LETTER A}", "a" * 500]
)
def test_another_address_is_not_found_in_plain_text(stranger: Client, sink: Sink, tail: str) -> None:
    known = "" if tail in ("", "?") else sink.token
    response = stranger.post(f"/sink/{known}{tail}")

    assert response.status_code == 404
    assert response.content == b"There is no test receiver at this address.\n"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert not SinkRequest.objects.exists()


def test_the_old_address_ends_with_the_new_one(stranger: Client, sink: Sink) -> None:
    old = path(sink)
    sinks.move(sink)
    sink.refresh_from_db()

    assert stranger.post(old).status_code == 404
    assert stranger.post(path(sink)).status_code == 200


def test_tokens_are_not_to_be_guessed(person: User, sink: Sink, django_user_model: type[User]) -> None:
    other = sinks.sink_of(django_user_model.objects.create_user("ola"))

    assert len({sink.token, other.token}) == 2
    assert all(len(each.token) == 32 for each in (sink, other))  # 24 bytes: 192 bits
    assert sinks.sink_of(person).token == sink.token


def test_what_is_binary_is_said_and_not_kept(stranger: Client, sink: Sink) -> None:
    stranger.post(path(sink), b"\x89PNG\x00\xff", content_type="image/png")

    kept = SinkRequest.objects.get()
    assert (kept.is_binary, kept.body, kept.body_bytes) == (True, "", 6)


def test_of_a_long_body_the_beginning_is_kept(stranger: Client, sink: Sink) -> None:
    # The limit lies within a character.
    stranger.post(path(sink), b"x" + "é".encode() * 100_000, content_type="text/plain")

    kept = SinkRequest.objects.get()
    assert (kept.is_cut, kept.body_bytes, kept.body) == (True, 200_001, "x" + "é" * 32_767)


@pytest.mark.parametrize("size", [sinks.LARGEST_BODY, sinks.LARGEST_BODY + 1])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_beyond_its_limit_is_refused(stranger: Client, sink: Sink, size: int, is_chunked: bool) -> None:
    body = b"x" * size
    if is_chunked:
        extra: dict[str, Any] = {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
        response = stranger.generic("POST", path(sink), headers={"Transfer-Encoding": "chunked"}, **extra)
    else:
        response = stranger.post(path(sink), body, content_type="text/plain")

    is_taken = size == sinks.LARGEST_BODY
    assert response.status_code == (200 if is_taken else 413)
    assert SinkRequest.objects.count() == is_taken


def test_what_is_too_large_is_not_read_to_its_end(stranger: Client, sink: Sink) -> None:
    endless = BytesIO(b"x" * (sinks.LARGEST_BODY + 100))
    extra: dict[str, Any] = {"wsgi.input": endless}
    response = stranger.generic("POST", path(sink), headers={"Transfer-Encoding": "chunked"}, **extra)

    assert response.status_code == 413
    assert endless.read() == b"x" * 99


def test_a_body_that_breaks_off_is_said(stranger: Client, sink: Sink) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError

    extra: dict[str, Any] = {"wsgi.input": Broken()}
    response = stranger.generic("POST", path(sink), headers={"Transfer-Encoding": "chunked"}, **extra)

    assert (response.status_code, response.content) == (400, b"The body broke off.\n")


def test_no_secret_that_arrives_is_stored_or_logged_in_clear(
    stranger: Client, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Authorization": "Bearer open-sesame"}
    stranger.post(f"{path(sink)}?key=open-sesame", b"open-sesame", content_type="text/plain", headers=headers)

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM dashboard_sinkrequest")
        assert "open-sesame" not in repr(cursor.fetchall())
    assert "open-sesame" not in caplog.text
    assert ["Authorization", "Bearer open-sesame"] in SinkRequest.objects.get().headers


def test_the_newest_are_kept(sink: Sink, django_user_model: type[User]) -> None:
    other = sinks.sink_of(django_user_model.objects.create_user("ola"))
    arrival = sinks.Arrival("POST", "", [], "", b"", "")
    first = sinks.keep(other, arrival, 200, timezone.now())
    pks = [sinks.keep(sink, arrival, 200, timezone.now()).pk for _ in range(sinks.KEPT + 3)]

    assert list(sink.requests.order_by("pk").values_list("pk", flat=True)) == pks[3:]
    assert other.requests.get() == first


def test_they_are_forgotten_with_the_events(sink: Sink, settings: LazySettings) -> None:
    now = timezone.now()
    arrival = sinks.Arrival("POST", "", [], "", b"", "")
    kept = timedelta(hours=settings.EVENT_RETENTION_HOURS)
    sinks.keep(sink, arrival, 200, now - kept - timedelta(minutes=1))
    young = sinks.keep(sink, arrival, 200, now - kept + timedelta(minutes=1))

    tasks.clean_up_sinks()

    assert SinkRequest.objects.get() == young


# --- What it answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"), [('{"ok": true}', "application/json"), ("<b>ok</b>", "text/plain; charset=utf-8")]
)
def test_it_answers_as_it_is_told(stranger: Client, sink: Sink, body: str, content_type: str) -> None:
    tell(sink, status=503, retry_after_seconds=7, body=body)
    response = stranger.post(path(sink))

    assert (response.status_code, response["Retry-After"], response.text) == (503, "7", body)
    assert response["Content-Type"] == content_type
    assert SinkRequest.objects.get().answered == 503


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 204), ("POST", 304), ("GET", 205)])
def test_where_no_body_may_be_there_is_none(stranger: Client, sink: Sink, method: str, status: int) -> None:
    response = stranger.generic(method, path(tell(sink, status=status, body="hello")))

    assert (response.status_code, response.content) == (status, b"")


def test_it_waits_before_it_answers_and_shows_the_request_meanwhile(stranger: Client, sink: Sink) -> None:
    tell(sink, delay_seconds=0.2)
    began = time.monotonic()

    assert stranger.post(path(sink)).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_those_that_wait_never_hold_more_than_their_part_of_the_server(stranger: Client, sink: Sink) -> None:
    tell(sink, delay_seconds=0.01)
    with ExitStack() as others:
        waiting = [others.enter_context(sinks.room_to_wait(1)) for _ in range(sinks.MOST_DELAYED + 1)]
        response = stranger.post(path(sink))

        assert waiting == [True] * sinks.MOST_DELAYED + [False]
        assert (response.status_code, response["Retry-After"]) == (503, "2")
        assert SinkRequest.objects.get().answered == 503
        # What is answered at once needs none of it.
        assert stranger.post(path(tell(sink, delay_seconds=0))).status_code == 200
    assert stranger.post(path(tell(sink, delay_seconds=0.01))).status_code == 200


# --- How many ------------------------------------------------------------------------------------------


def turns(sink: Sink, now: float, count: int) -> int:
    return sum(sinks.take_turn(sink, now) for _ in range(count))


def test_its_rate_is_limited(sink: Sink) -> None:
    now = 1_800_000_000.0

    assert turns(sink, now, 60) == sinks.AT_ONCE
    assert turns(sink, now + 0.1, 60) == 0.1 * sinks.PER_SECOND
    assert turns(sink, now + 10, 60) == sinks.AT_ONCE


def test_a_clock_that_was_set_back_does_not_close_it(sink: Sink) -> None:
    now = 1_800_000_000.0
    turns(sink, now, 60)

    assert turns(sink, now - 3600, 60) >= 1
    assert turns(sink, now - 3600 + 10, 60) == sinks.AT_ONCE


def test_too_many_are_told_to_wait_and_not_kept(stranger: Client, sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    tell(sink, used_until=time.time() + 50)
    response = stranger.post(path(sink))

    assert (response.status_code, response["Retry-After"]) == (429, "1")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert not SinkRequest.objects.exists()
    assert sink.token not in caplog.text


def test_one_at_its_limit_does_not_touch_another(stranger: Client, sink: Sink, django_user_model: type[User]) -> None:
    tell(sink, used_until=time.time() + 50)

    assert stranger.post(path(sinks.sink_of(django_user_model.objects.create_user("ola")))).status_code == 200


def test_it_takes_a_request_with_four_queries(stranger: Client, sink: Sink, django_assert_num_queries: Any) -> None:
    # Its row, its turn, the request, what is too many; and the savepoint of the test around the latter two.
    with django_assert_num_queries(6):
        stranger.post(path(sink), b"{}", content_type="application/json")


# --- The road ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_trigger_delivers_to_it_although_no_network_is_allowed(
    live_server: LiveServer, person: User, settings: LazySettings
) -> None:
    settings.DELIVERY_ALLOWED_NETWORKS = []
    settings.OWN_SINKS = [f"http://127.0.0.1:{live_server.url.rpartition(':')[2]}/sink/"]
    address = sinks.sink_url_of(person)
    seen = firing.fire(make_api_trigger(api_endpoint=address, payload={"order": 7}), timezone.now()).event
    blocked = firing.fire(make_api_trigger(api_endpoint=f"{address}/../../setup"), timezone.now()).event

    delivery.deliver([seen.pk, blocked.pk])

    for event in (seen, blocked):
        event.refresh_from_db()
    assert (seen.outcome, blocked.outcome) == (Event.Outcome.SUCCEEDED, Event.Outcome.FAILED)
    assert "this machine itself" in blocked.attempts.get().error
    assert SinkRequest.objects.get().body.replace(" ", "") == '{"order":7}'
