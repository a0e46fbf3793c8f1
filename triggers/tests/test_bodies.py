"""Bodies from templates: what comes out, what is refused when it is saved; nothing is reached, nothing exhausted."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers import bodies
from triggers.bodies import BodyError, Kind

JSON, FORM, MARKUP, TEXT = Kind.JSON, Kind.FORM_FIELDS, Kind.MARKUP, Kind.TEXT
NASTY = 'Ann "the\tbest" \\ O\'Neil\r\n</b>&amp; {{payload.secret}} Grüße 🎉 \u2028\x01'


def rendered(template: str, payload: dict[str, Any] | None = None, kind: Kind = JSON) -> str:
    named = bodies.values(
        event_id=17,
        trigger_name="Nightly",
        scheduled_for=datetime(2026, 3, 26, 14, 32, 5, tzinfo=UTC),
        attempt=2,
        payload=payload or {},
    )
    bodies.check_template(template, kind)
    return bodies.render(template, named, kind).decode()


# --- Values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "body"),
    [
        ("{{event.id}}", "17"),
        ("{{trigger.name}}", '"Nightly"'),
        ('"{{trigger.name}}"', '"Nightly"'),
        ("{{scheduled_for}}", '"2026-03-26T14:32:05Z"'),
        ("{{attempt}}", "2"),
        ("{{ attempt }}", "2"),
        ("{{payload}}", '{"a":{"b":[1,{"c":"x"}]},"n":null,"t":true,"f":1.5,"e":"","o":{},"k-y":"ü"}'),
        ("{{payload.a}}", '{"b":[1,{"c":"x"}]}'),
        ("{{payload.a.b}}", '[1,{"c":"x"}]'),
        ("{{payload.a.b.0}}", "1"),
        ("{{payload.a.b.1.c}}", '"x"'),
        ("{{payload.n}}", "null"),
        ("{{payload.t}}", "true"),
        ("{{payload.f}}", "1.5"),
        ("{{payload.e}}", '""'),
        ("{{payload.o}}", "{}"),
        ("{{payload.k-y}}", '"ü"'),
        ('{"a": "{{payload.a}}"}', '{"a": "{\\"b\\":[1,{\\"c\\":\\"x\\"}]}"}'),  # JSON within a string
        ('"{{payload.t}} {{payload.f}} {{payload.n}}|{{payload.none}}"', '"true 1.5 |"'),
        # What there is not.
        ("{{payload.none}}", "null"),
        ("{{payload.none.deeper}}", "null"),
        ("{{payload.a.b.2}}", "null"),
        ("{{payload.a.b.-1}}", "null"),
        ("{{payload.a.b.length}}", "null"),
        ("{{payload.e.0}}", "null"),
        ("{{payload.t.real}}", "null"),
        ("{{payload.a.b.999999999999999999999}}", "null"),
        # However it is written, the place decides.
        ("{{{payload.a.b.1.c}}}", '"x"'),
        ('"{{{payload.a}}}"', '"{\\"b\\":[1,{\\"c\\":\\"x\\"}]}"'),
        ('"{{&payload.a.b.1.c}}"', '"x"'),
        ('{"\\"{{attempt}}": {{attempt}}}', '{"\\"2": 2}'),  # an escaped quote closes nothing
        ('{"\\\\": {{trigger.name}}}', '{"\\\\": "Nightly"}'),  # and an escaped backslash escapes nothing
        ("{{! for the curious }}1", "1"),
        ("[]", "[]"),
    ],
)
def test_json_has_values_as_their_place_asks(template: str, body: str) -> None:
    payload = {"a": {"b": [1, {"c": "x"}]}, "n": None, "t": True, "f": 1.5, "e": "", "o": {}, "k-y": "ü"}

    assert rendered(template, payload) == body
    json.loads(body)


@pytest.mark.parametrize(
    ("kind", "template", "body"),
    [
        (TEXT, "Hello {{payload.name}}, “{{payload.list}}”", f'Hello {NASTY}, “[1,"a"]”'),
        (TEXT, "{{{payload.name}}}", NASTY),
        (TEXT, '"{{payload.none}}{{scheduled_for}}"\n', '"2026-03-26T14:32:05Z"\n'),
        (MARKUP, "<b>{{payload.tag}}</b>{{{payload.tag}}}", "<b>&lt;i&gt; &amp; &#x27;&quot;</b><i> & '\""),
        (FORM, "text={{payload.tag}}&raw={{{payload.tag}}}", "text=%3Ci%3E+%26+%27%22&raw=<i> & '\""),
    ],
)
def test_other_kinds_have_their_own_rules(kind: Kind, template: str, body: str) -> None:
    assert rendered(template, {"name": NASTY, "list": [1, "a"], "tag": "<i> & '\""}, kind) == body


@pytest.mark.parametrize(
    ("template", "payload", "body"),
    [
        ("{{#payload.items}}{{name}},{{/payload.items}}", {"items": [{"name": "a"}, {"name": "b"}]}, '"a","b",'),
        ("{{#payload.items}}{{.}},{{/payload.items}}", {"items": [1, "b", None]}, '1,"b",null,'),
        ("{{#payload.items}}{{attempt}}{{/payload.items}}", {"items": [{}, {"attempt": 9}]}, "29"),
        ("{{#payload.on}}1{{/payload.on}}{{^payload.on}}0{{/payload.on}}", {"on": True}, "1"),
        ("{{#payload.on}}1{{/payload.on}}{{^payload.on}}0{{/payload.on}}", {"on": False}, "0"),
        ("{{#payload.on}}1{{/payload.on}}{{^payload.on}}0{{/payload.on}}", {}, "0"),
        ("{{#payload.o}}{{a}}{{/payload.o}}", {"o": {"a": 1}}, "1"),
        ("{{#payload.a}}{{#b}}{{.}}{{/b}}{{/payload.a}}", {"a": [{"b": [1, 2]}, {"b": [3]}]}, "123"),
        ('["{{#payload.a}}{{.}} {{/payload.a}}"]', {"a": ['"', 1]}, '["\\" 1 "]'),
        ("{{#scheduled_for}}{{attempt}}{{/scheduled_for}}", {}, "2"),
    ],
)
def test_sections_repeat_and_decide(template: str, payload: dict[str, Any], body: str) -> None:
    assert rendered(template, payload) == body


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=8,
)


@given(json_values)
def test_json_with_any_value_is_json_that_says_it(value: Any) -> None:
    body = json.loads(
        rendered('{"whole": {{payload.x}}, "text": "<{{payload.x}}>", "k{{payload.x}}": 1}', {"x": value})
    )

    assert body["whole"] == value
    if isinstance(value, str):
        assert body["text"] == f"<{value}>"


def test_a_receiver_reads_back_what_was_escaped() -> None:
    text = "a&b=c;%20+ <i>\"'ü\n"

    assert parse_qs(rendered("x={{payload.x}}&y=1", {"x": text}, FORM)) == {"x": [text], "y": ["1"]}
    assert ElementTree.fromstring(rendered("<a b='{{payload.x}}'/>", {"x": text}, MARKUP)).get("b") == text.replace(  # noqa: S314
        "\n", " "
    )


def test_a_time_is_said_in_utc_and_nothing_where_no_schedule_fired() -> None:
    named = bodies.values(event_id="e", trigger_name="t", scheduled_for=None, attempt=1, payload={})

    assert bodies.render('[{{scheduled_for}}, "{{scheduled_for}}"]', named, JSON) == b'[null, ""]'


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("", JSON),
        ("application/json", JSON),
        ("Application/JSON; charset=utf-8", JSON),
        ("application/cloudevents+json", JSON),
        ("application/x-www-form-urlencoded", FORM),
        ("text/xml", MARKUP),
        ("application/soap+xml; charset=utf-8", MARKUP),
        ("text/html", MARKUP),
        ("text/plain", TEXT),
        ("application/x-ndjson", TEXT),
        ("nonsense", TEXT),
    ],
)
def test_the_content_type_decides_how_values_are_escaped(content_type: str, kind: Kind) -> None:
    assert bodies.kind_of(content_type) is kind


# --- What is refused when it is saved --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            "{{name}}",
            "^Line 1: there is no “name”: use event.id, trigger.name, scheduled_for, attempt, payload or payl",
        ),
        ('{\n"a": {{payload.x}},\n"b": {{ events.id }}}', "^Line 3: there is no “events.id”"),
        ("{{event}}", "there is no “event”"),
        ("{{event.id.x}}", "there is no “event.id.x”"),
        ("{{payloads.x}}", "there is no “payloads.x”"),
        ("{{#name}}{{/name}}", "there is no “name”"),
        ("{{#attempt}}{{name}}{{/attempt}}", "there is no “name”"),  # only items of the payload have names of their own
        ("{{#payload.x}}{{/payload.x}}{{name}}", "there is no “name”"),
        ("{{}}", "“” is no name"),
        ("{{.}}", "“.” is no name"),
        ("{{payload.}}", "“payload.” is no name"),
        ("{{payload..x}}", "is no name"),
        ("{{payload.a b}}", "is no name"),
        ("{{payload.a|upper}}{{$x}}", "there is no “\\$x”"),
        ("{{*payload.x}}", "there is no “\\*payload.x”"),
        ("{{payload.%s}}" % ("x" * 500), "a name is too long"),
        ("{{payload.x", "Line 1: {{ is opened and never closed"),
        ("\n\n{{", "Line 3: {{ is opened and never closed"),
        ("{{{payload.x}}", "is opened and never closed"),
        ("\n{{#payload.x}}", "Line 2: a section is opened and never closed"),
        ("{{/payload.x}}", "Line 1: a section is closed that is not the one last opened"),
        ("{{#payload.x}}{{#payload.y}}{{/payload.x}}{{/payload.y}}", "a section is closed that is not the one"),
        ("\n{{>/etc/passwd}}", "Line 2: {{>/etc/passwd}} is not allowed: nothing can be included"),
        ("{{> payload }}", "nothing can be included"),
        ("1\n{{=<% %>=}}<%x%>", "Line 2: the delimiters {{ }} cannot be changed"),
        ("{{=x=}}", "a tag cannot be read|delimiters"),
        ("a\n\x00", "Line 2: the character U\\+0000"),
        ("\ud800", "Half of a surrogate pair"),
        ("x" * (64 * 1024 + 1), "at most 64 KiB"),
        ("{{attempt}}" * 1001, "at most 1000 are allowed"),
        ("{{#payload.x}}" * 9 + "{{/payload.x}}" * 9, "at most 8 sections"),
    ],
)
@pytest.mark.parametrize("kind", [JSON, TEXT])
def test_it_says_what_is_wrong_and_where(template: str, words: str, kind: Kind) -> None:
    with pytest.raises(BodyError, match=words):
        bodies.check_template(template, kind)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("", "Line 1: this makes no JSON"),
        ("Hello {{payload.name}}", "Line 1: this makes no JSON"),
        ('{\n"a": {{payload.x}}\n"b": 1}', "Line 3: this makes no JSON: Expecting ',' delimiter"),
        ('{"a": {{payload.x}},}', "this makes no JSON"),
        ("{ {{payload.x}}: 1}", "this makes no JSON: Expecting property name"),  # a name stands in quotes
        ('{"a": "{{payload.x}}}', "this makes no JSON: Unterminated string"),
        ('{"a": "{{payload.x}}\n"}', "this makes no JSON: Invalid control character"),
        ('{"a": NaN}', "NaN is no JSON value"),
        ('\n"\\{{payload.x}}"', "Line 2: a backslash right before {{"),
        ('{{#payload.x}}"{{/payload.x}}"', "Line 1: the section “payload.x” begins and ends on different sides"),
    ],
)
def test_what_makes_no_json_is_refused_as_json_only(template: str, words: str) -> None:
    bodies.check_template(template, TEXT)

    with pytest.raises(BodyError, match=words):
        bodies.check_template(template, JSON)


# --- Nothing can be reached, nothing exhausted -----------------------------------------------------------


class Secretive(dict[str, Any]):
    """Something with attributes, as no payload has; even so they are out of reach."""

    secret = "open-sesame"

    def method(self) -> str:
        return self.secret


@pytest.mark.parametrize(
    "name", ["secret", "method", "__class__", "__class__.__mro__", "keys", "items.__self__", "__init__.__globals__"]
)
def test_no_attribute_of_an_object_is_reached(name: str) -> None:
    payload = Secretive()

    assert rendered(f"{{{{payload.{name}}}}}", payload) == "null"
    for section in ("payload", f"payload.{name}"):
        assert "open-sesame" not in rendered(f"{{{{#{section}}}}}{{{{{name}}}}}{{{{/{section}}}}}", payload, TEXT)


def test_a_value_that_looks_like_a_template_is_not_rendered() -> None:
    assert rendered("{{payload.x}}", {"x": "{{attempt}}{{#payload.x}}"}, TEXT) == "{{attempt}}{{#payload.x}}"


def test_a_body_is_256_kib_at_most() -> None:
    room = bodies.LARGEST_BODY
    assert len(rendered("{{payload.x}}", {"x": "x" * room}, TEXT)) == room

    for template, payload in (
        ("{{payload.x}}", {"x": "x" * (room + 1)}),
        ("{{payload.x}}" * 1000, {"x": "x" * 1000}),
        ("{{#payload.x}}{{payload.x}}{{/payload.x}}", {"x": ["y" * 1000] * 200}),
    ):
        with pytest.raises(BodyError, match="grows too large: at most 256 KiB"):
            rendered(template, payload, TEXT)


def nest(opening: str, levels: int, inner: str) -> str:
    return ("{{#" + opening + "}}") * levels + inner + ("{{/" + opening + "}}") * levels


@pytest.mark.parametrize(
    ("template", "payload"),
    [
        (nest("payload.x", 8, ""), {"x": [1] * 100}),  # 100 to the 8th turns of nothing
        (nest("payload.x", 2, ""), {"x": [1] * 100_000}),
        (nest("payload.x", 8, "{{none}}"), {"x": [1] * 1000}),
        ("{{#payload.x}}%s{{/payload.x}}" % ("{{^attempt}}x{{/attempt}}" * 490), {"x": [1] * 100_000}),
        ("{{#payload.x}}%s{{/payload.x}}" % ("{{!}} " * 990), {"x": [1] * 100_000}),
        ("{{#payload.x}}%s{{/payload.x}}" % ("{{payload." + ".".join("y" * 240) + "}}") * 100, {"x": [1] * 10_000}),
        ("{{payload}}" * 1000, {"x": ["y"] * 60_000}),
        (nest("payload.a", 1, nest("b", 7, "")) * 50, {"a": [{"b": [{"b": [1] * 50}] * 50}] * 50}),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_it_is_quick_with_the_worst(template: str, payload: dict[str, Any]) -> None:
    start = time.process_time()

    with pytest.raises(BodyError, match=r"too many steps|too large"):
        rendered(template, payload, TEXT)

    assert time.process_time() - start < 4  # seconds; a few tenths on a small machine


@pytest.mark.parametrize(
    "template",
    ["{{" * 32_000, "{" * 65_000, "{{!" * 20_000, '\\"' * 32_000, " " * 65_000, "\n{{!}} " * 9_000, "{{#a}}" * 10_000],
    ids=ascii,
)
def test_it_is_quick_to_read_the_worst(template: str) -> None:
    start = time.process_time()

    for kind in Kind:
        try:
            bodies.check_template(template, kind)
        except BodyError:
            continue

    assert time.process_time() - start < 4
