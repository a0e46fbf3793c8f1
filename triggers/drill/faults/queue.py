"""Redis is killed, hangs, forgets everything, or takes nothing more."""

from __future__ import annotations

import random
import signal
import time

from triggers.drill.faults.fault import Fault, Recovery
from triggers.drill.site import Site
from triggers.drill.stores import Postgres, RedisServer

AWAY_SECONDS = 8.0


def _queue(site: Site) -> RedisServer:
    assert isinstance(site.store, Postgres)  # noqa: S101 (the faults below are of this store alone)
    return site.store.queue


def _kill(site: Site, chance: random.Random) -> None:
    _queue(site).kill()
    time.sleep(AWAY_SECONDS)
    _queue(site).start()


def _stop(site: Site, chance: random.Random) -> None:
    _queue(site).signal(signal.SIGSTOP)
    time.sleep(AWAY_SECONDS)
    _queue(site).signal(signal.SIGCONT)


def _flush(site: Site, chance: random.Random) -> None:
    for _ in range(20):
        _queue(site).client().flushall()
        time.sleep(chance.uniform(0, 0.2))


def _fill(site: Site, chance: random.Random) -> None:
    client = _queue(site).client()
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    time.sleep(AWAY_SECONDS)
    client.config_set("maxmemory", "0")


_ON_REDIS = ("postgres",)
QUEUE = (
    Fault("redis-killed", "Redis is killed, and started 8 s later", _kill, _ON_REDIS, Recovery.ITS_END),
    Fault("redis-stopped", "Redis hangs for 8 s", _stop, _ON_REDIS, Recovery.ITS_END),
    Fault("redis-flushed", "Redis is emptied, 20 times", _flush, _ON_REDIS, Recovery.ITS_END, is_quick=True),
    Fault("redis-full", "Redis takes nothing more for 8 s", _fill, _ON_REDIS, Recovery.ITS_END),
)
