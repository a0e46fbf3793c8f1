"""Whether the database answers and something beats, said in time.

A database that hangs keeps whoever asks it waiting, for ever perhaps. So a thread of its own asks it, on a connection
of its own, and a monitor waits for that thread no longer than LONGEST_WAIT_SECONDS.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from triggers.models import Beat

LONGEST_SILENCE = timedelta(seconds=15)  # of the beat, which is seen about once a second
LONGEST_WAIT_SECONDS = 3.0
# A look that takes longer is left to itself: its connection may be dead, and the database back.
GIVEN_UP_AFTER_SECONDS = 10.0
MOST_HANGING = 4  # looks of this process

logger = logging.getLogger(__name__)


class _Look(threading.Thread):
    """One look at the beat; `is_well` is False until it has seen that something beats."""

    def __init__(self) -> None:
        super().__init__(name="pulse", daemon=True)
        self.is_well = False
        self.began = time.monotonic()

    def run(self) -> None:
        try:
            seen_at = Beat.objects.filter(pk=Beat.ID).values_list("seen_at", flat=True).first()
            # Seen in the future: the clock was set back, and nothing has beaten since.
            self.is_well = seen_at is not None and abs(timezone.now() - seen_at) <= LONGEST_SILENCE
        except Exception as error:  # whatever a driver raises: the answer is the same
            logger.error("The database does not say whether anything beats: %s", error)
        finally:
            connection.close()


_looks: list[_Look] = []
_choosing = threading.Lock()


def is_felt() -> bool:
    """Return whether the database answers and something beats; an answer that does not come in time is a no.

    Several who ask at the same time share a look.
    """
    look = _look()
    look.join(max(0.0, look.began + LONGEST_WAIT_SECONDS - time.monotonic()))
    return look.is_well


def _look() -> _Look:
    with _choosing:
        _looks[:] = [each for each in _looks if each.is_alive()]
        is_late = _looks and time.monotonic() - _looks[-1].began > GIVEN_UP_AFTER_SECONDS
        if not _looks or (is_late and len(_looks) < MOST_HANGING):
            _looks.append(_Look())
            _looks[-1].start()
        return _looks[-1]
