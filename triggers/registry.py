"""The row of one cluster, kept by its watcher: who it is, that it lives, how much it has in hand, and has finished.

In a thread with a connection of its own: a database that hangs or is away costs this row its freshness and nothing
else, for the watcher never waits for it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from datetime import datetime
from pathlib import Path

from django.db import connection
from django.utils import timezone
from django_q.humanhash import uuid as human_uuid

from triggers import faults, liveness
from triggers.models import Cluster

logger = logging.getLogger(__name__)

WRITE_EVERY_SECONDS = 3.0
HELD_UP_AFTER_SECONDS = 2 * WRITE_EVERY_SECONDS
LAST_WORD_SECONDS = 3.0  # how long a stopping watcher waits for its last line to be written
_WORDS_OF_A_NAME = 3


class Registrar:
    """Keeps the row of the cluster whose processes show their signs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.name: str = human_uuid(words=_WORDS_OF_A_NAME)[0]
        self._folder = folder
        self._started_at = timezone.now()
        self._is_stopping = threading.Event()
        self._is_in_order = False
        self.fault: faults.Fault | None = None  # for which the last write failed
        self._is_lost = False  # the last write failed, and it was said
        self._written_at = time.monotonic()
        self._finished_by_dead = 0  # events, by workers that are no more
        self._thread = threading.Thread(target=self._keep, name="registrar", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, is_in_order: bool) -> bool:
        """Put down that the cluster has stopped, and whether in order; return whether that is written.

        Given up soon when the database hangs.
        """
        self._is_in_order = is_in_order
        self._is_stopping.set()
        self._thread.join(LAST_WORD_SECONDS)
        return not self._thread.is_alive()

    @property
    def is_held_up(self) -> bool:
        """Whether the database has not taken the row for a while: it hangs, is locked, full or away."""
        return time.monotonic() - self._written_at > HELD_UP_AFTER_SECONDS

    def write(self, now: datetime) -> None:
        """Write the row as it stands now: one statement, two when there is no row yet."""
        hands, finished_by_dead = liveness.hands(self._folder)
        self._finished_by_dead += finished_by_dead
        values: dict[str, object] = {
            "seen_at": now,
            "workers": len(hands),
            "delivering": sum(each.held for each in hands),
            "executed": self._finished_by_dead + sum(each.finished for each in hands),
        }
        if self._is_stopping.is_set():
            values |= {"workers": 0, "delivering": 0, "stopped_at": now, "is_stopped_in_order": self._is_in_order}
        if not Cluster.objects.filter(name=self.name).update(**values):
            values |= {"host": socket.gethostname(), "pid": os.getpid(), "started_at": self._started_at}
            Cluster.objects.create(name=self.name, **values)

    def _keep(self) -> None:
        while True:
            is_last = self._is_stopping.is_set()
            self._try_to_write()
            if is_last:
                connection.close()
                return
            self._is_stopping.wait(WRITE_EVERY_SECONDS)

    def _try_to_write(self) -> None:
        try:
            self.write(timezone.now())
        except Exception as error:
            if not self._is_lost:
                logger.error("This cluster's row cannot be written, trying again every 3 s: %s", error)
            self._is_lost, self.fault = True, faults.fault_of(error)
            connection.close()
        else:
            self._is_lost, self.fault = False, None
            self._written_at = time.monotonic()
