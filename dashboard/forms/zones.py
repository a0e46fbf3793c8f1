"""The time zones to choose from, each with its offset."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from dashboard.previews import offset_in_words
from triggers import schedules


def zone_choices(now: datetime, *likely: str | None) -> list[tuple[str, Any]]:
    """Return the zones for a select, with their offset at `now`: first those likely meant, then all by region."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(schedules.zone_names()):
        region = name.partition("/")[0] if "/" in name else ""
        regions.setdefault(region, []).append((name, _label(name, now)))
    other = regions.pop("", [])
    first = dict.fromkeys(name for name in (*likely, "UTC") if name)
    return [(_("Likely"), [(name, _label(name, now)) for name in first]), *regions.items(), (_("Other"), other)]


def _label(name: str, now: datetime) -> str:
    if name not in schedules.zone_names():
        return _("%(zone)s (not known here)") % {"zone": name}
    return f"{name} ({offset_in_words(now.astimezone(schedules.zone(name)))})"
