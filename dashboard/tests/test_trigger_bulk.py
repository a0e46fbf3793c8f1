"""What is done to many triggers at once: by ids or by the filter, asked first where it matters, and taken back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import User
from dashboard.views import trigger_bulk
from triggers import bulk, definition
from triggers.models import BulkDeed, Change, Event, Trigger
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = pytest.mark.django_db
LIST = "/dashboard/triggers/"
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "SHORTEST_PAUSE_SECONDS", 0)


def post(client: Client, verb: str, *triggers: Trigger, htmx: bool = False, **fields: Any) -> Any:
    data = {"id": [trigger.pk for trigger in triggers], **fields}
    return client.post(f"{LIST}bulk/{verb}/", data, headers=HTMX if htmx else {}, follow=not htmx)


def on() -> set[str]:
    return set(Trigger.objects.enabled().values_list("name", flat=True))


def test_the_selected_are_switched_off_with_a_way_back(signed_in: Client) -> None:
    triggers = [make_trigger(name=name) for name in ("Probe", "Backup", "Other")]

    page = post(signed_in, "switch", *triggers[:2], on="0").text
    assert "2 triggers are off." in page
    assert on() == {"Other"}
    assert set(Change.objects.filter(kind="switched_off").values_list("by_name", flat=True)) == {"mara"}

    [undo] = re.findall(r'href="(/dashboard/triggers/bulk/\d+/)">Undo', page)
    assert "Turn off 2 triggers" in signed_in.get(undo).text
    assert "2 triggers are on." in signed_in.post(f"{undo}undo/", follow=True).text
    assert on() == {"Probe", "Backup", "Other"}
    assert "can not be undone any more" in signed_in.post(f"{undo}undo/", follow=True).text


def test_htmx_gets_a_toast_with_undo_and_the_list_anew(signed_in: Client) -> None:
    answer = post(signed_in, "switch", make_trigger(), htmx=True, on="0")

    assert answer.status_code == 204
    assert '"post": "/dashboard/triggers/bulk/' in answer["HX-Trigger"]
    assert "1 trigger is off." in answer["HX-Trigger"]
    assert "triggers-changed" in answer["HX-Trigger"]


def test_it_says_which_could_not_be_switched_on(signed_in: Client) -> None:
    past = make_trigger(name="Cutover", enabled=False)
    Trigger.objects.filter(pk=past.pk).update(
        schedule_type="date", schedule_value="2020-01-01T10:00", is_recurring=False
    )
    fine, already = make_trigger(enabled=False), make_trigger()

    page = post(signed_in, "switch", past, fine, already, on="1").text
    assert "1 trigger is on. 1 was on already. 1 could not be switched on: 2020-01-01 10:00 in UTC has passed." in page
    [which] = re.findall(r'href="(/dashboard/triggers/bulk/\d+/)">See which', page)
    assert f'href="/dashboard/triggers/{past.pk}/">Cutover' in signed_in.get(which).text


def test_all_that_the_filter_matches_are_meant_by_all(signed_in: Client) -> None:
    for number in range(30):
        make_api_trigger(name=f"Order {number}")
    make_trigger(name="Order of the day")
    make_api_trigger(name="Other")

    page = signed_in.get(f"{LIST}?q=order&type=api&select=all").text
    assert "30 selected" in page
    assert len(re.findall(r'name="id"[^>]* checked', page)) == 25
    [query] = re.findall(r'name="query"\s+value="([^"]*)"', page)

    post(signed_in, "switch", on="0", all="1", query=query.replace("&amp;", "&"))
    assert on() == {"Order of the day", "Other"}


def test_deleting_asks_first_with_count_and_names(signed_in: Client) -> None:
    triggers = [make_trigger(name="<b>Probe"), make_api_trigger(name="Order paid")]

    question = post(signed_in, "delete", *triggers).text
    assert "Delete 2 triggers?" in question
    assert "&lt;b&gt;Probe" in question
    assert "1 of them is fired by API" in question
    assert Trigger.objects.count() == 2

    dialog = post(signed_in, "delete", *triggers, htmx=True).text
    assert "<html" not in dialog
    assert dialog.count('name="id"') == 2

    assert "2 triggers are deleted." in post(signed_in, "delete", *triggers, sure="1").text
    assert not Trigger.objects.exists()


def test_the_question_names_ten_and_counts_the_rest(signed_in: Client) -> None:
    for number in range(13):
        make_api_trigger(name=f"Order {number:02}")
    question = post(signed_in, "delete", all="1", query="q=Order").text
    assert "Order 09" in question
    assert "Order 10" not in question
    assert "and 3 more" in question


def test_a_few_are_tested_at_once_and_many_only_when_it_was_asked(signed_in: Client) -> None:
    triggers = [make_api_trigger() for _ in range(6)]

    assert "5 tests are under way." in post(signed_in, "test", *triggers[:5]).text
    assert "Test 6 triggers?" in post(signed_in, "test", *triggers).text
    assert Event.objects.filter(is_test=True).count() == 5
    assert "6 tests are under way." in post(signed_in, "test", *triggers, sure="1").text
    assert Event.objects.filter(is_test=True).count() == 11


@pytest.mark.parametrize("fields", [{}, {"id": ["x", "-1", "9" * 30, "0"]}, {"all": "2"}, {"all": "", "query": "q=%"}])
@pytest.mark.parametrize("verb", ["switch", "test", "delete"])
def test_nothing_selected_is_said_and_nothing_done(signed_in: Client, verb: str, fields: dict[str, Any]) -> None:
    make_trigger(name="Probe")
    page = signed_in.post(f"{LIST}bulk/{verb}/", {"on": "0", "sure": "1", **fields}, follow=True).text
    assert "Nothing is selected." in page
    assert on() == {"Probe"}
    assert not BulkDeed.objects.exists()


def test_what_takes_long_is_left_to_the_cluster_and_has_a_page(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_bulk, "AT_ONCE_SECONDS", 0)
    asked: list[bool] = []
    monkeypatch.setattr(bulk, "ask_to_go_on", lambda: asked.append(True))
    triggers = [make_api_trigger() for _ in range(15)]

    answer = post(signed_in, "switch", *triggers, htmx=True, on="0")
    assert asked == [True]
    page = signed_in.get(answer["HX-Redirect"]).text
    assert "10 of 15 done" in page
    assert "Undo" not in page
    [live] = re.findall(rf'hx-get="({answer["HX-Redirect"]}\?v=\w+)"', page)
    assert signed_in.get(live, headers=HTMX).status_code == 204

    bulk.go_on()
    part = signed_in.get(live, headers=HTMX).text
    assert "15 triggers are off." in part
    assert "hx-trigger" not in part


def test_someone_who_is_gone_in_the_meantime_is_said(signed_in: Client) -> None:
    gone, there = make_api_trigger(name="Gone"), make_api_trigger(name="There")
    definition.delete(gone.pk, timezone.now())
    assert "1 trigger is off." in post(signed_in, "switch", gone, there, on="0").text


def test_a_viewer_has_no_boxes_and_may_do_nothing(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    trigger = make_trigger(name="Probe")
    page = client.get(f"{LIST}?select=all").text
    assert 'name="id"' not in page
    assert 'id="bulk"' not in page
    for verb in ("switch", "test", "delete"):
        assert client.post(f"{LIST}bulk/{verb}/", {"id": trigger.pk, "sure": "1"}).status_code == 403
    assert on() == {"Probe"}
