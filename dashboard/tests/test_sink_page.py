"""The page of the test receiver: its address, what it answers, and what arrived, live and by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard import sinks
from dashboard.models import Sink, SinkRequest, User

PAGE = reverse("sink")
ANSWER = reverse("sink-answer")
HTMX = {"HX-Request": "true"}
GIVEN = {"status": "503", "delay_seconds": "1.5", "retry_after_seconds": "7", "body": '{"ok": false}'}


@pytest.fixture
def sink(person: User) -> Sink:
    return sinks.sink_of(person)


def arrive(sink: Sink, body: bytes = b'{"order": 7}', **fields: Any) -> SinkRequest:
    given: dict[str, Any] = {
        "method": "POST",
        "query": "",
        "headers": [("Content-Type", "application/json")],
        "content_type": "application/json",
        "body": body,
        "remote_address": "127.0.0.1",
    }
    return sinks.keep(sink, sinks.Arrival(**given | fields), 200, timezone.now())


def test_the_first_visit_makes_one(signed_in: Client, person: User) -> None:
    page = signed_in.get(PAGE).text

    assert f"http://127.0.0.1:8000/sink/{person.sink.token}" in page
    assert f"http://testserver/sink/{person.sink.token}</pre>" in page  # the line to try, from where one looks
    assert "Listening" in page
    assert Sink.objects.count() == 1


def test_it_is_in_both_menus(signed_in: Client) -> None:
    page = signed_in.get(PAGE).text

    assert page.count('aria-current="page">') == 2
    assert signed_in.get(reverse("overview")).text.count(f'href="{PAGE}"') == 2


def test_it_shows_what_arrived_newest_first(signed_in: Client, sink: Sink) -> None:
    arrive(sink, method="PUT")
    arrive(sink, b"", method="GET")
    page = signed_in.get(PAGE).text

    assert page.index(">GET<") < page.index(">PUT<")
    assert "2 requests" in page
    assert "12 bytes" in page
    assert "no body" in page


def test_the_part_is_the_same_alone_and_says_nothing_while_it_is(signed_in: Client, sink: Sink) -> None:
    first = arrive(sink)
    page = signed_in.get(PAGE).text
    part = signed_in.get(f"{PAGE}?v=old", headers=HTMX).text

    assert part.strip().splitlines()[0] in page
    assert part.count("<details") == page.count('<details class="arrival"') == 1
    assert signed_in.get(f"{PAGE}?v={first.pk}-1", headers=HTMX).status_code == 204
    arrive(sink)
    assert signed_in.get(f"{PAGE}?v={first.pk}-1", headers=HTMX).text.count("<details") == 2


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_one_request_shows_all_of_it_escaped(signed_in: Client, sink: Sink, headers: dict[str, str]) -> None:
    pairs = [("X-Odd", "<b>"), ("Webhook-Id", "evt_1")]
    arrived = arrive(sink, b'{"a": "<script>"}', headers=pairs, query="a=<i>")
    shown = signed_in.get(reverse("sink-request", args=[arrived.pk]), headers=headers).text

    assert '<span class="json-key">&quot;a&quot;</span>' in shown
    for words in ("&lt;b&gt;", "evt_1", "a=&lt;i&gt;", "200 OK", "from 127.0.0.1", "&lt;script&gt;"):
        assert words in shown
    assert ("<html" in shown) == (not headers)


def test_what_is_not_shown_is_said(signed_in: Client, sink: Sink) -> None:
    for body, words in ((b"\x00\x01", "2 bytes that are no text"), (b"", "no body"), (b"x" * 70_000, "70,000 bytes")):
        arrived = arrive(sink, body, content_type="")
        assert words in signed_in.get(reverse("sink-request", args=[arrived.pk])).text


def test_nobody_sees_what_arrived_at_others(signed_in: Client, django_user_model: type[User]) -> None:
    arrived = arrive(sinks.sink_of(django_user_model.objects.create_user("ola")), method="TRACE")

    assert "TRACE" not in signed_in.get(PAGE).text
    assert signed_in.get(reverse("sink-request", args=[arrived.pk])).status_code == 404
    signed_in.post(reverse("sink-clear"))
    assert SinkRequest.objects.exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_without_its_key_a_request_says_what_to_do(
    signed_in: Client, sink: Sink, settings: LazySettings, headers: dict[str, str]
) -> None:
    arrived = arrive(sink)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    response = signed_in.get(reverse("sink-request", args=[arrived.pk]), headers=headers)

    assert response.status_code == 200
    assert "ENCRYPTION_KEYS" in response.text
    assert signed_in.get(PAGE).status_code == 200


def test_it_saves_what_is_to_be_answered(signed_in: Client, sink: Sink) -> None:
    Sink.objects.update(used_until=5)
    assert "Saved" in signed_in.post(ANSWER, GIVEN, follow=True).text

    sink.refresh_from_db()
    assert (sink.status, sink.delay_seconds, sink.retry_after_seconds) == (503, 1.5, 7)
    assert (sink.body, sink.used_until) == ('{"ok": false}', 5)
    signed_in.post(ANSWER, GIVEN | {"retry_after_seconds": "0", "delay_seconds": "0"})
    sink.refresh_from_db()
    assert (sink.delay_seconds, sink.retry_after_seconds) == (0, 0)
    signed_in.post(ANSWER, GIVEN | {"retry_after_seconds": "", "body": ""})
    sink.refresh_from_db()
    assert (sink.retry_after_seconds, sink.body) == (None, "")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("status", "199", "Use a status from 200 to 599."),
        ("status", "600", "Use a status from 200 to 599."),
        ("status", "", "Use a status from 200 to 599."),
        ("delay_seconds", "-1", "Use 0 to 30 seconds."),
        ("delay_seconds", "30.1", "Use 0 to 30 seconds."),
        ("delay_seconds", "nan", "Use 0 to 30 seconds."),
        ("retry_after_seconds", "86401", "Use 0 to 86400 seconds, or leave it empty."),
        ("retry_after_seconds", "soon", "Use 0 to 86400 seconds, or leave it empty."),
        ("body", "x" * 4097, "Use at most 4096 characters."),
        ("body", "a\x00b", "Null characters are not allowed."),
    ],
)
def test_it_says_what_cannot_be_answered(signed_in: Client, sink: Sink, field: str, value: str, words: str) -> None:
    response = signed_in.post(ANSWER, GIVEN | {field: value})

    assert response.status_code == 422
    assert words in response.text
    assert "Error: Test receiver" in response.text
    sink.refresh_from_db()
    assert sink.status == 200


def test_clear_deletes_what_arrived(signed_in: Client, sink: Sink) -> None:
    arrive(sink)

    assert "Listening" in signed_in.post(reverse("sink-clear"), follow=True).text


def test_a_new_address_is_asked_for_first(signed_in: Client, sink: Sink) -> None:
    arrive(sink)
    move = reverse("sink-move")
    assert "<dialog" in signed_in.get(move, headers=HTMX).text
    assert "gets 404" in signed_in.get(move).text
    assert sinks.sink_of(sink.user).token == sink.token

    page = signed_in.post(move, follow=True).text

    assert sink.token not in page
    assert sinks.sink_of(sink.user).token in page
    assert "1 request" in page


@pytest.mark.parametrize("name", ["sink", "sink-move"])
def test_it_wants_a_session(client: Client, db: None, name: str) -> None:
    assert client.get(reverse(name)).status_code == 302
    assert not Sink.objects.exists()


@pytest.mark.parametrize("count", [0, 5])
def test_the_page_asks_few_queries(
    signed_in: Client, sink: Sink, count: int, django_assert_max_num_queries: Any
) -> None:
    for _ in range(count):
        arrive(sink)
    with django_assert_max_num_queries(11):  # session, person, receiver, what arrived; and the shell's
        signed_in.get(PAGE)
    with django_assert_max_num_queries(4):
        signed_in.get(f"{PAGE}?v=old", headers=HTMX)


def test_old_requests_say_when_they_came(signed_in: Client, sink: Sink) -> None:
    arrived = arrive(sink)
    SinkRequest.objects.filter(pk=arrived.pk).update(at=timezone.now() - timedelta(minutes=17))

    assert "17 min ago" in signed_in.get(PAGE).text
