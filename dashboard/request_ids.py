"""A mark for every request, in its answer and in each log line of it: what a person reports is found in the log."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")  # what a proxy in front may have named it
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the mark of the request that is being answered here, or ""."""
    return _current.get()


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give each request its mark: the one that it brings along, or a new one."""

    def answer(request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        mark = given if _GIVEN.fullmatch(given) else f"{secrets.token_hex(2)}-{secrets.token_hex(2)}"
        token = _current.set(mark)
        try:
            response = get_response(request)
        finally:
            _current.reset(token)
        response.headers.setdefault(HEADER, mark)
        return response

    return answer


class InEachLine(logging.Filter):
    """Puts " b2f1-90c4" into the log lines of a request, and nothing into others."""

    def filter(self, record: logging.LogRecord) -> bool:
        mark = current()
        record.request_id = f" {mark}" if mark else ""
        return True
