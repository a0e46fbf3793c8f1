"""Which headers a user may add to the requests of a trigger. Pure.

Names are tokens (RFC 9110, section 5.6.2); values are visible characters, spaces and tabs between them (section 5.5),
sent in UTF-8. What frames the request, what belongs to the connection, and what we say ourselves is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

MOST_HEADERS = 50
LONGEST_NAME, LONGEST_VALUE = 200, 4000  # characters

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")

_FRAMES = gettext_noop("it follows from the body that is sent")
_CONNECTION = gettext_noop("it belongs to the connection, which this server keeps itself")
_REFUSED = {
    "host": gettext_noop("it follows from the endpoint"),
    "content-length": _FRAMES,
    "transfer-encoding": _FRAMES,
    "connection": _CONNECTION,
    "keep-alive": _CONNECTION,
    "te": _CONNECTION,
    "trailer": _CONNECTION,
    "upgrade": _CONNECTION,
    "expect": gettext_noop("this server sends the body at once, without asking"),
    "accept-encoding": gettext_noop("this server asks for answers that are not compressed"),
}
_REFUSED_BEGINNINGS = {
    "proxy-": gettext_noop("it is meant for a proxy, not for the endpoint"),
    "webhook-": gettext_noop("names that begin with webhook- are this server's own"),
    "event-": gettext_noop("names that begin with event- are this server's own"),
}


_HARMLESS = {
    *("accept", "accept-language", "cache-control", "content-language", "content-type", "prefer", "user-agent"),
}


class HeaderError(ValueError):
    """A header is not allowed; the words say which and why, and never repeat a value. `name` is its name, or ""."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def check_headers(pairs: Sequence[tuple[str, str]]) -> None:
    """Raise HeaderError for the first header that is not allowed."""
    if len(pairs) > MOST_HEADERS:
        words = _("Too many headers: at most %(most)s are allowed, and these are %(count)s.")
        raise HeaderError("", words % {"most": MOST_HEADERS, "count": len(pairs)})
    seen: set[str] = set()
    for name, value in pairs:
        if reason := _why_not(name, value, seen):
            words = _("Header “%(name)s” is not allowed: %(reason)s.")
            raise HeaderError(name, words % {"name": _shown(name), "reason": reason})
        seen.add(_same_for(name))


def is_harmless(name: str) -> bool:
    """Whether a header of this name holds no secret, as far as anybody knows; all others are taken for secret."""
    return name.lower() in _HARMLESS


def _why_not(name: str, value: str, seen: set[str]) -> str:
    return _why_not_name(name, seen) or _why_not_value(value)


def _why_not_name(name: str, seen: set[str]) -> str:
    if not name:
        return _("it has no name")
    if len(name) > LONGEST_NAME:
        return _("its name is longer than %(most)s characters") % {"most": LONGEST_NAME}
    if not _TOKEN.fullmatch(name):
        if name.strip() != name:
            return _("its name has spaces around it")
        return _("use letters, digits and - in its name")
    lower = _same_for(name)
    if lower in _REFUSED:
        return _(_REFUSED[lower])
    for beginning, reason in _REFUSED_BEGINNINGS.items():
        if lower.startswith(beginning):
            return _(reason)
    return _("it is there twice. Put both values in one, separated by a comma") if lower in seen else ""


def _why_not_value(value: str) -> str:
    if len(value) > LONGEST_VALUE:
        most = number_format(LONGEST_VALUE, force_grouping=True)
        return _("its value is longer than %(most)s characters") % {"most": most}
    if "\r" in value or "\n" in value:
        return _("its value has a line break in it")
    if found := _CONTROL.search(value):
        return _("its value has the character %(character)s in it") % {"character": f"U+{ord(found[0]):04X}"}
    return _("its value has spaces around it") if value.strip(" \t") != value else ""


def _same_for(name: str) -> str:
    """Return what stands for all names that a receiver may take for this one: by CGI and WSGI _ is the same as -."""
    return name.lower().replace("_", "-")


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in name[:50])
