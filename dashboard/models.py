"""Who may come in: people, and the API keys of programs; and what arrived at people's test receivers."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

from triggers.sealed import SealedJSONField, SealedTextField

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


# --- Test receivers ------------------------------------------------------------------------------------


def new_token() -> str:
    """Return a token that nobody guesses: 192 random bits, 32 letters, digits, dashes and underscores."""
    return secrets.token_urlsafe(24)


class Sink(models.Model):
    """A person's test receiver: whoever knows its token may send to it."""

    LEAST_STATUS, MOST_STATUS = 200, 599  # a 1xx only comes before an answer
    LONGEST_DELAY = 30  # seconds
    LONGEST_RETRY_AFTER = 86_400  # seconds
    LONGEST_BODY = 4096  # characters

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="sink")
    token = models.CharField(max_length=64, unique=True, default=new_token)
    created_at = models.DateTimeField(default=timezone.now)
    # What it answers.
    status = models.PositiveSmallIntegerField(default=200)
    delay_seconds = models.FloatField(default=0)
    retry_after_seconds = models.PositiveIntegerField(null=True)
    body = models.TextField(blank=True)
    # Epoch seconds up to which requests have used up their share (sinks.take_turn).
    used_until = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"Test receiver of {self.user_id}"


class SinkRequestQuerySet(models.QuerySet["SinkRequest"]):
    def for_list(self) -> SinkRequestQuerySet:
        """Newest first, without what is encrypted."""
        return self.defer("query", "headers", "body").order_by("-pk")


class SinkRequest(models.Model):
    """A request that arrived at a test receiver. What may hold secrets of the sender is encrypted."""

    sink = models.ForeignKey(Sink, on_delete=models.CASCADE, related_name="requests")
    at = models.DateTimeField(db_index=True)  # sinks.forget asks for the old ones
    method = models.CharField(max_length=20)
    query = SealedTextField(blank=True)  # what stood after the question mark
    headers = SealedJSONField()  # pairs of name and value
    body = SealedTextField(blank=True)  # "" where it is binary
    body_bytes = models.PositiveIntegerField()
    is_binary = models.BooleanField()
    is_cut = models.BooleanField()  # it was longer than what is kept
    remote_address = models.CharField(max_length=45, blank=True)
    answered = models.PositiveSmallIntegerField()  # the status

    objects = SinkRequestQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.method} at {self.at:%H:%M:%S}"
