"""The overview: figures with data behind them, and parts that refresh alone."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dashboard.views.overview import PARTS
from triggers.models import Event, HourlyCount, Trigger
from triggers.tests.factories import make_api_trigger, make_attempt, make_event, make_trigger

OVERVIEW = reverse("overview")
HTMX = {"HX-Request": "true"}


def part(name: str) -> str:
    return reverse("overview-part", args=[name])


def test_the_root_leads_to_it(signed_in: Client) -> None:
    response = signed_in.get("/")
    assert response.status_code == 302
    assert response["Location"] == OVERVIEW


def test_a_new_server_shows_dashes_and_no_noughts(signed_in: Client) -> None:
    page = signed_in.get(OVERVIEW).content.decode()
    for words in (
        "All triggers are fine",
        "Listening",
        "no answers yet",
        "no day before to compare",
        "No trigger fires by itself",
    ):
        assert words in page
    # Fired, success rate, latency, and the lag of a dispatcher that has not run.
    assert page.count('<span class="figure">–</span>') == 4


def test_the_figures_come_from_the_hourly_table(signed_in: Client) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for back, outcome, count in [(0, "succeeded", 990), (1, "failed", 10), (2, "skipped", 3), (30, "succeeded", 2006)]:
        HourlyCount.objects.create(hour=hour - timedelta(hours=back), outcome=outcome, count=count)
    page = signed_in.get(part("tiles")).content.decode()
    for words in ("1,003", "99.0", "10 failed", "3 skipped", "50% on the day before"):
        assert words in page


def test_the_chart_says_each_hour_and_its_failures(signed_in: Client) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    HourlyCount.objects.create(hour=hour, outcome="succeeded", count=290)
    HourlyCount.objects.create(hour=hour, outcome="failed", count=8)
    page = signed_in.get(part("chart")).content.decode()
    assert "298 events, 8 failed</title>" in page
    assert page.count("<title>") == 48
    assert "style=" not in page


def test_a_trigger_that_the_server_paused_needs_attention_before_all_others(signed_in: Client) -> None:
    make_event(make_trigger(name="Failing"), outcome="failed")
    paused = make_trigger(name="Paused", enabled=False)
    make_event(paused, outcome="failed")  # it is listed once
    Trigger.objects.filter(pk=paused.pk).update(problem="It cannot read its schedule: <b>.")
    page = signed_in.get(part("attention")).content.decode()
    assert "2 triggers" in page
    assert page.index(">Paused<") < page.index("It cannot read its schedule: &lt;b&gt;.") < page.index(">Failing<")
    assert page.count(">Paused<") == 1


def test_a_trigger_whose_last_fire_failed_needs_attention(signed_in: Client) -> None:
    trigger = make_api_trigger(name="Sync <b>")
    for outcome in ("succeeded", "failed", "failed"):
        make_event(trigger, outcome=outcome, last_status=503 if outcome == "failed" else 200)
    make_event(trigger, outcome="failed", source="test", is_test=True)
    page = signed_in.get(part("attention")).content.decode()
    for words in (
        "Sync &lt;b&gt;",
        "Failed 2 times in a row",
        "503 Service Unavailable",
        "Last 3: 1 succeeded, 2 failed",
    ):
        assert words in page


def test_it_shows_what_fires_next(signed_in: Client) -> None:
    make_trigger(name="Edge health probe", schedule_value="30")
    page = signed_in.get(part("next")).content.decode()
    assert "Edge health probe" in page
    assert "Every 30 s" in page
    assert "data-countdown" in page


@pytest.mark.parametrize("name", PARTS)
def test_a_part_alone_is_what_the_page_shows_and_is_sent_once(signed_in: Client, name: str) -> None:
    event = make_event(
        outcome="failed", attempt_count=1, triggered_at=timezone.now() - timedelta(minutes=10, seconds=30)
    )
    make_attempt(event)
    page = signed_in.get(OVERVIEW).content.decode()
    alone = signed_in.get(part(name), headers=HTMX)
    assert alone.content.decode().strip() in page
    version = alone.content.decode().split("?v=")[1].split('"')[0]
    assert signed_in.get(f"{part(name)}?v={version}", headers=HTMX).status_code == 204


def test_there_is_no_other_part(signed_in: Client) -> None:
    assert signed_in.get("/dashboard/parts/secrets/").status_code == 404


def test_more_triggers_and_events_cost_no_more_queries(
    signed_in: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        make_event(make_trigger(), outcome="failed")
    with django_assert_max_num_queries(27):
        signed_in.get(OVERVIEW)


def test_what_waits_stands_in_the_chart_and_leads_to_the_log(signed_in: Client) -> None:
    make_event()
    page = signed_in.get(part("chart")).text
    assert f'href="{reverse("event-log")}?tests=hide&amp;outcome=pending"' in page
    assert 'class="pending"' in page


def test_a_trigger_well_below_its_usual_rate_needs_attention(signed_in: Client) -> None:
    trigger, now = make_api_trigger(name="Order paid"), timezone.now()
    outcomes = ["succeeded"] * 400 + (["succeeded"] * 19 + ["failed"]) * 9 + ["succeeded"]
    blank: dict[str, Any] = {"trigger": trigger, "source": "api", "triggered_at": now, "due_at": now}
    Event.objects.bulk_create(Event(outcome=outcome, **blank) for outcome in outcomes)
    page = signed_in.get(part("attention")).text
    assert "95.5% of the last 200, usually 100%" in page
    assert "9 failed since" in page


def test_a_trigger_that_failures_switched_off_says_so_with_its_strip(signed_in: Client) -> None:
    trigger = make_trigger(name="Weekly report", enabled=False)
    make_event(trigger, outcome="failed")
    Trigger.objects.filter(pk=trigger.pk).update(problem="It was switched off.", failures_in_a_row=5)
    page = signed_in.get(part("attention")).text
    assert "Switched off after 5 failures" in page
    assert "Last 1: 1 failed" in page


def test_positions_in_the_chart_are_numbers_of_svg_in_every_language(signed_in: Client) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    HourlyCount.objects.create(hour=hour, outcome="succeeded", count=1290)
    page = signed_in.get(part("chart"), headers={"Accept-Language": "de"}).text
    assert re.findall(r' (?:x|y|width|height)="[\d.]*,[^"]*"', page) == []
    assert "1.290" in page
