"""Changes of a trigger: the card on its page, the page of all of them, and the same by API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import histories
from dashboard.models import ApiKey, User
from triggers import claims, definition
from triggers.models import Author, Change, Trigger
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = pytest.mark.django_db

NOW = timezone.now()
MARA = Author("user", 7, "Mara Lindqvist")


def page_of(trigger: Trigger, verb: str = "") -> str:
    return f"/dashboard/triggers/{trigger.pk}/{verb}"


def newest(trigger: Trigger, now: datetime = NOW) -> histories.Shown:
    return histories.of(trigger, now, 1).changes[0]


# --- In words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sentence", "line"),
    [
        ({"retry_delays": [30, 120]}, "the retries", "6, after 5 s, 30 s, 2 min, 10 min, 30 min and 1 h|2, after 30 s"),
        ({"retry_delays": []}, "the retries", "6, after 5 s, 30 s, 2 min, 10 min, 30 min and 1 h|None"),
        ({"schedule_value": "900"}, "the schedule", "Every 1 min|Every 15 min"),
        (
            {"schedule_type": "cron", "schedule_value": "30 2 * * *"},
            "the schedule",
            "Every 1 min|Every day at 02:30 (3",
        ),
        ({"api_endpoint": "https://a.example/x"}, "the endpoint", "none|https://a.example/x"),
        ({"payload": {"a": 1}}, "the payload", '{"greeting": "hello"}|{"a": 1}'),
        ({"timeout_seconds": 5}, "the timeout", "the server’s|5 s"),
        ({"max_fires": 5}, "the number of fires", "no limit|5"),
        ({"missed_policy": "skip"}, "what happens to missed fires", "Fire once when back|Skip them"),
        ({"verify_tls": False}, "whether the certificate is checked", "yes|no"),
        ({"success_statuses": "200"}, "what counts as success", "Status |Status 200"),
        ({"not_after": "2096-01-02T03:04"}, "the last fire", "no bound|Mon 2 Jan 2096, 03:04"),
        ({"switch_off_after": 3}, "after how many failures it switches off", "never|3"),
    ],
)
def test_it_says_who_changed_what_from_what_to_what(fields: dict[str, Any], sentence: str, line: str) -> None:
    trigger = make_trigger(now=NOW)
    definition.change(trigger.pk, fields, NOW, MARA)

    shown = newest(trigger)

    assert shown.sentence == f"Mara Lindqvist changed {sentence}"
    (found,) = shown.lines
    assert found.label == ""
    old, new = line.split("|")
    assert found.old.startswith(old)
    assert found.new.startswith(new)


def test_several_fields_are_counted_and_named_below() -> None:
    trigger = make_trigger(now=NOW)
    definition.change(trigger.pk, {"name": "B", "timeout_seconds": 5}, NOW, Author("api_key", 3, "terraform"))
    assert newest(trigger).sentence == "API key “terraform” changed the name and the timeout"

    definition.change(trigger.pk, {"name": "C", "timeout_seconds": 6, "is_test": True}, NOW)
    shown = newest(trigger)
    assert shown.sentence == "The server changed 3 settings"
    assert [line.label for line in shown.lines] == ["The name", "Whether its events are tests", "The timeout"]


def test_secrets_are_only_said_to_have_changed() -> None:
    trigger = make_trigger(now=NOW, headers=[["T", "one", True]])
    definition.change(trigger.pk, {"headers": [["T", "two", True], ["U", "red", False]]}, NOW, MARA)
    said = [(line.label, line.words, line.old, line.new) for line in newest(trigger).lines]
    assert said == [("T", "changed", "", ""), ("U", "", "none", "red")]


def test_of_what_is_large_it_says_the_sizes() -> None:
    trigger = make_trigger(now=NOW)
    definition.change(trigger.pk, {"payload": {"a": "x" * 9000}}, NOW, MARA)
    assert newest(trigger).lines[0].words == "from 21 to 9,009 bytes, too large to keep"


def test_it_says_how_long_it_had_been_off_and_since_when_it_is() -> None:
    trigger = make_trigger(now=NOW - timedelta(days=2))
    definition.switch(trigger.pk, on=False, now=NOW - timedelta(hours=24), by=MARA)
    definition.switch(trigger.pk, on=True, now=NOW - timedelta(minutes=50), by=MARA)
    assert newest(trigger).note == "it had been off for 23 h"  # though the page holds one change alone
    assert histories.of(trigger, NOW, 20).off_since is None

    off = definition.switch(trigger.pk, on=False, now=NOW, by=MARA)
    definition.change(trigger.pk, {"name": "B"}, NOW, MARA)
    assert histories.of(off, NOW, 1).off_since == NOW


def test_it_says_why_the_server_switched_it_off() -> None:
    trigger = make_api_trigger(now=NOW)
    claims.note_switched_off([(trigger.pk, "It was to fire once, and has.")], NOW)
    shown = newest(trigger)
    assert (shown.sentence, shown.note) == ("The server switched it off", "It was to fire once, and has.")


# --- The pages -------------------------------------------------------------------------------------------


def test_its_page_shows_the_changes_of_the_person_who_made_them(signed_in: Client, person: User) -> None:
    person.first_name = "Mara Lindqvist"
    person.save()
    trigger = make_api_trigger()
    signed_in.post(page_of(trigger, "switch/"), {"on": "0"})
    signed_in.post(page_of(trigger, "replace-secret/"))

    page = signed_in.get(page_of(trigger)).text

    for words in ("switched it off", "replaced the signing secret"):
        assert f"<strong>Mara Lindqvist {words}</strong>" in page
    assert "<strong>The server created this trigger</strong>" in page
    assert "last 90 days" in page
    assert Change.objects.filter(by_kind="user", by_id=person.pk).count() == 2


def test_more_than_twenty_are_on_a_page_of_their_own(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.views.triggers.CHANGES_PER_PAGE", 15)
    trigger = make_api_trigger()
    for number in range(25):
        definition.change(trigger.pk, {"name": f"No {number}"}, NOW, MARA)

    page = signed_in.get(page_of(trigger)).text
    assert page.count("changed the name") == 20
    assert f'href="{page_of(trigger, "changes/")}"' in page

    first = signed_in.get(page_of(trigger, "changes/"))
    assert first.text.count("changed the name") == 15
    older = first.context["history"].older
    second = signed_in.get(page_of(trigger, f"changes/?before={older}")).text
    assert second.count("changed the name") == 10
    assert "created this trigger" in second
    for odd in ("x", "-1", "9" * 30):
        assert signed_in.get(page_of(trigger, f"changes/?before={odd}")).status_code == 200


def test_the_card_costs_the_same_however_many_changes_there_are(signed_in: Client) -> None:
    trigger = make_trigger()

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            signed_in.get(page_of(trigger))
        return len(found)

    queries()
    few = queries()
    for number in range(40):
        definition.change(trigger.pk, {"name": f"No {number}"}, NOW, MARA)
    assert queries() == few


# --- By API ------------------------------------------------------------------------------------------------


def test_the_api_lists_them_newest_first_with_the_key_that_made_them(program: Client) -> None:
    trigger = make_api_trigger()
    program.put(f"/triggers/{trigger.pk}", {"timeout_seconds": 5}, content_type="application/json")
    program.post(f"/triggers/{trigger.pk}/signing_secret")
    program.delete(f"/triggers/{trigger.pk}")

    answer = program.get(f"/triggers/{trigger.pk}/changes?limit=3").json()

    assert [each["kind"] for each in answer["changes"]] == ["deleted", "secret_replaced", "changed"]
    changed = answer["changes"][2]
    assert changed["by"] == {"kind": "api_key", "id": ApiKey.objects.get().pk, "name": "tests"}
    assert changed["fields"] == [
        {"field": "timeout_seconds", "name": None, "old": None, "new": 5, "old_bytes": None, "new_bytes": None}
    ]
    rest = program.get(f"/triggers/{trigger.pk}/changes?cursor={answer['next']}").json()
    assert [each["kind"] for each in rest["changes"]] == ["created"]
    assert (rest["next"], rest["changes"][0]["by"]["kind"]) == (None, "server")


def test_the_api_knows_no_changes_of_what_never_was(program: Client) -> None:
    assert program.get("/triggers/4711/changes").status_code == 404
    assert program.get(f"/triggers/{make_api_trigger().pk}/changes?cursor=x").status_code == 422


def test_a_limited_key_sees_only_those_of_its_triggers() -> None:
    mine, other = make_api_trigger(), make_api_trigger()
    clear = ApiKey.create("limited", triggers=[mine])[1]
    program = Client(headers={"Authorization": f"Bearer {clear}"})
    assert program.get(f"/triggers/{mine.pk}/changes").status_code == 200
    assert program.get(f"/triggers/{other.pk}/changes").status_code == 404
