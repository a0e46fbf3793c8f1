"""What can be wrong with a schedule, in words for the person who wrote it."""

from __future__ import annotations

from django.utils.functional import Promise


class ScheduleError(ValueError):
    """The schedule cannot be read; the words say the rule and the way out. `field` is the field to blame."""

    def __init__(self, field: str, message: str | Promise) -> None:
        super().__init__(message)
        self.field = field


class Over(ScheduleError):
    """There is no further fire: a date that has passed, or the end of the calendar.

    Where fires are computed it is caught and never read, so its words are not made before.
    """
