"""Numbers as every page writes them: the fewest digits that still decide, a dash for what was not measured.

Their points and commas are those of the reader's language.
"""

from __future__ import annotations

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()


def decimal(value: float, places: int) -> str:
    """Return the number, rounded to so many places, with its thousands apart."""
    return str(number_format(f"{value:.{places}f}", decimal_pos=places, use_l10n=True, force_grouping=True))


@register.filter
def number(amount: int | None) -> str:
    """Return "1,046"; a dash for None."""
    return "–" if amount is None else decimal(amount, 0)


@register.filter
def percent(share: float | None) -> str:
    """Return the digits of a share from 0 to 1 as a percentage, without the sign: "98.9", "100"; a dash for None.

    Only a share of exactly 1 reads 100: one failure among many must not disappear.
    """
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{share * 100:.0f}"
    return decimal(min(max(share * 100, 0.1), 99.9), 1)


@register.filter
def change_percent(change: float) -> str:
    """Return the digits of a change (0.048: 4.8 % more, -0.5: half) without its sign; an arrow beside it has that."""
    size = abs(change) * 100
    return decimal(size, 0 if size >= 10 else 1)


@register.filter
def size_words(amount: int) -> str:
    """Return "1 byte", "42 bytes", "2.1 kB", "1.3 MB", "79.1 GB"."""
    if amount < 1000:
        return ngettext("%(count)s byte", "%(count)s bytes", amount) % {"count": amount}
    if amount < 999_950:
        return _("%(size)s kB") % {"size": decimal(amount / 1000, 1)}
    if amount < 999_950_000:
        return _("%(size)s MB") % {"size": decimal(amount / 1_000_000, 1)}
    return _("%(size)s GB") % {"size": decimal(amount / 1_000_000_000, 1)}


@register.filter
def rate(amount: float) -> str:
    """Return "0.4", "3.2", "348": one decimal below 10."""
    return decimal(amount, 1 if 0 < amount < 9.95 else 0)
