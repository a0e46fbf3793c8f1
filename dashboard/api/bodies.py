"""The JSON body of a call, read strictly: bounded before it is read, and by the rules of `triggers.payloads`.

ninja's own reader takes NaN, doubled names and bodies of any type and size; hence `JsonBody` in its place.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.params.models import Body, BodyModel

from dashboard.api.errors import Refusal, not_json, not_valid
from triggers import payloads


class _JsonBodyModel(BodyModel):
    @classmethod
    def get_request_data(cls, request: HttpRequest, api: NinjaAPI, path_params: dict[str, Any]) -> dict[str, Any]:
        # One level more than a payload may have: here it is a field of the body.
        return {cls.__read_from_single_attr__: _parse(request, _read(request), payloads.DEEPEST + 1)}


class JsonBody(Body):  # type: ignore[misc]  # as ninja does it
    """The parameter that is the call's JSON body, as ninja's `Body`, strictly read."""

    _model = _JsonBodyModel

    @classmethod
    def _param_source(cls) -> str:
        return "body"


def optional_object(request: HttpRequest) -> dict[str, Any] | None:
    """Return the JSON object that the body holds, or None when the call has no body. Raises Refusal."""
    body = _read(request)
    if not body:
        return None
    value = _parse(request, body, payloads.DEEPEST)
    if not isinstance(value, dict):
        raise not_valid({"body": ["Use a JSON object: { … }."]})
    return value


def _read(request: HttpRequest) -> bytes:
    """Return the whole body; raises Refusal (413) for one that is too large, as soon as that is known."""
    try:
        body = read_bounded(request, payloads.LARGEST_BODY)
    except OSError as error:
        raise Refusal(400, "The body broke off.") from error
    if body is None:
        raise _too_large()
    return body


def read_bounded(request: HttpRequest, most: int) -> bytes | None:
    """Return the whole body, or None as soon as it is known to be larger; raises OSError when it breaks off."""
    is_chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not is_chunked and declared.isdigit() and (len(declared) > 9 or int(declared) > most):
        return None
    # Django sees no body where no length is given; gunicorn knows where a chunked one ends.
    stream = request.META["wsgi.input"] if is_chunked else request
    body: bytes = stream.read(most + 1)
    return body if len(body) <= most else None


def _too_large() -> Refusal:
    return Refusal(413, f"The body is too large: at most {payloads.LARGEST_BODY // 1024} KiB is allowed.")


def _parse(request: HttpRequest, body: bytes, levels: int) -> Any:
    is_plain = request.headers.get("Content-Encoding", "identity") == "identity"
    if body and not (request.content_type == "application/json" and is_plain):
        raise Refusal(415, "Send the body as JSON, with “Content-Type: application/json” and no Content-Encoding.")
    try:
        return payloads.parse(body, levels)
    except payloads.PayloadError as error:
        raise not_json(error) from error
