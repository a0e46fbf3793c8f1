"""Celery on Redis: a task with an ETA for each event; its result is kept in Redis, or in SQLite by Django.

`pool` "" is the worker as it comes: prefork, as many processes as processors, four tasks fetched ahead for each. Tuned:
threads or gevent, more fetched ahead, one result backend for all, no gossip between workers, and for safety
acknowledged after the task (`late`), which costs next to nothing.
"""

from __future__ import annotations

import sys

from celery import Celery
from orders import SETTINGS, Herd, instant, serve, start
from posting import Refused, post
from urllib3.exceptions import HTTPError

IN_DJANGO = SETTINGS["results"] == "django"
if IN_DJANGO:
    import os

    os.environ["DJANGO_SETTINGS_MODULE"] = "django_settings"  # Celery then sets Django up by itself

app = Celery("with_celery", broker=SETTINGS["redis"], backend="django-db" if IN_DJANGO else SETTINGS["redis"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=SETTINGS.get("ahead", 4),
    task_acks_late=SETTINGS.get("late", False),
    # One for all threads and greenlets: else each greenlet, that is each task, connects to Redis for its result.
    result_backend_thread_safe=SETTINGS.get("shared", False),
    # After how many tasks a worker opens its connection to the database anew; None, the default: after each.
    CELERY_DB_REUSE_MAX=SETTINGS.get("reuse"),
)


@app.task(autoretry_for=(HTTPError, Refused), retry_backoff=True, max_retries=5)
def deliver(number: int, due: float) -> int:
    return post(number, due)


def schedule(herd: Herd) -> None:
    with app.producer_pool.acquire() as producer:
        for number, due in herd:
            deliver.apply_async((number, due), eta=instant(due), producer=producer)


def recorded() -> int:
    if IN_DJANGO:
        from django_celery_results.models import TaskResult

        return TaskResult.objects.filter(status="SUCCESS").count()
    return sum(1 for _ in app.backend.client.scan_iter("celery-task-meta-*", count=1000))


if __name__ == "__main__":
    if IN_DJANGO:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
    worker = [sys.executable, "-m", "celery", "-A", "with_celery", "worker", "-l", "WARNING"]
    if SETTINGS["pool"]:
        worker += ["-P", SETTINGS["pool"], "-c", str(SETTINGS["workers"])]
        worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    serve(schedule, recorded, start(*worker))
