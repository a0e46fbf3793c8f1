"""django-q2's brokers, watched: a probe for stuck workers, an end for orphans, patience with a broker that is down.

Known of django-q2 1.11: a killed idle worker can leave the lock of the workers' queue held, and the cluster is
silent for ever; its pusher sleeps 10 s and exits when the broker fails. `dequeue` runs in the pusher of every
cluster many times a second, so this is the place to look.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from functools import lru_cache
from typing import Any

import redis
from django.db import connections
from django.utils import timezone
from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.brokers.redis_broker import Redis
from django_q.conf import Conf
from django_q.signing import SignedPackage
from redis.backoff import NoBackoff
from redis.retry import Retry

from triggers import liveness

logger = logging.getLogger(__name__)

PROBE_EVERY_SECONDS = 3.0
PATIENCE_SECONDS = 0.5  # between two tries of a broker that is down
Messages = list[tuple[Any, str]]


class _Watched(Broker):
    """What both brokers add to django-q2's own."""

    parent: int | None = None
    probed_at = 0.0
    is_down = False

    def dequeue(self) -> Messages | None:
        """Return messages as (id, package), a probe of our own now and then; None when there is nothing."""
        self.parent = self.parent or os.getppid()
        liveness.end_if_orphaned(self.parent)
        if time.monotonic() - self.probed_at > PROBE_EVERY_SECONDS:
            self.probed_at = time.monotonic()
            return [(None, _probe())]
        try:
            messages: Messages | None = super().dequeue()
        except Exception as error:
            self._note_down(error)
            return None
        if self.is_down:
            self.is_down = False
            logger.warning("The queue is back")
        return messages

    def _note_down(self, error: Exception) -> None:
        if not self.is_down:
            logger.error("The queue cannot be read, trying again every %s s: %s", PATIENCE_SECONDS, error)
        self.is_down = True
        connections.close_all()
        time.sleep(PATIENCE_SECONDS)


class DatabaseBroker(_Watched, ORM):
    """The queue is a table: a message is redelivered when its worker dies."""


class RedisBroker(_Watched, Redis):
    """The queue is a Redis list: faster, and a message may be lost; the Event row makes up for it."""

    @staticmethod
    def get_connection(list_key: str | None = None) -> redis.Redis:
        # Short, so that the beat does not hang on a Redis that is down; longer than the 1 s that `blpop` waits.
        return redis.from_url(Conf.REDIS, socket_connect_timeout=0.3, socket_timeout=2)


def _probe() -> str:
    """A signed message of a task that shows life, in the form that django-q2's own `async_task` makes."""
    return str(
        SignedPackage.dumps(
            {
                "id": uuid.uuid4().hex,
                "name": "probe",
                "func": "triggers.tasks.show_life",
                "args": (),
                "kwargs": {},
                "started": timezone.now(),
                "ack_failure": True,
            }
        )
    )


def waiting_messages() -> int:
    """Return how many messages wait in the queue; raises when it does not answer."""
    return int(_asked().queue_size())


@lru_cache(maxsize=1)
def _asked() -> Broker:
    broker = get_broker()
    if isinstance(broker, RedisBroker):
        # A page waits for this: it asks once, and not for long.
        broker.connection = redis.from_url(
            Conf.REDIS, socket_connect_timeout=0.3, socket_timeout=0.3, retry=Retry(NoBackoff(), 0)
        )
    return broker
