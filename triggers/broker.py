"""django-q2's brokers, watched: a probe for stuck workers, an end for orphans, a way round a broker that is down.

Known of django-q2 1.11: a killed idle worker can leave the lock of the workers' queue held, and the cluster is
silent for ever; its pusher sleeps 10 s and exits when the broker fails. `dequeue` runs in the pusher of every
cluster many times a second, so this is the place to look.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from functools import cached_property, lru_cache
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
REDIS_ANSWERS_SECONDS = 0.3  # or it is down
REDIS_LEFT_ALONE_SECONDS = 5.0  # once it is, so that nobody waits for it again and again
LISTEN_SECONDS = 1  # for the next message in Redis
TABLE_EVERY_SECONDS = 1.0  # so often the table is looked at while Redis answers
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

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Keep nothing of what django-q2 says of itself twice a second; `registry` has a row of each cluster."""

    def _note_down(self, error: Exception) -> None:
        if not self.is_down:
            logger.error("The queue cannot be read, trying again every %s s: %s", PATIENCE_SECONDS, error)
        self.is_down = True
        connections.close_all()
        time.sleep(PATIENCE_SECONDS)


class DatabaseBroker(_Watched, ORM):
    """The queue is a table: a message is redelivered when its worker dies."""


class _RedisOrTable(Redis):
    """A Redis list; and, while Redis does not take messages (gone, hung, full), the table, which all look at as well.

    So deliveries go on without Redis, also where one machine reaches it and another does not.
    """

    left_alone_until = 0.0  # monotonic seconds, like all of these
    is_redis_down = False
    table_looked_at = 0.0
    table_used_at = float("-inf")

    @staticmethod
    def get_connection(list_key: str | None = None) -> redis.Redis:
        return _redis(REDIS_ANSWERS_SECONDS)

    @cached_property
    def _listening(self) -> redis.Redis:
        return _redis(LISTEN_SECONDS + 1)

    @cached_property
    def _table(self) -> ORM:
        return ORM(self.list_key)

    def enqueue(self, task: str) -> Any:
        if self._may_ask_redis():
            try:
                sent = super().enqueue(task)
            except redis.RedisError as error:
                self._leave_alone(error)
            else:
                self._note_answer()
                return sent
        return self._table.enqueue(task)

    def dequeue(self) -> Messages | None:
        if not self._may_ask_redis():
            return self._from_table()
        if time.monotonic() - self.table_looked_at > TABLE_EVERY_SECONDS or self._is_table_in_use():
            self.table_looked_at = time.monotonic()
            if self._table.queue_size():
                return self._from_table()
        try:
            return self._from_redis()
        except redis.RedisError as error:
            self._leave_alone(error)
            return None

    def acknowledge(self, task_id: int) -> None:
        self._table.acknowledge(task_id)  # messages of Redis have no id

    def fail(self, task_id: int | None) -> None:
        self._table.fail(task_id)

    def ping(self) -> bool:
        return True  # django-q2 asks at its start, and would not start without Redis

    def _from_table(self) -> Messages | None:
        messages: Messages | None = self._table.dequeue()  # waits a little when there is nothing
        if messages:
            self.table_used_at = time.monotonic()
        return messages

    def _from_redis(self) -> Messages | None:
        if self.is_redis_down:
            self.connection.ping()  # not for long; to listen takes longer
        if self._is_table_in_use():
            message = self.connection.lpop(self.list_key)
            if message is None:
                time.sleep(Conf.POLL)
        else:
            found = self._listening.blpop(self.list_key, LISTEN_SECONDS)
            message = found and found[1]
        self._note_answer()
        return [(None, message)] if message else None

    def _is_table_in_use(self) -> bool:
        """Another process may have found Redis down, or full, a moment ago."""
        return time.monotonic() - self.table_used_at < 2 * REDIS_LEFT_ALONE_SECONDS

    def _note_answer(self) -> None:
        if self.is_redis_down:
            self.is_redis_down = False
            logger.warning("Redis answers again")

    def _may_ask_redis(self) -> bool:
        return time.monotonic() >= self.left_alone_until

    def _leave_alone(self, error: redis.RedisError) -> None:
        if not self.is_redis_down:
            logger.error("Redis does not answer, or takes nothing: hints go by the database until it does (%s)", error)
        self.is_redis_down = True
        self.left_alone_until = time.monotonic() + REDIS_LEFT_ALONE_SECONDS


class RedisBroker(_Watched, _RedisOrTable):
    """The queue is a Redis list: faster, and a message may be lost; the Event row makes up for it."""


def _redis(seconds: float) -> redis.Redis:
    """Return a client that waits so long for an answer. A connection that broke meanwhile is made anew, once."""
    once = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.from_url(Conf.REDIS, socket_connect_timeout=REDIS_ANSWERS_SECONDS, socket_timeout=seconds, retry=once)


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
    return get_broker()
