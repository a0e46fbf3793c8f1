"""What a caller may do: by the scopes of a key and the triggers that it is limited to, or by a person's role."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.api.root import api
from dashboard.models import ApiKey, User
from dashboard.permissions import MAY, SCOPES, Permission, Role
from triggers.models import Event, ReplayBatch, Trigger
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db

NEEDED = {
    ("post", "/api/triggers"): "write",
    ("post", "/scheduled/triggers"): "write",
    ("post", "/triggers/test"): "write",
    ("get", "/triggers"): "read",
    ("get", "/triggers/{trigger_id}"): "read",
    ("put", "/triggers/{trigger_id}"): "write",
    ("get", "/triggers/{trigger_id}/changes"): "read",
    ("delete", "/triggers/{trigger_id}"): "write",
    ("post", "/triggers/{trigger_id}/signing_secret"): "write",
    ("post", "/triggers/{trigger_id}/test"): "fire",
    ("post", "/triggers/{trigger_id}/fire"): "fire",
    ("post", "/schedule/preview"): "read",
    ("get", "/upcoming"): "read",
    ("get", "/event_logs"): "read",
    ("get", "/event_logs/{event_id}"): "read",
    ("post", "/event_logs/{event_id}/retry"): "fire",
    ("post", "/event_logs/{event_id}/give_up"): "fire",
    ("post", "/event_logs/{event_id}/replay"): "fire",
    ("post", "/replays"): "fire",
    ("get", "/replays/{replay_id}"): "read",
    ("post", "/replays/{replay_id}/cancel"): "fire",
    ("get", "/metrics"): "metrics",
}


def with_key(*scopes: str, **limits: Any) -> Client:
    """Return a program whose key has these scopes."""
    clear = ApiKey.create("tests", [Permission(scope) for scope in scopes], **limits)[1]
    return Client(raise_request_exception=False, headers={"X-API-Key": clear})


def call(program: Client, method: str, path: str, **body: Any) -> Any:
    at = path.format(trigger_id=1, event_id=1, replay_id=1)
    return program.generic(method.upper(), at, json.dumps(body) if body else "", "application/json")


def test_every_call_says_which_scope_it_takes() -> None:
    said = {
        (method, path): operation.get("description", "")
        for path, operations in api.get_openapi_schema(path_prefix="")["paths"].items()
        for method, operation in operations.items()
        if path != "/healthz"
    }

    assert set(said) == set(NEEDED)
    for (method, path), scope in NEEDED.items():
        assert said[method, path].endswith(f"Scope: `{scope}`."), path


@pytest.mark.parametrize(("method", "path"), NEEDED)
def test_a_key_needs_the_scope(method: str, path: str) -> None:
    needed = NEEDED[method, path]
    others = [scope for scope in SCOPES if scope != needed]

    refused = call(with_key(*others), method, path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert f"it lacks the scope “{needed}” (it has: {', '.join(others)})" in refused.json()["message"]
    assert call(with_key(needed), method, path).status_code != 403
    assert not Event.objects.exists()


def test_a_key_without_any_scope_only_reads_what_the_api_is() -> None:
    program = with_key()

    assert program.get("/openapi.json").status_code == 200
    assert "(it has: none)" in program.get("/triggers").json()["message"]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("method", "path"), NEEDED)
def test_a_person_may_what_the_role_may(role: Role, method: str, path: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("vera", role=role))

    answer = call(client, method, path)

    assert (answer.status_code == 403) is (Permission(NEEDED[method, path]) not in MAY[role])
    if answer.status_code == 403:
        assert "operators and administrators. You are signed in as vera, viewer." in answer.json()["message"]


@pytest.mark.parametrize("word", ["expired", "revoked"])
def test_a_key_that_is_over_is_refused_in_words(word: str) -> None:
    program = with_key("read")
    ago = timezone.now() - timedelta(seconds=1)
    ApiKey.objects.update(**{"expires_at" if word == "expired" else "revoked_at": ago})

    answer = program.get("/triggers")

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert f"This API key {word}" in answer.json()["message"] or f"was {word} on" in answer.json()["message"]
    assert "Ask an administrator for a new one." in answer.json()["message"]


def test_a_key_works_until_it_expires() -> None:
    assert with_key("read", expires_at=timezone.now() + timedelta(minutes=1)).get("/triggers").status_code == 200


# --- A key that is limited to some triggers ---------------------------------------------------------------


@pytest.fixture
def mine() -> Trigger:
    return make_trigger(name="Mine")


@pytest.fixture
def other() -> Trigger:
    return make_trigger(name="Other")


@pytest.fixture
def limited(mine: Trigger) -> Client:
    return with_key("read", "fire", "write", triggers=[mine])


def test_it_works_on_its_triggers(limited: Client, mine: Trigger) -> None:
    assert limited.get(f"/triggers/{mine.pk}").status_code == 200
    assert limited.post(f"/triggers/{mine.pk}/test").status_code == 200
    assert limited.generic("POST", f"/triggers/{mine.pk}/fire").status_code == 202
    assert limited.put(f"/triggers/{mine.pk}", {"enabled": False}, "application/json").status_code == 200
    assert limited.delete(f"/triggers/{mine.pk}").status_code == 200


@pytest.mark.parametrize("pk", ["other", "none", "huge"])
def test_the_other_triggers_are_not_there(limited: Client, other: Trigger, pk: str) -> None:
    at = f"/triggers/{ {'other': other.pk, 'none': 999, 'huge': 2**70}[pk] }"

    for answer in (
        limited.get(at),
        limited.put(at, {"enabled": False}, "application/json"),
        limited.delete(at),
        limited.post(f"{at}/test"),
        limited.generic("POST", f"{at}/fire"),
        limited.post(f"{at}/signing_secret"),
    ):
        assert (answer.status_code, answer.json()["message"]) == (404, "There is no such trigger.")
    assert not Event.objects.exists()
    other.refresh_from_db()
    assert (other.enabled, other.deleted_at) == (True, None)


def test_its_lists_show_its_triggers_only(limited: Client, mine: Trigger, other: Trigger) -> None:
    for trigger in (mine, other, None):
        make_event(trigger=trigger)

    assert [each["id"] for each in limited.get("/triggers").json()["triggers"]] == [mine.pk]
    assert {each["trigger_id"] for each in limited.get("/event_logs").json()["logs"]} == {mine.pk}
    assert {each["trigger_id"] for each in limited.get("/upcoming").json()["upcoming"]} == {mine.pk}
    assert limited.get(f"/event_logs?trigger_id={other.pk}").json()["logs"] == []


def test_it_sees_and_replays_the_events_of_its_triggers_only(limited: Client, mine: Trigger, other: Trigger) -> None:
    now = timezone.now()
    ours = make_event(trigger=mine, outcome="failed", finished_at=now)
    theirs = make_event(trigger=other, outcome="failed", finished_at=now)

    assert limited.get(f"/event_logs/{ours.pk}").status_code == 200
    assert limited.generic("POST", f"/event_logs/{ours.pk}/replay").status_code == 202
    assert limited.get(f"/event_logs/{theirs.pk}").status_code == 404
    assert limited.generic("POST", f"/event_logs/{theirs.pk}/replay").status_code == 404


def test_it_replays_many_of_its_own_triggers_only(limited: Client, mine: Trigger, other: Trigger) -> None:
    def replays(**fields: Any) -> Any:
        return limited.post("/replays", {"dry_run": True, **fields}, "application/json")

    assert replays(trigger_id=mine.pk).status_code == 200
    assert replays(trigger_id=other.pk).status_code == 422
    assert (replays().status_code, "Name one of them" in replays().json()["message"]) == (403, True)
    for trigger, status in ((mine, 200), (other, 404), (None, 404)):
        batch = ReplayBatch.objects.create(trigger=trigger, last_id=0, total=0, next_due_at=timezone.now())
        assert limited.get(f"/replays/{batch.pk}").status_code == status
        assert limited.post(f"/replays/{batch.pk}/cancel").status_code == status


def test_it_creates_none_and_tests_drafts_of_its_own_only(limited: Client, mine: Trigger, other: Trigger) -> None:
    def draft(**fields: Any) -> int:
        return limited.post("/triggers/test?wait_seconds=0", fields, "application/json").status_code

    for path in ("/api/triggers", "/scheduled/triggers"):
        fields = {"api_endpoint": "", "schedule_type": "fixed_interval", "schedule_value": "60"}
        given = {"api_endpoint": ""} if path == "/api/triggers" else fields
        answer = limited.post(path, given, "application/json")
        assert (answer.status_code, "limited to chosen triggers" in answer.json()["message"]) == (403, True)
    assert draft(api_endpoint="https://example.org/") == 403
    assert draft(trigger_id=other.pk) == 404
    assert draft(trigger_id=mine.pk) == 202
    assert Trigger.objects.count() == 2


def test_it_never_grows_when_its_triggers_are_forgotten(limited: Client, mine: Trigger, other: Trigger) -> None:
    Trigger.with_deleted.filter(pk=mine.pk).delete()

    assert limited.get("/triggers").json()["triggers"] == []
    assert limited.get(f"/triggers/{other.pk}").status_code == 404
    assert limited.post("/api/triggers", {"api_endpoint": ""}, "application/json").status_code == 403


def test_firing_asks_the_database_no_more_than_before_for_a_key_that_reaches_all(
    django_assert_max_num_queries: Any,
) -> None:
    program, trigger = with_key("fire"), make_api_trigger()
    with django_assert_max_num_queries(5):  # key, trigger, savepoint, event, release
        program.generic("POST", f"/triggers/{trigger.pk}/fire")
