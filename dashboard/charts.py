"""Charts as numbers for their SVG: x and widths in per cent, y and heights in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import dateformat, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.templatetags.figures import number
from dashboard.templatetags.times import duration_words
from triggers.health import Lag, LagHour
from triggers.models import Event
from triggers.stats import Hour, HourOfTrigger, Latency

# --- Events by the hour ------------------------------------------------------------------------------------

# From the bottom up.
OUTCOMES = (
    Event.Outcome.SUCCEEDED,
    Event.Outcome.LOGGED,
    Event.Outcome.SKIPPED,
    Event.Outcome.PENDING,
    Event.Outcome.FAILED,
)
PLOT_TOP, PLOT_HEIGHT = 14, 132  # pixels
LEAST_FAILED = 3  # pixels: a failure is never too small to be seen
_LABEL_EVERY_HOURS = 12
_LABEL_WIDTH = 12  # per cent, about


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of an hour's column."""

    outcome: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One hour: `x` and `width` in per cent of the plot."""

    x: float
    width: float
    title: str  # "Thu 13:00 to 14:00: 298 events, 8 failed"
    bars: list[Bar]
    start: datetime
    counts: list[int]  # in the order of OUTCOMES
    total: int


@dataclass(frozen=True, slots=True)
class Line:
    """A gridline, or the label of an hour."""

    at: float  # pixels from the top, or per cent from the left
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    columns: list[Column]
    gridlines: list[Line]
    labels: list[Line]
    active_from: float  # per cent: where the active hours begin
    active_width: float


def hours_chart(hours: Sequence[Hour], active: timedelta, now: datetime) -> Chart:
    """Return the chart of these hours (oldest first, the last is the current); `active`: how long events are active."""
    highest = max((hour.total for hour in hours), default=0)
    step = _round_step(highest)
    ceiling = step * max(1, -(-highest // step))
    slot = 100 / len(hours)
    width = round(slot * 0.8, 3)
    columns = [_column(hour, round(index * slot + slot * 0.1, 3), width, ceiling) for index, hour in enumerate(hours)]
    gridlines = [
        Line(PLOT_TOP + PLOT_HEIGHT * (1 - value / ceiling), number(value)) for value in range(0, ceiling + 1, step)
    ]
    first = hours[0].start
    active_from = (now - active - first) / timedelta(hours=len(hours)) * 100
    active_from = round(min(max(active_from, 0), 100), 2)
    return Chart(columns, gridlines, _labels(hours, slot), active_from, round(100 - active_from, 2))


def _column(hour: Hour, x: float, width: float, ceiling: int) -> Column:
    bars = []
    top = float(PLOT_TOP + PLOT_HEIGHT)
    for outcome in OUTCOMES:
        count = hour.counts.get(outcome, 0)
        if not count:
            continue
        height = max(count / ceiling * PLOT_HEIGHT, LEAST_FAILED if outcome == Event.Outcome.FAILED else 1)
        top -= height
        # A pixel between two parts, where there is room for it.
        bars.append(Bar(outcome, round(top, 1), round(height - (1 if height > 3 else 0), 1)))
    local = timezone.localtime(hour.start)
    until = timezone.localtime(hour.start + timedelta(hours=1))
    failed = hour.counts.get(Event.Outcome.FAILED, 0)
    said = {
        "from": _day_and_hour(local),
        "to": f"{until:%H:%M}",
        "count": number(hour.total),
        "failed": number(failed),
    }
    if failed:
        title = ngettext(
            "%(from)s to %(to)s: %(count)s event, %(failed)s failed",
            "%(from)s to %(to)s: %(count)s events, %(failed)s failed",
            hour.total,
        )
    else:
        title = ngettext("%(from)s to %(to)s: %(count)s event", "%(from)s to %(to)s: %(count)s events", hour.total)
    return Column(
        x, width, title % said, bars, hour.start, [hour.counts.get(outcome, 0) for outcome in OUTCOMES], hour.total
    )


def _day_and_hour(local: datetime) -> str:
    """Return "Thu 13:00"."""
    return dateformat.format(local, "D H:i")


def _round_step(highest: int) -> int:
    """Return the distance of gridlines: a round number (1, 2 or 5 times a power of ten), three or four of them."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= step * factor * 4:
                return step * factor
        step *= 10


def _labels(hours: Sequence[Hour], slot: float) -> list[Line]:
    """Label the first hour, and midnight and noon of the display zone."""
    labels = [Line(0, _day_and_hour(timezone.localtime(hours[0].start)))]
    for index, hour in enumerate(hours):
        local = timezone.localtime(hour.start)
        # Not where it would run into the first one, or out at the right.
        if local.hour % _LABEL_EVERY_HOURS == 0 and _LABEL_WIDTH < index * slot < 100 - _LABEL_WIDTH:
            words = _day_and_hour(local) if local.hour == 0 else f"{local:%H:%M}"
            labels.append(Line(round(index * slot, 2), words))
    return labels


# --- Lag by the hour ---------------------------------------------------------------------------------------

LAG_TOP, LAG_HEIGHT = 1, 84  # pixels
_LEAST_BAR = 2  # pixels
# Where a scale of seconds may end.
_CEILINGS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1800, 3600, 7200, 6 * 3600, 12 * 3600, 24 * 3600, 48 * 3600),
)


@dataclass(frozen=True, slots=True)
class LagColumn:
    """An hour: a pale bar up to its p95, a line at its median; both None when nothing was sent."""

    x: float
    bar_x: float
    bar_y: float | None
    bar_height: float | None
    line_y: float | None
    title: str  # "Thu 13:00 to 14:00: median 12 ms, p95 60 ms"
    hour: LagHour


@dataclass(frozen=True, slots=True)
class LagChart:
    columns: list[LagColumn]
    slot: float  # per cent: the width of an hour's line
    bar_width: float
    ceiling: str  # "3 s": what the top of the plot stands for
    worst: LagColumn | None


def lag_chart(hours: Sequence[LagHour]) -> LagChart:
    """Return the chart of these hours, oldest first."""
    highest = max((hour.lag.p95 for hour in hours if hour.lag), default=0.0)
    ceiling = next((each for each in _CEILINGS if each >= highest), highest)
    slot = 100 / len(hours)
    columns = [_lag_column(hour, index * slot, slot, ceiling) for index, hour in enumerate(hours)]
    sent = [column for column in columns if column.hour.lag]
    worst = max(sent, key=lambda column: column.hour.lag.p95 if column.hour.lag else 0, default=None)
    words = duration_words(ceiling).replace(".0 s", " s")
    return LagChart(columns, round(slot * 0.7, 3), round(slot * 0.42, 3), words, worst)


def _lag_column(hour: LagHour, left: float, slot: float, ceiling: float) -> LagColumn:
    local = timezone.localtime(hour.start)
    until = timezone.localtime(hour.start + timedelta(hours=1))
    span = {"from": _day_and_hour(local), "to": f"{until:%H:%M}"}
    x, bar_x = round(left + slot * 0.15, 3), round(left + slot * 0.29, 3)
    if hour.lag is None:
        return LagColumn(x, bar_x, None, None, None, _("%(from)s to %(to)s: nothing sent") % span, hour)
    lag = {"median": duration_words(hour.lag.median), "p95": duration_words(hour.lag.p95)}
    title = _("%(from)s to %(to)s: median %(median)s, p95 %(p95)s") % (span | lag)
    height = max(hour.lag.p95 / ceiling * LAG_HEIGHT, _LEAST_BAR)
    bottom = LAG_TOP + LAG_HEIGHT
    line_y = bottom - max(hour.lag.median / ceiling * LAG_HEIGHT, _LEAST_BAR)
    return LagColumn(x, bar_x, round(bottom - height, 1), round(height, 1), round(line_y, 1), title, hour)


def latency_chart(hours: Sequence[HourOfTrigger]) -> LagChart:
    """Return the chart of how long the answers of a trigger took, oldest hour first."""
    return lag_chart([LagHour(hour.start, _in_seconds(hour.latency)) for hour in hours])


def _in_seconds(latency: Latency | None) -> Lag | None:
    return Lag(latency.median / 1000, latency.p95 / 1000) if latency else None


# --- Success by the hour -----------------------------------------------------------------------------------

SUCCESS_HEIGHT = 64  # pixels


@dataclass(frozen=True, slots=True)
class SuccessColumn:
    """An hour, in its full height: what failed on top, what succeeded below; nothing in it: a line."""

    x: float
    title: str  # "Thu 13:00 to 14:00: 3 of 4 succeeded"
    failed_height: float
    succeeded_height: float

    @property
    def is_empty(self) -> bool:
        return not (self.failed_height or self.succeeded_height)


@dataclass(frozen=True, slots=True)
class SuccessChart:
    columns: list[SuccessColumn]
    width: float  # per cent, of a column


def success_chart(hours: Sequence[HourOfTrigger]) -> SuccessChart:
    """Return the chart of how many of a trigger's deliveries succeeded, oldest hour first."""
    slot = 100 / len(hours)
    columns = [_success_column(hour, round(index * slot + slot * 0.08, 3)) for index, hour in enumerate(hours)]
    return SuccessChart(columns, round(slot * 0.84, 3))


def _success_column(hour: HourOfTrigger, x: float) -> SuccessColumn:
    succeeded, failed = (hour.counts.get(outcome, 0) for outcome in (Event.Outcome.SUCCEEDED, Event.Outcome.FAILED))
    delivered = succeeded + failed
    local = timezone.localtime(hour.start)
    until = timezone.localtime(hour.start + timedelta(hours=1))
    span = {"from": _day_and_hour(local), "to": f"{until:%H:%M}"}
    if not delivered:
        return SuccessColumn(x, _("%(from)s to %(to)s: nothing delivered") % span, 0, 0)
    counts = {"succeeded": f"{succeeded:,}", "delivered": f"{delivered:,}"}
    title = _("%(from)s to %(to)s: %(succeeded)s of %(delivered)s succeeded") % (span | counts)
    height = round(max(failed / delivered * SUCCESS_HEIGHT, LEAST_FAILED), 1) if failed else 0
    return SuccessColumn(x, title, height, round(SUCCESS_HEIGHT - height, 1) if succeeded else 0)


# --- Progress --------------------------------------------------------------------------------------------


def bar_parts(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the pieces of a bar of progress, from left to right: what, how many, and where in per cent."""
    whole = sum(counts.values()) or 1
    parts, begins = [], 0.0
    for name, count in counts.items():
        width = 100 * count / whole
        parts.append({"name": name, "count": count, "x": f"{begins:.3f}%", "width": f"{width:.3f}%"})
        begins += width
    return parts
