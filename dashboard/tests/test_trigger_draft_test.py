"""Send test: one real request by what stands in the form, and nothing saved but a test event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_httpserver import HTTPServer

from triggers.delivery import deliver
from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db(transaction=True)
SEND = "/dashboard/triggers/draft-test/"
HTMX = {"HX-Request": "true"}
DRAFT: dict[str, Any] = {"type": "api", "payload": '{"a": 1}', "enabled": "on", "retries": "patient"}


def test_it_delivers_the_draft_once_and_saves_no_trigger(signed_in: Client, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook", method="PUT", json={"a": 1}).respond_with_data("<script>no</script>", status=500)
    draft = DRAFT | {"api_endpoint": receiver.url_for("/hook"), "method": "PUT"}

    part = signed_in.post(SEND, draft, headers=HTMX).text
    event = Event.objects.get()
    assert (event.trigger, event.source, event.is_test) == (None, "test", True)
    assert f'hx-get="{SEND}{event.pk}/"' in part
    assert "load delay:500ms" in part
    assert "at most 10 s" in part

    deliver([event.pk])
    part = signed_in.get(f"{SEND}{event.pk}/", headers=HTMX).text
    for words in ("Failed", "500 INTERNAL", "&lt;script&gt;no", "PUT", f"/dashboard/events/{event.pk}/"):
        assert words.lower() in part.lower()
    assert "load delay" not in part
    assert "<script" not in part
    event.refresh_from_db()
    assert (event.outcome, event.attempt_count) == ("failed", 1)
    assert not Trigger.objects.exists()
    assert signed_in.get(f"/dashboard/events/{event.pk}/").status_code == 200


def test_without_javascript_it_leads_to_the_event(signed_in: Client) -> None:
    answer = signed_in.post(SEND, DRAFT | {"api_endpoint": "https://crm.example.com/"})

    assert answer.headers["Location"] == f"/dashboard/events/{Event.objects.get().pk}/"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"api_endpoint": ""}, "api_endpoint"),
        ({"api_endpoint": "nonsense"}, "api_endpoint"),
        ({"payload": "["}, "payload"),
        ({"timeout_seconds": "0"}, "timeout_seconds"),
        ({"type": "scheduled", "schedule_type": "cron", "cron": "99 * * * *"}, "cron"),
    ],
)
def test_a_draft_that_is_wrong_is_not_sent(signed_in: Client, fields: dict[str, Any], field: str) -> None:
    draft = DRAFT | {"api_endpoint": "https://crm.example.com/"} | fields

    answer = signed_in.post(SEND, draft, headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (422, "#trigger-form")
    assert [*answer.context["form"].errors] == [field]
    assert "before this can be tested" in answer.text
    assert signed_in.post(SEND, draft).status_code == 422
    assert not Event.objects.exists()


def test_after_a_refusal_the_form_itself_comes_back_without_its_errors(signed_in: Client) -> None:
    draft = DRAFT | {"api_endpoint": "https://crm.example.com/", "refused": "1"}
    answer = signed_in.post(SEND, draft, headers=HTMX)

    assert (answer.status_code, answer.headers["HX-Retarget"]) == (200, "#trigger-form")
    assert "form-errors" not in answer.text
    assert "load delay:500ms" in answer.text


def test_a_schedule_that_is_over_can_be_tested(signed_in: Client) -> None:
    past = {"type": "scheduled", "schedule_type": "date", "on_date": "2001-01-01", "on_time": "08:00"}

    assert signed_in.post(SEND, DRAFT | past | {"api_endpoint": "https://crm.example.com/"}).status_code == 302


def test_stored_secrets_go_with_the_test_of_an_edit(signed_in: Client, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook", headers={"X-Token": "planted-secret"}).respond_with_data("yes")
    endpoint = receiver.url_for("/hook")
    trigger = make_api_trigger(api_endpoint=endpoint, headers=[["X-Token", "planted-secret", True]])
    kept = {"header_name_0": "X-Token", "header_kept_0": "X-Token", "header_secret_0": "on", "timeout_seconds": "9"}

    signed_in.post(f"{SEND}?trigger={trigger.pk}", DRAFT | {"api_endpoint": endpoint} | kept, headers=HTMX)
    event = Event.objects.get()
    deliver([event.pk])
    part = signed_in.get(f"{SEND}{event.pk}/").text
    assert "Succeeded" in part
    assert "planted-secret" not in part
    trigger.refresh_from_db()
    assert trigger.recipe is not None
    assert trigger.recipe.timeout_seconds is None


def test_it_is_watched_for_its_timeout_and_a_little_and_no_longer_when_stopped(signed_in: Client) -> None:
    signed_in.post(SEND, DRAFT | {"api_endpoint": "https://crm.example.com/", "timeout_seconds": "3"})
    event = Event.objects.get()
    assert "load delay" in signed_in.get(f"{SEND}{event.pk}/").text
    assert "load delay" not in signed_in.get(f"{SEND}{event.pk}/?stop=1").text

    Event.objects.filter(pk=event.pk).update(triggered_at=timezone.now() - timedelta(seconds=6))
    assert "load delay" not in signed_in.get(f"{SEND}{event.pk}/").text


def test_only_tests_of_drafts_are_shown_so(signed_in: Client) -> None:
    trigger = make_api_trigger()
    signed_in.post(f"/dashboard/triggers/{trigger.pk}/test/")

    assert signed_in.get(f"{SEND}{Event.objects.get().pk}/").status_code == 404
