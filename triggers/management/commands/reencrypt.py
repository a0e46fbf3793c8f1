"""`manage.py reencrypt`: the second step of replacing a key of ENCRYPTION_KEYS."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from triggers import sealed, vault


class Command(BaseCommand):
    help = "Encrypt every stored secret by the first of ENCRYPTION_KEYS, so that the others can be left out."

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        try:
            for model in apps.get_models():
                count += sealed.reseal(model)
        except vault.VaultError as error:
            raise CommandError(f"{error} What was encrypted anew up to here stays so.") from error
        self.stdout.write(f"{count} secrets are encrypted by the first key. The others can be left out now.")
