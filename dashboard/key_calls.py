"""The calls of each API key: counted in this process, and written in bulk every few seconds.

So a call pays no write of its own. What a process has not yet written when it is killed is lost: the figures are
close, not exact. A process that ends in peace writes what it has (`manage.py web`).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q

from dashboard.models import ApiKey, KeyCalls
from triggers import faults

EVERY_SECONDS = 5.0
KEPT = timedelta(hours=48)  # counts; the list shows 24

logger = logging.getLogger(__name__)


class _Use(NamedTuple):
    at: datetime
    address: str


_lock = threading.Lock()
_calls: Counter[tuple[int, datetime]] = Counter()  # by key and hour
_last: dict[int, _Use] = {}  # by key


def note(key_id: int, now: datetime, address: str) -> None:
    """Count a call with this key."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    with _lock:
        _calls[key_id, hour] += 1
        _last[key_id] = _Use(now, address)


def take() -> tuple[dict[tuple[int, datetime], int], dict[int, _Use]]:
    """Return the calls by key and hour, and the last use by key, and begin anew at nothing."""
    with _lock:
        calls, last = dict(_calls), dict(_last)
        _calls.clear()
        _last.clear()
    return calls, last


def write() -> int:
    """Write what was counted since the last time; return how many calls. What cannot be written waits for the next."""
    calls, last = take()
    if not calls:
        return 0
    try:
        _store(calls, last)
    except DatabaseError as error:
        faults.log(logger, "The calls of API keys could not be written yet", error)
        with _lock:
            _calls.update(calls)
            for key_id, use in last.items():
                _last.setdefault(key_id, use)
        return 0
    return sum(calls.values())


def _store(calls: dict[tuple[int, datetime], int], last: dict[int, _Use]) -> None:
    with transaction.atomic():
        # A key may have been forgotten meanwhile.
        known = set(ApiKey.objects.select_for_update().filter(pk__in=last).order_by("pk").values_list("pk", flat=True))
        for (key_id, hour), count in calls.items():
            if key_id in known:
                KeyCalls.objects.get_or_create(key_id=key_id, hour=hour)
                KeyCalls.objects.filter(key=key_id, hour=hour).update(count=F("count") + count)
        for key_id, use in last.items():
            is_newer = Q(last_used_at__isnull=True) | Q(last_used_at__lt=use.at)
            ApiKey.objects.filter(is_newer, pk=key_id).update(last_used_at=use.at, last_used_from=use.address)


def forget(now: datetime) -> None:
    """Delete the keys that the list drops, and the counts that it shows no more."""
    KeyCalls.objects.filter(hour__lt=now - KEPT).delete()
    ApiKey.objects.over_for_long(now).delete()


def begin() -> None:
    """From now on write every few seconds what this process has counted."""
    threading.Thread(target=_go_on_writing, name="calls of API keys", daemon=True).start()


def _go_on_writing() -> None:
    pause = threading.Event()
    while not pause.wait(EVERY_SECONDS):
        write()
        # As after a request: a connection that broke, or is older than CONN_MAX_AGE, is not used again.
        connection.close_if_unusable_or_obsolete()
