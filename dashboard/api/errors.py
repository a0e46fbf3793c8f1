"""Every refusal of the API in one form: `{"error": {"code", "message", "fields"}, "message"}`.

`code` follows from the status, `message` is for a person, `fields` holds lists of words by field (empty where no
field is to blame). The same words stand once more at the top, as `message`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError
from ninja.errors import ValidationError as NotAsDeclared

from dashboard.api.recipes import shown_name
from triggers import faults
from triggers.payloads import PayloadError
from triggers.schedules import ScheduleError
from triggers.vault import VaultError

CODES = {
    400: "not_json",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "not_valid",
    500: "internal_error",
    503: "unavailable",
}
NO_KEY = (
    "Give an API key, as “Authorization: Bearer <key>” or “X-API-Key: <key>”. "
    "An administrator makes one under API keys in the dashboard."
)
WHOLE_BODY = "body"  # stands for the field where no single one is to blame
READ_ONLY = frozenset(
    {
        *("id", "created_at", "updated_at", "next_fire_at", "description", "ledger", "problem", "warnings"),
        *("has_client_key", "signing_secret", "version"),
    }
)
LONGEST_NAME = 100  # characters of an unknown field's name that are said back
MOST_FIELDS = 20  # fields at fault that are told at once

logger = logging.getLogger(__name__)


class Refusal(Exception):
    """The call is refused with this status; the words say the rule and the way out. Nothing was changed."""

    def __init__(self, status: int, message: str, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.fields = status, message, fields


def answer(
    status: int, message: str, fields: Mapping[str, Sequence[str]] | None = None, *, retry_after: int | None = None
) -> HttpResponse:
    """Return the answer to a refused call; `retry_after` (seconds) says when another try is worth it."""
    body = {"error": {"code": CODES[status], "message": message, "fields": fields or {}}, "message": message}
    response = JsonResponse(body, status=status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def not_valid(fields: Mapping[str, Sequence[str]]) -> Refusal:
    """Return the refusal (422) that names these fields, each with its words."""
    message = " ".join(f"{field}: {' '.join(words)}" for field, words in fields.items())
    return Refusal(422, message, fields)


def key_used_differently() -> Refusal:
    """Return the refusal of an idempotency key that came before with something else."""
    words = "This key was used before, with another body. Use a new key for a new event."
    return not_valid({"Idempotency-Key": [words]})


def not_json(error: PayloadError) -> Refusal:
    """Return 400 for what is not JSON at all, 422 for JSON that breaks a rule."""
    return Refusal(400, str(error)) if error.is_syntax else not_valid({WHOLE_BODY: [str(error)]})


def answer_with_errors(api: NinjaAPI) -> None:
    """Let `api` answer every exception in the one form."""
    api.add_exception_handler(Refusal, _refused)
    api.add_exception_handler(AuthenticationError, lambda request, error: answer(401, NO_KEY))
    api.add_exception_handler(Http404, lambda request, error: answer(404, "There is nothing here."))
    api.add_exception_handler(NotAsDeclared, _not_as_declared)
    api.add_exception_handler(ValidationError, _not_as_defined)
    api.add_exception_handler(ScheduleError, _not_a_schedule)
    api.add_exception_handler(VaultError, _locked)
    api.add_exception_handler(DatabaseError, _database)
    api.add_exception_handler(InterfaceError, _database)
    api.add_exception_handler(Exception, _unexpected)


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return answer(error.status, error.message, error.fields)


def _not_as_declared(request: HttpRequest, error: Any) -> HttpResponse:
    """For a body, query or header that is not as its schema says."""
    fields: dict[str, list[str]] = {}
    for fault in error.errors[:MOST_FIELDS]:
        fields.setdefault(_field_of(fault["loc"]), []).append(_words(fault))
    return _refused(request, not_valid(fields))


def _not_as_defined(request: HttpRequest, error: Any) -> HttpResponse:
    """For a trigger that `triggers.definition` refuses."""
    return _refused(request, not_valid({shown_name(field): words for field, words in error.message_dict.items()}))


def _not_a_schedule(request: HttpRequest, error: Any) -> HttpResponse:
    return _refused(request, not_valid({error.field: [str(error)]}))


def _locked(request: HttpRequest, error: Any) -> HttpResponse:
    """For a secret whose key is gone: what to do is in its words."""
    logger.error("%s %s: %s", request.method, request.path, error)
    return answer(500, str(error))


def _database(request: HttpRequest, error: Any) -> HttpResponse:
    """503 in words for a fault of the database; an error that is a bug of ours is one like any other."""
    fault = faults.fault_of(error)
    if fault is None:
        return _unexpected(request, error)
    faults.log(logger, f"{request.method} {request.path} was answered 503", error)
    response = answer(503, f"{fault.words} {fault.remedy}", retry_after=fault.retry_after)
    # Django would log each of them again.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return answer(500, "Something went wrong here, not with your call. The server's log tells more.")


def _field_of(place: Sequence[Any]) -> str:
    """Return the field that a place such as ("body", argument, field) or ("query", field) names.

    A field within one has its name behind a dot: ("body", argument, "success", "statuses").
    """
    if place[0] == "body":
        names = [str(part) for part in place[2:] if isinstance(part, str)]
        return ".".join(names)[:LONGEST_NAME] or WHOLE_BODY
    return str(place[-1])[:LONGEST_NAME]


def _words(fault: Mapping[str, Any]) -> str:
    """Return the rule that was broken, and the way out, in words."""
    limits = fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return "This field is required."
        case "extra_forbidden":
            return (
                "This field is read-only: leave it out."
                if fault["loc"][-1] in READ_ONLY
                else "There is no such field: leave it out."
            )
        case "string_type":
            return "Use a string."
        case "bool_type":
            return "Use true or false."
        case "list_type":
            return "Use a list: [ … ]."
        case "dict_type" | "model_type" | "model_attributes_type":
            return "Use a JSON object: { … }."
        case "literal_error":
            return f"Use {limits['expected']}."
        case "string_too_long":
            return f"Use at most {limits['max_length']} characters."
        case "string_too_short":
            return f"Use at least {limits['min_length']} character."
        case "greater_than_equal":
            return f"Use a whole number from {limits['ge']} on."
        case "less_than_equal":
            return f"Use a whole number up to {limits['le']}."
        case "value_error":
            return str(limits["error"])
        case _:
            return f"{fault['msg']}."
