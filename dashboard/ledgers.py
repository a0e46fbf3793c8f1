"""What became of every instant that was due, in one line: "Since Mon 23 Nov: 2,880 due, 2,874 fired, 4 missed (…)"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from dashboard import previews
from dashboard.templatetags.times import span_words
from triggers.models import Event, Trigger

SPANS_SHOWN = 3  # of each cause


def in_words(trigger: Trigger, now: datetime) -> str:
    """Return the ledger of a scheduled trigger, with the newest spans that were missed or skipped and are on record."""
    ledger, zone = trigger.ledger, previews.zone_of(trigger)
    since = _since(ledger.since, zone, now)
    if not ledger.due:
        return f"Since {since}: no fire was due yet."
    words = [f"{ledger.due:,} due", f"{ledger.fired:,} fired"]
    skipped = _skipped(trigger) if ledger.missed or ledger.overlapped else []
    if ledger.missed:
        when = _spans(skipped, Event.SkipCause.MISSED, ledger.missed, zone, now)
        # A trigger that could not be read missed its fire for that, not because the server was down.
        why = "" if trigger.problem else "server down"
        words.append(f"{ledger.missed:,} missed{_in_brackets(why, when)}")
    if ledger.overlapped:
        when = _spans(skipped, Event.SkipCause.OVERLAP, ledger.overlapped, zone, now)
        words.append(f"{ledger.overlapped:,} skipped{_in_brackets('overlap', when)}")
    return f"Since {since}: {', '.join(words)}."


def _since(since: datetime, zone: ZoneInfo, now: datetime) -> str:
    if since.astimezone(zone).date() == now.astimezone(zone).date():
        return f"{since.astimezone(zone):%H:%M} today"
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
    return f"{'' if is_all else 'last '}{said}" if said else ""


def _in_brackets(*words: str) -> str:
    said = " ".join(word for word in words if word)
    return f" ({said})" if said else ""


def why_none(trigger: Trigger, now: datetime, off_since: datetime | None = None) -> str:
    """Return why a scheduled trigger has no next fire, and the way on; `off_since` None: that is not on record."""
    if trigger.problem:
        return "Off, because the server cannot read its schedule."
    if not (previews.is_zone_known(trigger) or trigger.schedule_type == Trigger.ScheduleType.FIXED_INTERVAL):
        return f"This server does not know its time zone, {trigger.time_zone}. Edit the schedule, and choose another."
    if trigger.enabled:
        return "It does not fire by itself any more. Edit the schedule, or switch it off and on."
    is_date = trigger.schedule_type == Trigger.ScheduleType.DATE
    way_on = "Edit the date to use it again." if is_date else "Switching it on arms it again."
    if not trigger.is_recurring and trigger.fired_count:
        return f"{_fired_once(trigger, now)}, and switched itself off. {way_on}"
    if not trigger.is_recurring and trigger.missed_count:
        return f"Its time passed while the server was down, so it did not fire. {way_on}"
    if not trigger.is_recurring:
        return "A one-time trigger that has not fired. Switching it on arms it again."
    if trigger.is_exhausted:
        times = "once" if trigger.fired_count == 1 else f"{trigger.fired_count:,} times"
        return f"It has fired {times}, as often as it may, and switched itself off. Switching it on begins anew."
    if trigger.not_after and trigger.not_after < now:
        ended = previews.moment_in_words(trigger.not_after, previews.zone_of(trigger), now)
        return f"Its window ended {ended}. Give it a later end to use it again."
    if off_since is None:
        return _("Off. It fires again when you switch it on.")
    since = previews.moment_in_words(off_since, previews.zone_of(trigger), now)
    return _("Off since %(when)s. It fires again when you switch it on.") % {"when": since}


def _fired_once(trigger: Trigger, now: datetime) -> str:
    fired = trigger.events.filter(source=Event.Source.SCHEDULE).exclude(outcome=Event.Outcome.SKIPPED)
    at = fired.order_by("-id").values_list("triggered_at", flat=True).first()
    if at is None:  # its event has expired
        return "It has fired once"
    return f"It has fired once, {previews.moment_in_words(at, previews.zone_of(trigger), now)}"
