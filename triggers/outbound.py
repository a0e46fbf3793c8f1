"""HTTP to the outside, through the address guard. (In the making: the signatures stand, see below.)"""

from __future__ import annotations


def checked_endpoint(url: str) -> str:
    return url
