"""Who is measured, how each is set, and what each keeps of an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OURS, BARE = "this server, SQLite", "aiohttp alone, 1 process"


@dataclass(frozen=True, slots=True)
class Contender:
    """The three texts are for the reader: where an event waits for its instant and whether it outlives a restart there;
    what is on record of its outcome; what becomes of it when the process dies in mid request, and when it fails.
    """

    name: str
    program: str  # programs/<program>.py
    settings: dict[str, Any]
    waits_in: str
    record: str
    promise: str
    stores: tuple[str, ...] = ()
    by_our_python: bool = False  # else by that of the peers
    is_steady: bool = True  # whether the steady load is measured too
    rounds: dict[int, int] = field(default_factory=dict)  # fewer for a size, where each takes long


def _ours(name: str, waits_in: str, *stores: str) -> Contender:
    record, promise = "event, every attempt, counts by the hour", "at least once, with one id; retries over hours"
    return Contender(name, "ours", {}, waits_in, record, promise, stores, by_our_python=True)


def _bare(name: str, processes: int) -> Contender:
    settings, promise = {"processes": processes}, "at most once; no retries"
    return Contender(
        name, "bare", settings, "memory only", "none", promise, by_our_python=True, is_steady=processes == 1
    )


def _apscheduler(name: str, grace: int, threads: int, *, is_steady: bool = True) -> Contender:
    promise = f"at most once, and not at all when {grace} s late; no retries"
    settings = {"grace": grace, "threads": threads}
    return Contender(name, "with_apscheduler", settings, "SQLite", "none", promise, is_steady=is_steady)


def _celery(
    name: str, record: str = "Redis: result, for a day", *, is_steady: bool = True, **settings: Any
) -> Contender:
    is_late = settings.get("late", False)
    promise = "at least once, again after 1 h; 5 retries" if is_late else "at most once; 5 retries"
    settings = {"results": "redis", "pool": ""} | settings
    waits_in = "Redis, as unacknowledged"
    return Contender(name, "with_celery", settings, waits_in, record, promise, ("redis",), is_steady=is_steady)


def _tuned_celery(name: str, pool: str, workers: int, **settings: Any) -> Contender:
    return _celery(name, pool=pool, workers=workers, ahead=16, late=True, shared=True, **settings)


def _huey(name: str, store: str, kind: str, workers: int) -> Contender:
    waits_in = {"redis": "Redis", "sqlite": "SQLite"}[store]
    record, settings = f"{waits_in}: result, until it is read", {"store": store, "kind": kind, "workers": workers}
    stores = ("redis",) if store == "redis" else ()
    return Contender(name, "with_huey", settings, waits_in, record, "at most once; 5 retries", stores)


def _django_q2(name: str, way: str, waits_in: str, promise: str, *stores: str, **more: Any) -> Contender:
    settings = {"way": way, "app": "django_q"}
    return Contender(name, "with_django_q2", settings, waits_in, "SQLite: result, times", promise, stores, **more)


_BY_THE_TABLE, _BY_REDIS = "at least once: again after `retry`, failed ones too", "at most once; no retries"

CONTENDERS = (
    _bare(BARE, 1),
    _bare("aiohttp alone, 3 processes", 3),
    _ours(OURS, "SQLite"),
    _ours("this server, PostgreSQL and Redis", "PostgreSQL", "postgres", "redis"),
    _apscheduler("APScheduler, SQLite, grace of 1 s, 10 threads (as it comes)", 1, 10, is_steady=False),
    _apscheduler("APScheduler, SQLite, grace of 1 h, 32 threads", 3600, 32),
    _celery("Celery, Redis, prefork (as it comes)", is_steady=False),
    _tuned_celery("Celery, Redis, 32 threads", "threads", 32),
    _tuned_celery("Celery, Redis, 96 greenlets", "gevent", 96),
    _tuned_celery(
        "Celery, Redis, 32 threads, results in SQLite",
        "threads",
        32,
        record="SQLite, by Django: result, for a day",
        results="django",
        app="django_celery_results",
        reuse=1_000_000,
        is_steady=False,
    ),
    _huey("huey, SQLite, 16 threads", "sqlite", "thread", 16),
    _huey("huey, Redis, 32 threads", "redis", "thread", 32),
    _huey("huey, Redis, 96 greenlets", "redis", "greenlet", 96),
    _django_q2("django-q2 tasks, SQLite", "tasks", "nothing: enqueued then", _BY_THE_TABLE),
    _django_q2("django-q2 tasks, Redis", "tasks", "nothing: enqueued then", _BY_REDIS, "redis"),
    _django_q2(
        # Each round waits for the next look at the schedules, half a minute at most.
        "django-q2 schedules, SQLite",
        "schedules",
        "SQLite",
        _BY_THE_TABLE,
        is_steady=False,
        rounds={100: 1, 1000: 1},
    ),
)
