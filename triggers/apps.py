from __future__ import annotations

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    name = "triggers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_q.signals import post_spawn

        from triggers.cluster import greet_worker

        # django-q2's own hook for what every new worker must do first.
        post_spawn.connect(greet_worker, dispatch_uid="greet_worker")
