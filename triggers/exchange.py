"""One attempt: the request that an event makes by its recipe, the answer, and what it means for the event."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
from django.conf import settings
from django.utils import timezone

from triggers import backoff, bodies, claims, outbound, signing, vault, verdict
from triggers.curl import as_curl
from triggers.models import DRAFT_NAME, Attempt, Event, Recipe, webhook_id
from triggers.redaction import redacted

logger = logging.getLogger(__name__)

LARGEST_JUDGED_BODY = 64 * 1024  # bytes that are read where the success rule looks into the body
LONGEST_WORDS = 500  # characters of a reason, an error, a location, as they are stored
# Kinds of error beside those of outbound.ErrorKind.
BODY, INTERNAL = "body", "internal"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Parcel:
    """An event in a worker's hands, with all that it takes to deliver it."""

    event: claims.TakenEvent
    recipe: Recipe
    trigger_name: str  # read only where the body names it
    token: str

    @property
    def due_from(self) -> datetime | None:
        """What its lateness counts from; None under a rate limit: what waits for its turn is late on purpose."""
        if self.recipe.rate_per_minute is not None:
            return None
        return self.event.scheduled_for or self.event.triggered_at


async def attempt(session: aiohttp.ClientSession, parcel: Parcel) -> claims.Result:
    """Make one request for the event and return what came of it; never raises."""
    event, recipe = parcel.event, parcel.recipe
    if not event.endpoint:
        return claims.Result(event.id, parcel.token, Event.Outcome.LOGGED, timezone.now(), due_from=parcel.due_from)
    started_at = timezone.now()
    began = time.perf_counter()
    record: dict[str, Any] = {
        "number": event.attempt,
        "started_at": started_at,
        "first_sent_at": event.first_sent_at or started_at,
        "due_from": parcel.due_from,
    }
    try:
        request = request_of(parcel, started_at)
        record["request_headers"] = shown_headers(request.headers, recipe)
        answer = await outbound.send(
            session,
            request,
            timeout_seconds=recipe.timeout_seconds or settings.DELIVERY_TIMEOUT_SECONDS,
            body_limit=_body_limit(recipe),
        )
    except outbound.OutboundError as error:
        record |= {"duration_ms": _milliseconds_since(began), "remote_address": error.remote_address}
        record |= error.timing._asdict()
        words = redacted(str(error), recipe.secrets)[:LONGEST_WORDS]
        return _failed(parcel, record | {"error_kind": error.kind, "error": words, "reason": words})
    except bodies.BodyError as error:
        words = f"The body could not be made. {error}"[:LONGEST_WORDS]
        return _failed(parcel, record | {"error_kind": BODY, "error": words, "reason": words})
    except Exception as error:
        # A fault of ours must cost this event an attempt, not the others their worker.
        return _mistaken(parcel, record, error)
    record["duration_ms"] = _milliseconds_since(began)
    try:
        return _judged(parcel, record, answer)
    except Exception as error:
        return _mistaken(parcel, record, error)


def _mistaken(parcel: Parcel, record: dict[str, Any], error: Exception) -> claims.Result:
    """Return the result of an attempt that went wrong here: tried again like any other."""
    logger.error("Event %d could not be delivered", parcel.event.id, exc_info=error)
    words = redacted(f"The server made a mistake: {error!r}", parcel.recipe.secrets)[:LONGEST_WORDS]
    return _failed(parcel, record | {"error_kind": INTERNAL, "error": words, "reason": words})


def _judged(parcel: Parcel, record: dict[str, Any], answer: outbound.Answer) -> claims.Result:
    """Return what an answer means: success, or a failure that is tried again or not."""
    recipe = parcel.recipe
    checks = verdict.judge(
        recipe.success_rule, answer.status, answer.headers, answer.body, answer.is_cut, record["duration_ms"] / 1000
    )
    whole = record | _answer_record(answer, checks, recipe)
    if all(check.passed for check in checks):
        return claims.Result(parcel.event.id, parcel.token, Event.Outcome.SUCCEEDED, timezone.now(), **whole)
    return _failed(parcel, whole | {"reason": _why(checks, recipe)}, answer)


def not_made(event: claims.TakenEvent, token: str, words: str) -> claims.Result:
    """Return the result of an event for which no request can be made at all: it fails for good, and says why."""
    now, words = timezone.now(), words[:LONGEST_WORDS]
    return claims.Result(
        event.id,
        token,
        Event.Outcome.FAILED,
        now,
        reason=words,
        number=event.attempt or None,
        started_at=now if event.attempt else None,
        error_kind=INTERNAL,
        error=words,
    )


def request_of(parcel: Parcel, now: datetime) -> outbound.Request:
    """Return the request of an event. Raises BodyError, or VaultError when a secret cannot be read."""
    event, recipe = parcel.event, parcel.recipe
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"EventTriggerPlatform/{settings.VERSION} (+{settings.PUBLIC_URL})",
        "webhook-id": webhook_id(event.id, event.triggered_at),
        "webhook-timestamp": str(int(now.timestamp())),
        "event-attempt": str(event.attempt),
        "event-due-at": event.due_at.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    for name, value, _ in recipe.headers:
        # What the user says of these takes the place of what we would say.
        headers.pop({"content-type": "Content-Type", "user-agent": "User-Agent"}.get(name.lower(), ""), None)
        headers[name] = value
    body = body_of(parcel) if recipe.method in _WITH_BODY else None
    if body is None:
        headers.pop("Content-Type", None)
    if secrets := recipe.signing_secrets(now):
        headers["webhook-signature"] = signing.sign(
            secrets, headers["webhook-id"], int(headers["webhook-timestamp"]), body or b""
        )
    return outbound.Request(recipe.method, event.endpoint, tuple(headers.items()), body, recipe.route)


def request_as_it_was(event: Event, attempt: Attempt) -> outbound.Request:
    """Return the request of an attempt, for showing: its headers as they are stored, with secret values masked.

    The body is not stored; it is made again of what the event carries. Raises BodyError.
    """
    recipe = event.recipe or Recipe()
    taken = claims.TakenEvent(
        event.pk,
        event.trigger_id,
        event.source,
        event.is_test,
        event.due_at,
        event.triggered_at,
        event.scheduled_for,
        event.paced_for,
        event.first_sent_at,
        event.endpoint,
        event.recipe_id,
        event.payload_as_sent,
        attempt.number,
    )
    name = (event.trigger.name if event.trigger else DRAFT_NAME) if recipe.body_template else ""
    parcel = Parcel(taken, recipe, name, "")
    body = body_of(parcel) if recipe.method in _WITH_BODY else None
    headers = tuple((name, value) for name, value in attempt.request_headers)
    return outbound.Request(recipe.method, event.endpoint, headers, body)


def curl_of(event: Event, attempt: Attempt) -> str | None:
    """Return the request of an attempt as a command of a shell, secret values as variables.

    None: there was no request, for its body could not be made, or it is not on record, for nobody saw the attempt end.
    """
    if not attempt.request_headers:
        return None
    try:
        request = request_as_it_was(event, attempt)
    except bodies.BodyError:  # it was made, but not with the trigger's name of today
        return None
    secret_names = {name for name, value in request.headers if value == vault.MASK}
    return as_curl(request.method, request.url, request.headers, request.body or b"", secret_names)


def body_of(parcel: Parcel) -> bytes:
    """Return the payload as JSON, or what the recipe's template makes of it. Raises BodyError."""
    event, recipe = parcel.event, parcel.recipe
    if not recipe.body_template:
        return event.payload.encode()
    named = bodies.values(
        event_id=event.id,
        trigger_name=parcel.trigger_name,
        scheduled_for=event.scheduled_for,
        attempt=event.attempt,
        payload=json.loads(event.payload),
    )
    return bodies.render(recipe.body_template, named, bodies.kind_of(content_type_of(recipe)))


def content_type_of(recipe: Recipe) -> str:
    """Return the Content-Type that the user gave, or ""."""
    return next((value for name, value, _ in recipe.headers if name.lower() == "content-type"), "")


def shown_headers(headers: Sequence[tuple[str, str]], recipe: Recipe) -> tuple[tuple[str, str], ...]:
    """Return the headers of a request as they may be stored: secret values masked."""
    secret = {name for name, _, is_secret in recipe.headers if is_secret}
    return tuple((name, vault.MASK if name in secret else value) for name, value in headers)


# --- The answer --------------------------------------------------------------------------------------


def _body_limit(recipe: Recipe) -> int:
    """Return how many bytes are read: as many as are kept, or more where the success rule looks at them."""
    looks_inside = bool(recipe.success_json_path or recipe.success_contains)
    return LARGEST_JUDGED_BODY if looks_inside else settings.RESPONSE_BODY_BYTES


def _answer_record(answer: outbound.Answer, checks: Sequence[verdict.Check], recipe: Recipe) -> dict[str, Any]:
    """Return what is kept of an answer: no secret of ours, should the endpoint have sent one back."""
    secrets = recipe.secrets
    kept = answer.body[: settings.RESPONSE_BODY_BYTES]
    is_cut = answer.is_cut or len(kept) < len(answer.body)
    text, is_binary = outbound.readable(kept, answer.content_type)
    return {
        "status": answer.status,
        "remote_address": answer.remote_address,
        "location": redacted(answer.location, secrets)[:LONGEST_WORDS],
        "checks": tuple((check.name, check.passed, redacted(check.words, secrets)) for check in checks),
        "response_headers": tuple(
            (redacted(name, secrets), redacted(value, secrets)) for name, value in answer.headers
        ),
        "response_body": redacted(text, secrets, is_cut=is_cut),
        "response_bytes": len(answer.body),
        "is_response_binary": is_binary,
        "is_response_cut": is_cut,
        **answer.timing._asdict(),
    }


def _why(checks: Sequence[verdict.Check], recipe: Recipe) -> str:
    """Return in words why an answer is no success."""
    words = ". ".join(check.words for check in checks if not check.passed)
    return redacted(f"{words}.", recipe.secrets)[:LONGEST_WORDS]


def _failed(parcel: Parcel, record: dict[str, Any], answer: outbound.Answer | None = None) -> claims.Result:
    """Return the result of a failed attempt: pending again with a later due time, or failed for good."""
    event, recipe = parcel.event, parcel.recipe
    now = timezone.now()
    named = {name.lower(): value for name, value in answer.headers} if answer else {}
    wait = backoff.wait_after(
        recipe.retries,
        event.attempt,
        jitter=random.uniform(-1, 1),
        retry_after_seconds=backoff.read_retry_after(named["retry-after"], now) if "retry-after" in named else None,
        status=answer.status if answer else None,
        # A test wants its answer now; what is not allowed, or cannot be made, will not be in half a minute either.
        is_over=event.source == Event.Source.TEST
        or record.get("error_kind") in (outbound.ErrorKind.BLOCKED, BODY)
        or named.get("webhook-delivery", "").strip().lower() == "abort",
    )
    return claims.Result(
        event.id,
        parcel.token,
        Event.Outcome.FAILED if wait is None else Event.Outcome.PENDING,
        now,
        due_again_at=None if wait is None else now + wait,
        **record,
    )


def given_back(parcel: Parcel, due_at: datetime | None = None, paced_for: datetime | None = None) -> claims.Result:
    """Return the result of an event that was not begun: it waits as before (or until `due_at`), for any worker."""
    now = timezone.now()
    return claims.Result(
        parcel.event.id,
        parcel.token,
        Event.Outcome.PENDING,
        now,
        due_again_at=due_at or max(parcel.event.due_at, now),
        paced_for=paced_for or parcel.event.paced_for,
    )


def _milliseconds_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
