"""Whether an answer counts as success, check by check. Pure.

The JSON path is a *singular* query of RFC 9535, section 2.3.5.1: names and numbers that lead to one value, such as
`$.status` or `$.items[0]['is ok']`. Wildcards, filters and their regular expressions are refused: they give many
values where one is compared, and could cost more time than the answer took.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError

from triggers import statuses

LONGEST_PATH = 200  # characters
LONGEST_TEXT = 1000  # characters, of what a body contains and of the JSON that a value equals
SHORTEST_LIMIT, LONGEST_LIMIT = 0.001, 300.0  # seconds

_LONGEST_SHOWN = 80  # characters of a value in words
_SINGLE_BYTE_CHARSET = re.compile(r"(?:iso-8859-\d{1,2}|windows-125\d|latin-?1|us-ascii)")
_paths = JSONPathEnvironment(strict=True)


class RuleError(ValueError):
    """Such a rule is not allowed; the words say why. `field` is the field of `Rule` to blame."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Rule:
    """What an answer must be to count as success. Without more than the default only its status is looked at."""

    statuses: str = "2xx"
    json_path: str = ""  # "" for no such check
    json_equals: Any = None  # a JSON value, looked at only with a path
    contains: str = ""  # "" for no such check
    longest_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one check: `status`, `json`, `text` or `duration`."""

    name: str
    passed: bool
    words: str


def check_rule(rule: Rule) -> None:
    """Raise RuleError when a part of the rule cannot be read or is out of bounds."""
    try:
        statuses.parse(rule.statuses)
    except ValueError as error:
        raise RuleError("statuses", str(error)) from error
    if rule.json_path:
        try:
            _path(rule.json_path)
        except ValueError as error:
            raise RuleError("json_path", str(error)) from error
        _check_json_equals(rule.json_equals)
    if len(rule.contains) > LONGEST_TEXT:
        raise RuleError("contains", _too_long(LONGEST_TEXT))
    if rule.longest_seconds is not None and not SHORTEST_LIMIT <= rule.longest_seconds <= LONGEST_LIMIT:
        raise RuleError(
            "longest_seconds",
            _("%(value)s is not allowed: use %(least)s to %(most)s.")
            % {
                "value": number_format(f"{rule.longest_seconds:g}"),
                "least": number_format(f"{SHORTEST_LIMIT:g}"),
                "most": number_format(f"{LONGEST_LIMIT:g}"),
            },
        )


def judge(
    rule: Rule,
    status: int,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    is_cut: bool,
    duration_seconds: float,
) -> tuple[Check, ...]:
    """Return every check of the rule with what came of it; it is a success when all have passed.

    `body`: what was read of it; `is_cut`: there was more. A body that is cut is no JSON.
    """
    checks = [_judge_status(rule.statuses, status, headers)]
    if rule.json_path:
        checks.append(_judge_json(rule.json_path, rule.json_equals, body, is_cut))
    if rule.contains:
        checks.append(_judge_text(rule.contains, headers, body, is_cut))
    if rule.longest_seconds is not None:
        checks.append(_judge_duration(rule.longest_seconds, duration_seconds))
    return tuple(checks)


# --- One check ---------------------------------------------------------------------------------------


def _judge_status(allowed: str, status: int, headers: Iterable[tuple[str, str]]) -> Check:
    if status in statuses.parse(allowed):
        return Check("status", True, f"Status {status}")
    words = statuses.in_words(allowed)
    words = f"Status {status} is not {'one of ' if '-' in words or ',' in words else ''}{words}"
    if 300 <= status < 400 and (location := _header(headers, "location")):
        words += f"; it points to {_short(_printable(location))}, and redirects are not followed"
    return Check("status", False, words)


def _judge_json(path: str, expected: Any, body: bytes, is_cut: bool) -> Check:
    if is_cut:
        return Check(
            "json", False, f"Only the first {len(body):,} bytes of the body were read, so {path} cannot be looked up"
        )
    try:
        found = _look_up(path, json.loads(body, parse_constant=_refuse_constant))
        if not found:
            return Check("json", False, f"{path} is not there")
        if _is_same(found[0], expected):
            return Check("json", True, f"{path} is {_shown(expected)}")
        return Check("json", False, f"{path} is {_shown(found[0])}, not {_shown(expected)}")
    except ValueError:
        what = "is not JSON" if body.strip() else "is empty"
        return Check("json", False, f"The body {what}, so there is no {path}")
    except RecursionError:
        return Check("json", False, f"The body is nested too deeply, so {path} cannot be looked up")


def _judge_text(text: str, headers: Iterable[tuple[str, str]], body: bytes, is_cut: bool) -> Check:
    shown = f"“{_short(_printable(text))}”"
    if text in body.decode(_charset(headers), errors="replace"):
        return Check("text", True, f"The body contains {shown}")
    if is_cut:
        return Check("text", False, f"The body does not contain {shown} in its first {len(body):,} bytes")
    return Check("text", False, f"The body does not contain {shown}")


def _judge_duration(longest: float, took: float) -> Check:
    took = round(took, 3)  # as it is shown
    if took > longest:
        return Check("duration", False, f"Took {_seconds(took)}, longer than {_seconds(longest)}")
    return Check("duration", True, f"Took {_seconds(took)}")


# --- JSON --------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _path(text: str) -> JSONPath:
    """Return the path, ready to be looked up; raises ValueError for what is no path, or leads to several values."""
    if len(text) > LONGEST_PATH:
        raise ValueError(_too_long(LONGEST_PATH))
    if not text.startswith("$"):
        raise ValueError(_("A path begins with $, which is the whole body: use $.status or $.items[0].ok."))
    try:
        path = _paths.compile(text)
    except JSONPathError as error:
        reason = str(error).partition("\n")[0].strip()
        words = _("This path cannot be read: %(reason)s. Use one such as $.status or $.items[0].ok.")
        raise ValueError(words % {"reason": reason}) from error
    if not isinstance(path, JSONPath) or not path.singular_query():
        raise ValueError(_("This path may lead to several values: use names and numbers only, as in $.items[0].ok."))
    return path


def _look_up(path: str, document: Any) -> list[Any]:
    """Return the value in a list, or an empty list where there is none."""
    query = _path(path)
    if isinstance(document, str):  # the library would parse it once more
        return [] if query.segments else [document]
    return query.findall(document)


def _is_same(found: Any, expected: Any) -> bool:
    """Whether two JSON values are equal; other than in Python, true is not 1. Numbers are compared as numbers."""
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(_is_same(found[name], expected[name]) for name in found)
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(_is_same, found, expected))
    return bool(found == expected)


def _check_json_equals(value: Any) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        words = _("Use a JSON value: text in quotes, a number, true, false or null.")
        raise RuleError("json_equals", words) from error
    if len(text) > LONGEST_TEXT:
        raise RuleError("json_equals", _too_long(LONGEST_TEXT))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


# --- Words -------------------------------------------------------------------------------------------


def _too_long(most: int) -> str:
    return _("Too long: at most %(most)s characters are allowed.") % {"most": number_format(most, force_grouping=True)}


def _header(headers: Iterable[tuple[str, str]], name: str) -> str:
    return next((value for header, value in headers if header.lower() == name), "")


def _charset(headers: Iterable[tuple[str, str]]) -> str:
    """Return the charset of a text, of those that are plain to read; UTF-8 where none is named."""
    found = re.search(r"charset\s*=\s*\"?([\w-]{1,20})", _header(headers, "content-type")[:200], re.IGNORECASE)
    name = found[1].lower() if found else ""
    if not _SINGLE_BYTE_CHARSET.fullmatch(name):
        return "utf-8"
    try:
        "".encode(name)
    except LookupError:  # there is no ISO 8859-12
        return "utf-8"
    return name


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _short(text.encode(errors="replace").decode())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text[: _LONGEST_SHOWN + 1])


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
