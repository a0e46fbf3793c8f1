"""The page of what fires in the hours to come."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dashboard.tables import UpcomingTable
from triggers import upcoming
from triggers.tests.factories import make_trigger

pytestmark = pytest.mark.django_db

UPCOMING = "/dashboard/triggers/upcoming/"


def names(page: str) -> list[str]:
    return re.findall(r'<a class="name" href="/dashboard/triggers/\d+/">([^<]+)</a>', page)


def test_it_lists_the_fires_to_come_in_their_order(signed_in: Client) -> None:
    make_trigger(name="Later", schedule_value="7300")
    make_trigger(name="Sooner", schedule_value="5400", is_recurring=False)
    make_trigger(name="Off", enabled=False)

    page = signed_in.get(f"{UPCOMING}?hours=6").content.decode()

    assert names(page) == ["Sooner", "Later", "Later"]
    assert page.count("data-countdown") == 3


def test_a_frequent_trigger_is_one_line(signed_in: Client) -> None:
    make_trigger(name="Probe", schedule_value="10")

    page = signed_in.get(UPCOMING).content.decode()

    assert names(page) == ["Probe"]
    assert "and 8,639 more in this time" in page


def test_a_fire_that_a_change_of_clock_moves_says_so_on_the_clock_of_its_zone() -> None:
    evening = datetime(2027, 3, 27, 20, tzinfo=UTC)
    make_trigger(schedule_type="cron", schedule_value="30 2 * * *", time_zone="Europe/Berlin", now=evening)

    (row,) = UpcomingTable(upcoming.fires(evening + timedelta(hours=24), 5), now=evening).rows

    assert row.get_cell("at") == 'Sun 28 Mar, 01:00<span class="line-2">03:00 Europe/Berlin</span>'
    assert "Clocks go forward: 02:30 does not exist, so this one fires at 03:00." in row.get_cell("trigger")
    assert row.attrs["class"].startswith("has-note")


def test_it_pages_by_the_last_fire_shown(signed_in: Client) -> None:
    now = timezone.now()
    for number in range(30):
        make_trigger(name=f"T{number:02}", schedule_value="36000", now=now)

    first = signed_in.get(UPCOMING).content.decode()
    address = re.search(r'rel="next"\s+href="([^"]+)"', first)
    assert address is not None
    second = signed_in.get(UPCOMING + address[1].replace("&amp;", "&")).content.decode()

    assert len(names(first)) == 50
    assert names(first) + names(second) == [f"T{number:02}" for number in range(30)] * 2


@pytest.mark.parametrize("query", ["hours=soon", "hours=9", "after=x", "after=1-", "after=9999999999999999999-1"])
def test_what_cannot_be_read_in_the_address_is_left_out(signed_in: Client, query: str) -> None:
    make_trigger(name="Hourly", schedule_value="3600")

    response = signed_in.get(f"{UPCOMING}?{query}")

    assert response.status_code == 200
    assert len(names(response.content.decode())) == 24


def test_an_update_is_the_part_of_the_page(signed_in: Client) -> None:
    make_trigger(name="Hourly", schedule_value="3600")

    update = signed_in.get(UPCOMING, headers={"HX-Request": "true"}).content.decode()

    assert update.lstrip().startswith("<section")
    assert names(update) == names(signed_in.get(UPCOMING).content.decode())


def test_nothing_to_come_says_so(signed_in: Client) -> None:
    assert "Nothing fires by itself in this time" in signed_in.get(UPCOMING).content.decode()


def test_it_costs_the_same_queries_for_one_and_for_many(
    signed_in: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        make_trigger(schedule_value=str(3600 + number))

    with django_assert_num_queries(10):  # session, person, the fires, and seven of the shell
        signed_in.get(UPCOMING)
