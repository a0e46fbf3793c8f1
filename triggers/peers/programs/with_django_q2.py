"""django-q2 as it comes: a task or a schedule for each event; the outcome is kept in the database by its monitor.

A task cannot wait for its instant, so an application that is awake enqueues all of them then. A schedule can; django-q2
looks for those that are due every 30 s.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from itertools import groupby
from operator import itemgetter

import django
from orders import SETTINGS, Herd, instant, serve, start

os.environ["DJANGO_SETTINGS_MODULE"] = "django_settings"
django.setup()

from django.core.management import call_command  # noqa: E402 (after setup)
from django.db import transaction  # noqa: E402
from django_q.models import Schedule, Success  # noqa: E402
from django_q.tasks import async_task  # noqa: E402


def schedule_tasks(herd: Herd) -> None:
    threading.Thread(target=enqueue, args=(herd,), daemon=True).start()


def enqueue(herd: Herd) -> None:
    for due, events in groupby(herd, key=itemgetter(1)):
        time.sleep(max(0, due - time.time()))
        waiting = [number for number, _ in events]
        for begin in range(0, len(waiting), 100):
            with transaction.atomic():  # tuned: a commit for a hundred, not for each
                for number in waiting[begin : begin + 100]:
                    async_task("posting.post", number, due)


def schedule_schedules(herd: Herd) -> None:
    Schedule.objects.bulk_create(
        (
            Schedule(func="posting.post", args=f"{number}, {due}", next_run=instant(due), schedule_type=Schedule.ONCE)
            for number, due in herd
        ),
        batch_size=500,
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["cluster"]:
        call_command("qcluster")
    else:
        call_command("migrate", verbosity=0)
        schedule = schedule_tasks if SETTINGS["way"] == "tasks" else schedule_schedules
        serve(schedule, Success.objects.count, start(sys.executable, __file__, "cluster"))
