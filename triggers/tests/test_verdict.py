"""Whether an answer counts as success: every check with its words, and rules that are not allowed."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest

from triggers import verdict
from triggers.verdict import Check, Rule, RuleError

HTML = (("Content-Type", "text/html; charset=iso-8859-1"),)


def judged(
    rule: Rule,
    status: int = 200,
    body: bytes = b"",
    headers: tuple[tuple[str, str], ...] = (),
    is_cut: bool = False,
    seconds: float = 0.25,
) -> dict[str, tuple[bool, str]]:
    verdict.check_rule(rule)
    return {
        check.name: (check.passed, check.words) for check in verdict.judge(rule, status, headers, body, is_cut, seconds)
    }


# --- Status ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "status", "passed", "words"),
    [
        ("2xx", 200, True, "Status 200"),
        ("2xx", 299, True, "Status 299"),
        ("2xx", 503, False, "Status 503 is not one of 200-299"),
        ("200", 201, False, "Status 201 is not 200"),
        ("200, 202", 201, False, "Status 201 is not one of 200, 202"),
        ("200-299,304", 304, True, "Status 304"),
        ("404", 404, True, "Status 404"),
        ("2xx", 999, False, "Status 999 is not one of 200-299"),
        ("2xx", 302, False, "Status 302 is not one of 200-299"),  # without saying where
    ],
)
def test_the_status_is_one_of_a_set(allowed: str, status: int, passed: bool, words: str) -> None:
    assert judged(Rule(statuses=allowed), status) == {"status": (passed, words)}


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://example.org/new", "https://example.org/new"),
        ("/\r\n<b>\x00", "/\ufffd\ufffd<b>\ufffd"),
        ("x" * 81, "x" * 79 + "…"),
        ("x" * 100_000, "x" * 79 + "…"),
    ],
)
def test_a_redirect_is_a_failure_that_says_where_it_points(location: str, shown: str) -> None:
    headers = (("Date", "now"), ("LOCATION", location))

    assert judged(Rule(), 301, headers=headers) == {
        "status": (False, f"Status 301 is not one of 200-299; it points to {shown}, and redirects are not followed")
    }
    assert judged(Rule(statuses="3xx"), 301, headers=headers) == {"status": (True, "Status 301")}


# --- JSON --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected", "body", "passed", "words"),
    [
        ("$.ok", True, b'{"ok": true}', True, "$.ok is true"),
        ("$.ok", True, b'{"ok": false}', False, "$.ok is false, not true"),
        ("$.ok", True, b'{"ok": 1}', False, "$.ok is 1, not true"),  # other than in Python
        ("$.ok", 1, b'{"ok": true}', False, "$.ok is true, not 1"),
        ("$.ok", 0, b'{"ok": false}', False, "$.ok is false, not 0"),
        ("$.ok", 1, b'{"ok": 1.0}', True, "$.ok is 1"),
        ("$.ok", "1", b'{"ok": 1}', False, '$.ok is 1, not "1"'),
        ("$.ok", None, b'{"ok": null}', True, "$.ok is null"),
        ("$.ok", None, b"{}", False, "$.ok is not there"),  # which is not null
        ("$.ok", None, b'{"ok": 0}', False, "$.ok is 0, not null"),
        ("$.state", "done", '{"state": "dönë"}'.encode(), False, '$.state is "dönë", not "done"'),
        ("$.a[1].b", "x", b'{"a": [0, {"b": "x"}]}', True, '$.a[1].b is "x"'),
        ("$.a[-1]", 2, b'{"a": [1, 2]}', True, "$.a[-1] is 2"),
        ("$['is ok']", True, b'{"is ok": true}', True, "$['is ok'] is true"),
        ("$.größe", 5, '{"größe": 5}'.encode(), True, "$.größe is 5"),
        ("$", "done", b'"done"', True, '$ is "done"'),
        ("$", {"a": [1, {"b": None}]}, b'{"a": [1.0, {"b": null}]}', True, '$ is {"a": [1, {"b": null}]}'),
        ("$", [True, 0], b"[1, false]", False, "$ is [1, false], not [true, 0]"),
        ("$", [1], b"[1, 2]", False, "$ is [1, 2], not [1]"),
        ("$", {"a": 1}, b'{"b": 1}', False, '$ is {"b": 1}, not {"a": 1}'),
        ("$.a", 1, b"[]", False, "$.a is not there"),
        ("$[0]", "x", b'{"0": "x"}', False, "$[0] is not there"),
        ("$[0]", "x", b'"x"', False, "$[0] is not there"),
        ("$.a", 1, b'"{\\"a\\": 1}"', False, "$.a is not there"),  # text that looks like JSON is text
        ("$.length", 2, b"[1, 2]", False, "$.length is not there"),
        ("$.x", "a", b'{"x": "\\ud800\\u0000"}', False, '$.x is "?\\u0000", not "a"'),
        ("$.x", 1, b'{"x": "%s"}' % (b"y" * 100), False, '$.x is "' + "y" * 78 + "…, not 1"),
        ("$.ok", True, b"", False, "The body is empty, so there is no $.ok"),
        ("$.ok", True, b" \n", False, "The body is empty, so there is no $.ok"),
        ("$.ok", True, b"<html>", False, "The body is not JSON, so there is no $.ok"),
        ("$.ok", True, b'{"ok": true', False, "The body is not JSON, so there is no $.ok"),
        ("$.ok", True, b'{"ok": true, "x": NaN}', False, "The body is not JSON, so there is no $.ok"),
        ("$.ok", True, b'\xff{"ok": true}', False, "The body is not JSON, so there is no $.ok"),
        ("$.ok", True, b'{"ok": %s}' % (b"9" * 5000), False, "The body is not JSON, so there is no $.ok"),
        ("$.ok", True, b"[" * 65_000, False, "The body is nested too deeply, so $.ok cannot be looked up"),
        (
            "$.ok",
            True,
            b"[" * 65_000 + b"]" * 65_000,
            False,
            "The body is nested too deeply, so $.ok cannot be looked up",
        ),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_value_of_the_json_is_compared(path: str, expected: Any, body: bytes, passed: bool, words: str) -> None:
    rule = Rule(json_path=path, json_equals=expected)

    assert judged(rule, body=body)["json"] == (passed, words)


def test_a_body_that_was_cut_is_no_json_even_when_it_looks_like_some() -> None:
    assert judged(Rule(json_path="$.ok", json_equals=True), body=b'{"ok": true}', is_cut=True)["json"] == (
        False,
        "Only the first 12 bytes of the body were read, so $.ok cannot be looked up",
    )


@pytest.mark.parametrize("levels", [50, 400, 900, 2000, 30_000])
def test_deep_json_is_compared_or_said_to_be_too_deep(levels: int) -> None:
    body = b'{"x":' + b"[" * levels + b"]" * levels + b"}"

    for expected in (1, json.loads("[" * 400 + "]" * 400)):
        passed, words = judged(Rule(json_path="$.x", json_equals=expected), body=body)["json"]
        assert passed is (levels == 400 and expected != 1)
        assert words.startswith(("$.x is [[[", "The body is nested too deeply"))


# --- Text and time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "body", "headers", "is_cut", "passed", "words"),
    [
        ("done", b"all done.", (), False, True, "The body contains “done”"),
        ("done", b"Done", (), False, False, "The body does not contain “done”"),
        ("done", b"all done.", (), True, True, "The body contains “done”"),  # what follows changes nothing
        ("done", b"all d", (), True, False, "The body does not contain “done” in its first 5 bytes"),
        ("done", b"x" * 4096, (), True, False, "The body does not contain “done” in its first 4,096 bytes"),
        ("größe", "größe".encode(), (), False, True, "The body contains “größe”"),
        ("größe", "größe".encode("latin-1"), (), False, False, "The body does not contain “größe”"),
        ("größe", "größe".encode("latin-1"), HTML, False, True, "The body contains “größe”"),
        (
            "é",
            b"\x8e",
            (("content-type", 'text/plain; charset="mac-roman"'),),
            False,
            False,
            "The body does not contain “é”",
        ),
        ("a", b"a", (("content-type", "text/plain; charset=iso-8859-12"),), False, True, "The body contains “a”"),
        (
            "a",
            b"YQ==",
            (("content-type", "text/plain; charset=base64"),),
            False,
            False,
            "The body does not contain “a”",
        ),
        ("a\nb", b"a\nb", (), False, True, "The body contains “a\ufffdb”"),
        ("x" * 100, b"", (), False, False, "The body does not contain “" + "x" * 79 + "…”"),
        (".*", b"anything", (), False, False, "The body does not contain “.*”"),
    ],
)
def test_the_body_contains_a_text(
    text: str, body: bytes, headers: tuple[tuple[str, str], ...], is_cut: bool, passed: bool, words: str
) -> None:
    assert judged(Rule(contains=text), body=body, headers=headers, is_cut=is_cut)["text"] == (passed, words)


@pytest.mark.parametrize(
    ("longest", "seconds", "passed", "words"),
    [
        (1, 0.0412, True, "Took 41 ms"),
        (1, 1, True, "Took 1 s"),
        (1, 1.0004, True, "Took 1 s"),  # what is shown is what is compared
        (1, 1.2, False, "Took 1.2 s, longer than 1 s"),
        (0.05, 0.3, False, "Took 300 ms, longer than 50 ms"),
        (30, 30.249, False, "Took 30.2 s, longer than 30 s"),
    ],
)
def test_it_must_not_take_longer(longest: float, seconds: float, passed: bool, words: str) -> None:
    assert judged(Rule(longest_seconds=longest), seconds=seconds)["duration"] == (passed, words)


def test_every_check_is_made_and_said_whatever_the_others_found() -> None:
    rule = Rule("200", "$.ok", True, "yes", 1)

    assert verdict.judge(rule, 500, (), b'{"ok": true}', False, 2.5) == (
        Check("status", False, "Status 500 is not 200"),
        Check("json", True, "$.ok is true"),
        Check("text", False, "The body does not contain “yes”"),
        Check("duration", False, "Took 2.5 s, longer than 1 s"),
    )


# --- Rules -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "field", "words"),
    [
        (Rule(statuses=""), "statuses", "is no status"),
        (Rule(statuses="ok"), "statuses", "“ok” is no status"),
        (Rule(json_path="ok"), "json_path", "begins with \\$"),
        (Rule(json_path=" $.ok"), "json_path", "begins with \\$"),
        (Rule(json_path="$.ok "), "json_path", "cannot be read: unexpected trailing whitespace"),
        (Rule(json_path="$ok"), "json_path", "cannot be read"),
        (Rule(json_path="$."), "json_path", "cannot be read"),
        (Rule(json_path="$.a[01]"), "json_path", "cannot be read: leading zero"),
        (Rule(json_path="$['a"), "json_path", "cannot be read"),
        (Rule(json_path="$.a[9007199254740992]"), "json_path", "cannot be read: index out of range"),
        (Rule(json_path="$.*"), "json_path", "may lead to several values"),
        (Rule(json_path="$..a"), "json_path", "may lead to several values"),
        (Rule(json_path="$[0, 1]"), "json_path", "may lead to several values"),
        (Rule(json_path="$[0:1]"), "json_path", "may lead to several values"),
        (Rule(json_path="$.a[?@.b == 1]"), "json_path", "may lead to several values"),
        (Rule(json_path="$.a[?match(@.b, '(a*)*$')]"), "json_path", "may lead to several values"),
        (Rule(json_path="$.a | $.b"), "json_path", "cannot be read"),
        (Rule(json_path="$." + "a" * 199), "json_path", "at most 200 characters"),
        (Rule(json_path="$.a", json_equals=float("nan")), "json_equals", "Use a JSON value"),
        (Rule(json_path="$.a", json_equals={1, 2}), "json_equals", "Use a JSON value"),
        (Rule(json_path="$.a", json_equals="x" * 999), "json_equals", "at most 1,000 characters"),
        (Rule(contains="x" * 1001), "contains", "at most 1,000 characters"),
        (Rule(longest_seconds=0), "longest_seconds", "0 is not allowed: use 0.001 to 300"),
        (Rule(longest_seconds=301), "longest_seconds", "301 is not allowed"),
        (Rule(longest_seconds=float("nan")), "longest_seconds", "nan is not allowed"),
    ],
)
def test_it_says_which_part_of_a_rule_is_not_allowed(rule: Rule, field: str, words: str) -> None:
    with pytest.raises(RuleError, match=words) as caught:
        verdict.check_rule(rule)

    assert caught.value.field == field
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "$" + "[" * 199,
        "$[?" + "(" * 190,
        "$[?" + "!" * 190,
        "$[?@" + "[?@" * 60,
        "$" + "..*" * 60,
        "$" + "[0]" * 66,
        "$" + ".a" * 99,
        "$['" + "\\\\" * 97,
        "$[" + "-" * 190,
        "$[" + "9" * 190 + "]",
        "$" + " " * 190 + ".a",
    ],
)
def test_no_path_takes_long_to_read_or_to_look_up(path: str) -> None:
    body = json.dumps({"a": [{"a": [{"a": ["a" * 10] * 20}] * 20}] * 20}).encode()
    start = time.process_time()

    with suppress(RuleError):
        judged(Rule(json_path=path), body=body)

    assert time.process_time() - start < 2  # seconds; a few milliseconds on a small machine
