"""One trigger: what its page says, and what is done to it from there: switch, fire, delete."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import ledgers
from triggers import claims, dispatch
from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def page_of(trigger: Trigger, verb: str = "") -> str:
    return f"/dashboard/triggers/{trigger.pk}/{verb}"


def test_it_says_what_the_trigger_does_and_when(signed_in: Client) -> None:
    trigger = make_trigger(name="Probe", schedule_value="900", api_endpoint="https://crm.example.com/hooks")

    page = signed_in.get(page_of(trigger)).text

    assert "<h1>Probe</h1>" in page
    assert "Every 15 min" in page
    assert "https://crm.example.com/hooks" in page
    assert "in 14 min" in page
    assert "Listening" in page


def test_it_shows_how_to_call_it_with_the_key_as_a_variable(signed_in: Client) -> None:
    trigger = make_api_trigger(payload={"it's": "<b>"})

    page = signed_in.get(page_of(trigger)).text

    assert f"http://testserver/triggers/{trigger.pk}/fire" in page
    assert "Bearer $ETP_KEY" in page
    assert "it&#x27;\\&#x27;&#x27;s" in page  # a quote that ends no argument of the shell
    assert "<b>" not in page


def test_it_says_since_when_it_fails_and_leads_there(signed_in: Client) -> None:
    trigger = make_trigger()
    make_event(trigger, outcome=Event.Outcome.SUCCEEDED)
    make_event(trigger, outcome=Event.Outcome.FAILED)
    last = make_event(trigger, outcome=Event.Outcome.FAILED, reason="No answer within 10 s.")

    page = signed_in.get(page_of(trigger)).text

    assert "The last 2 fires failed" in page
    assert "No answer within 10 s." in page
    assert f'href="/dashboard/events/{last.pk}/"' in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Off since today, "),
        ({"is_recurring": False}, "A one-time trigger that has not fired. Switching it on arms it again."),
        ({"is_recurring": False, "fired_count": 1}, "It has fired once, and switched itself off. Switching it on"),
        ({"is_recurring": False, "missed_count": 1}, "Its time passed while the server was down, so it did not fire."),
        (
            {"schedule_type": "date", "schedule_value": "2026-01-01T08:00", "is_recurring": False, "fired_count": 1},
            "Edit the date to use it again.",
        ),
        ({"max_fires": 1, "fired_count": 1}, "It has fired once, as often as it may, and switched itself off."),
        ({"max_fires": 1200, "fired_count": 1200}, "It has fired 1,200 times, as often as it may"),
        ({"not_after": datetime(2026, 1, 2, 3, 4, tzinfo=UTC)}, "Its window ended Fri 2 Jan"),
        ({"problem": "It cannot read its schedule."}, "Off, because the server cannot read its schedule."),
        (
            {"schedule_type": "cron", "schedule_value": "@daily", "time_zone": "Mars/Phobos", "enabled": True},
            "This server does not know its time zone, Mars/Phobos.",
        ),
    ],
)
def test_it_says_why_nothing_fires(signed_in: Client, fields: dict[str, Any], words: str) -> None:
    trigger = make_trigger(enabled=False)
    Trigger.objects.update(**fields)

    assert words in signed_in.get(page_of(trigger)).text


def test_it_says_when_a_one_time_trigger_has_fired(signed_in: Client) -> None:
    now = timezone.now()
    trigger = make_trigger(is_recurring=False, schedule_value="60", now=now - timedelta(seconds=90))
    beat(now)

    assert "It has fired once, today, " in signed_in.get(page_of(trigger)).text


# --- The ledger ------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 26, 12, 0, tzinfo=UTC)


def beat(now: datetime) -> None:
    dispatch.hand_over_due(claims.start_beat("test:1", now), now)


def test_the_ledger_says_that_nothing_was_due_yet() -> None:
    assert ledgers.in_words(make_trigger(now=NOON), NOON) == "Since 12:00 today: no fire was due yet."


def test_the_ledger_says_what_became_of_every_instant_since_it_began() -> None:
    """Since Monday: one that fired, an hour of downtime, then an event that did not end."""
    begin = datetime(2026, 3, 23, 12, 0, tzinfo=UTC)
    fields = {"schedule_type": "cron", "schedule_value": "* * * * *", "time_zone": "Europe/Berlin"}
    trigger = make_trigger(now=begin, missed_policy="skip", overlap_policy="skip", **fields)
    beat(begin + timedelta(minutes=1, seconds=30))
    trigger.events.unfinished().update(outcome="logged", hand_over_at=None)
    beat(begin + timedelta(minutes=61, seconds=30))
    for minute in range(62, 65):
        beat(begin + timedelta(minutes=minute, seconds=1))
    trigger.refresh_from_db()

    words = "64 due, 2 fired, 59 missed (server down 13:02 to 14:00), 3 skipped (overlap 14:02, 14:03, 14:04)."
    assert ledgers.in_words(trigger, begin + timedelta(hours=2)) == f"Since 13:00 today: {words}"
    words = (
        "64 due, 2 fired, 59 missed (server down Mon 23 Mar, 13:02 to 14:00), "
        "3 skipped (overlap Mon 23 Mar, 14:02; Mon 23 Mar, 14:03; Mon 23 Mar, 14:04)."
    )
    assert ledgers.in_words(trigger, begin + timedelta(days=3)) == f"Since Mon 23 Mar: {words}"


def test_the_ledger_says_the_last_spans_when_they_are_not_all() -> None:
    trigger = make_trigger(now=NOON)
    Trigger.objects.update(fired_count=1000, missed_count=50)
    for hour in range(4):
        at = NOON + timedelta(hours=hour)
        fields = {"outcome": "skipped", "skip_cause": "missed", "skipped_count": 2, "source": "schedule"}
        make_event(trigger, scheduled_for=at, skipped_until=at + timedelta(seconds=61), **fields)
    trigger.refresh_from_db()

    expected = "last 13:00:00 to 13:01:01, 14:00:00 to 14:01:01, 15:00:00 to 15:01:01"
    assert f"1,050 due, 1,000 fired, 50 missed (server down {expected})." in ledgers.in_words(
        trigger, NOON + timedelta(hours=4)
    )


def test_its_page_shows_the_ledger_and_what_a_skipped_event_stands_for(signed_in: Client) -> None:
    now = timezone.now()
    trigger = make_trigger(schedule_value="60", missed_policy="skip", now=now - timedelta(hours=1))
    beat(now)

    for headers in ({}, HTMX):
        part = signed_in.get(page_of(trigger), headers=headers).text
        assert "missed (server down " in part
        assert "fires, " in part.split("outcome-skipped")[1].split("</td>")[0]


def test_its_page_costs_the_same_however_many_events_there_are(signed_in: Client) -> None:
    trigger = make_trigger(schedule_value="60", missed_policy="skip", now=timezone.now() - timedelta(hours=1))
    beat(timezone.now())

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            signed_in.get(page_of(trigger))
        return len(found)

    queries()  # the first visit also loads what is cached
    few = queries()
    for _ in range(12):
        make_event(trigger, outcome="skipped", skip_cause="missed", skipped_count=1)
    assert queries() == few


# --- What cannot be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [("cron", "30 2 * * *"), ("fixed_time", "02:30"), ("fixed_interval", "60")])
@pytest.mark.parametrize("is_paused", [False, True])
def test_every_page_stands_where_the_zone_is_not_known_here(
    signed_in: Client, schedule: tuple[str, str], is_paused: bool
) -> None:
    now = timezone.now()
    kind, value = schedule
    trigger = make_trigger(schedule_type=kind, schedule_value=value, now=now, not_after=now + timedelta(days=900))
    Trigger.objects.update(time_zone="Mars/Phobos", next_fire_at=now - timedelta(minutes=2))
    if is_paused:
        beat(now)

    for address in (page_of(trigger), page_of(trigger, "edit/"), "/dashboard/triggers/", "/dashboard/"):
        assert signed_in.get(address).status_code == 200
    assert "Mars/Phobos<span" in signed_in.get(page_of(trigger)).text


def test_one_that_the_server_paused_says_why_and_what_to_do(signed_in: Client) -> None:
    now = timezone.now()
    trigger = make_trigger(schedule_type="cron", schedule_value="30 2 * * *", now=now - timedelta(days=2))
    Trigger.objects.update(time_zone="Mars/Phobos")
    beat(now)

    page = signed_in.get(page_of(trigger)).text
    assert "<strong>Paused by the server.</strong> The server switched it off, because it cannot read" in page
    assert "such as Europe/Berlin. Edit the schedule and switch it on again." in page
    assert "1 due, 0 fired, 1 missed (" in page
    assert "server down" not in page


def test_its_configuration_says_what_bounds_it(signed_in: Client) -> None:
    fields: dict[str, Any] = {
        "not_after": datetime(2096, 4, 2, 20, 0, tzinfo=UTC),
        "max_fires": 12,
        "spread_seconds": 60,
    }
    trigger = make_trigger(
        schedule_type="cron", schedule_value="0 9 * * MON", time_zone="Europe/Berlin", missed_policy="skip", **fields
    )

    page = signed_in.get(page_of(trigger)).text
    for words in ("Monday at 09:00", "0 9 * * MON", "Europe/Berlin", "Until Mon 2 Apr 2096, 22:00. At most 12 fires."):
        assert words in page
    for words in ("Over 60 s", "Skip them", "Fire all the same", "after its time"):
        assert words in page


def test_it_says_due_when_the_next_fire_is_overdue(signed_in: Client) -> None:
    trigger = make_trigger(now=timezone.now() - timedelta(hours=1))

    page = signed_in.get(page_of(trigger)).text
    assert ">due</time>" in page
    assert page.count("in 1 min") + page.count("s</time>") > 0  # and the ones that are still to come


def test_it_refreshes_by_the_part_that_the_page_holds(signed_in: Client) -> None:
    trigger = make_trigger()
    make_event(trigger, outcome=Event.Outcome.LOGGED)

    page, part = signed_in.get(page_of(trigger)), signed_in.get(page_of(trigger), headers=HTMX)

    assert 'id="trigger-state"' in part.text
    assert "<html" not in part.text
    assert 'hx-swap-oob="true"' in part.text  # a one-time trigger switches itself off
    assert "HX-Request" in page.headers["Vary"]


@pytest.mark.parametrize("verb", ["", "edit/", "fire/", "delete/"])
def test_it_is_not_found_once_deleted(signed_in: Client, verb: str) -> None:
    trigger = make_trigger()
    signed_in.post(page_of(trigger, "delete/"))

    answer = signed_in.get(page_of(trigger, verb))
    assert answer.status_code == 404
    assert "This trigger may have been deleted" in answer.text


def test_it_switches_to_what_was_asked_however_often_one_presses(signed_in: Client) -> None:
    trigger = make_trigger()

    for _ in range(2):
        assert signed_in.post(page_of(trigger, "switch/"), {"on": "0"}).headers["Location"] == page_of(trigger)
    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.next_fire_at) == (False, None)

    signed_in.post(page_of(trigger, "switch/"), {"on": "1"})
    trigger.refresh_from_db()
    assert trigger.enabled
    assert trigger.next_fire_at is not None


def test_it_answers_htmx_with_the_switch_and_the_rows_next_fire(signed_in: Client) -> None:
    trigger = make_trigger()

    part = signed_in.post(page_of(trigger, "switch/"), {"on": "0", "in": "list"}, headers=HTMX)
    assert 'aria-checked="false"' in part.text
    assert f'id="next-{trigger.pk}" hx-swap-oob="true"' in part.text
    assert "Not scheduled" in part.text

    part = signed_in.post(page_of(trigger, "switch/"), {"on": "1"}, headers=HTMX)
    assert 'aria-checked="true"' in part.text
    assert f"next-{trigger.pk}" not in part.text
    assert "trigger-changed" in part.headers["HX-Trigger"]


def passed() -> Trigger:
    return make_trigger(
        schedule_type="date", schedule_value="2026-01-01T08:00", now=datetime(2025, 1, 1, tzinfo=UTC), enabled=False
    )


def test_one_that_would_never_fire_is_not_switched_on_and_says_why(signed_in: Client) -> None:
    trigger = passed()

    page = signed_in.post(page_of(trigger, "switch/"), {"on": "1"}, follow=True)
    assert page.redirect_chain[-1][0] == page_of(trigger, "edit/")
    assert "2026-01-01 08:00 in UTC has passed. Use a later date and time." in page.text

    part = signed_in.post(page_of(trigger, "switch/"), {"on": "1", "in": "list"}, headers=HTMX)
    assert 'aria-checked="false"' in part.text
    toast = json.loads(part.headers["HX-Trigger"])["toast"]
    assert (toast["level"], toast["href"]) == ("bad", page_of(trigger, "edit/"))
    assert "has passed. Use a later date and time." in toast["text"]


def test_it_says_so_when_someone_deleted_it_meanwhile(signed_in: Client) -> None:
    trigger = make_trigger()
    signed_in.post(page_of(trigger, "delete/"))

    assert "Someone deleted this trigger." in signed_in.post(page_of(trigger, "switch/"), {"on": "1"}, follow=True).text
    answer = signed_in.post(page_of(trigger, "switch/"), {"on": "1"}, headers=HTMX)
    assert answer.headers["HX-Redirect"] == "/dashboard/triggers/"


def test_it_asks_before_it_fires_and_then_fires_an_event_that_counts(signed_in: Client) -> None:
    trigger = make_trigger(name="Probe")

    assert "Fire “Probe” now?" in signed_in.get(page_of(trigger, "fire/")).text
    assert "<dialog" in signed_in.get(page_of(trigger, "fire/"), headers=HTMX).text
    assert not Event.objects.exists()

    answer = signed_in.post(page_of(trigger, "fire/"))
    event = Event.objects.get()
    assert answer.headers["Location"] == f"/dashboard/events/{event.pk}/"
    assert (event.source, event.is_test) == (Event.Source.API, False)


def test_it_does_not_fire_while_it_is_off(signed_in: Client) -> None:
    trigger = make_trigger(enabled=False)

    assert "Fire now</button>" not in signed_in.get(page_of(trigger, "fire/")).text
    assert "It is switched off" in signed_in.post(page_of(trigger, "fire/"), follow=True).text
    assert not Event.objects.exists()


def test_it_asks_before_it_deletes_and_keeps_the_events(signed_in: Client) -> None:
    trigger = make_api_trigger(name="Order paid")
    event = make_event(trigger)

    page = signed_in.get(page_of(trigger, "delete/")).text
    assert "Delete “Order paid”?" in page
    assert "It has 1 event on record" in page
    assert "Callers get 404 from now on." in page
    assert "Keep it" in page

    assert "“Order paid” is deleted" in signed_in.post(page_of(trigger, "delete/"), follow=True).text
    assert not Trigger.objects.exists()
    assert Event.objects.filter(pk=event.pk).exists()


@pytest.mark.parametrize("verb", ["switch/", "test/"])
def test_what_changes_something_wants_a_post(signed_in: Client, verb: str) -> None:
    assert signed_in.get(page_of(make_trigger(), verb)).status_code == 405


@pytest.mark.parametrize("verb", ["", "edit/", "switch/", "test/", "fire/", "delete/"])
def test_a_stranger_gets_nothing_and_does_nothing(client: Client, person: object, verb: str) -> None:
    trigger = make_trigger()

    for answer in (client.get(page_of(trigger, verb)), client.post(page_of(trigger, verb))):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/login?next=")
    assert Trigger.objects.get().enabled
    assert not Event.objects.exists()


def test_a_stranger_whose_page_is_still_open_is_asked_to_sign_in(client: Client, person: object) -> None:
    answer = client.post(page_of(make_trigger(), "switch/"), {"on": "0"}, headers=HTMX)

    assert answer.status_code == 401
    assert Trigger.objects.get().enabled


# --- Figures of a day --------------------------------------------------------------------------------------


def test_it_draws_success_and_latency_by_the_hour(signed_in: Client) -> None:
    trigger = make_trigger()
    now = timezone.now()
    done = [claims.Finished(trigger.pk, "succeeded", now, False, 100.0)] * 3
    claims.count_finished([*done, claims.Finished(trigger.pk, "failed", now - timedelta(hours=3), False)])
    make_event(trigger)

    for headers in ({}, HTMX):
        page = signed_in.get(page_of(trigger), headers=headers).text
        assert ">75.0%</span>" in page
        assert "3 of 4" in page
        assert "one in flight" in page
        assert "3 of 3 succeeded</title>" in page
        assert "0 of 1 succeeded</title>" in page
        assert page.count('class="empty-hour"') == 22
        assert "median, p95 " in page


def test_with_nothing_delivered_it_says_a_dash_and_no_zero(signed_in: Client) -> None:
    page = signed_in.get(page_of(make_trigger())).text
    assert "nothing delivered" in page
    assert "no answer measured" in page
    assert "0%<" not in page.replace("100%<", "")


def test_an_api_trigger_says_how_often_it_was_fired(signed_in: Client) -> None:
    trigger = make_api_trigger()
    make_event(trigger, outcome="succeeded")
    claims.count_finished([claims.Finished(trigger.pk, "succeeded", timezone.now(), False, 5.0)] * 1046)

    assert "Fired 1,046 times in 24 h, last <time" in signed_in.get(page_of(trigger)).text
    part = signed_in.get(page_of(trigger), headers=HTMX).text
    assert '<span class="end" id="called" hx-swap-oob="true">Fired 1,046 times' in part
