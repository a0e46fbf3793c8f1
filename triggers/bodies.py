"""The body of a request, made from a template of the user: Mustache with a few named values. Pure.

    {"text": "{{trigger.name}}: {{payload.name}}", "items": {{payload.items}}, "at": "{{scheduled_for}}"}

The values: `event.id`, `trigger.name`, `scheduled_for` (ISO 8601, UTC; nothing when no schedule fired), `attempt`
(from 1), `payload` and all that is in it: `payload.customer.name`, `payload.items.0`. What the payload does not have
is nothing. Sections repeat and decide: `{{#payload.items}}{{name}}{{/payload.items}}`, `{{^payload.items}}…`.

A value is written as its place asks. In JSON, within quotes, it is text with all that JSON asks to be escaped, and
nothing is empty; outside quotes it is a whole JSON value, and nothing is null. So what is JSON without values is JSON
with any. In form fields and in markup it is escaped, but for `{{{…}}}`; in plain text it stands as it is. Objects and
lists are always JSON.

Only parsed JSON is looked into, by name and by number, never an attribute of an object. There are no partials, no
lambdas, no change of delimiters. The size of template and body, and the steps of a rendering, are bounded.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

import mstache
from django.utils.translation import gettext as _

LARGEST_TEMPLATE = 64 * 1024  # bytes
LARGEST_BODY = 256 * 1024  # bytes
MOST_TAGS = 1000
DEEPEST = 8  # sections within each other
LONGEST_NAME = 500  # characters
MOST_STEPS = 250_000  # of one rendering; well under a second
NAMES = ("event.id", "trigger.name", "scheduled_for", "attempt", "payload")

_NAME = re.compile(r"[^\s.{}]+(?:\.[^\s.{}]+)*")
_QUOTE_OR_ESCAPE = re.compile(rb'"|\\.|\\\Z', re.DOTALL)
_AT_LINE = re.compile(r"at line (\d+)")


class BodyError(ValueError):
    """The template cannot be read, or makes a body that is not allowed; the words say where and why."""


class Kind(StrEnum):
    """How values are escaped."""

    JSON = "json"
    FORM_FIELDS = "form_fields"
    MARKUP = "markup"
    TEXT = "text"


def kind_of(content_type: str) -> Kind:
    """Return how values are escaped under a Content-Type. "" is JSON, which we send by default."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in ("", "application/json") or media_type.endswith("+json"):
        return Kind.JSON
    if media_type == "application/x-www-form-urlencoded":
        return Kind.FORM_FIELDS
    if media_type in ("text/html", "text/xml", "application/xml") or media_type.endswith("+xml"):
        return Kind.MARKUP
    return Kind.TEXT


def values(
    *, event_id: int | str, trigger_name: str, scheduled_for: datetime | None, attempt: int, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a template may name. `scheduled_for` has a zone; None when no schedule fired."""
    at = None if scheduled_for is None else scheduled_for.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {
        "event": {"id": event_id},
        "trigger": {"name": trigger_name},
        "scheduled_for": at,
        "attempt": attempt,
        "payload": payload,
    }


def check_template(text: str, kind: Kind) -> None:
    """Raise BodyError, with the line, when the template cannot be read, names what there is not, or makes no JSON.

    Whether JSON comes out is only tried where there are no sections: with them it depends on the payload.
    """
    tokens = _compile(text, kind)[1]
    if kind is Kind.JSON and not any(_is_opening(token) for token in tokens):
        try:
            json.loads(render(text, {}, kind), parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            words = _("Line %(line)s: this makes no JSON: %(reason)s, column %(column)s.")
            places = {"line": error.lineno, "reason": error.msg, "column": error.colno}
            raise BodyError(words % places) from error


def render(text: str, named: Mapping[str, Any], kind: Kind) -> bytes:
    """Return the body; `named` comes from `values`. Raises BodyError when it grows too large or takes too long."""
    stringify, escape = _WRITERS[kind]
    compiled = _compile(text, kind)
    chunks: list[bytes] = []
    size = 0
    stream = mstache.stream(
        text.encode(),
        named,
        getter=_Lookups(len(compiled[1])),
        stringify=stringify,
        escape=escape,
        cache=_Ready(compiled),
    )
    with closing(stream):  # at once: it holds a context variable of this task
        for chunk in stream:
            size += len(chunk)
            if size > LARGEST_BODY:
                words = _("The body grows too large: at most %(most)s KiB are allowed.")
                raise BodyError(words % {"most": LARGEST_BODY // 1024})
            chunks.append(chunk)
    return b"".join(chunks)


# --- Reading a template --------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _compile(text: str, kind: Kind) -> mstache.CompiledTemplate:
    """Return the template as the library reads it, checked, with every value marked as escaped or not."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise BodyError(_("Half of a surrogate pair (U+D800 to U+DFFF) is not allowed.")) from None
    if len(encoded) > LARGEST_TEMPLATE:
        raise BodyError(_("Too large: at most %(most)s KiB are allowed.") % {"most": LARGEST_TEMPLATE // 1024})
    if "\x00" in text:
        words = _("Line %(line)s: the character U+0000 is not allowed.")
        raise BodyError(words % {"line": _line_at(text, text.index(chr(0)))})
    if text.count("{{") > MOST_TAGS:
        raise BodyError(_("Too many tags: at most %(most)s are allowed.") % {"most": MOST_TAGS})
    try:
        version, tokens, components = mstache.tokenize(encoded, cache=_Ready(None))
    except mstache.TokenException as error:
        raise BodyError(_unreadable_in_words(error)) from error
    return version, _checked(text, tokens, kind), components


def _checked(text: str, tokens: Sequence[mstache.CompiledToken], kind: Kind) -> list[mstache.CompiledToken]:
    checked: list[mstache.CompiledToken] = []
    is_quoted = False  # within a JSON string
    open_sections: list[tuple[bool, bool]] = []  # whether names are those of an item; whether it began quoted
    for token in tokens:
        match token[:3]:
            case (False, True, True):
                if kind is Kind.JSON:
                    is_quoted = _is_quoted_after(text, token[4], is_quoted, is_last=token is tokens[-1])
                checked.append(token)
            case (False, True, False):
                _check_name(text, token[3].decode(), is_item=bool(open_sections) and open_sections[-1][0])
                checked.append((*token[:5], _flag(kind, is_quoted, token[5])))
            case (True, False, True):
                name = token[3].decode()
                is_item = bool(open_sections) and open_sections[-1][0]
                _check_name(text, name, is_item=is_item)
                if len(open_sections) == DEEPEST:
                    words = _("Line %(line)s: at most %(most)s sections may stand within each other.")
                    raise BodyError(words % {"line": _line_of(text, name), "most": DEEPEST})
                open_sections.append((is_item or name.partition(".")[0] == "payload", is_quoted))
                checked.append(token)
            case (True, True, True):
                __, began_quoted = open_sections.pop()
                if is_quoted != began_quoted:
                    name = token[3].decode()
                    words = _(
                        "Line %(line)s: the section “%(name)s” begins and ends on different sides of a quotation mark. "
                        "Close within the section what is opened within it."
                    )
                    raise BodyError(words % {"line": _line_of(text, name), "name": name})
                checked.append(token)
            case (True, False, False):
                name = token[3].decode()
                words = _("Line %(line)s: {{>%(name)s}} is not allowed: nothing can be included.")
                raise BodyError(words % {"line": _line_of(text, name, ">"), "name": name[:50]})
            case _:
                words = _("Line %(line)s: the delimiters {{ }} cannot be changed.")
                raise BodyError(words % {"line": _line_at(text, text.find("{{="))})
    return checked


def _is_opening(token: mstache.CompiledToken) -> bool:
    return token[:3] == (True, False, True)


def _flag(kind: Kind, is_quoted: bool, written: int) -> int:
    """Return 0 for a value that is escaped, 1 for one that is not."""
    if kind is Kind.JSON:
        return 0 if is_quoted else 1
    return written


def _is_quoted_after(text: str, literal: bytes, is_quoted: bool, *, is_last: bool) -> bool:
    """Return whether a JSON string is open after `literal`. What comes after escaped values cannot change it."""
    for part in _QUOTE_OR_ESCAPE.findall(literal):
        if part == b'"':
            is_quoted = not is_quoted
        elif part == b"\\" and not is_last:
            words = _("Line %(line)s: a backslash right before {{ would change the value: take it away.")
            raise BodyError(words % {"line": _line_at(text, text.find("\\{{"))})
    return is_quoted


def _check_name(text: str, name: str, *, is_item: bool) -> None:
    if len(name) > LONGEST_NAME:
        words = _("Line %(line)s: a name is too long: at most %(most)s characters.")
        raise BodyError(words % {"line": _line_of(text, name), "most": LONGEST_NAME})
    if not (name == "." and is_item) and not _NAME.fullmatch(name):
        words = _("Line %(line)s: “%(name)s” is no name.")
        raise BodyError(words % {"line": _line_of(text, name), "name": name[:50]})
    if not is_item and name not in NAMES and not name.startswith("payload."):
        words = _("Line %(line)s: there is no “%(name)s”: use %(names)s or payload.… (what is in the payload).")
        raise BodyError(words % {"line": _line_of(text, name), "name": name[:50], "names": ", ".join(NAMES)})


def _line_of(text: str, name: str, sign: str = "[{&#^]?") -> int:
    found = re.search(r"\{\{" + sign + r"\s*" + re.escape(name) + r"\s*\}", text)
    return _line_at(text, found.start() if found else 0)


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _unreadable_in_words(error: mstache.TokenException) -> str:
    match error:
        case mstache.UnclosedSectionException():
            words = _("a section is opened and never closed")
        case mstache.SectionException():
            words = _("a section is closed that is not the one last opened")
        case mstache.UnclosedTokenException():
            words = _("{{ is opened and never closed")
        case __:
            words = _("a tag cannot be read")
    if found := _AT_LINE.search(str(error)):
        return _("Line %(line)s: %(fault)s.") % {"line": found[1], "fault": words}
    return f"{words[:1].upper()}{words[1:]}."


def _refuse_constant(name: str) -> None:
    raise BodyError(_("This makes no JSON: %(name)s is no JSON value.") % {"name": name})


# --- Rendering -----------------------------------------------------------------------------------------


class _Ready:
    """What the library takes for its cache: it finds the checked template there, or nothing."""

    def __init__(self, compiled: mstache.CompiledTemplate | None) -> None:
        self.compiled = compiled

    def get(self, key: Any) -> mstache.CompiledTemplate | None:
        return self.compiled

    def __setitem__(self, key: Any, value: mstache.CompiledTemplate) -> None:
        pass


class _Lookups:
    """Finds values for the library in parsed JSON, and counts the steps that they cost.

    Every turn of a section goes through at most all tokens, so a list costs its length times their number.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens, self.steps = tokens, 0

    def __call__(self, scope: Any, scopes: Sequence[Any], key: bytes | str, default: Any) -> Any:
        value = _find(scope, scopes, key.decode() if isinstance(key, bytes) else key)
        self.steps += 1 + (len(value) * self.tokens if isinstance(value, list) else 0)
        if self.steps > MOST_STEPS:
            raise BodyError(_("The template takes too many steps with this payload: let its sections repeat less."))
        return value


def _find(scope: Any, scopes: Sequence[Any], name: str) -> Any:
    """Return the value, from the innermost section that has its first part, or None."""
    if name == ".":
        return scope
    first, *rest = name.split(".")
    for place in (scope, *reversed(scopes)):
        if isinstance(place, Mapping) and first in place:
            value = place[first]
            for part in rest:
                if isinstance(value, Mapping):
                    value = value.get(part)
                elif isinstance(value, list) and part.isdecimal() and len(part) < 10:
                    value = value[int(part)] if int(part) < len(value) else None
                else:
                    return None
            return value
    return None


def _as_json(value: Any, is_text: bool) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _within_quotes(value: bytes) -> bytes:
    """Return a JSON value as the inside of a JSON string."""
    if value == b"null":
        return b""
    if value.startswith(b'"'):
        return value[1:-1]
    if value.startswith((b"{", b"[")):
        return json.dumps(value.decode(), ensure_ascii=False)[1:-1].encode()
    return value


def _as_text(value: Any, is_text: bool) -> bytes:
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else _as_json(value, is_text)


_Writers = tuple[Callable[[Any, bool], bytes], Callable[[bytes], bytes]]
_WRITERS: dict[Kind, _Writers] = {
    Kind.JSON: (_as_json, _within_quotes),
    Kind.FORM_FIELDS: (_as_text, lambda value: quote_plus(value).encode()),
    Kind.MARKUP: (_as_text, lambda value: html.escape(value.decode()).encode()),
    Kind.TEXT: (_as_text, bytes),
}
