"""Attempts as the pages show them: what was sent, what came back, and what it meant."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.templatetags.figures import size_words
from dashboard.templatetags.sentences import in_running_text
from dashboard.templatetags.statuses import status_words
from dashboard.templatetags.times import milliseconds
from triggers import bodies, exchange, outbound
from triggers.models import Attempt, Event

SHOWN_BYTES = 64 * 1024  # of the body of a request, where one attempt is looked at
SHOWN_BYTES_OF_MANY = 4 * 1024  # where there are many on one page
_PARTS = (
    ("dns_ms", "DNS"),
    ("connect_ms", gettext_lazy("Connect")),
    ("tls_ms", "TLS"),
    ("first_byte_ms", gettext_lazy("Waiting")),
    ("body_ms", gettext_lazy("Download")),
)


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it can be shown: its text, or "", and what is to be said about it."""

    text: str = ""
    note: str = ""
    is_cut: bool = False  # there is more than is shown


@dataclass(frozen=True)
class Shown:
    """One attempt. `shown_bytes`: how much of the request's body is shown."""

    event: Event
    attempt: Attempt
    shown_bytes: int = SHOWN_BYTES

    @property
    def parts(self) -> list[tuple[str, str]]:
        """How long each part took, of those that were measured: ("DNS", "4 ms")."""
        measured = [(label, getattr(self.attempt, name)) for name, label in _PARTS]
        return [(str(label), milliseconds(took)) for label, took in measured if took is not None]

    @property
    def headline(self) -> str:
        """What came of it in a few words: "503 Service Unavailable", "No answer within 10 s"."""
        attempt = self.attempt
        if attempt.status is None:
            return attempt.error.partition(". ")[0].rstrip(".") or _("No answer")
        words = status_words(attempt.status)
        if not attempt.succeeded and 200 <= attempt.status < 300:
            why = in_running_text(next(words for _name, passed, words in attempt.checks if not passed))
            return _("%(status)s, but %(why)s") % {"status": words, "why": why}
        return words

    @property
    def advice(self) -> str:
        """What the error says beyond its first sentence."""
        return self.attempt.error.partition(". ")[2]

    @property
    def checks(self) -> list[tuple[bool, str]]:
        """What the success rule found, where that is more than the status itself says."""
        checks = [(bool(passed), str(words)) for _name, passed, words in self.attempt.checks]
        return checks if len(checks) > 1 or not all(passed for passed, _words in checks) else []

    @property
    def pointed_to(self) -> str:
        """Where a redirect pointed, unless a check says so already; it was not followed."""
        location = self.attempt.location
        return "" if any(location in words for _, words in self.checks) else location

    @property
    def is_late(self) -> bool:
        return self.attempt.status is None and "timeout" in self.attempt.error_kind

    @property
    def answer_body(self) -> Body:
        attempt = self.attempt
        if attempt.is_response_binary:
            binary = (
                _("Binary, at least %(size)s, not shown.")
                if attempt.is_response_cut
                else _("Binary, %(size)s, not shown.")
            )
            return Body(note=binary % {"size": size_words(attempt.response_bytes)})
        if not attempt.response_body:
            return Body(note=_("The answer had no body."))
        return Body(attempt.response_body, _cut_in_words(attempt.response_body) if attempt.is_response_cut else "")

    @cached_property
    def request(self) -> outbound.Request | None:
        """The request as it was; None when its body could not be made."""
        try:
            return exchange.request_as_it_was(self.event, self.attempt)
        except bodies.BodyError:
            return None

    @property
    def request_line(self) -> str:
        """ "POST https://…"."""
        method = self.event.recipe.method if self.event.recipe else "POST"
        return f"{method} {self.event.endpoint}"

    @property
    def request_body(self) -> Body:
        if self.request is None:
            return Body(note=_("Its body could not be made."))
        body = self.request.body
        if not body:
            return Body(note=_("It had no body."))
        text = body[: self.shown_bytes].decode(errors="ignore")
        is_cut = len(body) > self.shown_bytes
        sizes = {"shown": _kibibytes(self.shown_bytes), "whole": size_words(len(body))}
        note = _("Shown up to %(shown)s of %(whole)s.") % sizes
        return Body(text, note, is_cut) if is_cut else Body(text)

    @property
    def can_be_curl(self) -> bool:
        return bool(self.attempt.request_headers)

    @property
    def as_curl(self) -> str:
        """The command that sends it again; secrets are variables. "" when it was never sent."""
        return exchange.curl_of(self.event, self.attempt) or ""


def shown(event: Event, attempts: Iterable[Attempt]) -> list[Shown]:
    """Return the attempts of an event as its page shows them, the last one at length."""
    every = list(attempts)
    return [Shown(event, attempt, SHOWN_BYTES if attempt is every[-1] else SHOWN_BYTES_OF_MANY) for attempt in every]


def _cut_in_words(text: str) -> str:
    kept = {"size": _kibibytes(len(text.encode()))}
    return _("Cut at %(size)s: the answer was longer, and only its beginning is kept.") % kept


def _kibibytes(size: int) -> str:
    return f"{math.ceil(size / 1024)} KiB"
