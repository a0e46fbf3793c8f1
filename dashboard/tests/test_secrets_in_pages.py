"""Secrets: the signing secret is shown once, and what is stored as secret stands in no page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_httpserver import HTTPServer

from triggers import definition, firing
from triggers.delivery import deliver
from triggers.models import Event, Trigger
from triggers.tests.certificates import client_certificate
from triggers.tests.factories import make_api_trigger

NEW: dict[str, Any] = {"type": "api", "api_endpoint": "https://crm.example.com/", "payload": "{}", "enabled": "on"}
PLANTED = "planted-secret-value"


def page_of(trigger: Trigger) -> str:
    return reverse("trigger-detail", args=[trigger.pk])


@pytest.mark.django_db
def test_a_new_triggers_signing_secret_is_shown_once_and_not_stored_by_the_browser(signed_in: Client) -> None:
    saved = signed_in.post(reverse("trigger-create"), NEW)
    trigger = Trigger.objects.get()
    assert trigger.recipe is not None
    secret = trigger.recipe.signing_secret
    assert secret not in f"{saved.headers}{saved.text}{saved.cookies}"
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())

    # What refreshes by itself does not take it.
    assert secret not in signed_in.get(page_of(trigger), headers={"HX-Request": "true"}).text
    first = signed_in.get(page_of(trigger))
    assert secret in first.text
    assert "no-store" in first.headers["Cache-Control"]
    assert 'hx-history="false"' in first.text
    assert secret not in signed_in.get(page_of(trigger)).text


@pytest.mark.django_db
def test_it_is_shown_on_the_page_of_its_own_trigger_only(signed_in: Client) -> None:
    signed_in.post(reverse("trigger-create"), NEW)
    trigger = Trigger.objects.get()

    assert 'id="fresh-secret"' not in signed_in.get(page_of(make_api_trigger())).text
    assert 'id="fresh-secret"' in signed_in.get(page_of(trigger)).text


@pytest.mark.django_db
def test_a_trigger_that_only_logs_shows_none(signed_in: Client) -> None:
    signed_in.post(reverse("trigger-create"), NEW | {"api_endpoint": ""})

    page = signed_in.get(page_of(Trigger.objects.get())).text
    assert 'id="fresh-secret"' not in page
    assert "Replace the signing secret" not in page


@pytest.mark.django_db
def test_it_is_replaced_after_a_question_and_says_how_long_the_old_one_works(signed_in: Client) -> None:
    trigger = make_api_trigger(api_endpoint="https://crm.example.com/")
    assert trigger.recipe is not None
    old, address = trigger.recipe.signing_secret, reverse("trigger-replace-secret", args=[trigger.pk])
    assert "For 24 h" in signed_in.get(address).text
    assert "<dialog" in signed_in.get(address, headers={"HX-Request": "true"}).text

    assert signed_in.post(address).headers["Location"] == page_of(trigger)

    trigger.refresh_from_db()
    assert trigger.recipe.old_signing_secret == old
    page = signed_in.get(page_of(trigger)).text
    assert trigger.recipe.signing_secret in page
    assert old not in page
    assert "Signs too until" in page
    assert signed_in.post(reverse("trigger-replace-secret", args=[10**9])).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_no_page_shows_a_secret(signed_in: Client, receiver: HTTPServer) -> None:
    certificate, key = client_certificate()
    answer = f'{{"you_sent": "{PLANTED}"}}'
    receiver.expect_request("/hook").respond_with_data(answer, headers={"X-Echo": PLANTED}, status=503)
    trigger = make_api_trigger(
        name="Order paid",
        api_endpoint=receiver.url_for("/hook"),
        headers=[["X-Token", PLANTED, True]],
        client_certificate=certificate,
        client_key=key,
        retry_delays=[],
    )
    event = firing.fire(trigger, timezone.now()).event
    deliver([event.pk])
    new_secret = definition.rotate_signing_secret(trigger.pk, timezone.now())
    trigger.refresh_from_db()
    assert trigger.recipe is not None
    one, of_event = [trigger.pk], [event.pk]
    pages = [
        reverse("trigger-list"),
        reverse("trigger-detail", args=one),
        reverse("trigger-edit", args=one),
        reverse("trigger-replace-secret", args=one),
        reverse("event-log"),
        reverse("event-detail", args=of_event),
        reverse("event-curl", args=[event.pk, 1]),
        reverse("overview"),
    ]
    secrets = {PLANTED, new_secret, trigger.recipe.old_signing_secret, key.strip(), key.strip().splitlines()[1]}
    for address in pages:
        page = signed_in.get(address)
        assert page.status_code == 200, address
        assert [secret for secret in secrets if secret in page.text] == [], address
    assert '"X-Token: $X_TOKEN"' in signed_in.get(pages[6]).text


@pytest.mark.django_db
def test_the_page_says_how_it_delivers(signed_in: Client) -> None:
    certificate, key = client_certificate()
    trigger = make_api_trigger(
        api_endpoint="https://crm.example.com/hook",
        method="PUT",
        timeout_seconds=7,
        retry_delays=[1, 5],
        success_json_path="$.ok",
        success_json_equals=True,
        success_contains="<done>",
        success_longest_seconds=2,
        most_at_once=1,
        rate_per_minute=60,
        switch_off_after=10,
        verify_tls=False,
        client_certificate=certificate,
        client_key=key,
    )
    Trigger.objects.filter(pk=trigger.pk).update(failures_in_a_row=3)
    page = signed_in.get(page_of(trigger)).text
    for words in (
        "PUT https://crm.example.com/hook",
        "7 s",
        "2, after 1 s and 5 s. Gives up after about 6 s",
        "Status 200-299, $.ok is true, body contains “&lt;done&gt;”, within 2 s",
        "1 request at once, 60 a minute",
        "After 10 failed events in a row; 3 so far",
        "The endpoint’s certificate is not checked.",
        "CN=",
        "HMAC-SHA256, whsec_••••••",
    ):
        assert words in page, words


@pytest.mark.django_db
def test_a_trigger_that_failures_switched_off_is_switched_on_in_one_click(signed_in: Client) -> None:
    trigger = make_api_trigger(api_endpoint="https://crm.example.com/", switch_off_after=5)
    words = "Switched off after 5 failed events in a row. Mend the endpoint, then switch it on again."
    Trigger.objects.filter(pk=trigger.pk).update(enabled=False, problem=words, failures_in_a_row=5)

    page = signed_in.get(page_of(trigger)).text
    assert words in page
    assert "Switch on again" in page
    assert "Edit the schedule" not in page

    signed_in.post(reverse("trigger-switch", args=[trigger.pk]), {"on": "1"})
    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.failures_in_a_row) == (True, 0)
    assert "Switch on again" not in signed_in.get(page_of(trigger)).text


@pytest.mark.django_db
def test_the_curl_of_an_attempt_that_was_never_sent_is_not_there(signed_in: Client) -> None:
    event = Event.objects.create(source="test", triggered_at=timezone.now() - timedelta(1), due_at=timezone.now())

    assert signed_in.get(reverse("event-curl", args=[event.pk, 1])).status_code == 404
    assert signed_in.get(f"/dashboard/events/{event.pk}/attempts/{'9' * 30}/curl/").status_code == 404
