"""Processes of the web server are killed while they answer, and everything is restarted in turn."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from triggers.drill import processes
from triggers.drill.faults.fault import Fault
from triggers.drill.site import Service, Site

BURST = 40  # calls at once, so that some are between their commit and their answer
KILLS = 3
BACK_WITHIN_SECONDS = 60.0


def _kill_workers(site: Site, chance: random.Random) -> None:
    for _ in range(KILLS):
        _in_mid_post(site, chance, lambda: chance.choice(processes.children(site.web.pid)))
        time.sleep(2)


def _kill_master(site: Site, chance: random.Random) -> None:
    """The workers outlive it for a while: the fault is over when another has taken their place."""
    before = site.web.pid
    _in_mid_post(site, chance, lambda: before)
    _wait_for_another(site.web, before)


def _in_mid_post(site: Site, chance: random.Random, victim: Callable[[], int]) -> None:
    pid = victim()
    site.callers.burst(BURST)
    time.sleep(chance.uniform(0.02, 0.15))
    os.kill(pid, signal.SIGKILL)


def _restart_in_turn(site: Site, chance: random.Random) -> None:
    for cluster in site.clusters:
        _restart(cluster)


def _restart_web(site: Site, chance: random.Random) -> None:
    _restart(site.web)


def _restart(service: Service) -> None:
    before = service.pid
    os.kill(before, signal.SIGTERM)
    _wait_for_another(service, before)


def _wait_for_another(service: Service, before: int) -> None:
    """Wait until the keeper has started it again, and it has its workers; the accounts say what that cost."""
    ends_at = time.monotonic() + BACK_WITHIN_SECONDS
    while service.pid == before or not service.is_up():
        if time.monotonic() > ends_at:
            return
        time.sleep(0.1)


WEB = (
    Fault("web-worker", "a web worker is killed in mid POST, three times", _kill_workers, is_quick=True),
    Fault("web-master", "the web server's master is killed in mid POST", _kill_master),
    Fault("web-restart", "the web server is stopped by SIGTERM, and started again", _restart_web),
    Fault("rolling-restart", "every cluster in turn is stopped by SIGTERM, and started again", _restart_in_turn),
)
