"""How events are delivered, by API: set, changed, shown, refused; and what is never shown again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from triggers import definition
from triggers.models import Recipe, Trigger
from triggers.tests.certificates import openssl
from triggers.tests.factories import make_api_trigger, make_trigger
from triggers.vault import MASK

pytestmark = pytest.mark.django_db

JSON = "application/json"
AUTHORIZATION = {"name": "Authorization", "value": "Bearer sesame-7719"}


def created(program: Client, **fields: Any) -> dict[str, Any]:
    response = program.post("/api/triggers", {"api_endpoint": "https://example.org/hook"} | fields, content_type=JSON)
    assert response.status_code == 201, response.content
    body: dict[str, Any] = response.json()
    return body


def shown(program: Client, pk: int) -> dict[str, Any]:
    body: dict[str, Any] = program.get(f"/triggers/{pk}").json()
    return body


def changed(program: Client, pk: int, **fields: Any) -> dict[str, Any]:
    response = program.put(f"/triggers/{pk}", fields, content_type=JSON)
    assert response.status_code == 200, response.content
    return shown(program, pk)


def recipe_of(pk: int) -> Recipe:
    recipe = Trigger.objects.get(pk=pk).recipe
    assert recipe is not None
    return recipe


# --- Set and changed -----------------------------------------------------------------------------------


def test_it_takes_and_shows_every_setting_of_a_delivery(program: Client) -> None:
    settings = {
        "method": "PUT",
        "headers": [{"name": "X-Plan", "value": "blue", "secret": False}],
        "body_template": '{"id": {{event.id}}}',
        "timeout_seconds": 30,
        "success": {
            "statuses": "200, 202",
            "json_path": "$.status",
            "json_equals": {"is": [1, None]},
            "contains": "fine",
            "longest_seconds": 2.5,
        },
        "most_at_once": 2,
        "rate_per_minute": 60,
        "switch_off_after": 5,
        "verify_tls": False,
        "client_certificate": "",
    }

    body = shown(program, created(program, **settings, retries="quick")["id"])

    assert {name: body[name] for name in settings} == settings
    assert body["retries"] == {
        "preset": "quick",
        "delays": [1, 5, 15],
        "statuses": "",
        "no_answer": True,
        "description": "3, after 1 s, 5 s and 15 s. Gives up after about 21 s",
    }


def test_fields_that_are_left_out_stay_also_within_a_group(program: Client) -> None:
    retries = {"delays": [7], "statuses": "5xx"}
    pk = created(program, method="PATCH", success={"contains": "ok"}, retries=retries)["id"]

    body = changed(program, pk, success={"longest_seconds": 3}, retries={"no_answer": False})

    assert body["method"] == "PATCH"
    assert (body["success"]["contains"], body["success"]["longest_seconds"]) == ("ok", 3)
    assert {name: body["retries"][name] for name in ("preset", "delays", "statuses", "no_answer")} == {
        "preset": None,
        "delays": [7],
        "statuses": "5xx",
        "no_answer": False,
    }


@pytest.mark.parametrize(
    ("given", "delays", "statuses", "no_answer"),
    [
        ("none", [], "", True),
        ({"preset": "quick"}, [1, 5, 15], "5xx", False),
        ({"delays": [2, 2.5]}, [2, 2.5], "5xx", False),
        ({"delays": [], "statuses": "", "no_answer": True}, [], "", True),
        ({"count": 3, "first_seconds": 10, "factor": 3, "longest_seconds": 60}, [10, 30, 60], "5xx", False),
        ({"count": 2}, [5, 10], "5xx", False),
        ({"preset": "quick", "delays": [1, 5, 15]}, [1, 5, 15], "5xx", False),
        ({"statuses": "429"}, [9], "429", False),
    ],
)
def test_retries_are_a_preset_or_grow_or_are_given_one_by_one(
    program: Client, given: Any, delays: list[float], statuses: str, no_answer: bool
) -> None:
    trigger = make_api_trigger(retry_delays=[9], retry_statuses="5xx", retries_silence=False)

    retries = changed(program, trigger.pk, retries=given)["retries"]

    assert (retries["delays"], retries["statuses"], retries["no_answer"]) == (delays, statuses, no_answer)


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"method": "TRACE"}, "method", "POST"),
        ({"headers": [{"name": "Host", "value": "x"}]}, "headers", "follows from the endpoint"),
        ({"headers": [{"name": "webhook-id", "value": "x"}]}, "headers", "own"),
        ({"headers": [{"name": "X", "value": "a\r\nb"}]}, "headers", "line break"),
        ({"headers": [{"name": "X"}]}, "headers.value", "required"),
        ({"headers": [{"name": "X", "value": "y", "hidden": True}]}, "headers.hidden", "no such field"),
        ({"headers": {"X": "y"}}, "headers", "list"),
        ({"headers": [{"name": "X", "value": MASK}]}, "headers", "not the mask"),
        ({"body_template": "{{secrets}}"}, "body_template", "there is no"),
        ({"timeout_seconds": 301}, "timeout_seconds", "300"),
        ({"success": {"statuses": "fine"}}, "success.statuses", "is no status"),
        ({"success": {"json_path": "status"}}, "success.json_path", "begins with \\$"),
        ({"success": {"longest_seconds": 0}}, "success.longest_seconds", "0.001"),
        ({"success": {"contains": None}}, "success.contains", "string"),
        ({"success": {"regex": "x"}}, "success.regex", "no such field"),
        ({"success": None}, "success", "JSON object"),
        ({"retries": "often"}, "retries.preset", "quick"),
        ({"retries": 3}, "retries", "JSON object"),
        ({"retries": {"delays": [0.5]}}, "retries.delays", "use 1 to 86400"),
        ({"retries": {"delays": [1] * 51}}, "retries.delays", "0 to 50"),
        ({"retries": {"statuses": "410"}}, "retries.statuses", "never retried"),
        ({"retries": {"count": 51}}, "retries.count", "0 to 50"),
        ({"retries": {"count": 2, "factor": 0.5}}, "retries.factor", "1 to 10"),
        ({"retries": {"factor": 2}}, "retries.count", "required"),
        ({"retries": {"preset": "quick", "delays": [3]}}, "retries", "contradict"),
        ({"retries": {"count": 1, "delays": [3]}}, "retries", "contradict"),
        ({"most_at_once": 0}, "most_at_once", "1"),
        ({"client_certificate": "no PEM"}, "client_certificate", "."),
        ({"has_client_key": True}, "has_client_key", "read-only"),
        ({"signing_secret": "whsec_"}, "signing_secret", "read-only"),
    ],
)
def test_it_blames_the_field_by_the_apis_own_name_and_changes_nothing(
    program: Client, fields: dict[str, Any], field: str, words: str
) -> None:
    trigger = make_api_trigger()

    for response in (
        program.put(f"/triggers/{trigger.pk}", fields, content_type=JSON),
        program.post("/api/triggers", {"api_endpoint": ""} | fields, content_type=JSON),
        program.post("/triggers/test", {"api_endpoint": ""} | fields, content_type=JSON),
    ):
        assert response.status_code == 422
        found = response.json()["error"]["fields"]
        assert list(found) == [field]
        assert re.search(words, " ".join(found[field]))
    assert Recipe.objects.count() == 1


def test_it_warns_where_certificates_are_not_checked(program: Client) -> None:
    body = created(program, verify_tls=False)

    assert [(each["code"], each["level"], each["field"]) for each in body["warnings"]] == [
        ("tls_not_verified", "warn", "verify_tls")
    ]
    again = program.put(f"/triggers/{body['id']}", {"verify_tls": True}, content_type=JSON).json()
    assert again["warnings"] == []


# --- Secrets ---------------------------------------------------------------------------------------------


def test_a_header_is_secret_unless_its_name_is_harmless_or_it_is_said(program: Client) -> None:
    headers = [
        AUTHORIZATION,
        {"name": "accept", "value": "text/plain"},
        {"name": "Content-Type", "value": "text/plain", "secret": True},
        {"name": "X-Plan", "value": "blue", "secret": False},
    ]

    assert shown(program, created(program, headers=headers)["id"])["headers"] == [
        {"name": "Authorization", "value": MASK, "secret": True},
        {"name": "accept", "value": "text/plain", "secret": False},
        {"name": "Content-Type", "value": MASK, "secret": True},
        {"name": "X-Plan", "value": "blue", "secret": False},
    ]


@pytest.mark.parametrize("make", [make_api_trigger, make_trigger])
def test_what_is_shown_can_be_sent_back_and_keeps_every_secret(program: Client, make: Any, tmp_path: Path) -> None:
    openssl(
        tmp_path,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=us", "-keyout", "key.pem", "-out", "cert.pem"),
    )
    trigger = make(
        headers=[["Authorization", "Bearer sesame-7719", True], ["Accept", "a/b", False]],
        retry_delays=[3.5, 4],
        success_json_path="$.a",
        success_json_equals=0,
        client_certificate=(tmp_path / "cert.pem").read_text(),
        client_key=(tmp_path / "key.pem").read_text(),
    )
    body = shown(program, trigger.pk)
    for read_only in ("id", "version", "created_at", "updated_at", "next_fire_at", "description", "ledger", "problem"):
        del body[read_only]
    assert body.pop("has_client_key") is True

    assert changed(program, trigger.pk, **body)["headers"][0]["value"] == MASK

    assert recipe_of(trigger.pk) == trigger.recipe  # the very same: nothing was changed
    assert changed(program, trigger.pk, client_key=MASK, method="PUT")["has_client_key"] is True
    assert recipe_of(trigger.pk).client_key == trigger.recipe.client_key


def test_the_signing_secret_is_shown_when_it_is_made_and_never_again(program: Client) -> None:
    body = created(program)
    pk, secret = body["id"], body["signing_secret"]
    assert recipe_of(pk).signing_secret == secret

    rotated = program.post(f"/triggers/{pk}/signing_secret").json()

    recipe = recipe_of(pk)
    assert rotated == {
        "message": "Signing secret rotated successfully",
        "id": pk,
        "signing_secret": recipe.signing_secret,
        "old_secret_until": rotated["old_secret_until"],
    }
    assert (recipe.old_signing_secret, recipe.signing_secret != secret) == (secret, True)
    assert recipe.old_secret_until is not None
    assert recipe.old_secret_until.isoformat(timespec="microseconds") == rotated["old_secret_until"]
    for answer in (
        program.get("/triggers"),
        program.get(f"/triggers/{pk}"),
        program.put(f"/triggers/{pk}", {"name": "Other"}, content_type=JSON),
    ):
        assert "whsec_" not in answer.content.decode()


def test_there_is_no_secret_of_a_trigger_that_is_gone(program: Client) -> None:
    trigger = make_api_trigger()
    definition.delete(trigger.pk, trigger.created_at)

    assert program.post(f"/triggers/{trigger.pk}/signing_secret").status_code == 404


def test_it_says_what_to_do_when_the_key_is_gone(program: Client, settings: Any) -> None:
    pk = created(program, headers=[AUTHORIZATION])["id"]
    settings.ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]

    response = program.get(f"/triggers/{pk}")

    assert response.status_code == 500
    assert "ENCRYPTION_KEYS" in response.json()["message"]
