"""What the log asks for every two seconds: rows that are new, rows that got further, or only a number."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.views.events import MOST_NEW
from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_event

LOG = reverse("event-log")
HTMX = {"HX-Request": "true"}
A_WHILE_AGO = timedelta(minutes=10, seconds=30)  # so that no minute passes during a test


def ask(client: Client, **question: object) -> HttpResponse:
    return client.get(LOG, {"waiting": 0, "unfinished": "", **question}, headers=HTMX)  # type: ignore[arg-type,return-value]


def rows(response: HttpResponse) -> list[str]:
    return re.findall(r"<tr id=.*?</tr>", response.content.decode(), re.DOTALL)


def old_event(**fields: Any) -> Event:
    return make_event(triggered_at=timezone.now() - A_WHILE_AGO, **fields)


def test_the_region_alone_is_what_the_page_shows(signed_in: Client) -> None:
    old_event(outcome="logged")
    page = signed_in.get(f"{LOG}?outcome=logged").content.decode()
    response = signed_in.get(f"{LOG}?outcome=logged", headers=HTMX)
    region, update, _ = response.content.decode().partition('<details class="menu" id="log-export"')
    assert region.strip() in page
    assert update, "The menu of files follows the filter."
    assert "HX-Request" in response["Vary"]


def test_a_changed_filter_goes_into_the_address_in_its_shortest_form(signed_in: Client) -> None:
    response = signed_in.get(f"{LOG}?state=&q=&tests=hide&tests=show&outcome=failed", headers=HTMX)
    assert response["HX-Push-Url"] == f"{LOG}?outcome=failed"


def test_a_page_restored_from_history_is_whole(signed_in: Client) -> None:
    response = signed_in.get(LOG, headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert b"<html" in response.content


def test_nothing_new_is_no_content(signed_in: Client) -> None:
    event = old_event(outcome="logged")
    assert ask(signed_in, since=event.pk).status_code == 204
    assert ask(signed_in, since=event.pk, only="count").status_code == 204


def test_new_rows_are_those_of_the_page(signed_in: Client) -> None:
    first = old_event(outcome="logged")
    second = old_event(outcome="failed")
    response = ask(signed_in, since=first.pk)
    assert 'hx-swap-oob="afterbegin:#log-rows"' in response.content.decode()
    (row,) = rows(response)
    assert f'id="event-{second.pk}"' in row
    assert row in signed_in.get(LOG).content.decode()


def test_new_rows_obey_the_filter(signed_in: Client) -> None:
    first = old_event(outcome="logged", source="test")
    old_event(outcome="logged", source="api")
    assert ask(signed_in, since=first.pk, source="test").status_code == 204


def test_only_the_number_is_told_while_the_reader_is_busy(signed_in: Client) -> None:
    first = old_event(outcome="logged")
    for _ in range(3):
        old_event(outcome="logged")
    response = ask(signed_in, since=first.pk, only="count")
    assert rows(response) == []
    assert "3 new events" in response.content.decode()
    assert ask(signed_in, since=first.pk, only="count", waiting=3).status_code == 204


def test_the_bar_counts_to_99(signed_in: Client) -> None:
    trigger = make_api_trigger()
    now = timezone.now()
    Event.objects.bulk_create(
        [Event(trigger=trigger, source="api", outcome="logged", triggered_at=now, due_at=now) for _ in range(120)]
    )
    assert "99+ new events" in ask(signed_in, since=1, only="count").content.decode()


def test_an_unfinished_row_is_replaced_in_its_place_once_it_gets_further(signed_in: Client) -> None:
    event = old_event(outcome="pending")
    question = {"since": event.pk, "unfinished": f"{event.pk}.pending-0"}
    assert ask(signed_in, **question).status_code == 204
    Event.objects.filter(pk=event.pk).update(outcome="failed", attempt_count=1, finished_at=timezone.now())
    for only in ("", "count"):
        (row,) = rows(ask(signed_in, only=only, **question))
        assert 'hx-swap-oob="true"' in row
        assert row.replace(' hx-swap-oob="true"', "") in signed_in.get(LOG).content.decode()


def test_an_empty_log_that_gets_its_first_event_is_read_anew(signed_in: Client) -> None:
    assert ask(signed_in, since=0).status_code == 204
    old_event(outcome="logged")
    response = ask(signed_in, since=0)
    assert response["HX-Retarget"] == "#log"
    assert response["HX-Reswap"] == "outerHTML"


def test_more_than_the_page_holds_is_read_anew_and_said(signed_in: Client) -> None:
    first = old_event(outcome="logged")
    now = timezone.now()
    Event.objects.bulk_create(
        [
            Event(trigger=first.trigger, source="api", outcome="logged", triggered_at=now, due_at=now)
            for _ in range(MOST_NEW + 1)
        ]
    )
    response = ask(signed_in, since=first.pk)
    assert response["HX-Retarget"] == "#log"
    assert "Very many new events" in response.content.decode()


def test_an_older_event_that_comes_to_match_is_not_missed(signed_in: Client) -> None:
    late = old_event(outcome="pending")
    newest = old_event(outcome="failed")
    question = {"since": newest.pk, "shown": f"{newest.pk}", "outcome": "failed"}
    assert ask(signed_in, **question).status_code == 204
    Event.objects.filter(pk=late.pk).update(outcome="failed", finished_at=timezone.now())
    assert "1 new event<" in ask(signed_in, only="count", **question).content.decode()
    # Its place is between or below the rows of the page, so the region is read anew.
    assert ask(signed_in, **question)["HX-Retarget"] == "#log"


def test_a_question_that_makes_no_sense_is_answered_all_the_same(signed_in: Client) -> None:
    old_event(outcome="logged")
    question = {"since": "x", "unfinished": "a.b,.,7,99999999999999999999.x", "shown": "1,x,-3", "waiting": "many"}
    assert ask(signed_in, **question).status_code == 200


def test_without_a_session_the_page_is_told_and_never_shown_the_sign_in_page(client: Client, person: object) -> None:
    response = ask(client, since=1)
    assert response.status_code == 401
    assert "session-ended" in response["HX-Trigger"]
    assert b"<" not in response.content
