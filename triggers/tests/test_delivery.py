"""How events are delivered by their recipes: requests, success, retries, limits, and what is kept of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from triggers import claims, definition, delivery, dispatch, firing, vault
from triggers.models import Attempt, Event, HourlyCount, Recipe, Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sync_queue")]

NEVER_SHOWN = "planted-secret-Gz7"


def beat() -> None:
    """One pass of the beat; the queue is sync, so what it hands over is delivered when this returns."""
    now = timezone.now()
    dispatch.hand_over_due(claims.start_beat("test:1", now), now)


def fired(trigger: Trigger, payload: dict[str, Any] | None = None) -> Event:
    """Return an event of the trigger as it stands after its first attempt."""
    event = firing.fire(Trigger.objects.get(pk=trigger.pk), timezone.now(), payload).event
    beat()
    event.refresh_from_db()
    return event


def again(event: Event) -> Event:
    """Return the event after its next attempt: the wait is over."""
    Event.objects.filter(pk=event.pk).update(due_at=timezone.now(), hand_over_at=timezone.now())
    beat()
    event.refresh_from_db()
    return event


@pytest.fixture
def hook(receiver: HTTPServer) -> str:
    """The address of an endpoint that answers 200."""
    receiver.expect_request("/hook").respond_with_data("ok")
    return receiver.url_for("/hook")


def answering(receiver: HTTPServer, *answers: tuple[int, dict[str, str], str]) -> str:
    """Return the address of an endpoint that gives these answers, one after another, and the last for ever."""
    waiting = list(answers)

    def answer(request: Request) -> Response:
        status, headers, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return Response(body, status, headers)

    receiver.expect_request("/answering").respond_with_handler(answer)
    return receiver.url_for("/answering")


# --- The request -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"])
def test_it_uses_the_method_of_the_recipe(receiver: HTTPServer, hook: str, method: str) -> None:
    event = fired(make_api_trigger(api_endpoint=hook, method=method, payload={"n": 1}))

    request, _ = receiver.log[0]
    assert (event.outcome, request.method) == ("succeeded", method)
    if method in ("GET", "HEAD", "OPTIONS"):
        assert (request.data, "content-type" in request.headers) == (b"", False)
    else:
        assert request.get_json() == {"n": 1}


def test_every_attempt_is_signed_so_that_the_receiver_can_verify_it(receiver: HTTPServer) -> None:
    url = answering(receiver, (503, {}, ""), (200, {}, ""))
    trigger = make_api_trigger(api_endpoint=url, payload={"grüße": "ja"})
    assert trigger.recipe is not None
    secret = trigger.recipe.signing_secret

    event = again(fired(trigger))

    assert event.outcome == "succeeded"
    assert secret.startswith("whsec_")
    for request, _ in receiver.log:
        assert Webhook(secret).verify(request.data, dict(request.headers)) == {"grüße": "ja"}
    first, second = (dict(request.headers) for request, _ in receiver.log)
    assert first["Webhook-Id"] == second["Webhook-Id"]
    assert (first["Event-Attempt"], second["Event-Attempt"]) == ("1", "2")


def test_a_rotated_secret_signs_beside_the_old_one_also_what_waits_already(receiver: HTTPServer) -> None:
    url = answering(receiver, (503, {}, ""), (200, {}, ""))
    trigger = make_api_trigger(api_endpoint=url)
    assert trigger.recipe is not None
    old = trigger.recipe.signing_secret
    event = fired(trigger)

    new = definition.rotate_signing_secret(trigger.pk, timezone.now())
    again(event)

    request, _ = receiver.log[1]
    assert len(request.headers["webhook-signature"].split()) == 2
    for secret in (old, new):
        assert Webhook(secret).verify(request.data, dict(request.headers)) is not None
    Recipe.objects.update(old_secret_until=timezone.now() - timedelta(seconds=1))
    recipe = Trigger.objects.get().recipe
    assert recipe is not None
    assert recipe.signing_secrets(timezone.now()) == [new]


def test_headers_of_the_user_go_out_and_take_the_place_of_ours(receiver: HTTPServer, hook: str) -> None:
    headers = [
        ["Content-Type", "application/vnd.orders+json", False],
        ["user-agent", "Shop", False],
        ["Authorization", f"Bearer {NEVER_SHOWN}", True],
    ]

    event = fired(make_api_trigger(api_endpoint=hook, headers=headers))

    request, _ = receiver.log[0]
    assert request.headers["content-type"] == "application/vnd.orders+json"
    assert request.headers.getlist("user-agent") == ["Shop"]
    assert request.headers["authorization"] == f"Bearer {NEVER_SHOWN}"
    kept = dict(event.attempts.get().request_headers)
    assert (kept["Authorization"], kept["user-agent"]) == (vault.MASK, "Shop")


def test_the_user_agent_says_version_and_address(receiver: HTTPServer, hook: str, settings: LazySettings) -> None:
    settings.PUBLIC_URL = "https://events.example.org"

    fired(make_api_trigger(api_endpoint=hook))

    assert receiver.log[0][0].headers["user-agent"] == (
        f"EventTriggerPlatform/{settings.VERSION} (+https://events.example.org)"
    )


def test_a_template_makes_the_body(receiver: HTTPServer, hook: str) -> None:
    template = (
        '{"text": "{{trigger.name}}: {{payload.name}}", "n": {{attempt}}, "id": {{event.id}}, "all": {{payload}}}'
    )
    trigger = make_api_trigger(name="Order “paid”", api_endpoint=hook, body_template=template)

    event = fired(trigger, {"name": 'O"Hara\n'})

    assert receiver.log[0][0].get_json() == {
        "text": 'Order “paid”: O"Hara\n',
        "n": 1,
        "id": event.pk,
        "all": {"name": 'O"Hara\n'},
    }


def test_a_body_that_grows_too_large_fails_at_once_and_says_so(receiver: HTTPServer, hook: str) -> None:
    template = '{"a": [{{#payload.many}}{{payload.text}}, {{/payload.many}}1]}'
    trigger = make_api_trigger(api_endpoint=hook, body_template=template)

    event = fired(trigger, {"many": list(range(2000)), "text": "x" * 1000})

    assert (event.outcome, event.attempts.get().error_kind, receiver.log) == ("failed", "body", [])
    assert "at most 256 KiB" in event.reason


def test_an_edit_never_changes_how_a_fired_event_is_delivered(receiver: HTTPServer) -> None:
    url = answering(receiver, (503, {}, ""), (200, {}, ""))
    trigger = make_api_trigger(api_endpoint=url, method="PUT")
    event = fired(trigger)

    changed = definition.change(trigger.pk, {"method": "PATCH"}, timezone.now())
    again(event)

    assert [request.method for request, _ in receiver.log] == ["PUT", "PUT"]
    assert changed.recipe_id != event.recipe_id
    assert fired(trigger).recipe_id == changed.recipe_id
    assert receiver.log[-1][0].method == "PATCH"


# --- Success -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "answer", "outcome", "reason"),
    [
        ({}, (204, {}, ""), "succeeded", ""),
        (
            {},
            (302, {"Location": "/elsewhere"}, ""),
            "failed",
            "it points to /elsewhere, and redirects are not followed",
        ),
        ({}, (500, {}, ""), "failed", "Status 500 is not one of 200-299."),
        ({"success_statuses": "200, 409"}, (409, {}, ""), "succeeded", ""),
        (
            {"success_json_path": "$.ok", "success_json_equals": True},
            (200, {}, '{"ok": false}'),
            "failed",
            "$.ok is false, not true.",
        ),
        ({"success_json_path": "$.ok", "success_json_equals": True}, (200, {}, '{"ok": true}'), "succeeded", ""),
        ({"success_contains": "done"}, (200, {}, "not yet"), "failed", "The body does not contain “done”."),
        # Looked for in more of the body than is kept.
        ({"success_contains": "done"}, (200, {}, "x" * 9000 + "done"), "succeeded", ""),
    ],
)
def test_the_success_rule_decides(
    receiver: HTTPServer, rule: dict[str, Any], answer: tuple[int, dict[str, str], str], outcome: str, reason: str
) -> None:
    url = answering(receiver, answer)

    event = fired(make_api_trigger(api_endpoint=url, retry_delays=[], **rule))

    assert (event.outcome, reason in event.reason) == (outcome, True)
    attempt = event.attempts.get()
    assert attempt.succeeded is (outcome == "succeeded")
    assert attempt.checks[0][0] == "status"
    assert len(attempt.response_body) <= 4096


def test_an_answer_that_took_too_long_is_no_success(receiver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        time.sleep(0.05)
        return Response("ok")

    receiver.expect_request("/slow").respond_with_handler(answer)
    trigger = make_api_trigger(api_endpoint=receiver.url_for("/slow"), success_longest_seconds=0.01, retry_delays=[])

    event = fired(trigger)

    assert (event.outcome, event.last_status) == ("failed", 200)
    assert event.reason.endswith("longer than 10 ms.")


# --- Retries -----------------------------------------------------------------------------------------


def waits(event: Event) -> float:
    """Return for how many seconds from the end of its attempt the event waits."""
    attempt = event.attempts.last()
    assert attempt is not None
    return (event.due_at - attempt.started_at).total_seconds() - attempt.duration_ms / 1000


def test_it_waits_as_its_recipe_says_within_a_tenth(receiver: HTTPServer) -> None:
    url = answering(receiver, (500, {}, ""))
    event = fired(make_api_trigger(api_endpoint=url, retry_delays=[100, 1000]))

    assert event.outcome == "pending"
    assert 90 <= waits(event) <= 111
    event = again(event)
    assert 900 <= waits(event) <= 1101
    assert again(event).outcome == "failed"


def test_it_waits_as_long_as_the_receiver_asks_up_to_an_hour(receiver: HTTPServer) -> None:
    url = answering(receiver, (429, {"Retry-After": "120"}, ""), (503, {"Retry-After": "86400"}, ""))
    event = fired(make_api_trigger(api_endpoint=url))

    assert 120 <= waits(event) <= 121
    assert 3600 <= waits(again(event)) <= 3601


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        ((410, {}, ""), {}),
        ((500, {"webhook-delivery": "abort"}, ""), {}),
        ((404, {}, ""), {"retry_statuses": "5xx, 429"}),
        ((500, {}, ""), {"retry_delays": []}),
    ],
)
def test_some_answers_end_it(
    receiver: HTTPServer, answer: tuple[int, dict[str, str], str], fields: dict[str, Any]
) -> None:
    event = fired(make_api_trigger(api_endpoint=answering(receiver, answer), **fields))

    assert (event.outcome, event.attempt_count) == ("failed", 1)


def test_silence_is_retried_unless_the_recipe_says_otherwise(loopback_allowed: None) -> None:
    nobody = "http://127.0.0.1:9/"

    assert fired(make_api_trigger(api_endpoint=nobody)).outcome == "pending"
    assert fired(make_api_trigger(api_endpoint=nobody, retries_silence=False)).outcome == "failed"


# --- Limits ------------------------------------------------------------------------------------------


def test_a_rate_limit_gives_every_event_an_instant_of_its_own(receiver: HTTPServer, hook: str) -> None:
    trigger = make_api_trigger(api_endpoint=hook, rate_per_minute=60)
    for _ in range(4):
        firing.fire(trigger, timezone.now())

    beat()

    assert len(receiver.log) == 1
    waiting = list(Event.objects.filter(outcome="pending").order_by("due_at"))
    gaps = [(one.due_at - before.due_at).total_seconds() for before, one in pairwise(waiting)]
    assert gaps == [1.0, 1.0]
    assert all(event.attempt_count == 0 for event in waiting)
    # Those that have their instant keep it: others line up behind.
    firing.fire(trigger, timezone.now())
    beat()
    last = Event.objects.order_by("-id")[0]
    assert (last.due_at - waiting[-1].due_at).total_seconds() == 1.0
    assert again(waiting[0]).outcome == "pending"  # its instant was taken from it by hand: it lines up anew


def test_a_trigger_is_switched_off_after_so_many_failed_events_in_a_row(receiver: HTTPServer) -> None:
    url = answering(receiver, (500, {}, ""), (200, {}, ""), (500, {}, ""))
    trigger = make_api_trigger(api_endpoint=url, switch_off_after=3, retry_delays=[])

    def failures() -> int:
        trigger.refresh_from_db()
        return trigger.failures_in_a_row

    seen = []
    for _ in range(4):
        fired(trigger)
        seen.append(failures())
    assert (seen, trigger.enabled) == ([1, 0, 1, 2], True)
    firing.test(trigger, timezone.now())
    beat()
    assert failures() == 2  # a test counts nowhere

    fired(trigger)

    assert (failures(), trigger.enabled) == (3, False)
    assert trigger.problem == (
        "Switched off after 3 failed events in a row. Mend the endpoint, then switch it on again."
    )
    switched_on = definition.switch(trigger.pk, on=True, now=timezone.now())
    assert (switched_on.enabled, switched_on.problem, switched_on.failures_in_a_row) == (True, "", 0)


def test_a_trigger_may_be_switched_off_after_a_single_failed_event(receiver: HTTPServer) -> None:
    url = answering(receiver, (500, {}, ""))
    trigger = make_api_trigger(api_endpoint=url, switch_off_after=1, retry_delays=[])

    fired(trigger)

    trigger.refresh_from_db()
    assert trigger.problem == "Switched off after a failed event. Mend the endpoint, then switch it on again."


def test_a_trigger_that_does_not_ask_for_it_is_not_counted(receiver: HTTPServer) -> None:
    trigger = make_api_trigger(api_endpoint=answering(receiver, (500, {}, "")), retry_delays=[])
    fired(trigger)

    trigger.refresh_from_db()
    assert (trigger.failures_in_a_row, trigger.enabled) == (0, True)


# --- Held under a lease ------------------------------------------------------------------------------


def test_an_event_that_another_has_by_now_is_not_sent_though_others_of_its_take_are(
    receiver: HTTPServer, hook: str
) -> None:
    trigger = make_api_trigger(api_endpoint=hook)
    kept, lost = (firing.fire(trigger, timezone.now()).event for _ in range(2))
    soon = timezone.now() + timedelta(seconds=1)
    Event.objects.update(due_at=soon)
    desk = delivery._desk()
    assert desk.take([kept.pk, lost.pk]) == 2
    Event.objects.filter(pk=lost.pk).update(token="another's")

    desk._renew()
    began = time.monotonic()
    while desk.held or time.monotonic() - began < 2:  # a second after both were due
        assert time.monotonic() - began < 20
        desk.write()

    assert [int(request.headers["webhook-id"].split("_")[1]) for request, _ in receiver.log] == [kept.pk]
    assert set(Event.objects.values_list("pk", "outcome", "token")) == {
        (kept.pk, "succeeded", ""),
        (lost.pk, "delivering", "another's"),
    }


def test_what_was_taken_is_given_back_where_it_cannot_be_made_ready(receiver: HTTPServer, hook: str) -> None:
    paced, free = make_api_trigger(api_endpoint=hook, rate_per_minute=60), make_api_trigger(api_endpoint=hook)
    events = [firing.fire(trigger, timezone.now()).event for trigger in (paced, free)]
    pks = [event.pk for event in events]

    def no_reservation(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if "rate_free_at" in sql:
            raise OperationalError("canceling statement due to lock timeout")
        return execute(sql, *rest)

    with connection.execute_wrapper(no_reservation), pytest.raises(OperationalError):
        delivery.deliver(pks)
    delivery.deliver([])

    for event in events:
        event.refresh_from_db()
        assert (event.outcome, event.attempt_count, event.attempts.count()) == ("pending", 0, 0)
        assert event.hand_over_at == event.due_at
        assert timezone.now() < event.due_at < timezone.now() + delivery.PUT_OFF
    assert [again(event).outcome for event in events] == ["succeeded", "succeeded"]


# --- What is kept ------------------------------------------------------------------------------------


def test_an_attempt_says_how_long_each_part_took(hook: str) -> None:
    attempt = fired(make_api_trigger(api_endpoint=hook)).attempts.get()

    assert attempt.first_byte_ms is not None
    assert attempt.body_ms is not None
    assert attempt.tls_ms is None
    assert 0 <= attempt.first_byte_ms <= attempt.duration_ms
    assert attempt.response_bytes == 2


def test_a_binary_body_is_counted_and_not_kept(receiver: HTTPServer) -> None:
    receiver.expect_request("/binary").respond_with_data(b"\x89PNG\x00\x01", content_type="image/png")

    attempt = fired(make_api_trigger(api_endpoint=receiver.url_for("/binary"))).attempts.get()

    assert (attempt.response_body, attempt.is_response_binary, attempt.response_bytes) == ("", True, 6)


def _echo(request: Request) -> Response:
    said = json.dumps({"headers": dict(request.headers), "body": request.get_data(as_text=True)})
    # The value as it came, in a header, in an address, and cut off in the middle at the limit of what is kept.
    secret = request.headers["X-Token"]
    headers = {"X-Echo": secret, "Location": f"https://example.org/?token={secret}"}
    return Response("y" * 4090 + secret if request.args.get("cut") else said, 302, headers)


@pytest.mark.parametrize("query", ["", "?cut=1"])
def test_a_secret_is_kept_nowhere_in_clear_even_when_the_endpoint_sends_it_back(
    receiver: HTTPServer, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.expect_request("/echo").respond_with_handler(_echo)
    trigger = make_api_trigger(
        api_endpoint=receiver.url_for("/echo") + query, headers=[["X-Token", NEVER_SHOWN, True]], retry_delays=[]
    )
    recipe = trigger.recipe
    assert recipe is not None

    event = fired(trigger)

    assert receiver.log[0][0].headers["x-token"] == NEVER_SHOWN
    assert event.attempts.get().status == 302
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 (names of our own tables)
            stored = repr(cursor.fetchall())
            assert NEVER_SHOWN[:8] not in stored, table
            assert recipe.signing_secret not in stored, table
    assert NEVER_SHOWN not in caplog.text


def test_what_belongs_to_no_trigger_is_delivered_as_a_test(receiver: HTTPServer, hook: str) -> None:
    recipe = Recipe.objects.create(method="PUT")
    now = timezone.now()
    Event.objects.create(
        trigger=None,
        source="test",
        is_test=True,
        endpoint=hook,
        recipe=recipe,
        triggered_at=now,
        due_at=now,
        hand_over_at=now,
    )

    beat()

    assert Event.objects.get().outcome == "succeeded"
    assert receiver.log[0][0].method == "PUT"
    assert not HourlyCount.objects.exists()


# --- One that goes wrong stops no other ------------------------------------------------------------------


def fire_all(*triggers: Trigger) -> list[Event]:
    """Return an event of each, after one pass of the beat has handed them over in one batch."""
    events = [firing.fire(trigger, timezone.now()).event for trigger in triggers]
    beat()
    for event in events:
        event.refresh_from_db()
    return events


def test_a_name_that_cannot_be_decoded_fails_alone(hook: str) -> None:
    good, bad = make_api_trigger(api_endpoint=hook), make_api_trigger(api_endpoint="http://xn--a.com/")

    of_good, of_bad = fire_all(good, bad)

    assert of_good.outcome == "succeeded"
    assert of_bad.outcome in ("pending", "failed")
    assert of_bad.attempts.get().error


def test_a_recipe_that_cannot_be_decrypted_fails_alone_and_says_why(hook: str) -> None:
    good, bad = make_api_trigger(api_endpoint=hook), make_api_trigger(api_endpoint=hook)
    with connection.cursor() as cursor:
        other = Fernet(Fernet.generate_key()).encrypt(b"whsec_x").decode()
        cursor.execute("UPDATE triggers_recipe SET signing_secret = %s WHERE id = %s", [other, bad.recipe_id])

    of_good, of_bad = fire_all(good, bad)

    assert (of_good.outcome, of_bad.outcome) == ("succeeded", "failed")
    assert "none of the ENCRYPTION_KEYS fits" in of_bad.reason


def test_an_event_whose_recipe_is_gone_is_not_sent_in_another_way(receiver: HTTPServer, hook: str) -> None:
    trigger = make_api_trigger(api_endpoint=hook)
    event = firing.fire(trigger, timezone.now()).event
    Event.objects.filter(pk=event.pk).update(recipe=4_000_000)

    beat()

    event.refresh_from_db()
    assert (event.outcome, receiver.log) == ("failed", [])
    assert "no longer on record" in event.reason


def test_what_grows_by_masking_is_still_stored(receiver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        return Response("", 302, {"Location": "https://example.org/" + "abcd/" * 90})

    receiver.expect_request("/echo").respond_with_handler(answer)
    trigger = make_api_trigger(
        api_endpoint=receiver.url_for("/echo"), headers=[["X-Token", "abcd", True]], retry_delays=[]
    )

    attempt = fired(trigger).attempts.get()

    assert attempt.status == 302
    assert "abcd" not in attempt.location
    assert len(attempt.location) <= 500


# --- Defined -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"method": "BREW"}, "method", "not a valid choice"),
        ({"headers": [["Host", "x", False]]}, "headers", "follows from the endpoint"),
        ({"headers": [["A", "b\r\nC: d", False]]}, "headers", "line break"),
        ({"headers": [["webhook-id", "x", False]]}, "headers", "this server's own"),
        ({"headers": "x"}, "headers", "Use a list of headers"),
        ({"headers": [["A", "b", False]] * 51}, "headers", "at most 50"),
        ({"body_template": '{"a": {{payload.b'}, "body_template", "Line 1"),
        ({"body_template": "{{secret}}"}, "body_template", "secret"),
        ({"timeout_seconds": 301}, "timeout_seconds", "less than or equal to 300"),
        ({"success_statuses": "okay"}, "success_statuses", "is no status"),
        ({"success_json_path": "$..*"}, "success_json_path", "several values"),
        ({"success_longest_seconds": 0.0}, "success_longest_seconds", "use 0.001 to 300"),
        ({"retry_delays": [0.1]}, "retry_delays", "use 1 to 86400"),
        ({"retry_delays": "soon"}, "retry_delays", "Use a list of seconds"),
        ({"retry_statuses": "410"}, "retry_statuses", "never retried"),
        ({"most_at_once": 0}, "most_at_once", "greater than or equal to 1"),
        ({"rate_per_minute": 0}, "rate_per_minute", "greater than or equal to 1"),
        ({"switch_off_after": 0}, "switch_off_after", "greater than or equal to 1"),
        ({"client_certificate": "nonsense"}, "client_certificate", "PEM"),
    ],
)
def test_what_cannot_be_delivered_is_refused_by_field(fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        make_api_trigger(api_endpoint="https://example.org/", **fields)

    assert list(caught.value.message_dict) == [field]
    assert not Trigger.objects.exists()
    assert not Recipe.objects.exists()


def test_the_mask_keeps_the_secret_that_is_stored() -> None:
    trigger = make_api_trigger(headers=[["X-Token", NEVER_SHOWN, True], ["X-Plain", "a", False]])

    definition.change(trigger.pk, {"headers": [["x-token", vault.MASK, True], ["X-New", "b", True]]}, timezone.now())

    recipe = Trigger.objects.get().recipe
    assert recipe is not None
    assert recipe.headers == [["x-token", NEVER_SHOWN, True], ["X-New", "b", True]]
    assert recipe.shown_headers == [("x-token", vault.MASK, True), ("X-New", vault.MASK, True)]


def test_a_change_that_changes_nothing_of_it_makes_no_new_recipe() -> None:
    trigger = make_api_trigger(api_endpoint="https://example.org/")

    definition.change(trigger.pk, {"name": "Other", "method": "POST"}, timezone.now())

    assert Recipe.objects.count() == 1


def test_an_interrupted_attempt_is_on_record_and_its_event_goes_on(
    hook: str, make_dead: Callable[[Event], None]
) -> None:
    event = firing.fire(make_api_trigger(api_endpoint=hook), timezone.now()).event
    make_dead(event)

    beat()

    event.refresh_from_db()
    assert (event.outcome, event.attempt_count) == ("succeeded", 2)
    assert [attempt.error_kind for attempt in Attempt.objects.order_by("number")] == ["interrupted", ""]


@pytest.fixture
def make_dead() -> Callable[[Event], None]:
    """Let a worker take an event and die: its lease has run out."""

    def die(event: Event) -> None:
        past = timezone.now() - timedelta(seconds=30)
        assert claims.take([event.pk], "dead", timezone.now(), datetime.fromtimestamp(past.timestamp(), past.tzinfo))

    return die
