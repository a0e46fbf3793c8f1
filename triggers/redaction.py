"""Secrets taken out of what comes back: an endpoint may send back what it was told, and spell it in its own way.

Looked for are the values of secret headers as a whole, and what a receiver takes them apart into (the token of a
`Bearer`, the password of a `Basic`, the values of a cookie), as they are, escaped for JSON, HTML and addresses, in hex
and in base64, also where only the beginning was kept. Whoever wants to hide a secret from this can; it is known to the
endpoint anyway, and this keeps it out of the database by accident.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote

from triggers.signing import PREFIX
from triggers.vault import MASK

SHORTEST_SECRET = 4  # characters; shorter ones would be found in everything
SHORTEST_PART = 8  # of a value that is taken apart
CUT = "…"  # what stands where words of ours were cut

_LAYERS = 3  # of escapes within escapes
_SEPARATORS = re.compile(r"[\s,;]+")
_NAMED = re.compile(r"[\w.-]+=(.+)")
_LETTERS = re.compile(r"[A-Za-z0-9]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def redacted(text: str, secrets: Sequence[str], *, is_cut: bool = False) -> str:
    """Return the text with the mask in place of every secret. `is_cut`: it may end within one."""
    if not text or not secrets:
        return text
    looked_for = tuple(secrets)
    signs = _signs(looked_for)
    # Nearly no text has any of those, and then this is all that it costs.
    if not is_cut and CUT not in text and not any(sign in text for sign in signs):
        return text
    parts, spellings = _looked_for(looked_for)
    if is_cut:
        text = _without_beginning(text, spellings)
    if CUT in text:
        *beginnings, end = text.split(CUT)
        text = CUT.join([*(_without_beginning(each, spellings) for each in beginnings), end])
    if not any(sign in text for sign in signs):
        return text
    for spelling in spellings:
        text = text.replace(spelling, MASK)
    if hidden := _hidden(parts, text):
        for part in hidden:
            text = _mixed_spelling(part).sub(MASK, text)
        if _hidden(hidden, text):
            return MASK  # nothing of it can be shown
    return text


# --- What is looked for --------------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def _signs(secrets: tuple[str, ...]) -> Sequence[str]:
    """Return what must be there if any of the secrets is: whatever escapes text leaves letters and digits as they are.

    Apart from how they are spelt, which takes twenty times as long and is nearly never asked.
    """
    signs = _encodings(secrets) | {
        max(_LETTERS.findall(part), key=len, default="") for secret in secrets for part in _parts(secret)
    }
    return sorted(sign for sign in signs if not any(other in sign for other in signs - {sign}))


@lru_cache(maxsize=1024)
def _looked_for(secrets: tuple[str, ...]) -> tuple[Sequence[str], Sequence[str]]:
    """Return all that is secret, and how it may be spelt, the longest first."""
    parts = {part for secret in secrets for part in _parts(secret)}
    spellings = _encodings(secrets) | {spelling for part in parts for spelling in _escaped(part)}
    return sorted(parts, key=len, reverse=True), sorted(spellings, key=len, reverse=True)


def _encodings(secrets: tuple[str, ...]) -> set[str]:
    return {
        spelling for secret in secrets if _is_sent(secret) for part in _parts(secret) for spelling in _encoded(part)
    }


def _parts(secret: str) -> Iterator[str]:
    """Return a secret, and what a receiver takes it apart into."""
    if len(secret) >= SHORTEST_SECRET:
        yield secret
    if secret.startswith(PREFIX):
        yield secret.removeprefix(PREFIX)
    if not _is_sent(secret):
        return
    scheme, *rest = _SEPARATORS.split(secret)
    for word in [scheme, *rest] if not rest or _NAMED.fullmatch(scheme) else rest:
        found = _NAMED.fullmatch(word)
        # What looks like a name may be base64, filled up with "=".
        for each in {word, word.rstrip("="), found[1].strip('"') if found else word}:
            if len(each) >= SHORTEST_PART:
                yield each
    if scheme.lower() == "basic" and len(rest) == 1:
        yield from _of_basic(rest[0])


def _of_basic(credentials: str) -> Iterator[str]:
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    for each in (credentials, decoded, decoded.partition(":")[2]):
        if len(each) >= SHORTEST_SECRET:
            yield each


def _is_sent(secret: str) -> bool:
    """Whether receivers are told it: not what requests are signed by, and not a key in PEM."""
    return not secret.startswith(PREFIX) and "\n" not in secret


def _escaped(part: str) -> Iterator[str]:
    in_json = json.dumps(part)[1:-1]
    yield from (part, in_json, in_json.replace("/", "\\/"), json.dumps(part, ensure_ascii=False)[1:-1])
    yield from (quote(part, safe=""), quote(part), quote_plus(part), html.escape(part))
    yield part.encode().decode("latin-1")


def _encoded(part: str) -> Iterator[str]:
    raw = part.encode()
    yield from (raw.hex(), raw.hex().upper())
    for before in range(3):  # bytes in front of it, in the group of three that makes four letters
        # The letters that depend on what stands around are left out.
        first, end = (before * 8 + 5) // 6, (before + len(raw)) * 8 // 6
        inner = base64.b64encode(bytes(before) + raw).decode()[first:end]
        if len(inner) >= SHORTEST_PART:
            yield from (inner, inner.replace("+", "-").replace("/", "_"))


# --- What is found -------------------------------------------------------------------------------------


def _without_beginning(text: str, spellings: Sequence[str]) -> str:
    """Return the text with the mask in place of a secret that was cut at its end."""
    longest = 0
    for spelling in spellings:
        if text[-SHORTEST_SECRET:] not in spelling:
            continue
        for length in range(min(len(spelling) - 1, len(text)), max(longest, SHORTEST_SECRET - 1), -1):
            if text.endswith(spelling[:length]):
                longest = length
                break
    return text[: len(text) - longest] + MASK if longest else text


def _hidden(parts: Sequence[str], text: str) -> list[str]:
    """Return the secrets that come out when escapes of any kind are undone, also those within others."""
    seen = {text}
    newest = seen
    for _ in range(_LAYERS):
        newest = {undo(each) for each in newest for sign, undo in _ESCAPES if sign in each} - seen
        seen |= newest
    seen.discard(text)
    return [part for part in parts if any(part in each for each in seen)]


def _without_backslashes(text: str) -> str:
    def undone(found: re.Match[str]) -> str:
        escape = found[1]
        return chr(int(escape[1:], 16)) if len(escape) == 5 else _CONTROLS.get(escape, escape)

    return _ESCAPE.sub(undone, text)


_ESCAPES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("%", unquote),
    ("\\", _without_backslashes),
    ("&", html.unescape),
)


def _mixed_spelling(part: str) -> re.Pattern[str]:
    """Return the secret with each of its characters as it is, or escaped in any one way."""
    return re.compile("".join(map(_any_escape, part)), re.DOTALL)


def _any_escape(character: str) -> str:
    percent = "".join(f"%{byte:02x}" for byte in character.encode())
    escapes = [rf"\\+u{ord(character):04x}", percent, f"&#0*{ord(character)};", f"&#x0*{ord(character):x};"]
    name = re.escape(html.escape(character))
    return rf"(?:(?i:{'|'.join(escapes)})|{name}|\\*{re.escape(character)})"
