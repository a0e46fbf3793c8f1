"""What was changed about a trigger, as its page says it: "Mara Lindqvist changed the retries", "1 → 3, after 30 s"."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dashboard.deliveries import success_in_words
from dashboard.previews import moment_in_words
from dashboard.templatetags.times import duration_words
from triggers import backoff, schedules, vault
from triggers.models import Change, Recipe, Trigger

MOST_UNSEEN = 20
LONGEST_IN_LINE = 160  # characters of an old and a new value beside each other; longer ones unfold

# What is changed, for "… changed the retries" and, at the head of a line, "The retries: 1 → 3".
_WHAT: Mapping[str, Promise] = {
    "name": gettext_lazy("the name"),
    "schedule": gettext_lazy("the schedule"),
    "time_zone": gettext_lazy("the time zone"),
    "not_before": gettext_lazy("the first fire"),
    "not_after": gettext_lazy("the last fire"),
    "max_fires": gettext_lazy("the number of fires"),
    "spread_seconds": gettext_lazy("the spread"),
    "missed_policy": gettext_lazy("what happens to missed fires"),
    "overlap_policy": gettext_lazy("what happens at an overlap"),
    "api_endpoint": gettext_lazy("the endpoint"),
    "payload": gettext_lazy("the payload"),
    "is_test": gettext_lazy("whether its events are tests"),
    "method": gettext_lazy("the method"),
    "headers": gettext_lazy("the headers"),
    "body_template": gettext_lazy("the body template"),
    "timeout_seconds": gettext_lazy("the timeout"),
    "success": gettext_lazy("what counts as success"),
    "retries": gettext_lazy("the retries"),
    "most_at_once": gettext_lazy("the requests at once"),
    "rate_per_minute": gettext_lazy("the requests a minute"),
    "switch_off_after": gettext_lazy("after how many failures it switches off"),
    "verify_tls": gettext_lazy("whether the certificate is checked"),
    "client_certificate": gettext_lazy("the client certificate"),
    "client_key": gettext_lazy("the client key"),
}
_MONO = frozenset({"api_endpoint", "payload", "method", "headers", "body_template"})


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one field. With neither old nor new, `words` say it: a secret, or what is too large."""

    label: str  # "" where the sentence above names the field
    old: str = ""
    new: str = ""
    words: str = ""
    is_mono: bool = False

    @property
    def is_long(self) -> bool:
        return len(self.old) + len(self.new) > LONGEST_IN_LINE or "\n" in self.old + self.new


@dataclass(frozen=True, slots=True)
class Shown:
    """One change: who did what, and the lines below."""

    change: Change
    sentence: str
    lines: list[Line] = field(default_factory=list)
    note: str = ""  # "it had been off for 23 h", or why the server did it

    @property
    def author(self) -> str:
        return author_in_words(self.change)


@dataclass(frozen=True, slots=True)
class History:
    """Changes, newest first. `older` is the id to ask for those before them; None: these are all."""

    changes: list[Shown]
    older: int | None
    off_since: datetime | None  # None: it is on, or that is no longer on record


def of(trigger: Trigger, now: datetime, count: int, before: int | None = None) -> History:
    """Return the newest `count` changes, of those older than the change `before` if it is given."""
    rows = trigger.changes.newest_first()
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: count + 1])
    changes = found[:count]
    switches = _switches(trigger, found)
    shown = [_shown(change, switches, now) for change in changes]
    last = next(iter(switches), None)
    is_off = not trigger.enabled and last is not None and last.kind != Change.Kind.SWITCHED_ON
    return History(shown, changes[-1].pk if len(found) > count else None, last.at if is_off and last else None)


def since(trigger: Trigger, version: int, now: datetime) -> list[Shown]:
    """Return what somebody who saw this version of the trigger does not know of, newest first."""
    found = list(trigger.changes.after_version(version).newest_first()[:MOST_UNSEEN])
    return [_shown(change, found, now) for change in found]


def _switches(trigger: Trigger, found: Sequence[Change]) -> list[Change]:
    """Return those of the changes that switched, newest first, and the one before them where it is asked for."""
    switches = [change for change in found if change.kind in Change.SWITCHING]
    is_asked_for = switches[-1].kind == Change.Kind.SWITCHED_ON if switches else not trigger.enabled
    if found and is_asked_for:
        earlier = trigger.changes.of_switching().filter(pk__lt=found[-1].pk).newest_first().first()
        switches += [earlier] if earlier else []
    return switches


def _shown(change: Change, switches: Sequence[Change], now: datetime) -> Shown:
    who = author_in_words(change)
    if change.kind == Change.Kind.CHANGED:
        return _edit(change, who, now)
    if change.kind == Change.Kind.SWITCHED_ON:
        return Shown(change, _("%(who)s switched it on") % {"who": who}, note=_was_off_for(change, switches))
    if change.kind == Change.Kind.SWITCHED_OFF:
        return Shown(change, _("%(who)s switched it off") % {"who": who}, note=change.reason)
    if change.kind == Change.Kind.SECRET_REPLACED:
        return Shown(change, _("%(who)s replaced the signing secret") % {"who": who})
    if change.kind == Change.Kind.DELETED:
        return Shown(change, _("%(who)s deleted this trigger") % {"who": who})
    return Shown(change, _("%(who)s created this trigger") % {"who": who})


def author_in_words(change: Change) -> str:
    """Return "Mara Lindqvist", "API key “terraform”", "The server", for the beginning of a sentence."""
    if change.by_kind == Change.By.API_KEY:
        return _("API key “%(name)s”") % {"name": change.by_name}
    return change.by_name or _("The server")


def _was_off_for(change: Change, switches: Sequence[Change]) -> str:
    before = next((each for each in switches if each.pk < change.pk), None)
    if before is None or before.kind == Change.Kind.SWITCHED_ON:
        return ""
    return _("it had been off for %(length)s") % {"length": _roughly(change.at, before.at)}


def _roughly(until: datetime, since: datetime) -> str:
    """Return the time between in its largest unit: "23 h"."""
    seconds = round((until - since).total_seconds())
    for unit in (86_400, 3600, 60):
        if seconds >= unit:
            return duration_words(float(seconds - seconds % unit))
    return duration_words(float(seconds))


# --- Fields ----------------------------------------------------------------------------------------------


def _edit(change: Change, who: str, now: datetime) -> Shown:
    differences = change.differences
    names = list(dict.fromkeys(each["field"] for each in differences))
    what = [str(_WHAT.get(name, name)) for name in names]
    if len(names) == 1:
        sentence = _("%(who)s changed %(what)s") % {"who": who, "what": what[0]}
    elif len(names) == 2:
        words = {"who": who, "what": what[0], "other": what[1]}
        sentence = _("%(who)s changed %(what)s and %(other)s") % words
    else:
        words = {"who": who, "count": str(len(names))}
        sentence = ngettext("%(who)s changed %(count)s setting", "%(who)s changed %(count)s settings", len(names))
        sentence %= words
    return Shown(change, sentence, lines_of(differences, now, is_labelled=len(names) > 1))


def lines_of(differences: Sequence[Mapping[str, Any]], now: datetime, *, is_labelled: bool) -> list[Line]:
    """Return a line for each difference; labelled where they are not all of one field."""
    return [_line(each, now, is_labelled) for each in differences]


def _line(difference: Mapping[str, Any], now: datetime, is_labelled: bool) -> Line:
    name, old, new = difference["field"], difference["old"], difference["new"]
    label = str(_WHAT.get(name, name)) if is_labelled else ""
    label = label[:1].upper() + label[1:]
    if name == "headers" and "name" in difference:
        return _header_line(difference, label)
    if "old_bytes" in difference:
        sizes = {"old": f"{difference['old_bytes']:,}", "new": f"{difference['new_bytes']:,}"}
        return Line(label, words=_("from %(old)s to %(new)s bytes, too large to keep") % sizes)
    if name in ("client_key", "client_certificate"):
        return Line(label, words=_kept_in_words(old, new))
    say = _SAYS.get(name, _plain)
    return Line(label, say(old, now), say(new, now), is_mono=name in _MONO)


def _header_line(difference: Mapping[str, Any], label: str) -> Line:
    name, old, new = difference["name"], difference["old"], difference["new"]
    named = f"{label}, {name}" if label else name
    if "old_bytes" in difference or vault.MASK in (old, new):
        return Line(named, words=_kept_in_words(old, new))
    return Line(named, _("none") if old is None else old, _("none") if new is None else new, is_mono=True)


def _kept_in_words(old: Any, new: Any) -> str:
    """Return what became of a value that is not shown."""
    if old and new:
        return _("changed")
    return _("added") if new else _("removed")


def _plain(value: Any, now: datetime) -> str:
    return _("none") if value in (None, "", []) else f"{value:,}" if type(value) is int else str(value)


def _yes_or_no(value: Any, now: datetime) -> str:
    return _("yes") if value else _("no")


def _json(value: Any, now: datetime) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2 if len(str(value)) > LONGEST_IN_LINE // 2 else None)


def _moment(value: Any, now: datetime) -> str:
    if value is None:
        return _("no bound")
    zone = ZoneInfo(timezone.get_current_timezone_name())
    return moment_in_words(datetime.fromisoformat(value), zone, now)


def _seconds(value: Any, now: datetime) -> str:
    return _("the server’s") if value is None else f"{value} s"


def _limit(value: Any, now: datetime) -> str:
    return _("no limit") if value is None else f"{value:,}"


def _failures(value: Any, now: datetime) -> str:
    return _("never") if value is None else f"{value:,}"


def _schedule(value: Mapping[str, Any], now: datetime) -> str:
    words = schedules.in_words(
        value["schedule_type"], value["schedule_value"], value["is_recurring"], value["weekdays"], now.date()
    )
    return f"{words} ({value['schedule_value']})" if value["schedule_type"] == Trigger.ScheduleType.CRON else words


def _retries(value: Mapping[str, Any], now: datetime) -> str:
    retries = backoff.Retries(tuple(value["delays"]), value["statuses"], value["no_answer"])
    return backoff.in_short(retries)


def _success(value: Mapping[str, Any], now: datetime) -> str:
    return success_in_words(Recipe(**{f"success_{name}": each for name, each in value.items()}))


def _choice(choices: Any) -> Callable[[Any, datetime], str]:
    labels = dict(choices.choices)
    return lambda value, now: str(labels.get(value, value))


_SAYS: Mapping[str, Callable[[Any, datetime], str]] = {
    "schedule": _schedule,
    "not_before": _moment,
    "not_after": _moment,
    "max_fires": _limit,
    "spread_seconds": _seconds,
    "missed_policy": _choice(Trigger.MissedPolicy),
    "overlap_policy": _choice(Trigger.OverlapPolicy),
    "payload": _json,
    "is_test": _yes_or_no,
    "timeout_seconds": _seconds,
    "success": _success,
    "retries": _retries,
    "most_at_once": _limit,
    "rate_per_minute": _limit,
    "switch_off_after": _failures,
    "verify_tls": _yes_or_no,
}
