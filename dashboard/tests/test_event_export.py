"""The log as a file: the current filter, row by row, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dashboard import exports
from dashboard.models import User
from dashboard.views import events as views
from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_event

EXPORT = reverse("event-export")


def exported(client: Client, query: str = "") -> str:
    answer = client.get(f"{EXPORT}?{query}")
    assert answer.status_code == 200
    assert answer.streaming
    return answer.getvalue().decode()


def rows(client: Client, query: str = "") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported(client, query), newline="")))


def test_a_csv_file_has_a_row_for_every_event_newest_first(signed_in: Client) -> None:
    trigger = make_api_trigger(name="Order paid", payload={"order": "ü, “7”"})
    at = datetime.now(UTC).replace(microsecond=250_000)
    older = make_event(trigger, outcome="logged", triggered_at=at)
    newer = make_event(trigger, outcome="failed", reason="Status 503", is_test=True)
    found = rows(signed_in)
    assert [row["id"] for row in found] == [str(newer.pk), str(older.pk)]
    assert list(found[0]) == list(exports.COLUMNS)
    assert json.loads(found[0]["payload"]) == {"order": "ü, “7”"}
    assert (found[0]["reason"], found[0]["is_test"], found[0]["trigger"]) == ("Status 503", "true", "Order paid")
    assert found[1]["triggered_at"] == at.isoformat().replace("+00:00", "Z")
    assert found[1]["scheduled_for"] == ""


def test_json_lines_have_the_same_columns_with_their_types(signed_in: Client) -> None:
    event = make_event(make_api_trigger(payload={"n": 1}), outcome="logged")
    line = json.loads(exported(signed_in, "format=jsonl"))
    assert list(line) == list(exports.COLUMNS)
    assert (line["id"], line["payload"], line["is_test"], line["scheduled_for"]) == (event.pk, {"n": 1}, False, None)


@pytest.mark.parametrize(
    "query", ["outcome=failed", "q=backup", "q=needle&in=bodies", "trigger={trigger}", "last=1h&outcome=failed"]
)
def test_a_file_holds_what_the_filter_lets_through(signed_in: Client, query: str) -> None:
    backup = make_api_trigger(name="Nightly backup", payload={"hidden": "a needle in it"})
    make_event(make_api_trigger(name="Order paid"), outcome="logged")
    event = make_event(backup, outcome="failed")
    make_event(make_api_trigger(name="Order paid"), outcome="logged")
    assert [row["id"] for row in rows(signed_in, query.format(trigger=backup.pk))] == [str(event.pk)]


def test_the_log_leads_to_the_file_of_its_filter(signed_in: Client) -> None:
    make_event(outcome="failed")
    page = signed_in.get(f"{reverse('event-log')}?outcome=failed&q=a%26b").content.decode()
    links = [link.replace("&amp;", "&") for link in re.findall(rf'href="{EXPORT}\?([^"]+)"', page)]
    assert links == [f"q=a%26b&outcome=failed&format={kind}" for kind in ("csv", "jsonl")]
    assert "Payloads may hold secrets" in page


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", '=HYPERLINK("https://evil.example")']
)
def test_no_cell_of_a_csv_file_is_a_formula(name: str, signed_in: Client) -> None:
    # https://owasp.org/www-community/attacks/CSV_Injection
    trigger = make_api_trigger()
    trigger.name = name
    trigger.save()
    make_event(trigger, outcome="failed", reason=name)
    (row,) = rows(signed_in)
    assert row["trigger"] == row["reason"] == f"'{name}"


def test_json_lines_are_as_they_are(signed_in: Client) -> None:
    make_event(make_api_trigger(name="=1+1"), outcome="logged")
    assert json.loads(exported(signed_in, "format=jsonl"))["trigger"] == "=1+1"


def test_the_file_says_what_it_is(signed_in: Client) -> None:
    make_event(outcome="logged")
    answer = signed_in.get(EXPORT)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="events-\d{8}T\d{6}Z.csv"', answer["Content-Disposition"])
    assert answer["Cache-Control"] == "no-store"
    assert signed_in.get(f"{EXPORT}?format=jsonl")["Content-Type"] == "application/jsonl; charset=utf-8"


def test_no_more_than_48_h_are_exported(signed_in: Client) -> None:
    make_event(outcome="logged", triggered_at=timezone.now() - timedelta(hours=49))
    event = make_event(outcome="logged", triggered_at=timezone.now() - timedelta(hours=47))
    assert [row["id"] for row in rows(signed_in)] == [str(event.pk)]


def test_a_large_file_is_read_part_by_part(
    signed_in: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(views, "EXPORTED_AT_ONCE", 10)
    trigger, now = make_api_trigger(), timezone.now()
    blank: dict[str, Any] = {"source": "api", "outcome": "logged", "triggered_at": now, "due_at": now}
    Event.objects.bulk_create(Event(trigger=trigger, **blank) for _ in range(35))
    with django_assert_max_num_queries(8):  # session, person, four parts and the end of them
        pks = [int(row["id"]) for row in rows(signed_in)]
    assert pks == sorted(pks, reverse=True)
    assert len(set(pks)) == 35


def test_a_viewer_may_export(client: Client, person: User) -> None:
    person.role = "viewer"
    person.save()
    client.force_login(person)
    make_event(outcome="logged")
    assert len(rows(client)) == 1


def test_a_stranger_may_not(client: Client, person: object) -> None:
    assert client.get(EXPORT).status_code == 302
