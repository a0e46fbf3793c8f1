"""When does a trigger fire next? Pure: no model, no clock of its own; every instant is passed in.

Fixed times and cron expressions are read in the trigger's zone by Debian cron's rule (`rule`): a local time that does
not exist fires at the first instant after the gap; one that exists twice fires at the first only. Expressions whose
minute or hour begins with *, and intervals, follow real time; intervals count from the trigger's start, so they do not
drift. A date in a gap is refused; of a date that exists twice the first is meant.

    slots        what becomes of the instants that have come due: fired, missed, overlapping
    preview      the fires to come, with what changes of the clock do to them
    words        a schedule as a person says it, a cron expression field by field
    timetable    a schedule with what bounds it: a window, a spread for a herd
    reading      what people write, and what it means
    kinds        the next fire, and how many lie between two instants
    rule         local times become instants: Debian's rule
    cron         an expression, and what is wrong with it
    zones        zones, and when their clocks change
    errors       ScheduleError

Imports go down only, in this order.
"""

from __future__ import annotations

from triggers.schedules.cron import Expression
from triggers.schedules.errors import Over, ScheduleError
from triggers.schedules.kinds import Cron, FixedInterval, FixedTime, OnDate, Schedule
from triggers.schedules.preview import Fire, next_touched, note, preview
from triggers.schedules.reading import KINDS, LONGEST_INTERVAL, read, read_instant, read_weekdays, seconds_of
from triggers.schedules.slots import Cause, MissedPolicy, OverlapPolicy, Settled, Skip, settle
from triggers.schedules.timetable import INSTANT, Terms, Timetable, Window, spread_delay, timetable_of
from triggers.schedules.words import FieldWords, day_in_words, duration_in_words, field_guide, in_words
from triggers.schedules.zones import Change, changes, zone, zone_names

__all__ = [
    "INSTANT",
    "KINDS",
    "LONGEST_INTERVAL",
    "Cause",
    "Change",
    "Cron",
    "Expression",
    "FieldWords",
    "Fire",
    "FixedInterval",
    "FixedTime",
    "MissedPolicy",
    "OnDate",
    "Over",
    "OverlapPolicy",
    "Schedule",
    "ScheduleError",
    "Settled",
    "Skip",
    "Terms",
    "Timetable",
    "Window",
    "changes",
    "day_in_words",
    "duration_in_words",
    "field_guide",
    "in_words",
    "next_touched",
    "note",
    "preview",
    "read",
    "read_instant",
    "read_weekdays",
    "seconds_of",
    "settle",
    "spread_delay",
    "timetable_of",
    "zone",
    "zone_names",
]
