"""What failed for good: the list, its number in the menu, and how many of it are fired again."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dashboard.views.replays import PER_PAGE
from triggers import definition, replays, stats
from triggers.models import Event, ReplayBatch
from triggers.tests.factories import make_api_trigger, make_event

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
FAILED = reverse("failed-list")
REPLAY = reverse("failed-replay")


def fail(count: int = 1, name: str = "Order paid", **fields: Any) -> list[Event]:
    trigger = make_api_trigger(name=name, api_endpoint="https://example.com/")
    return [make_event(trigger, outcome="failed", attempt_count=2, **fields) for _ in range(count)]


def page_of(client: Client, address: str, **query: Any) -> str:
    return client.get(address, query).content.decode()


# --- The list ---------------------------------------------------------------------------------------------


def test_it_says_of_every_event_why_it_failed(signed_in: Client) -> None:
    (event,) = fail(reason="503 Service Unavailable. Expected 2xx.")

    page = page_of(signed_in, FAILED)

    assert "503 Service Unavailable. Expected 2xx." in page
    assert reverse("event-detail", args=[event.pk]) in page
    assert reverse("event-replay", args=[event.pk]) in page
    assert "1 event" in page


def test_it_links_replays_both_of_and_as(signed_in: Client) -> None:
    (event,) = fail()
    cancelled = make_event(event.trigger, outcome="skipped", source="replay", replay_of=event)
    (other,) = fail()
    again = make_event(other.trigger, outcome="failed", source="replay", replay_of=other)

    page = page_of(signed_in, FAILED)

    assert f"Replayed as event {cancelled.pk}, cancelled" in page
    assert f"Replay of event {other.pk}" in page
    assert f'{reverse("event-detail", args=[again.pk])}"' in page


def test_it_is_narrowed_by_trigger_and_time(signed_in: Client) -> None:
    now = timezone.localtime()
    (old,) = fail(name="Old one", triggered_at=now - timedelta(hours=3))
    (new,) = fail(name="New one")
    an_hour_ago = f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}"

    def shown(**query: Any) -> list[int]:
        rows = re.findall(r'class="name" href="/dashboard/events/(\d+)/"', page_of(signed_in, FAILED, **query))
        return [int(pk) for pk in rows]

    assert shown() == [new.pk, old.pk]
    assert shown(trigger=old.trigger_id) == [old.pk]
    assert shown(**{"from": an_hour_ago}) == [new.pk]
    assert shown(until=an_hour_ago) == [old.pk]
    assert shown(trigger=old.trigger_id, **{"from": an_hour_ago}) == []
    # What cannot be read is left out.
    assert shown(trigger="x", until="tomorrow", older="-1", **{"from": "9999-99-99T00:00"}) == [new.pk, old.pk]


def test_the_live_region_is_the_page_s_own(signed_in: Client) -> None:
    fail(2)

    response = signed_in.get(FAILED, headers=HTMX)

    assert response.content.decode().strip() in page_of(signed_in, FAILED)
    assert "HX-Request" in response["Vary"]


def test_it_comes_in_pages(signed_in: Client) -> None:
    events = fail(PER_PAGE + 2)

    assert f"older={events[2].pk}" in page_of(signed_in, FAILED)
    older = page_of(signed_in, FAILED, older=events[2].pk)
    assert older.count('class="name"') == 2
    assert "Newest" in older


def test_it_says_what_is_empty_and_why(signed_in: Client) -> None:
    assert "Nothing has failed for good" in page_of(signed_in, FAILED)
    fail()
    assert "No failed event matches" in page_of(signed_in, FAILED, until="2020-01-01T00:00")


def test_more_rows_cost_no_more_queries(
    signed_in: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        fail(name=f"Trigger {number}")
    # Session, person, rows, their cancelled replays, their number, what runs, the triggers; four of the shell.
    with django_assert_max_num_queries(15):
        signed_in.get(FAILED)


def test_the_menu_says_how_many(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    line = reverse("dispatcher")
    assert 'id="failed-count-sidebar"></span>' in page_of(signed_in, FAILED)
    fail(3)
    for address in (FAILED, line):
        page = page_of(signed_in, address)
        for place in ("sidebar", "more"):
            assert re.search(rf'id="failed-count-{place}"[^>]*>3<', page)
    monkeypatch.setattr(stats, "COUNT_CAP", 2)
    assert ">2+<" in page_of(signed_in, line)


# --- Many -------------------------------------------------------------------------------------------------


def test_the_question_says_what_would_happen(signed_in: Client) -> None:
    (before, *_) = fail(2)
    make_event(before.trigger, outcome="succeeded")
    fail(61)

    dialog = signed_in.get(REPLAY, headers=HTMX).content.decode()
    page = page_of(signed_in, REPLAY)

    for words in (dialog, page):
        text = " ".join(re.sub(r"<[^>]*>", "", words).split())
        assert "Replay 63 failed events?" in text
        assert "61 events would be fired again, 60 a minute, over 1 min." in text
        assert "2 would be left out, as a later event of their trigger has succeeded." in text
    assert "<dialog" in dialog
    assert "<html" not in dialog


def test_the_forecast_follows_the_form(signed_in: Client) -> None:
    (before,) = fail()
    make_event(before.trigger, outcome="succeeded")
    as_part = {**HTMX, "HX-Target": "replay-forecast"}

    def forecast(**query: Any) -> str:
        answer = signed_in.get(REPLAY, {"endpoint": "today", "rate_per_minute": 60, **query}, headers=as_part)
        return " ".join(re.sub(r"<[^>]*>", "", answer.content.decode()).split())

    assert forecast() == "1 event would be fired again."
    assert forecast(skip_superseded="on").startswith("None would be fired again. 1 would be left out")
    assert forecast(rate_per_minute=0) == "Use a number from 1 on."
    definition.delete(before.trigger_id or 0, timezone.now())
    assert "its trigger was deleted" in forecast()


def test_it_begins_and_goes_to_the_progress(signed_in: Client) -> None:
    events = fail(3)
    fail(2, name="Another")
    given = {"endpoint": "then", "rate_per_minute": "30", "trigger": events[0].trigger_id}

    response = signed_in.post(REPLAY, given)

    batch = ReplayBatch.objects.get()
    assert response["Location"] == reverse("replay-detail", args=[batch.pk])
    assert (batch.total, batch.rate_per_minute, batch.uses_todays_endpoint, batch.skips_superseded) == (
        3,
        30,
        False,
        False,
    )
    assert (batch.begun_by, batch.trigger) == ("mara", events[0].trigger)


def test_what_failed_after_the_question_is_not_replayed(signed_in: Client) -> None:
    fail(3)
    last_id = re.search(r'name="last_id" value="(\d+)"', page_of(signed_in, REPLAY))
    assert last_id
    fail(2)

    signed_in.post(REPLAY, {"endpoint": "today", "rate_per_minute": "60", "last_id": last_id[1]})

    assert ReplayBatch.objects.get().total == 3


def test_a_wrong_rate_is_said_at_its_field(signed_in: Client) -> None:
    fail()

    response = signed_in.post(REPLAY, {"endpoint": "today", "rate_per_minute": "fast"})

    assert response.status_code == 422
    assert "Use a whole number." in response.content.decode()
    assert not ReplayBatch.objects.exists()


def test_without_javascript_it_counts_again_on_demand(signed_in: Client) -> None:
    fail(61)

    answer = signed_in.post(REPLAY, {"endpoint": "today", "rate_per_minute": "6", "count": "1"})

    assert "10 min" in answer.content.decode()
    assert not ReplayBatch.objects.exists()


def test_nothing_begins_where_nothing_is_left(signed_in: Client) -> None:
    response = signed_in.post(REPLAY, {"endpoint": "today", "rate_per_minute": "60"})

    assert response["Location"] == FAILED
    assert not ReplayBatch.objects.exists()


# --- Progress ---------------------------------------------------------------------------------------------


def test_the_progress_is_asked_for_until_it_is_over(signed_in: Client) -> None:
    fail(5)
    batch = replays.begin(replays.Selection(), replays.How(rate_per_minute=1), "mara", timezone.now())
    address = reverse("replay-detail", args=[batch.pk])
    page = page_of(signed_in, address)
    question = re.search(rf'hx-get="({address}\?v=\w+)"', page)
    assert question
    assert "1 a minute, until about" in page
    assert "not begun" in page
    assert signed_in.get(question[1], headers=HTMX).status_code == 204

    batch.events.update(outcome="succeeded", hand_over_at=None)
    replays.go_on(timezone.now() + timedelta(minutes=3))
    assert signed_in.get(question[1], headers=HTMX).status_code == 200
    batch.events.update(outcome="succeeded", hand_over_at=None)
    final = signed_in.get(question[1], headers=HTMX)
    assert final.status_code == 286
    assert "tick2" not in final.content.decode()
    assert "Cancel the rest" not in final.content.decode()


def test_the_list_leads_to_what_runs(signed_in: Client) -> None:
    fail(5)
    batch = replays.begin(replays.Selection(), replays.How(), "mara", timezone.now())
    link = reverse("replay-detail", args=[batch.pk])
    assert link in page_of(signed_in, FAILED)

    batch.events.update(outcome="failed", hand_over_at=None)
    assert f'href="{link}"' not in page_of(signed_in, FAILED)


def test_it_is_cancelled(signed_in: Client) -> None:
    fail(5)
    batch = replays.begin(replays.Selection(), replays.How(rate_per_minute=1), "mara", timezone.now())

    response = signed_in.post(reverse("replay-cancel", args=[batch.pk]), follow=True)

    page = response.content.decode()
    assert "Cancelled" in page
    assert "tick2" not in page.partition('id="replay-progress"')[2]
    assert batch.events.get(outcome="skipped", pk=batch.events.first().pk).reason == "Cancelled by mara"  # type: ignore[union-attr]
    again = signed_in.post(reverse("replay-cancel", args=[batch.pk]), follow=True)
    assert "There was nothing left to cancel." not in again.content.decode()


def test_the_progress_costs_few_queries(
    signed_in: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fail(30)
    batch = replays.begin(replays.Selection(), replays.How(rate_per_minute=600), "mara", timezone.now())
    batch.events.update(outcome="succeeded", hand_over_at=None)
    # Session, person, the batch, its outcomes, its latest; four of the shell.
    with django_assert_max_num_queries(13):
        signed_in.get(reverse("replay-detail", args=[batch.pk]))


@pytest.mark.parametrize("pk", [7, 10**30])
def test_replays_that_are_not_there_are_not_found(signed_in: Client, pk: int) -> None:
    assert signed_in.get(f"/dashboard/replays/{pk}/").status_code == 404
    assert signed_in.post(f"/dashboard/replays/{pk}/cancel/")["Location"] == FAILED


def test_changes_are_made_by_post_only(signed_in: Client) -> None:
    assert signed_in.get("/dashboard/replays/7/cancel/").status_code == 405
