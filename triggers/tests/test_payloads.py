"""What a payload may be: every rule with what it lets through and what it refuses."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest

from triggers import payloads
from triggers.payloads import PayloadError

BIGGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        (b'{"a": [1, -2.5e3, true, false, null, "x"]}', {"a": [1, -2500.0, True, False, None, "x"]}),
        (' \r\n\t{"a":1} ', {"a": 1}),
        ('{"": {"": {}}}', {"": {"": {}}}),
        ('{"a": {"b": 1}, "c": {"b": 1}}', {"a": {"b": 1}, "c": {"b": 1}}),  # the same name in two objects
        ('{"a": "Grüße 🎉 \\ud83c\\udf89 \\u0001 \x7f"}', {"a": "Grüße 🎉 🎉 \x01 \x7f"}),
        ('{"a": "NaN [[[ }}} \\" [ \\\\"}', {"a": 'NaN [[[ }}} " [ \\'}),  # brackets within a string are text
        (f'{{"a": {BIGGEST}}}', {"a": BIGGEST}),
        (f'{{"a": -{BIGGEST}}}', {"a": -BIGGEST}),
        ('{"a": 1.7976931348623157e308}', {"a": 1.7976931348623157e308}),
        ('{"a": 1e-999}', {"a": 0.0}),  # too small for a double, and nearly nothing
    ],
)
def test_it_reads_a_json_object(text: str | bytes, value: dict[str, Any]) -> None:
    assert payloads.parse_object(text) == value
    payloads.check_payload(value)


@pytest.mark.parametrize("text", ["[]", "[{}]", '"a"', "1", "true", "null"])
def test_it_reads_other_json_but_not_as_a_payload(text: str) -> None:
    value = payloads.parse(text)

    with pytest.raises(PayloadError, match="Use a JSON object"):
        payloads.parse_object(text)
    with pytest.raises(PayloadError, match="Use a JSON object"):
        payloads.check_payload(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Not JSON: Expecting value, line 1, column 1"),
        (b"", "Not JSON"),
        ("{", "Not JSON"),
        ("}", "Not JSON"),
        ("]" * 100 + "[" * 100, "Not JSON"),  # closed before it is opened, so never deep
        ('{"a": 1,}', "Not JSON: .* line 1, column 9"),
        ("{\n'a': 1}", "Not JSON: .*double quotes, line 2, column 1"),
        ('{"a": 1} {"b": 2}', "Not JSON: Extra data"),
        ('{"a": 01}', "Not JSON"),
        ('{"a": +1}', "Not JSON"),
        ('{"a": .5}', "Not JSON"),
        ('{"a": 0x10}', "Not JSON"),
        ('{"a": True}', "Not JSON"),
        ('{"a": "', "Not JSON"),
        ('{"a": "\\', "Not JSON"),
        ('{"a": "\\x41"}', "Not JSON"),
        ('{"a": "\n"}', "Not JSON: Invalid control character"),
        ('{"a": "\x00"}', "Not JSON: Invalid control character"),
        ("a=1&b=2", "Not JSON"),
        ("<a/>", "Not JSON"),
        ('{"a": NaN}', "NaN is not JSON: use a number or null"),
        ('{"a": [Infinity]}', "Infinity is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('\ufeff{"a": 1}', "leave out the byte order mark"),
        (b'\xef\xbb\xbf{"a": 1}', "leave out the byte order mark"),
        (b'{"a": "\xff"}', "Not UTF-8: byte 8 cannot be read"),
        (b'{"a": "\xed\xa0\x80"}', "Not UTF-8: byte 8"),  # half a surrogate pair, in bytes
        (b'{"a": "\xc0\x80"}', "Not UTF-8: byte 8"),  # U+0000 in two bytes
        ('{"a": 1}'.encode("utf-16"), "Not UTF-8: byte 1"),
        ('{"a": 1}'.encode("utf-16-le"), "Not JSON"),
    ],
)
def test_it_says_why_a_text_is_not_json(text: str | bytes, words: str) -> None:
    with pytest.raises(PayloadError, match=words) as caught:
        payloads.parse(text)

    assert caught.value.is_syntax


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1e999}', "A number is too large"),
        ('{"a": [[-1e999]]}', "A number is too large"),
        ('{"a": %s.0}' % ("9" * 400), "A number is too large"),
        (f'{{"a": {BIGGEST + 1}}}', f"A whole number is too large: at most {BIGGEST}"),
        (f'{{"a": -{BIGGEST + 1}}}', "A whole number is too large"),
        ('{"a": %s}' % ("9" * 21), "A whole number is too large"),
        ('{"a": %s}' % ("9" * 100_000), "A whole number is too large"),  # more than Python reads
        ('{"a": "\\u0000"}', r"The character U\+0000 is not allowed"),
        ('{"\\u0000": 1}', r"The character U\+0000 is not allowed"),
        ('{"a": "\\ud800"}', "Half of a surrogate pair"),
        ('{"a": ["\\udc00\\ud800"]}', "Half of a surrogate pair"),  # both, the wrong way round
        ('{"\\udfff": 1}', "Half of a surrogate pair"),
        ('{"a": 1, "b": 2, "a": 1}', "The name “a” stands twice in one object"),
        ('{"x": [{"a": 1, "\\u0061": 2}]}', "The name “a” stands twice"),  # written in two ways
        ('{"\\ud800": 1, "\\ud800": 2}', "Half of a surrogate pair"),  # a name that cannot even be shown
        ('{"x": 1, "x": 2}'.replace("x", "a" * 1000), f"The name “{'a' * 50}” stands twice"),
    ],
)
def test_it_says_which_rule_a_text_breaks(text: str, words: str) -> None:
    with pytest.raises(PayloadError, match=words) as caught:
        payloads.parse(text)

    assert not caught.value.is_syntax
    assert str(caught.value).encode()


# --- Depth and size ----------------------------------------------------------------------------------


def nested(levels: int, opening: str = '{"a":', closing: str = "}") -> str:
    return opening * (levels - 1) + "{}" + closing * (levels - 1)


@pytest.mark.parametrize("brackets", [('{"a":', "}"), ('{"a":[', "]}"), ('{"[":', "}")])
def test_it_takes_64_levels_and_no_more(brackets: tuple[str, str]) -> None:
    per_level = brackets[1].count("]") + 1
    fits = nested((payloads.DEEPEST - 1) // per_level + 1, *brackets)
    too_deep = nested(payloads.DEEPEST // per_level + 1, *brackets)

    payloads.check_payload(payloads.parse_object(fits))
    with pytest.raises(PayloadError, match="Nested too deeply: at most 64 levels") as caught:
        payloads.parse(too_deep)
    assert not caught.value.is_syntax
    with pytest.raises(PayloadError, match="Nested too deeply: at most 64 levels"):
        payloads.check_payload(json.loads(too_deep))


def test_a_body_may_hold_a_payload_of_64_levels() -> None:
    body = payloads.parse('{"payload": ' + nested(64) + "}", levels=payloads.DEEPEST + 1)

    payloads.check_payload(body["payload"])


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"":'])
def test_it_refuses_a_text_that_would_exhaust_the_parser(opening: str) -> None:
    with pytest.raises(PayloadError, match="Nested too deeply"):
        payloads.parse(opening * 50_000)


def test_it_takes_256_kib_and_no_more() -> None:
    room = payloads.LARGEST_BODY - len('{"a":""}')

    payloads.check_payload({"a": "x" * room})
    payloads.check_payload({"a": "é" * (room // 2)})
    for too_large in ("x" * (room + 1), "é" * (room // 2 + 1)):
        with pytest.raises(PayloadError, match="Too large: at most 256 KiB"):
            payloads.check_payload({"a": too_large})


@pytest.mark.parametrize(
    "text",
    [
        '{"a":"' + "x" * 250_000 + '"}',
        '{"a":"' + '\\"' * 125_000 + '"}',
        '{"a":"' + "\\" * 250_000,
        '"' * 250_000,
        "{" + ",".join(f'"{number}":1' for number in range(25_000)) + ',"0":2}',
        "{" + ",".join(f'"{number}":1' for number in range(25_000)) + ',"24999":2}',
        '{"a":[' + ",".join("[]" for _ in range(80_000)) + "]}",
        '{"a":[' + ",".join('"é"' for _ in range(50_000)) + "]}",
        "[" * 250_000,
        " " * 250_000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_it_is_quick_with_the_worst_of_256_kib(text: str) -> None:
    start = time.process_time()

    with suppress(PayloadError):
        payloads.check_payload(payloads.parse(text))

    assert time.process_time() - start < 2  # seconds; a few tenths at most on a small machine
