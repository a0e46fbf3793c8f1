"""The delivery part of a trigger's form: what is read, what is shown again, and what never is."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.forms import TriggerForm
from triggers import vault
from triggers.models import Recipe, Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db
NEW = "/dashboard/triggers/new/"
PLANTED = "planted-secret-value"
API: dict[str, Any] = {
    "name": "Order paid",
    "type": "api",
    "api_endpoint": "https://crm.example.com/hook",
    "payload": '{"a": 1}',
    "enabled": "on",
}
HEADERS = {
    "header_name_0": "X-Plain",
    "header_value_0": "seen",
    "header_name_1": "",
    "header_value_1": "",
    "header_name_7": "X-Token",
    "header_value_7": PLANTED,
    "header_secret_7": "on",
}


def recipe_of(client: Client, fields: dict[str, Any]) -> Recipe:
    answer = client.post(NEW, API | fields)
    assert answer.status_code == 302, answer.context["form"].errors
    recipe = Trigger.objects.latest("pk").recipe
    assert recipe is not None
    return recipe


def errors_of(client: Client, fields: dict[str, Any]) -> dict[str, list[str]]:
    answer = client.post(NEW, API | fields)
    assert answer.status_code == 422
    return dict(answer.context["form"].errors)


def form_of(trigger: Trigger) -> TriggerForm:
    return TriggerForm(trigger=trigger, now=timezone.now())


def edit(client: Client, trigger: Trigger, fields: dict[str, Any]) -> Any:
    return client.post(f"/dashboard/triggers/{trigger.pk}/edit/", API | fields)


@pytest.mark.parametrize(
    ("fields", "name", "stored"),
    [
        ({}, "method", "POST"),
        ({"method": "PATCH"}, "method", "PATCH"),
        ({}, "success_statuses", "2xx"),
        ({"success_statuses": "200, 304"}, "success_statuses", "200, 304"),
        ({"success_json_path": "$.ok", "success_json_equals": "true"}, "success_json_equals", True),
        ({"success_json_path": "$.ok", "success_json_equals": "done"}, "success_json_equals", "done"),  # plain words
        ({"success_json_path": "$.ok", "success_json_equals": '"true"'}, "success_json_equals", "true"),
        ({"success_longest_seconds": "2.5"}, "success_longest_seconds", 2.5),
        ({"timeout_seconds": ""}, "timeout_seconds", None),
        ({"timeout_seconds": "30"}, "timeout_seconds", 30),
        ({}, "retry_delays", [5, 30, 120, 600, 1800, 3600]),
        ({"retries": "none"}, "retry_delays", []),
        ({"retries": "quick", "retry_count": "many"}, "retry_delays", [1, 5, 15]),  # what does not count is not wrong
        ({"retries": "own"}, "retry_delays", [10, 20, 40, 80, 160]),
        (
            {"retries": "own", "retry_count": "3", "retry_first": "2", "retry_factor": "10", "retry_longest": "60"},
            "retry_delays",
            [2, 20, 60],
        ),
        ({"retries_silence": "false"}, "retries_silence", False),
        ({"skips_tls_check": "on"}, "verify_tls", False),
        ({}, "verify_tls", True),
        ({"most_at_once": "5"}, "most_at_once", 5),
        ({"rate_per_minute": "60"}, "rate_per_minute", 60),
        ({"switch_off_after": "10"}, "switch_off_after", 10),
        ({"body_template": '{"n": {{attempt}}}'}, "body_template", '{"n": {{attempt}}}'),
        (HEADERS, "headers", [["X-Plain", "seen", False], ["X-Token", PLANTED, True]]),
    ],
)
def test_it_stores_what_is_chosen(signed_in: Client, fields: dict[str, Any], name: str, stored: Any) -> None:
    assert getattr(recipe_of(signed_in, fields), name) == stored


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"method": "BREW"}, "method", "valid choice"),
        ({"timeout_seconds": "301"}, "timeout_seconds", "from 1 to 300"),
        ({"retries": "own", "retry_count": "99"}, "retry_count", "use 0 to 50"),
        ({"retries": "own", "retry_first": "0"}, "retry_first", "0 is not allowed"),
        ({"retries": "own", "retry_longest": "nan"}, "retry_longest", "Use a number."),
        ({"retry_statuses": "7xx"}, "retry_statuses", "no status"),
        ({"success_statuses": "all"}, "success_statuses", "no status"),
        ({"success_json_path": "ok"}, "success_json_path", "begins with $"),
        ({"success_json_path": "$.ok", "success_json_equals": "{"}, "success_json_equals", "Use a JSON value"),
        ({"success_longest_seconds": "0"}, "success_longest_seconds", "not allowed"),
        ({"most_at_once": "0"}, "most_at_once", "from 1 to 1,000"),
        ({"rate_per_minute": "x"}, "rate_per_minute", "whole number"),
        ({"switch_off_after": "-1"}, "switch_off_after", "whole number"),
        ({"body_template": "{{nobody}}"}, "body_template", "there is no “nobody”"),
        ({"client_certificate": "x"}, "client_certificate", "needs its key"),
        ({"header_name_0": "Host", "header_value_0": "x"}, "headers", "Host"),
        ({"header_name_0": "", "header_value_0": "x"}, "headers", "it has no name"),
        ({"header_name_0": "X", "header_kept_0": "X", "header_secret_0": "on"}, "headers", "Fill it in again"),
    ],
)
def test_what_is_wrong_stands_at_its_field(signed_in: Client, fields: dict[str, Any], field: str, words: str) -> None:
    errors = errors_of(signed_in, fields)

    assert [*errors] == [field]
    assert words in errors[field][0]


def test_all_that_is_wrong_is_said_at_once_and_advanced_opens(signed_in: Client) -> None:
    wrong = {"timeout_seconds": "0", "success_json_path": "ok", "body_template": "{{"}
    answer = signed_in.post(NEW, API | wrong)

    assert {*answer.context["form"].errors} == {"timeout_seconds", "success_json_path", "body_template"}
    assert 'id="advanced" open>' in answer.text
    assert "no-store" in answer.headers["Cache-Control"]


def test_without_an_endpoint_the_delivery_does_not_count_and_stays_as_it_is(signed_in: Client) -> None:
    trigger = make_api_trigger(api_endpoint="https://crm.example.com/", method="PUT", timeout_seconds=7)

    answer = edit(signed_in, trigger, {"api_endpoint": "", "method": "GET", "timeout_seconds": "nonsense"})

    assert answer.status_code == 302
    trigger.refresh_from_db()
    assert trigger.recipe is not None
    assert (trigger.api_endpoint, trigger.recipe.method, trigger.recipe.timeout_seconds) == ("", "PUT", 7)


@pytest.mark.parametrize(
    ("delays", "shown"),
    [
        ([], {"retries": "none"}),
        ([1, 5, 15], {"retries": "quick"}),
        ([5, 30, 120, 600, 1800, 3600], {"retries": "patient"}),
        (
            [2, 20, 60],
            {"retries": "own", "retry_count": 3, "retry_first": "2", "retry_factor": "10", "retry_longest": "60"},
        ),
        ([7], {"retries": "own", "retry_count": 1, "retry_first": "7", "retry_factor": "1", "retry_longest": "7"}),
        ([9, 3, 11], {"retries": "kept"}),
    ],
)
def test_the_retries_are_shown_as_they_can_be_chosen(delays: list[float], shown: dict[str, Any]) -> None:
    form = form_of(make_api_trigger(api_endpoint="https://crm.example.com/", retry_delays=delays))

    assert {name: form.initial[name] for name in shown} == shown
    assert form.retries_in_words.startswith(f"{len(delays)}, after" if delays else "None.")


def test_retries_that_cannot_be_chosen_stay_as_they_are(signed_in: Client) -> None:
    trigger = make_api_trigger(api_endpoint="https://crm.example.com/", retry_delays=[9, 3, 11])

    assert edit(signed_in, trigger, {"retries": "kept", "timeout_seconds": "8"}).status_code == 302
    trigger.refresh_from_db()
    assert trigger.recipe is not None
    assert (trigger.recipe.retry_delays, trigger.recipe.timeout_seconds) == ([9, 3, 11], 8)


def a_secret_trigger() -> Trigger:
    headers = [["X-Token", PLANTED, True], ["X-Plain", "seen", False]]
    return make_api_trigger(api_endpoint="https://crm.example.com/hook", headers=headers)


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        # Left alone, replaced, removed by emptying its name, made plain with a new value.
        ({"header_name_0": "X-Token", "header_secret_0": "on"}, [["X-Token", PLANTED, True]]),
        ({"header_name_0": "x-token", "header_secret_0": "on"}, [["x-token", PLANTED, True]]),
        ({"header_name_0": "X-Token", "header_secret_0": "on", "header_value_0": "new"}, [["X-Token", "new", True]]),
        ({"header_name_0": "", "header_secret_0": "on"}, []),
        ({"header_name_0": "X-Token", "header_value_0": "plain"}, [["X-Token", "plain", False]]),
    ],
)
def test_a_secret_value_stays_until_it_is_replaced(signed_in: Client, fields: dict[str, Any], stored: Any) -> None:
    trigger = a_secret_trigger()

    assert edit(signed_in, trigger, {"header_kept_0": "X-Token"} | fields).status_code == 302
    trigger.refresh_from_db()
    assert trigger.recipe is not None
    assert trigger.recipe.headers == stored


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"header_name_0": "X-Other", "header_secret_0": "on"}, "belongs to “X-Token”"),
        ({"header_name_0": "X-Token"}, "is never shown again"),
    ],
)
def test_a_secret_value_cannot_be_moved_or_uncovered(signed_in: Client, fields: dict[str, Any], words: str) -> None:
    answer = edit(signed_in, a_secret_trigger(), {"header_kept_0": "X-Token"} | fields)

    assert answer.status_code == 422
    assert words in answer.text
    assert PLANTED not in answer.text


def test_a_stored_secret_is_not_in_the_form(signed_in: Client) -> None:
    page = signed_in.get(f"/dashboard/triggers/{a_secret_trigger().pk}/edit/").text

    assert PLANTED not in page
    assert "Replace value" in page
    assert vault.MASK in page
    assert 'name="header_name_0"' in page
    assert "seen" in page


def test_the_preview_says_the_retries_in_words(signed_in: Client) -> None:
    part = signed_in.post("/dashboard/triggers/preview/", API | {"retries": "quick", "timeout_seconds": "7"}).text

    assert "3, after 1 s, 5 s and 15 s. Gives up after about 21 s." in part
    assert "7 s timeout, 3 retries" in part
    part = signed_in.post("/dashboard/triggers/preview/", API | {"retries": "own", "retry_count": "1.5"}).text
    assert "Not valid yet." in part
