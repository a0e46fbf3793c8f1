"""Numbers as every page writes them: the fewest digits that still decide, a dash for what was not measured."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def number(amount: int | None) -> str:
    """Return "1,046"; a dash for None."""
    return "–" if amount is None else f"{amount:,}"


@register.filter
def percent(share: float | None) -> str:
    """Return the digits of a share from 0 to 1 as a percentage, without the sign: "98.9", "100"; a dash for None.

    Only a share of exactly 1 reads 100: one failure among many must not disappear.
    """
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{share * 100:.0f}"
    return f"{min(max(share * 100, 0.1), 99.9):.1f}"


@register.filter
def change_percent(change: float) -> str:
    """Return the digits of a change (0.048: 4.8 % more, -0.5: half) without its sign; an arrow beside it has that."""
    size = abs(change) * 100
    return f"{size:,.0f}" if size >= 10 else f"{size:.1f}"


@register.filter
def size_words(amount: int) -> str:
    """Return "1 byte", "42 bytes", "2.1 kB", "1.3 MB", "79.1 GB"."""
    if amount < 1000:
        return f"{amount} byte{'' if amount == 1 else 's'}"
    if amount < 999_950:
        return f"{amount / 1000:.1f} kB"
    if amount < 999_950_000:
        return f"{amount / 1_000_000:.1f} MB"
    return f"{amount / 1_000_000_000:,.1f} GB"


@register.filter
def rate(amount: float) -> str:
    """Return "0.4", "3.2", "348": one decimal below 10."""
    return f"{amount:.1f}" if 0 < amount < 9.95 else f"{amount:,.0f}"
