"""`manage.py cluster`: the django-q2 cluster, watched."""

from __future__ import annotations

import logging
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError

from triggers import faults, patience, tasks
from triggers.cluster import Watcher

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run the cluster that fires and delivers; a stuck or killed one is started again. Ctrl-C stops it cleanly."
    requires_system_checks = ()  # a fault in a page must not keep triggers from firing

    def handle(self, *args: Any, **options: Any) -> None:
        patience.bound_waits("cluster")
        try:
            tasks.keep_schedules()
        except (DatabaseError, InterfaceError) as error:
            if faults.fault_of(error) not in (faults.FULL, faults.LOCKED):
                raise
            # Those of the last start are there; and there must be a watcher when the database can be written again.
            faults.log(logger, "The schedules of the tasks could not be written", error)
        Watcher().run()
