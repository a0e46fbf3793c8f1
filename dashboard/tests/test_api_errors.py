"""What the API refuses: each with its status, in one form, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from triggers.models import Event, Trigger
from triggers.tests.factories import make_trigger

JSON = "application/json"
KIB = 1024
API, SCHEDULED, ONE, FIRE = "/api/triggers", "/scheduled/triggers", "/triggers/{id}", "/triggers/{id}/fire"


def everything() -> list[Any]:
    return [list(Trigger.with_deleted.order_by("pk").values()), list(Event.objects.values())]


def refused(response: Any, status: int, *fields: str) -> None:
    """Assert the one form of a refusal."""
    body = response.json()
    assert (response.status_code, response["Content-Type"]) == (status, JSON)
    assert set(body) == {"error", "message"}
    assert set(body["error"]) == {"code", "message", "fields"}
    assert body["error"]["message"] == body["message"] != ""
    assert tuple(body["error"]["fields"]) == fields
    assert all(words and all(isinstance(word, str) for word in words) for words in body["error"]["fields"].values())


def new(**fields: Any) -> dict[str, Any]:
    return {"schedule_type": "fixed_interval", "schedule_value": "60"} | fields


BODIES: list[tuple[str, str, object, int, tuple[str, ...]]] = [
    # Not JSON.
    ("post", API, b"", 400, ()),
    ("post", API, b"{", 400, ()),
    ("post", API, b"{'a': 1}", 400, ()),
    ("post", API, b"\xff\xfe", 400, ()),
    ("post", API, b'{"payload": {"a": NaN}}', 400, ()),
    ("post", API, b'{"payload": {"a": -Infinity}}', 400, ()),
    ("put", ONE, b"nope", 400, ()),
    ("post", FIRE, b"{]", 400, ()),
    ("post", FIRE, b" ", 400, ()),
    # JSON, but no object.
    ("post", API, b"null", 422, ("body",)),
    ("post", SCHEDULED, b"[]", 422, ("body",)),
    ("put", ONE, b'"text"', 422, ("body",)),
    ("post", FIRE, b"null", 422, ("body",)),
    ("post", FIRE, b"[1]", 422, ("body",)),
    # JSON that not everyone can store or read.
    ("post", FIRE, b'{"a": 1e999}', 422, ("body",)),
    ("post", FIRE, b'{"a": 9223372036854775808}', 422, ("body",)),
    ("post", FIRE, b'{"a": ' + b"9" * 5000 + b"}", 422, ("body",)),
    ("post", FIRE, b'{"a": "\\u0000"}', 422, ("body",)),
    ("post", FIRE, b'{"\\ud800": 1}', 422, ("body",)),
    ("post", FIRE, b'{"a": 1, "a": 2}', 422, ("body",)),
    ("post", FIRE, b'{"a":' * 65 + b"1" + b"}" * 65, 422, ("body",)),
    ("post", FIRE, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422, ("body",)),
    ("post", API, b'{"api_endpoint": "", "name": "\\u0000"}', 422, ("body",)),
    ("post", API, b'{"api_endpoint": "", "payload": ' + b'{"a":' * 65 + b"1" + b"}" * 66, 422, ("body",)),
    # Left out, unknown, read-only.
    ("post", API, {}, 422, ("api_endpoint",)),
    ("post", SCHEDULED, {}, 422, ("schedule_type", "schedule_value")),
    ("post", API, {"api_endpoint": "", "schedule_type": "fixed_time"}, 422, ("schedule_type",)),
    ("post", SCHEDULED, new(colour="red"), 422, ("colour",)),
    ("put", ONE, {"id": 5}, 422, ("id",)),
    ("put", ONE, {"created_at": "2026-01-01T00:00:00Z", "next_fire_at": None}, 422, ("created_at", "next_fire_at")),
    # The wrong type.
    ("post", SCHEDULED, new(schedule_value=60), 422, ("schedule_value",)),
    ("post", SCHEDULED, new(schedule_value=None), 422, ("schedule_value",)),
    ("post", SCHEDULED, new(is_recurring=1), 422, ("is_recurring",)),
    ("post", SCHEDULED, new(is_test=0), 422, ("is_test",)),
    ("post", SCHEDULED, new(enabled="true"), 422, ("enabled",)),
    ("post", SCHEDULED, new(payload=[]), 422, ("payload",)),
    ("post", SCHEDULED, new(payload="{}"), 422, ("payload",)),
    ("post", SCHEDULED, new(name=7), 422, ("name",)),
    ("post", API, {"api_endpoint": None}, 422, ("api_endpoint",)),
    ("put", ONE, {"enabled": None, "is_test": "no"}, 422, ("is_test", "enabled")),
    # A value that is against a rule.
    ("post", SCHEDULED, new(schedule_type="hourly"), 422, ("schedule_type",)),
    ("post", SCHEDULED, new(schedule_value="0"), 422, ("schedule_value",)),
    ("post", SCHEDULED, new(schedule_value="1.5"), 422, ("schedule_value",)),
    ("post", SCHEDULED, new(schedule_value="31622401"), 422, ("schedule_value",)),
    ("post", SCHEDULED, new(schedule_type="fixed_time", schedule_value="24:00"), 422, ("schedule_value",)),
    ("post", SCHEDULED, new(schedule_type="fixed_time", schedule_value="9:30"), 422, ("schedule_value",)),
    ("post", SCHEDULED, new(time_zone="Mars/Base"), 422, ("time_zone",)),
    ("post", SCHEDULED, new(api_endpoint="ftp://example.org"), 422, ("api_endpoint",)),
    ("post", API, {"api_endpoint": "no address"}, 422, ("api_endpoint",)),
    ("post", SCHEDULED, new(name="x" * 121), 422, ("name",)),
    ("put", ONE, {"type": "webhook"}, 422, ("type",)),
    ("put", ONE, {"schedule_value": "soon", "time_zone": "Mars/Base"}, 422, ("schedule_value", "time_zone")),
    # Too large.
    ("post", API, b'{"a": "' + b"x" * 256 * KIB + b'"}', 413, ()),
    ("put", ONE, b" " * (256 * KIB + 1), 413, ()),
    ("post", FIRE, b"\x00" * 5_000_000, 413, ()),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "body", "status", "fields"), BODIES)
def test_it_refuses_the_body(
    program: Client, method: str, path: str, body: object, status: int, fields: tuple[str, ...]
) -> None:
    path = path.format(id=make_trigger().pk)
    stored = everything()

    response = getattr(program, method)(path, body, content_type=JSON)

    refused(response, status, *fields)
    assert everything() == stored


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize(("method", "path"), [("post", API), ("put", ONE), ("post", FIRE)])
def test_it_refuses_a_body_that_is_not_said_to_be_json(
    program: Client, method: str, path: str, content_type: str
) -> None:
    path = path.format(id=make_trigger().pk)
    stored = everything()

    refused(getattr(program, method)(path, b'{"enabled": false}', content_type=content_type), 415)
    assert everything() == stored


@pytest.mark.django_db
@pytest.mark.parametrize("pk", [0, 7_000_000, 2**63, 10**30, "9" * 5000])
def test_it_knows_no_such_id(program: Client, pk: object) -> None:
    for method, path in [
        ("get", "/triggers/{id}"),
        ("delete", "/triggers/{id}"),
        ("post", "/triggers/{id}/test"),
        ("post", "/triggers/{id}/fire"),
        ("get", "/event_logs/{id}"),
    ]:
        refused(program.generic(method.upper(), path.format(id=pk)), 404)
    refused(program.put(f"/triggers/{pk}", {"enabled": True}, content_type=JSON), 404)


@pytest.mark.parametrize(
    "path",
    [
        "/triggers/",
        "/triggers/x",
        "/triggers/-1",
        "/triggers/%0A1",
        "/triggers/1/fire/",
        "/api/",
        "/event_logs/1/2",
        "/scheduled",
    ],
)
def test_it_answers_an_unknown_address_in_json(client: Client, path: str) -> None:
    refused(client.get(path), 404)
    refused(client.post(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("get", API, "OPTIONS, POST"),
        ("delete", "/triggers", "GET, HEAD, OPTIONS"),
        ("patch", "/triggers/1", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("get", "/triggers/1/fire", "OPTIONS, POST"),
        ("post", "/event_logs", "GET, HEAD, OPTIONS"),
        ("post", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_it_says_which_methods_there_are(client: Client, method: str, path: str, allowed: str) -> None:
    response = getattr(client, method)(path)
    refused(response, 405)
    assert response["Allow"] == allowed

    options = client.options(path)
    assert (options.status_code, options["Allow"], options.content) == (204, allowed, b"")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "field"),
    [
        *((f"/triggers?limit={limit}", "limit") for limit in ("0", "1001", "-1", "x", "", "1.0", "%2B1", "1_0", "٣")),
        *((f"/event_logs?cursor={cursor}", "cursor") for cursor in ("-1", "x", "9" * 19, "9" * 5000, "%00")),
        ("/event_logs?trigger_id=x", "trigger_id"),
        ("/event_logs?outcome=fine", "outcome"),
        ("/event_logs?state=gone", "state"),
    ],
)
def test_it_refuses_a_query(program: Client, path: str, field: str) -> None:
    refused(program.get(path), 422, field)


@pytest.mark.django_db
def test_head_is_get_without_the_body(program: Client) -> None:
    head, get = program.head("/triggers"), program.get("/triggers")

    assert (head.status_code, head.content, head["Content-Length"]) == (200, b"", str(len(get.content)))


@contextmanager
def database_held_by_another() -> Iterator[None]:
    """Hold what a writer needs, from a second connection, and let the first wait for a moment only."""
    is_sqlite = connection.vendor == "sqlite"
    other = connection.copy()
    with connection.cursor() as mine, other.cursor() as theirs:
        mine.execute("PRAGMA busy_timeout = 50" if is_sqlite else "SET lock_timeout = '50ms'")
        theirs.execute("BEGIN IMMEDIATE" if is_sqlite else "BEGIN; LOCK TABLE triggers_event IN EXCLUSIVE MODE")
        yield
        theirs.execute("ROLLBACK")
    other.close()
    connection.close()  # its patience is back to normal with the next


@pytest.mark.django_db(transaction=True)
def test_it_asks_for_patience_while_the_database_does_not_answer(program: Client) -> None:
    path = f"/triggers/{make_trigger().pk}/fire"
    program.get("/triggers")

    with database_held_by_another():
        response = program.generic("POST", path)

    refused(response, 503)
    assert response["Retry-After"] == "1"
    assert program.generic("POST", path).status_code == 202
