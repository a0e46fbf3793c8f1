"""Secrets that an endpoint sends back, in any spelling that happens by accident."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from triggers.redaction import redacted
from triggers.vault import MASK

ODD = 'p&ss w/rd+"ü"\\<%>='  # of what is escaped somewhere
BASIC = "Basic " + base64.b64encode(b"mara:open sesame").decode()
COOKIE = 'session="abcdef0123456"; theme=dark'


def dot_net(text: str) -> str:
    return "".join(each if each.isalnum() and each.isascii() else f"\\u{ord(each):04X}" for each in text)


@pytest.mark.parametrize(
    "spelt",
    [
        ODD,
        json.dumps(ODD),
        json.dumps(ODD, ensure_ascii=False),
        json.dumps(ODD).replace("/", "\\/"),
        json.dumps(json.dumps(ODD)),
        json.dumps(json.dumps(json.dumps(ODD))),
        dot_net(ODD),
        quote(ODD),
        quote(ODD, safe=""),
        quote(ODD, safe="").lower(),
        quote_plus(ODD),
        html.escape(ODD),
        ODD.replace("&", "&amp;").replace('"', "&#34;").replace("<", "&lt;").replace(">", "&#x3E;"),
        ODD.encode().hex(),
        base64.b64encode(ODD.encode()).decode(),
        base64.b64encode(b"1" + ODD.encode() + b"1").decode(),
        base64.urlsafe_b64encode(b"22" + ODD.encode() + b"22").decode(),
        ODD.encode().decode("latin-1"),
    ],
)
def test_no_spelling_gets_through(spelt: str) -> None:
    shown = redacted(f'{{"echo": "{spelt}", "other": "as it was"}}', [ODD, "another secret"])

    assert MASK in shown
    assert shown.startswith('{"echo": ')
    assert shown.endswith('"other": "as it was"}')
    for sign in ("rd+", "rd%2", "rd\\u", "cmQr", "7264"):
        assert sign.lower() not in shown.lower()


@pytest.mark.parametrize(
    ("secret", "echoed"),
    [
        ("Bearer 5f3a77190cc1", "5f3a77190cc1"),
        (BASIC, "open sesame"),
        (BASIC, "mara:open sesame"),
        (BASIC, BASIC.removeprefix("Basic ")),
        (COOKIE, "abcdef0123456"),
        ("AWS4 Credential=AKIA0000, Signature=fe5f80f77d5fa3be", "fe5f80f77d5fa3be"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("YWJjZGVmZ2hpag==", "YWJjZGVmZ2hpag"),
    ],
)
def test_what_a_receiver_takes_a_value_apart_into_is_secret_too(secret: str, echoed: str) -> None:
    assert redacted(f"<{echoed}>", [secret]).replace("=", "") == f"<{MASK}>"


@pytest.mark.parametrize("kept", range(4, 13))
def test_the_beginning_of_a_secret_at_the_end_of_what_is_kept_is_masked(kept: int) -> None:
    assert redacted("It is " + "sesame-7719"[:kept], ["sesame-7719"], is_cut=True) == f"It is {MASK}"


def test_so_is_one_in_words_of_ours_that_were_cut() -> None:
    words = "$.echo is “sesame-77…, not “ok”"
    assert redacted(words, ["sesame-7719"]) == f"$.echo is “{MASK}…, not “ok”"


def test_what_is_whole_keeps_its_end() -> None:
    assert redacted("Open sesa", ["sesame-7719"]) == "Open sesa"


@pytest.mark.parametrize("text", ["", "fine", "100 % & more \\ than %C3%BC &lt; \\u00fc", "%%%\\\\&&&", "…", "a\\"])
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert redacted(text, [ODD, BASIC, COOKIE, "abc"], is_cut=True) == text


def test_a_secret_that_cannot_be_cut_out_takes_the_text_with_it() -> None:
    assert redacted("It is " + quote(quote("sesame/7719", safe="")), ["sesame/7719"]) == MASK
