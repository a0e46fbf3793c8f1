"""What came back, and how it is shown to people."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache

from yarl import URL

from triggers.outbound.errors import UNMEASURED, Timing

KEPT_HEADERS = 16 * 1024  # characters; what an answer has beyond is left out
LONGEST_LOCATION = 500  # characters that are shown

# Encodings of text as they are met in answers; others that Python knows are not (such as zip, or rot13).
_ENCODING = re.compile(
    r"utf-(8|16)|utf-16-[bl]e|ascii|iso8859-\d+|cp125\d|koi8-r|shift_jis|cp932|euc_(jp|kr)|gbk|gb2312|gb18030|big5"
)
_BINARY_TYPE = re.compile(r"(image/(?!svg)|audio/|video/|font/|application/(octet-stream|pdf|zip|gzip|x-gzip)\b)")
# Control characters that are in no text: all but tab, line feeds, form feed and escape.
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `body` is what was read of it, and `is_cut` says that there was more."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_cut: bool
    remote_address: str  # through a proxy: the proxy's
    location: str = ""  # where a redirect (3xx) pointed, absolute; it was not followed
    timing: Timing = UNMEASURED

    @property
    def content_type(self) -> str:
        return next((value for name, value in self.headers if name.lower() == "content-type"), "")


def readable(body: bytes, content_type: str) -> tuple[str, bool]:
    """Return the body as text, and whether it is binary: then the text is "".

    It is read by the encoding that `content_type` names, else as UTF-8, else, if it calls itself text, as Western
    European. A character that was cut at the end is left out. Nothing is replaced: what cannot be read is binary.
    """
    kind, encoding = _kind_and_encoding(content_type)
    if _BINARY_TYPE.match(kind):
        return "", bool(body)
    fallback = ["cp1252"] if kind.startswith("text/") else []
    for each in [encoding, "utf-8", *fallback] if encoding else ["utf-8", *fallback]:
        try:
            text = codecs.getincrementaldecoder(each)("strict").decode(body)
        except ValueError:
            continue
        return ("", True) if _NO_TEXT.search(text) else (text, False)
    return "", True


@lru_cache(maxsize=256)
def _kind_and_encoding(content_type: str) -> tuple[str, str]:
    """Return "text/plain" and "utf-8" of a Content-Type; the encoding is "" when none is known."""
    message = Message()
    message["Content-Type"] = content_type.replace("\r", "").replace("\n", "")[:200]
    named = message.get_content_charset() or ""
    try:
        encoding = codecs.lookup(named).name if named else ""
    except (LookupError, ValueError):
        encoding = ""
    return content_type.partition(";")[0].strip().lower(), encoding if _ENCODING.fullmatch(encoding) else ""


def read_headers(raw: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Return them as text that every database stores, up to KEPT_HEADERS."""
    headers = []
    room = KEPT_HEADERS
    for name, value in raw:
        room -= len(name) + len(value)
        if room < 0:
            break
        headers.append((name.decode("ascii", "replace"), value.decode("utf-8", "replace")))
    return tuple(headers)


def location(url: str, status: int, named: str | None) -> str:
    """Return where a redirect of this endpoint pointed: absolute, printable and not too long; "" when nowhere."""
    if not named or not 300 <= status < 400:
        return ""
    try:
        absolute = URL(url).join(URL(named))
        shown = str(absolute.with_user(None) if absolute.raw_user or absolute.raw_password else absolute)
    except ValueError:
        shown = named
    shown = "".join(each if each.isprintable() else "\ufffd" for each in shown)
    return shown if len(shown) <= LONGEST_LOCATION else shown[: LONGEST_LOCATION - 1] + "…"
