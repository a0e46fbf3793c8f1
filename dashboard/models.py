"""Who may come in: people, and the API keys of programs."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

KEY_MARK = "etp_"  # so that a key is recognised wherever it leaks
PREFIX_LENGTH = 8


class User(AbstractUser):
    """A person who signs in."""


class ApiKey(models.Model):
    """A key of a program: only its SHA-256 is kept, and a prefix to find it by.

    A fast hash is right here: a key is 32 random bytes, which nobody guesses, and it is checked on every request.
    """

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=PREFIX_LENGTH, unique=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({KEY_MARK}{self.prefix}…)"

    @classmethod
    def create(cls, name: str) -> tuple[ApiKey, str]:
        """Make a key; return it with the clear text, which is shown once and never stored."""
        clear = KEY_MARK + secrets.token_urlsafe(32)
        return cls.objects.create(name=name, prefix=_prefix(clear), digest=_digest(clear)), clear

    @classmethod
    def for_clear_text(cls, clear: str) -> ApiKey | None:
        """Return the key whose clear text this is, or None."""
        # SQL, as every call of the API comes by here: a third of the time that the ORM takes to write it.
        found = cls.objects.raw("SELECT * FROM dashboard_apikey WHERE prefix = %s", [_prefix(clear)])
        return next((key for key in found if secrets.compare_digest(key.digest, _digest(clear))), None)

    def note_use(self, now: datetime) -> None:
        """Remember when it was last used, to the minute (a busy key must not write on every request)."""
        if self.last_used_at is None or (now - self.last_used_at).total_seconds() > 60:
            ApiKey.objects.filter(pk=self.pk).update(last_used_at=now)


def _prefix(clear: str) -> str:
    return clear.removeprefix(KEY_MARK)[:PREFIX_LENGTH]


def _digest(clear: str) -> str:
    return hashlib.sha256(clear.encode()).hexdigest()
