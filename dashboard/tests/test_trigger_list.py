"""The list of triggers: what it shows, how it is narrowed and sorted, and how it stays true."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from triggers.models import Event, Trigger, TriggerHour
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db
LIST = "/dashboard/triggers/"
HTMX = {"HX-Request": "true"}


def names(page: str) -> list[str]:
    """Return the names of the rows, from top to bottom."""
    return re.findall(r'class="name" href="/dashboard/triggers/\d+/">([^<]+)<', page)


def test_it_says_in_words_what_fires_and_when(signed_in: Client) -> None:
    make_trigger(name="Probe", schedule_value="900", api_endpoint="https://crm.example.com/hooks/sync")
    make_trigger(name="Backup", schedule_type="fixed_time", schedule_value="02:30", time_zone="Europe/Berlin")

    page = signed_in.get(LIST).text

    assert "Every 15 min" in page
    assert "crm.example.com/hooks/sync" in page
    assert "Every day at 02:30" in page
    assert "At a time, Europe/Berlin" in page
    assert "No endpoint, logs only" in page


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=999", "per_page=-1", "per_page=0", "per_page=x"]
)
def test_a_page_that_cannot_be_is_another_page(signed_in: Client, query: str) -> None:
    make_api_trigger(name="Only one")
    response = signed_in.get(f"{LIST}?{query}")
    assert response.status_code == 200
    assert names(response.text) == ["Only one"]


def test_a_page_is_never_longer_than_ours(signed_in: Client) -> None:
    for number in range(26):
        make_api_trigger(name=f"No. {number}")
    assert len(names(signed_in.get(f"{LIST}?per_page=1000000").text)) == 25


def test_it_offers_a_way_on_while_there_are_none(signed_in: Client) -> None:
    page = signed_in.get(LIST).text
    assert "No triggers yet" in page

    assert "Three examples added" in signed_in.post(f"{LIST}examples/", follow=True).text
    assert Trigger.objects.count() == 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"Probe", "Order paid", "Old"}),
        ("?type=scheduled", {"Probe", "Old"}),
        ("?type=api", {"Order paid"}),
        ("?state=off", {"Old"}),
        ("?q=PAID", {"Order paid"}),
        ("?q=crm.example", {"Probe"}),
        ("?q=probe&type=scheduled&state=on", {"Probe"}),
        ("?endpoint=with", {"Probe"}),
        ("?endpoint=none", {"Order paid", "Old"}),
        ("?host=crm.example.com", {"Probe"}),
        ("?host=CRM.example.com:443", set()),
        ("?host=example.com", set()),
        ("?host=crm.example.co", set()),
        ("?type=bogus&state=bogus&page=bogus&sort=bogus&endpoint=bogus", {"Probe", "Order paid", "Old"}),
    ],
)
def test_it_is_narrowed_by_its_address(signed_in: Client, query: str, expected: set[str]) -> None:
    make_trigger(name="Probe", api_endpoint="https://crm.example.com/")
    make_api_trigger(name="Order paid")
    make_trigger(name="Old", enabled=False)

    assert set(names(signed_in.get(LIST + query).text)) == expected


def test_it_says_what_nothing_matches(signed_in: Client) -> None:
    make_trigger()

    page = signed_in.get(f"{LIST}?q=<bakup>&type=api").text
    assert "No trigger matches “&lt;bakup&gt;”" in page
    assert "Also filtered: API." in page


def test_it_says_the_schedule_in_words_over_the_expression(signed_in: Client) -> None:
    make_trigger(schedule_type="cron", schedule_value="30 2 * * *", time_zone="Europe/Berlin")
    make_trigger(schedule_type="date", schedule_value="2096-04-02T22:00", time_zone="Asia/Tokyo")

    page = signed_in.get(LIST).text
    assert "Every day at 02:30" in page
    assert '<span class="mono">30 2 * * *</span>, Europe/Berlin' in page
    assert "Once, Mon 2 Apr 2096 at 22:00" in page
    assert "On a date, Asia/Tokyo" in page


def test_what_the_server_paused_comes_first_and_says_why(signed_in: Client) -> None:
    make_event(make_trigger(name="Failing"), outcome=Event.Outcome.FAILED)
    paused = make_trigger(name="Paused", enabled=False)
    Trigger.objects.filter(pk=paused.pk).update(problem="It cannot read its schedule: <b>.")

    page = signed_in.get(LIST).text
    assert names(page) == ["Paused", "Failing"]
    for part in (page, signed_in.get(f"{LIST}live/?id={paused.pk}").text):
        assert "Paused by the server" in part
        assert "It cannot read its schedule: &lt;b&gt;." in part


def test_it_puts_the_failing_first_then_the_next_fire(signed_in: Client) -> None:
    now = timezone.now()
    make_trigger(name="Soon", schedule_value="10", now=now)
    make_trigger(name="Later", schedule_value="1000", now=now)
    make_api_trigger(name="Never by itself")
    failing = make_trigger(name="Failing", schedule_value="2000", now=now)
    make_event(failing, outcome=Event.Outcome.FAILED)

    assert names(signed_in.get(LIST).text) == ["Failing", "Soon", "Later", "Never by itself"]
    assert names(signed_in.get(f"{LIST}?sort=next_fire").text) == ["Soon", "Later", "Failing", "Never by itself"]
    assert names(signed_in.get(f"{LIST}?sort=-next_fire").text) == ["Failing", "Later", "Soon", "Never by itself"]
    assert names(signed_in.get(f"{LIST}?sort=name").text) == ["Failing", "Later", "Never by itself", "Soon"]


def ended(trigger: Trigger, outcome: str, count: int) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    TriggerHour.objects.create(trigger=trigger, hour=hour, outcome=outcome, latency_band=-1, count=count)


def test_it_shows_success_over_the_number_of_fires(signed_in: Client) -> None:
    sync, marker = make_trigger(name="Sync"), make_api_trigger(name="Marker")
    ended(sync, "succeeded", 83)
    ended(sync, "failed", 17)
    ended(marker, "logged", 1311)

    page = signed_in.get(LIST).text
    cells = dict(re.findall(r'<span id="success-(\d+)">(.*?)</span>\s*</td>', page, re.DOTALL))
    assert "83.0%" in cells[str(sync.pk)]
    assert "is-low" in cells[str(sync.pk)]
    assert "100 fired" in cells[str(sync.pk)]
    assert "Success not measured" in cells[str(marker.pk)]
    assert "1,311 fired" in cells[str(marker.pk)]


def test_it_is_sorted_by_success_with_what_was_not_measured_last(signed_in: Client) -> None:
    for name, succeeded, failed in (("All well", 5, 0), ("Half", 1, 1), ("Down", 0, 3), ("Idle", 0, 0)):
        trigger = make_api_trigger(name=name)
        for outcome, count in (("succeeded", succeeded), ("failed", failed)):
            if count:
                ended(trigger, outcome, count)

    page = signed_in.get(f"{LIST}?sort=success").text
    assert names(page) == ["Down", "Half", "All well", "Idle"]
    assert 'aria-sort="ascending"' in page
    assert '<option value="success" selected>' in page
    assert names(signed_in.get(f"{LIST}?sort=-success").text) == ["All well", "Half", "Down", "Idle"]


def test_it_shows_a_page_at_a_time(signed_in: Client) -> None:
    for number in range(27):
        make_api_trigger(name=f"Trigger {number:02}")

    first, second = (signed_in.get(f"{LIST}?sort=name&page={page}").text for page in (1, 2))
    assert (len(names(first)), names(second)) == (25, ["Trigger 25", "Trigger 26"])
    assert "1 to 25 of 27" in first
    assert "Select all 27" in first
    assert "sort=name&amp;page=2" in first


def test_it_asks_the_database_as_often_for_many_as_for_one(signed_in: Client) -> None:
    make_event(make_trigger(), outcome=Event.Outcome.LOGGED)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            signed_in.get(LIST)
        return len(found)

    queries()  # the first visit also loads what is cached
    few = queries()
    for _ in range(12):
        make_event(make_trigger(), outcome=Event.Outcome.LOGGED)
    assert queries() == few


def test_it_sends_htmx_the_part_that_the_page_holds(signed_in: Client) -> None:
    make_trigger(name="Probe", now=timezone.now() + timedelta(days=30))

    page, part = signed_in.get(LIST), signed_in.get(LIST, headers=HTMX)
    assert "<html" not in part.text
    assert names(part.text) == names(page.text) == ["Probe"]
    assert 'id="trigger-list"' in part.text
    assert "HX-Request" in page.headers["Vary"]


def test_it_refreshes_next_fire_outcomes_and_switch_of_the_rows_shown(signed_in: Client) -> None:
    shown, other = make_trigger(), make_trigger()
    address = re.search(r'hx-get="(/dashboard/triggers/live/[^"]+)"', signed_in.get(f"{LIST}").text)
    assert address is not None
    assert f"id={shown.pk}" in address[1]

    part = signed_in.get(f"{LIST}live/?id={shown.pk}&id=x&id={'9' * 30}", headers=HTMX).text
    for cell in ("next", "strip", "success", "switch", "marks"):
        assert re.search(rf'id="{cell}-{shown.pk}"[^>]*hx-swap-oob="true"', part)
        assert f'id="{cell}-{other.pk}"' not in part


def test_it_escapes_what_people_typed(signed_in: Client) -> None:
    make_trigger(name="<script>alert(1)</script>", api_endpoint="https://example.com/?a=<b>")

    assert "<script>alert(1)" not in signed_in.get(LIST).text


def test_the_menu_of_a_row_copies_the_call_that_fires_it(signed_in: Client) -> None:
    trigger = make_api_trigger()
    address = f"{LIST}{trigger.pk}/curl/"
    assert f'href="{address}"' in signed_in.get(LIST).text
    answer = signed_in.get(address)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert f"curl -X POST http://testserver/triggers/{trigger.pk}/fire" in answer.text
    assert "$ETP_KEY" in answer.text
