"""A django-q2 cluster, watched: started in a process group of its own, restarted when it is stuck, stopped cleanly.

The watcher believes work, not looks: a cluster whose workers show no life (liveness) is killed as a group and
started again, one whose head died too, so that no orphan goes on taking work. In threads of their own it asks for a new
beat when nothing beats, and keeps the cluster's row (registry): it waits for no database itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from django_q.conf import Conf

from triggers import dispatch, faults, liveness, retention
from triggers.registry import Registrar

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.5
STUCK_AFTER_SECONDS = 15.0  # workers are probed every 3 s, and long tasks (but the beat) show life at every step
STARTS_WITHIN_SECONDS = 30.0  # a slow machine may need this to load everything
MAKE_ROOM_EVERY_SECONDS = 60.0  # while the disk is full
LONGEST_PAUSE_SECONDS = 10.0  # between two starts of a cluster that keeps ending


class Watcher:
    """Keeps one cluster alive until SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self.is_stopping = False
        self.folder = Path(tempfile.mkdtemp(prefix="event-trigger-cluster-"))
        self.lock = open(self.folder / "watcher", "w", encoding="utf-8")  # noqa: SIM115 (held for life)
        fcntl.lockf(self.lock, fcntl.LOCK_EX)
        self.registrar = Registrar(self.folder)
        os.environ[liveness.FOLDER_VARIABLE] = str(self.folder)
        os.environ[liveness.NAME_VARIABLE] = self.registrar.name
        self.is_in_order = True
        self.made_room_at = float("-inf")

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.registrar.start()
        threading.Thread(target=self._ask_for_beats, name="asks for beats", daemon=True).start()
        pause = LOOK_EVERY_SECONDS
        while not self.is_stopping:
            started_at = time.monotonic()
            self._run_once()
            # A cluster that lived for a while is started again at once, one that keeps ending with growing pauses.
            pause = LOOK_EVERY_SECONDS if time.monotonic() - started_at > 60 else min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._sleep(pause)
        self.registrar.stop(self.is_in_order)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True

    def _sleep(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while not self.is_stopping and time.monotonic() < ends_at:
            time.sleep(0.1)

    def _run_once(self) -> None:
        """Start the cluster and watch it until it ends, is stuck, or shall stop; then nothing of it is left."""
        head = self._start()
        judged_from = time.monotonic()
        try:
            while not self.is_stopping:
                if head.poll() is not None:
                    logger.error("The cluster ended by itself (%s); it is started again", head.returncode)
                    return
                if self.registrar.is_held_up:
                    # The workers wait for the database as the registrar does, and so would those of a new cluster.
                    judged_from = time.monotonic()
                patience = STUCK_AFTER_SECONDS if self._has_lived() else STARTS_WITHIN_SECONDS
                if min(liveness.age(self.folder, "alive"), time.monotonic() - judged_from) > patience:
                    logger.error("No worker of the cluster has shown life for %d s; it is started again", patience)
                    return
                if self.registrar.fault is faults.FULL:
                    self._make_room()
                os.utime(self.lock.fileno())  # or systemd-tmpfiles would clear it from /tmp after ten days
                self._sleep(LOOK_EVERY_SECONDS)
            self._end(head)
        finally:
            _kill_group(head)

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the cluster's processes. What those before have finished is left to the registrar, who counts it."""
        for sign in ("alive", "asked"):
            (self.folder / sign).unlink(missing_ok=True)
        return subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster", "--skip-checks"],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )

    def _ask_for_beats(self) -> None:
        """In a thread, like the registrar: a database that hangs must not keep the watcher from its work."""
        while not self.is_stopping:
            _ask_for_beat()
            time.sleep(LOOK_EVERY_SECONDS)

    def _make_room(self) -> None:
        """Delete what is expired, in a thread. The clean-up cannot: at a full disk no task comes into the queue."""
        if time.monotonic() - self.made_room_at > MAKE_ROOM_EVERY_SECONDS:
            self.made_room_at = time.monotonic()
            threading.Thread(target=_make_room, name="makes room", daemon=True).start()

    def _has_lived(self) -> bool:
        return (self.folder / "alive").exists()

    def _end(self, head: subprocess.Popen[bytes]) -> None:
        """Let the workers finish what they have begun; what they have not begun is given back."""
        (self.folder / "stopping").touch()
        head.terminate()
        try:
            head.wait(timeout=settings.DELIVERY_TIMEOUT_SECONDS + 20)
        except subprocess.TimeoutExpired:
            self.is_in_order = False
            logger.error("The cluster did not stop in time; it is killed")


def _ask_for_beat() -> None:
    try:
        if dispatch.start_beat_if_silent():
            logger.info("No beat yet, or no longer: one was asked for")
    except (DatabaseError, InterfaceError) as error:
        faults.log(logger, "Cannot see whether anything beats", error)
        connection.close()
    except Exception as error:
        # A broker that is down, mostly: the watcher outlives it.
        logger.error("A new beat could not be asked for: %s", error)


def _make_room() -> None:
    try:
        if deleted := retention.make_room(timezone.now()):
            logger.warning("The disk is full: the reserve was given up to delete %d expired events", deleted)
    except Exception as error:
        faults.log(logger, "No room could be made on the full disk", error)
    finally:
        connection.close()


def _kill_group(head: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(head.pid, signal.SIGKILL)
    head.wait()


def greet_worker(**_: Any) -> None:
    """Called in every new worker: if it takes the place of a killed beat, a new beat is asked for at once."""
    if Conf.SYNC:  # no worker was spawned: the task runs in its caller's process, on its caller's connection
        return
    connection.close()  # inherited over the fork
    liveness.show_life()
    liveness.show_hands(0)
    _ask_for_beat()
