"""What became of every instant that was due, in one line: "Since Mon 23 Nov: 2,880 due, 2,874 fired, 4 missed (…)"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import previews
from dashboard.templatetags.times import span_words
from triggers.models import Event, Trigger

SPANS_SHOWN = 3  # of each cause


def in_words(trigger: Trigger, now: datetime) -> str:
    """Return the ledger of a scheduled trigger, with the newest spans that were missed or skipped and are on record."""
    ledger, zone = trigger.ledger, previews.zone_of(trigger)
    since = _since(ledger.since, zone, now)
    if not ledger.due:
        return _("Since %(since)s: no fire was due yet.") % {"since": since}
    words = [
        _("%(count)s due") % {"count": _number(ledger.due)},
        _("%(count)s fired") % {"count": _number(ledger.fired)},
    ]
    skipped = _skipped(trigger) if ledger.missed or ledger.overlapped else []
    if ledger.missed:
        when = _spans(skipped, Event.SkipCause.MISSED, ledger.missed, zone, now)
        # A trigger that could not be read missed its fire for that, not because the server was down.
        words.append(_missed(_number(ledger.missed), when, is_server_to_blame=not trigger.problem))
    if ledger.overlapped:
        when = _spans(skipped, Event.SkipCause.OVERLAP, ledger.overlapped, zone, now)
        said = _("%(count)s skipped (overlap %(when)s)") if when else _("%(count)s skipped (overlap)")
        words.append(said % {"count": _number(ledger.overlapped), "when": when})
    # Translators: what became of every fire that was due: "Since Mon 23 Nov: 2,880 due, 2,874 fired, 6 missed."
    return _("Since %(since)s: %(counts)s.") % {"since": since, "counts": ", ".join(words)}


def _missed(count: str, when: str, *, is_server_to_blame: bool) -> str:
    if is_server_to_blame:
        words = _("%(count)s missed (server down %(when)s)") if when else _("%(count)s missed (server down)")
    else:
        words = _("%(count)s missed (%(when)s)") if when else _("%(count)s missed")
    return words % {"count": count, "when": when}


def _number(count: int) -> str:
    return number_format(count, force_grouping=True)


def _since(since: datetime, zone: ZoneInfo, now: datetime) -> str:
    if since.astimezone(zone).date() == now.astimezone(zone).date():
        return _("%(time)s today") % {"time": f"{since.astimezone(zone):%H:%M}"}
    return previews.day_in_words(since.astimezone(zone).date(), now.astimezone(zone).date())


def _skipped(trigger: Trigger) -> list[Event]:
    """Return the newest events that stand for instants which did not fire, newest first."""
    skipped = trigger.events.filter(outcome=Event.Outcome.SKIPPED, scheduled_for__gte=trigger.counted_since)
    return list(skipped.order_by("-id")[: 4 * SPANS_SHOWN])


def _spans(skipped: Sequence[Event], cause: str, total: int, zone: ZoneInfo, now: datetime) -> str:
    """Return "13:00 to 13:02, 14:10", the newest last; "last …" where they are not all."""
    shown = [event for event in skipped if event.skip_cause == cause][:SPANS_SHOWN][::-1]
    spans = [
        span_words(event.scheduled_for, event.skipped_until or event.scheduled_for, now, zone)
        for event in shown
        if event.scheduled_for
    ]
    is_all = sum(event.skipped_count for event in shown) >= total
    said = ("; " if any("," in span for span in spans) else ", ").join(spans)
    return said if is_all or not said else _("last %(spans)s") % {"spans": said}


def why_none(trigger: Trigger, now: datetime, off_since: datetime | None = None) -> str:
    """Return why a scheduled trigger has no next fire, and the way on; `off_since` None: that is not on record."""
    if trigger.problem:
        return _("Off, because the server cannot read its schedule.")
    if not (previews.is_zone_known(trigger) or trigger.schedule_type == Trigger.ScheduleType.FIXED_INTERVAL):
        words = _("This server does not know its time zone, %(zone)s. Edit the schedule, and choose another.")
        return words % {"zone": trigger.time_zone}
    if trigger.enabled:
        return _("It does not fire by itself any more. Edit the schedule, or switch it off and on.")
    is_date = trigger.schedule_type == Trigger.ScheduleType.DATE
    way_on = _("Edit the date to use it again.") if is_date else _("Switching it on arms it again.")
    if not trigger.is_recurring and trigger.fired_count:
        return f"{_fired_once(trigger, now)} {way_on}"
    if not trigger.is_recurring and trigger.missed_count:
        missed = _("Its time passed while the server was down, so it did not fire.")
        return f"{missed} {way_on}"
    if not trigger.is_recurring:
        return _("A one-time trigger that has not fired. Switching it on arms it again.")
    if trigger.is_exhausted:
        words = ngettext(
            "It has fired once, as often as it may, and switched itself off. Switching it on begins anew.",
            "It has fired %(count)s times, as often as it may, and switched itself off. Switching it on begins anew.",
            trigger.fired_count,
        )
        return words % {"count": _number(trigger.fired_count)}
    if trigger.not_after and trigger.not_after < now:
        ended = previews.moment_in_words(trigger.not_after, previews.zone_of(trigger), now)
        return _("Its window ended %(moment)s. Give it a later end to use it again.") % {"moment": ended}
    if off_since is None:
        return _("Off. It fires again when you switch it on.")
    since = previews.moment_in_words(off_since, previews.zone_of(trigger), now)
    return _("Off since %(when)s. It fires again when you switch it on.") % {"when": since}


def _fired_once(trigger: Trigger, now: datetime) -> str:
    fired = trigger.events.filter(source=Event.Source.SCHEDULE).exclude(outcome=Event.Outcome.SKIPPED)
    at = fired.order_by("-id").values_list("triggered_at", flat=True).first()
    if at is None:  # its event has expired
        return _("It has fired once, and switched itself off.")
    moment = previews.moment_in_words(at, previews.zone_of(trigger), now)
    return _("It has fired once, %(moment)s, and switched itself off.") % {"moment": moment}
