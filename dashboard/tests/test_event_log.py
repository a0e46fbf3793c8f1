"""The log of events as a page: rows, filters, older and newer; all of it without JavaScript."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dashboard.views.events import PER_PAGE
from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_event

LOG = reverse("event-log")
LONG_AGO = timedelta(hours=5)  # archived


def shown(client: Client, query: str = "") -> list[int]:
    """The ids of the rows, in the order of the page."""
    page = client.get(f"{LOG}{query}")
    assert page.status_code == 200
    return [int(pk) for pk in re.findall(r'data-id="(\d+)"', page.content.decode())]


def test_it_shows_the_newest_event_first(signed_in: Client) -> None:
    events = [make_event(outcome="logged") for _ in range(3)]
    assert shown(signed_in) == [event.pk for event in reversed(events)]


def test_it_says_that_it_listens_while_there_is_no_event(signed_in: Client) -> None:
    assert "Listening" in signed_in.get(LOG).content.decode()


def test_it_draws_one_line_where_the_archived_events_begin(signed_in: Client) -> None:
    trigger = make_api_trigger()
    _, archived = (make_event(trigger, outcome="logged", triggered_at=timezone.now() - LONG_AGO) for _ in range(2))
    active = make_event(trigger, outcome="logged")
    page = signed_in.get(LOG).content.decode()
    assert page.count("log-line") == 1
    assert page.count("is-archived") == 2
    places = [page.index(part) for part in (f'data-id="{active.pk}"', "log-line", f'data-id="{archived.pk}"')]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["test", "skipped", "failed", "logged", "archived"]),
        ("?state=active", ["test", "skipped", "failed", "logged"]),
        ("?state=archived", ["archived"]),
        ("?outcome=failed", ["failed"]),
        ("?outcome=failed&outcome=skipped", ["skipped", "failed"]),
        ("?source=test", ["test"]),
        ("?source=test&source=schedule", ["test", "skipped"]),
        ("?tests=hide", ["skipped", "failed", "logged", "archived"]),
        ("?tests=hide&tests=show", ["test", "skipped", "failed", "logged", "archived"]),
        ("?q=BACKUP", ["failed"]),
        ("?q=no+such+name", []),
        ("?trigger={backup}", ["failed"]),
        ("?q={skipped}", ["skipped"]),
        ("?trigger={backup}&outcome=logged", []),
        ("?last=2h", ["test", "skipped", "failed", "logged"]),
        ("?last=24h&outcome=logged&tests=hide", ["logged", "archived"]),
        ("?until={long_ago}", ["archived"]),
        ("?from={long_ago}&until={lately}", []),
        ("?from={lately}", ["test", "skipped", "failed", "logged"]),
        # What cannot be read narrows nothing.
        ("?last=7h&from=yesterday&until=2026-02-30T10:00", ["test", "skipped", "failed", "logged", "archived"]),
        (
            "?state=old&outcome=lost&source=x&trigger=1.5&tests=maybe",
            ["test", "skipped", "failed", "logged", "archived"],
        ),
        (
            "?trigger=99999999999999999999&q=%00&older=x&newer=99999999999999999999999",
            ["test", "skipped", "failed", "logged", "archived"],
        ),
        ("?q=99999999999999999999999", []),
    ],
)
def test_it_narrows_by_its_url(signed_in: Client, query: str, expected: list[str]) -> None:
    backup, other = make_api_trigger(name="Nightly backup"), make_api_trigger(name="Order paid")
    pks = {
        "archived": make_event(other, outcome="logged", triggered_at=timezone.now() - LONG_AGO).pk,
        "logged": make_event(other, outcome="logged").pk,
        "failed": make_event(backup, outcome="failed").pk,
        "skipped": make_event(other, outcome="skipped", source="schedule").pk,
        "test": make_event(other, outcome="logged", source="test", is_test=True).pk,
    }
    times = {
        "long_ago": timezone.now() - LONG_AGO + timedelta(minutes=2),
        "lately": timezone.now() - timedelta(hours=1),
    }
    said = {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in times.items()}
    url = query.format(backup=backup.pk, **pks, **said)
    assert shown(signed_in, url) == [pks[name] for name in expected]


def test_it_finds_events_of_a_deleted_trigger_by_its_name(signed_in: Client) -> None:
    trigger = make_api_trigger(name="Gone")
    event = make_event(trigger, outcome="logged")
    trigger.deleted_at = timezone.now()
    trigger.save()
    assert shown(signed_in, "?q=gone") == [event.pk]


def test_it_says_by_what_it_is_filtered_when_nothing_matches(signed_in: Client) -> None:
    page = signed_in.get(f"{LOG}?q=<b>nothing&outcome=failed").content.decode()
    assert "No event matches" in page
    assert "“&lt;b&gt;nothing”, outcome" in page


def test_older_and_newer_keep_the_filter_and_meet_without_gap_or_double(signed_in: Client) -> None:
    trigger = make_api_trigger()
    Event.objects.bulk_create(
        [
            Event(trigger=trigger, source="api", outcome="logged", triggered_at=timezone.now(), due_at=timezone.now())
            for _ in range(2 * PER_PAGE + 7)
        ]
    )
    make_event(trigger, outcome="failed")
    query, pages = "?outcome=logged", []
    while True:
        page = signed_in.get(f"{LOG}{query}").content.decode()
        pages.append([int(pk) for pk in re.findall(r'data-id="(\d+)"', page)])
        older = re.search(r'rel="next"\s+href="[^"?]*([^"]+)"', page)
        if not older:
            break
        query = older[1].replace("&amp;", "&")
        assert "outcome=logged" in query
    ids = [pk for page_of_ids in pages for pk in page_of_ids]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == len(set(ids)) == 2 * PER_PAGE + 7
    newer = re.search(r'rel="prev"\s+href="[^"?]*([^"]+)"', page)
    assert newer
    assert shown(signed_in, newer[1].replace("&amp;", "&")) == pages[1]


def test_newer_than_the_second_page_is_the_whole_first_page(signed_in: Client) -> None:
    events = [make_event(outcome="logged") for _ in range(3)]
    assert shown(signed_in, f"?newer={events[1].pk}") == [event.pk for event in reversed(events)]


def test_a_cursor_that_expired_shows_the_oldest_page_that_is_left(signed_in: Client) -> None:
    event = make_event(outcome="logged")
    page = signed_in.get(f"{LOG}?older={event.pk}").content.decode()
    assert "has expired" in page
    assert f'data-id="{event.pk}"' in page


def test_an_older_page_does_not_ask_for_news(signed_in: Client) -> None:
    events = [make_event(outcome="logged") for _ in range(2)]
    assert "log-live" in signed_in.get(LOG).content.decode()
    assert "log-live" not in signed_in.get(f"{LOG}?older={events[1].pk}").content.decode()


def test_names_are_text_and_never_markup(signed_in: Client) -> None:
    make_event(make_api_trigger(name="<script>alert(1)</script>"), outcome="logged")
    page = signed_in.get(LOG).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_chips_show_what_is_chosen(signed_in: Client) -> None:
    trigger = make_api_trigger(name="Order paid")
    page = signed_in.get(f"{LOG}?outcome=failed&trigger={trigger.pk}").content.decode()
    assert re.search(r'value="failed"[^>]* checked', page)
    assert "Trigger: Order paid" in page
    assert f'name="trigger" value="{trigger.pk}"' in page


def test_more_rows_cost_no_more_queries(
    signed_in: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        make_event(outcome="logged")
    # Session, person, events with their triggers; the shell: what failed, triggers, those that need attention (two
    # queries), beat, what is due, the next fire.
    with django_assert_max_num_queries(10):
        signed_in.get(LOG)


def test_a_stranger_is_led_to_the_sign_in_page(client: Client, person: object) -> None:
    response = client.get(LOG)
    assert response.status_code == 302
    assert response["Location"] == f"{reverse('login')}?next={LOG}"


def test_a_number_is_an_id_and_may_stand_in_a_name(signed_in: Client) -> None:
    of_name, other = make_event(make_api_trigger(name="Room 4711"), outcome="logged"), make_event(outcome="logged")
    Event.objects.filter(pk=other.pk).update(id=4711)
    make_event(outcome="logged")
    assert set(shown(signed_in, "?q=4711")) == {of_name.pk, 4711}
