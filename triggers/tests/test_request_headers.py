"""Which headers a user may add: the tables, and the request as it arrives."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from pytest_httpserver import HTTPServer

from triggers import request_headers
from triggers.request_headers import HeaderError


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("Authorization", "Bearer abc"), ("X-Api-Key", "k"), ("Content-Type", "text/plain"), ("User-Agent", "me")],
        [("!#$%&'*+-.^_`|~09azAZ", "every character of a token")],
        [("x", "")],
        [("X-Name", "Grüße 🎉")],
        [("X-Tab", "a\tb  c")],
        [("X-All", "".join(chr(code) for code in range(0x21, 0x7F)))],
        [("X", "v" * 4000), ("n" * 200, "v")],
        [(f"X-{number}", "v") for number in range(50)],
        [("Cookie", "a=1"), ("Date", "x"), ("Accept", "*/*"), ("Hosts", "v"), ("Webhooks", "v"), ("Eventual", "v")],
        [("Connection-Id", "v"), ("Te-st", "v"), ("Upgrade-Insecure-Requests", "1"), ("Proxy", "v")],
    ],
)
def test_it_allows_what_a_request_may_carry(pairs: list[tuple[str, str]]) -> None:
    request_headers.check_headers(pairs)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Host", "follows from the endpoint"),
        ("hOsT", "follows from the endpoint"),
        ("Content-Length", "follows from the body"),
        ("Transfer-Encoding", "follows from the body"),
        ("Connection", "belongs to the connection"),
        ("Keep-Alive", "belongs to the connection"),
        ("TE", "belongs to the connection"),
        ("Trailer", "belongs to the connection"),
        ("Upgrade", "belongs to the connection"),
        ("Expect", "sends the body at once"),
        ("Accept-Encoding", "not compressed"),
        ("Proxy-Authorization", "meant for a proxy"),
        ("Proxy-Connection", "meant for a proxy"),
        ("webhook-signature", "begin with webhook- are this server's own"),
        ("Webhook-Anything", "begin with webhook- are this server's own"),
        ("Event-Attempt", "begin with event- are this server's own"),
        ("webhook_id", "begin with webhook- are this server's own"),  # CGI and WSGI make no difference
        ("content_length", "follows from the body"),
        ("", "it has no name"),
        ("n" * 201, "longer than 200 characters"),
        (" X", "spaces around it"),
        ("Host ", "spaces around it"),
        ("Host\t", "spaces around it"),
        ("X Y", "letters, digits and - in its name"),
        ("X:", "letters, digits and - in its name"),
        (":path", "letters, digits and - in its name"),
        ("Ünï", "letters, digits and - in its name"),
        ("Hοst", "letters, digits and - in its name"),  # a Greek o
        ("X\r\nY", "letters, digits and - in its name"),
        ("X\x00", "letters, digits and - in its name"),
        ("X(y)", "letters, digits and - in its name"),
    ],
)
def test_it_says_which_name_is_not_allowed_and_why(name: str, words: str) -> None:
    with pytest.raises(HeaderError, match=words) as caught:
        request_headers.check_headers([("X-First", "fine"), (name, "open-sesame")])

    assert caught.value.name == name
    assert str(caught.value).startswith("Header “")
    assert str(caught.value).isprintable()
    assert "open-sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("open-sesame\r\nX-Other: 1", "a line break"),
        ("open-sesame\n", "a line break"),
        ("\ropen-sesame", "a line break"),
        ("open-sesame\x00", r"the character U\+0000"),
        ("open-sesame\x0b", r"the character U\+000B"),
        ("open-sesame\x7f", r"the character U\+007F"),
        ("open-sesame\x85", r"the character U\+0085"),  # a line break to some
        ("open-sesame\ud800", r"the character U\+D800"),
        (" open-sesame", "spaces around it"),
        ("open-sesame\t", "spaces around it"),
        ("open-sesame" * 400, "longer than 4,000 characters"),
    ],
)
def test_it_says_what_is_wrong_with_a_value_and_never_repeats_it(value: str, words: str) -> None:
    with pytest.raises(HeaderError, match=f"Header “X-Key” is not allowed: its value .*{words}") as caught:
        request_headers.check_headers([("X-Key", value)])

    assert caught.value.name == "X-Key"
    assert "open-sesame" not in str(caught.value)


def test_a_name_stands_once_however_it_is_written() -> None:
    with pytest.raises(HeaderError, match="Header “x-KEY” is not allowed: it is there twice"):
        request_headers.check_headers([("X-Key", "1"), ("Y", "2"), ("x-KEY", "1")])
    with pytest.raises(HeaderError, match="it is there twice"):
        request_headers.check_headers([("X-Key", "1"), ("X_Key", "1")])


def test_there_are_50_at_most() -> None:
    with pytest.raises(HeaderError, match="at most 50 are allowed, and these are 51") as caught:
        request_headers.check_headers([(f"X-{number}", "v") for number in range(51)])

    assert caught.value.name == ""


def test_what_is_allowed_arrives_as_it_is(httpserver: HTTPServer) -> None:
    pairs = [("X-Name", "Grüße 🎉"), ("X-Tab", "a\tb"), ("X-Empty", "")]
    request_headers.check_headers(pairs)
    httpserver.expect_request("/").respond_with_data("")

    async def send() -> None:
        async with aiohttp.ClientSession() as session, session.post(httpserver.url_for("/"), headers=dict(pairs)):
            pass

    asyncio.run(send())

    arrived = httpserver.log[0][0].headers
    # Werkzeug reads bytes as Latin-1, as HTTP once did.
    assert [(name, arrived[name].encode("latin-1").decode()) for name, _ in pairs] == pairs
