"""`manage.py web`: the pages and the API, served by gunicorn."""

from __future__ import annotations

import gc
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application
from gunicorn.app.base import BaseApplication

from dashboard import key_calls, orphans
from triggers import patience, turns


class Command(BaseCommand):
    help = "Serve the pages and the API on HOST:PORT. Ctrl-C stops it cleanly."

    def handle(self, *args: Any, **options: Any) -> None:
        patience.bound_waits("web")
        _Server().run()


class _Server(BaseApplication):
    def load_config(self) -> None:
        for name, value in {
            "bind": f"{f'[{settings.HOST}]' if ':' in settings.HOST else settings.HOST}:{settings.PORT}",
            "worker_class": "gthread",
            "workers": settings.WEB_WORKERS,
            "threads": settings.WEB_THREADS,
            "timeout": 60,
            "graceful_timeout": 20,
            "keepalive": 75,
            "control_socket_disable": True,
            "proc_name": "event-trigger-web",
            "loglevel": "warning",
            "post_worker_init": _begin,
            "worker_exit": _end,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        application = get_wsgi_application()
        # What is there now stays: looking through it at every full collection held requests up for 200 ms.
        gc.collect()
        gc.freeze()
        return application


def _begin(worker: Any) -> None:
    # gunicorn's own way with orphans keeps busy connections, and the port with them, for graceful_timeout.
    orphans.end_with_parent()
    turns.begin()
    key_calls.begin()


def _end(arbiter: Any, worker: Any) -> None:
    key_calls.write()
