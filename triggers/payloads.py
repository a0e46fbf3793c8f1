"""What a payload may be: a JSON object that every database, receiver and reader of JSON understands. Pure.

Rules: an object at the top (RFC 8259, section 4); at most 256 KiB; at most 64 levels; only numbers that a
double holds (section 6: NaN and Infinity are no JSON, and 1e999 overflows); no U+0000 and no lone surrogate,
which PostgreSQL's jsonb refuses and UTF-8 cannot carry; each name once in an object.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

LARGEST_BODY = 256 * 1024  # bytes
DEEPEST = 64  # levels of objects and lists
LARGEST_INTEGER = 2**63 - 1  # what every usual reader of JSON can hold
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class PayloadError(ValueError):
    """The text is not JSON that is accepted; the words say the rule. `is_syntax`: it is not JSON at all."""

    def __init__(self, message: str, *, is_syntax: bool = False) -> None:
        super().__init__(message)
        self.is_syntax = is_syntax


def parse(text: str | bytes, levels: int = DEEPEST) -> Any:
    """Return the JSON value of `text`; raises PayloadError for what is not JSON or breaks a rule.

    `levels`: how deep it may be nested; a body that has a payload as one of its fields is one level deeper.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            words = _("Not UTF-8: byte %(number)s cannot be read.") % {"number": error.start + 1}
            raise PayloadError(words, is_syntax=True) from error
    if text.startswith("\ufeff"):
        raise PayloadError(_("Not JSON: leave out the byte order mark at its start."), is_syntax=True)
    _check_depth(text, levels)  # before parsing: the parser itself would run out of stack
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_int=_read_int,
            object_pairs_hook=_refuse_double_names,
        )
    except json.JSONDecodeError as error:
        words = _("Not JSON: %(reason)s, line %(line)s, column %(column)s.")
        places = {"reason": error.msg, "line": error.lineno, "column": error.colno}
        raise PayloadError(words % places, is_syntax=True) from error
    check(value)
    return value


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object of `text`; raises PayloadError."""
    value = parse(text)
    if not isinstance(value, dict):
        raise PayloadError(_("Use a JSON object: { … }."))
    return value


def check(value: Any) -> None:
    """Raise PayloadError when a value, already parsed, breaks a rule."""
    for part in _parts(value):
        if isinstance(part, str):
            check_text(part)
        elif isinstance(part, float) and not math.isfinite(part):
            raise PayloadError(_("A number is too large: at most 1.79e308 is allowed."))
        elif isinstance(part, int) and abs(part) > LARGEST_INTEGER:
            raise PayloadError(_whole_number_too_large())


def check_payload(value: Any) -> None:
    """Raise PayloadError when a value may not be stored as a payload: no object, too large, or against a rule."""
    if not isinstance(value, dict):
        raise PayloadError(_("Use a JSON object: { … }."))
    check(value)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > LARGEST_BODY:
        raise PayloadError(_("Too large: at most %(most)s KiB is allowed.") % {"most": LARGEST_BODY // 1024})
    _check_depth(text, DEEPEST)


def check_text(text: str) -> None:
    """Raise PayloadError for characters that cannot be stored everywhere."""
    if "\x00" in text:
        raise PayloadError(_("The character U+0000 is not allowed."))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PayloadError(_("Half of a surrogate pair (U+D800 to U+DFFF) is not allowed.")) from None


def _parts(value: Any) -> Iterator[Any]:
    """Every name and value in it, at every level."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.keys()
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
        else:
            yield part


def _check_depth(text: str, levels: int) -> None:
    """Raise PayloadError when more brackets than that are open at once, those within strings left out."""
    if text.count("{") + text.count("[") <= levels:
        return
    level = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        match token[0]:
            case "{" | "[":
                level += 1
                if level > levels:
                    words = _("Nested too deeply: at most %(most)s levels are allowed.")
                    raise PayloadError(words % {"most": levels})
            case "}" | "]":
                level -= 1


def _refuse_constant(name: str) -> None:
    raise PayloadError(_("%(name)s is not JSON: use a number or null.") % {"name": name}, is_syntax=True)


def _whole_number_too_large() -> str:
    return _("A whole number is too large: at most %(most)s is allowed.") % {"most": LARGEST_INTEGER}


def _read_int(digits: str) -> int:
    if len(digits) > 20:  # before Python's own limit on long digits speaks
        raise PayloadError(_whole_number_too_large())
    return int(digits)


def _refuse_double_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, __ in pairs:
            if name in seen:
                check_text(name)  # it is about to be shown
                raise PayloadError(_("The name “%(name)s” stands twice in one object.") % {"name": name[:50]})
            seen.add(name)
    return value
