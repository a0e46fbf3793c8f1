"""`manage.py cluster`: the django-q2 cluster, watched."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from triggers import patience, tasks
from triggers.cluster import Watcher


class Command(BaseCommand):
    help = "Run the cluster that fires and delivers; a stuck or killed one is started again. Ctrl-C stops it cleanly."
    requires_system_checks = ()  # a fault in a page must not keep triggers from firing

    def handle(self, *args: Any, **options: Any) -> None:
        patience.bound_waits("cluster")
        tasks.keep_schedules()
        Watcher().run()
