"""Sets of HTTP statuses as a person writes them: "2xx", "200, 202, 204", "200-299, 304". Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from django.utils.translation import gettext as _

LOWEST, HIGHEST = 100, 599
LONGEST_TEXT = 200  # characters
_CLASS, _RANGE = re.compile(r"([1-5])xx", re.IGNORECASE), re.compile(r"([0-9]{3})(?:\s*[-–]\s*([0-9]{3}))?")


@lru_cache(maxsize=512)
def parse(text: str) -> frozenset[int]:
    """Return the statuses of the set; raises ValueError for what is no such set, an empty one included."""
    found: set[int] = set()
    for first, last in _ranges(text):
        found.update(range(first, last + 1))
    return frozenset(found)


@lru_cache(maxsize=512)
def in_words(text: str) -> str:
    """Return the set with its classes spelt out: "200-299, 304"."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in _ranges(text))


def _ranges(text: str) -> list[tuple[int, int]]:
    if len(text) > LONGEST_TEXT:
        raise ValueError(_("Too long: at most %(most)s characters are allowed.") % {"most": LONGEST_TEXT})
    return [_range(part.strip()) for part in text.split(",")]


def _range(part: str) -> tuple[int, int]:
    if match := _CLASS.fullmatch(part):
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    match = _RANGE.fullmatch(part)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not LOWEST <= first <= last <= HIGHEST:
        raise ValueError(
            _(
                "“%(part)s” is no status: use %(lowest)s to %(highest)s, ranges and classes, separated by commas, "
                "such as 2xx, 304 or 200-299."
            )
            % {"part": part, "lowest": LOWEST, "highest": HIGHEST}
        )
    return first, last
