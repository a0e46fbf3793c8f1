"""A body is shown as the text that it is, or as binary, and never mangled."""

from __future__ import annotations

import gzip

import pytest

from triggers.outbound import readable

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"", "", ""),
        (b"", "image/png", ""),
        (b"hello\n\t", "", "hello\n\t"),
        ("grün".encode(), "application/json", "grün"),
        ("grün".encode()[:-1], "application/json", "grü"),
        ("grün".encode()[:3], "", "gr"),  # the limit fell into a character
        ("grün".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grün"),
        ("grün".encode("latin-1"), 'text/plain; charset="latin1"', "grün"),
        ("grün".encode("latin-1"), "text/html", "grün"),  # says nothing, as old pages do
        ("grün".encode(), "text/plain; charset=us-ascii", "grün"),  # says the wrong thing
        ("grün".encode("utf-16"), "text/plain; charset=utf-16", "grün"),
        ("grün".encode("utf-16")[:-1], "text/plain; charset=utf-16", "grü"),
        ("日本".encode("shift_jis"), "text/plain; charset=Shift_JIS", "日本"),
        (b"<svg/>", "image/svg+xml", "<svg/>"),
        (b"a", "text/plain; charset=no-such", "a"),
        (b"a", "text/plain; charset=\x00\xff", "a"),
        (b"a", "text/plain; charset=" + "x" * 100_000, "a"),
        (b"uryyb", "text/plain; charset=rot13", "uryyb"),  # Python would decode it
        (b"\x1b[31mred", "", "\x1b[31mred"),
    ],
)
def test_it_reads_text(body: bytes, content_type: str, text: str) -> None:
    assert readable(body, content_type) == (text, False)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (PNG, "image/png"),
        (PNG, ""),
        (PNG, "text/plain"),  # whatever it calls itself
        (b"abc", "application/octet-stream"),
        (b"abc", "video/mp4"),
        (b"%PDF-1.7", "application/pdf"),
        (gzip.compress(b"hello", mtime=0), "application/json"),
        (gzip.compress(b"hello", mtime=0), "text/plain"),
        (b"abc\x00def", "text/plain"),  # PostgreSQL stores no U+0000
        (b"abc\x00def", "text/plain; charset=latin1"),
        (b"\xff\xfe\xfd", "application/json"),
        (b"\xed\xa0\x80", "application/json"),  # half of a surrogate pair
        (b"\x00\xd8a\x00", "text/plain; charset=utf-16-le"),
    ],
)
def test_it_says_what_is_binary(body: bytes, content_type: str) -> None:
    assert readable(body, content_type) == ("", True)


def test_every_body_is_read_or_is_binary() -> None:
    for first in range(256):
        for content_type in ("", "text/plain", "text/plain; charset=utf-16", "text/plain; charset=gb18030", "a/b; c"):
            text, is_binary = readable(bytes([first, 65, 255 - first]), content_type)
            assert "\x00" not in text
            assert "\ufffd" not in text
            assert not (text and is_binary)
            text.encode()  # no lone surrogates
