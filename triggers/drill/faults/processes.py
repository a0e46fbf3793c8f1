"""Processes of a cluster are killed, or stopped for longer than their lease and woken."""

from __future__ import annotations

import os
import random
import signal
import time

from triggers.drill.faults.fault import Fault
from triggers.drill.site import Site

FROZEN_SECONDS = 25.0  # a lease lasts 20
BUSY = 8  # events in hand
LOOKS_FOR_SECONDS = 5.0


def _kill_idle_worker(site: Site, chance: random.Random) -> None:
    """The one that has least in hand waits for the queue, and holds its lock."""
    workers = site.clusters[0].workers()
    workers.pop(site.beat(), None)
    os.kill(min(workers, key=lambda pid: workers[pid]), signal.SIGKILL)


def _busiest(site: Site) -> int:
    """Wait for a worker that has just taken a second's events, and return it."""
    beat, ends_at = site.beat(), time.monotonic() + LOOKS_FOR_SECONDS
    while True:
        workers = {pid: hands for cluster in site.clusters for pid, hands in cluster.workers().items() if pid != beat}
        busiest = max(workers, key=lambda pid: workers[pid])
        if workers[busiest] >= BUSY or time.monotonic() > ends_at:
            return busiest
        time.sleep(0.02)


def _kill_busy_worker(site: Site, chance: random.Random) -> None:
    os.kill(_busiest(site), signal.SIGKILL)


def _kill_guard(site: Site, chance: random.Random) -> None:
    os.kill(site.leader().guard(), signal.SIGKILL)


def _kill_pusher(site: Site, chance: random.Random) -> None:
    os.kill(chance.choice(site.clusters).pusher(), signal.SIGKILL)


def _kill_monitor(site: Site, chance: random.Random) -> None:
    os.kill(chance.choice(site.clusters).monitor(), signal.SIGKILL)


def _kill_beat(site: Site, chance: random.Random) -> None:
    os.kill(site.beat(), signal.SIGKILL)


def _kill_head(site: Site, chance: random.Random) -> None:
    os.kill(site.leader().head(), signal.SIGKILL)


def _kill_group(site: Site, chance: random.Random) -> None:
    os.killpg(site.leader().head(), signal.SIGKILL)


def _kill_watcher(site: Site, chance: random.Random) -> None:
    os.kill(site.leader().pid, signal.SIGKILL)


def _freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(FROZEN_SECONDS)
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return  # its watcher did not wait for it


def _freeze_worker(site: Site, chance: random.Random) -> None:
    _freeze(_busiest(site))


def _freeze_beat(site: Site, chance: random.Random) -> None:
    _freeze(site.beat())


PROCESSES = (
    Fault("idle-worker", "an idle worker is killed", _kill_idle_worker),
    Fault("busy-worker", "the busiest worker is killed", _kill_busy_worker, is_quick=True),
    Fault("sentinel", "the guard of the workers is killed, in the cluster that beats", _kill_guard),
    Fault("pusher", "the process that reads the queue is killed", _kill_pusher),
    Fault("monitor", "the process that takes results is killed", _kill_monitor),
    Fault("beat", "the beat is killed", _kill_beat),
    Fault("head", "the head of the cluster that beats is killed", _kill_head),
    Fault("cluster", "the whole process group of the cluster that beats is killed", _kill_group, is_quick=True),
    Fault("watcher", "the watcher of the cluster that beats is killed", _kill_watcher),
    Fault("frozen-worker", "the busiest worker is stopped for 25 s, and woken", _freeze_worker),
    Fault("frozen-beat", "the beat is stopped for 25 s, and woken", _freeze_beat),
)
