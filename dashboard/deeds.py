"""What was done to many triggers, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from triggers.models import BulkDeed, Trigger

Deed = BulkDeed.Deed
REFUSALS_SHOWN = 20


def title(deed: BulkDeed) -> str:
    """Return "Turn off 27 triggers"."""
    return _titles(deed.total)[deed.deed] % {"number": f"{deed.total:,}"}


def outcome(deed: BulkDeed) -> str:
    """Return "3 triggers switched off." of one that is over; "" when nothing was done."""
    return _outcomes(deed.done_count)[deed.deed] % {"number": f"{deed.done_count:,}"} if deed.done_count else ""


def remarks(deed: BulkDeed) -> str:
    """Return what else there is to say: how many were as they should be, and how many could not be done, with why."""
    return " ".join(part for part in (_settled(deed), _refused(deed)) if part)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`name` is "" of a trigger that is gone."""

    trigger_id: int
    name: str
    why: str


def refusals(deed: BulkDeed) -> Sequence[Refusal]:
    """Return the first of the triggers that it could not be done to."""
    shown = deed.refusals[:REFUSALS_SHOWN]
    names = dict(Trigger.objects.filter(pk__in=[pk for pk, _why in shown]).values_list("pk", "name"))
    return [Refusal(pk, names.get(pk, ""), why) for pk, why in shown]


def _settled(deed: BulkDeed) -> str:
    count = deed.settled_count
    if not count:
        return ""
    if deed.deed == Deed.SWITCH_ON:
        words = ngettext("%(number)s was on already.", "%(number)s were on already.", count)
    else:
        words = ngettext("%(number)s was off already.", "%(number)s were off already.", count)
    return words % {"number": f"{count:,}"}


def _refused(deed: BulkDeed) -> str:
    count = deed.refused_count
    if not count:
        return ""
    words = {
        Deed.SWITCH_ON: ngettext(
            "%(number)s could not be switched on: %(why)s", "%(number)s could not be switched on: %(why)s", count
        ),
        Deed.SWITCH_OFF: ngettext(
            "%(number)s could not be switched off: %(why)s", "%(number)s could not be switched off: %(why)s", count
        ),
        Deed.TEST: ngettext(
            "%(number)s could not be tested: %(why)s", "%(number)s could not be tested: %(why)s", count
        ),
        Deed.DELETE: ngettext(
            "%(number)s could not be deleted: %(why)s", "%(number)s could not be deleted: %(why)s", count
        ),
    }[Deed(deed.deed)]
    whys = {why for _pk, why in deed.refusals}
    why = whys.pop() if len(whys) == 1 else _("each for a reason of its own.")
    return words % {"number": f"{count:,}", "why": why}


def _titles(count: int) -> dict[str, str]:
    return {
        Deed.SWITCH_ON: ngettext("Turn on %(number)s trigger", "Turn on %(number)s triggers", count),
        Deed.SWITCH_OFF: ngettext("Turn off %(number)s trigger", "Turn off %(number)s triggers", count),
        Deed.TEST: ngettext("Test %(number)s trigger", "Test %(number)s triggers", count),
        Deed.DELETE: ngettext("Delete %(number)s trigger", "Delete %(number)s triggers", count),
    }


def _outcomes(count: int) -> dict[str, str]:
    return {
        Deed.SWITCH_ON: ngettext("%(number)s trigger is on.", "%(number)s triggers are on.", count),
        Deed.SWITCH_OFF: ngettext("%(number)s trigger is off.", "%(number)s triggers are off.", count),
        Deed.TEST: ngettext("%(number)s test is under way.", "%(number)s tests are under way.", count),
        Deed.DELETE: ngettext("%(number)s trigger is deleted.", "%(number)s triggers are deleted.", count),
    }
