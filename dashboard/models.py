"""Who may come in: people, and the API keys of programs; and what arrived at people's test receivers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models, transaction
from django.db.models import Case, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Lower, NullIf
from django.utils import timezone

from dashboard import permissions
from dashboard.permissions import SCOPES, Permission
from triggers.models import Author, Change, Trigger
from triggers.sealed import SealedJSONField, SealedTextField

KEY_MARK = "etp_"  # so that a key is recognised wherever it leaks
PREFIX_LENGTH = 8
LONGEST_LIFE_DAYS = 3650  # of a key that expires
DEAD_KEYS_STAY = timedelta(days=30)  # in the list


# --- People ----------------------------------------------------------------------------------------------


class PersonManager(UserManager["User"]):
    """As Django's own; but whom `createsuperuser` or the set-up makes is an administrator."""

    use_in_migrations = False

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **more: Any
    ) -> User:
        return super().create_superuser(username, email, password, **{"role": User.Role.ADMIN, **more})

    def administrators(self) -> models.QuerySet[User]:
        """Return those who can sign in and help: active, with a password, and an administrator."""
        able = self.filter(role=User.Role.ADMIN, is_active=True)
        return able.exclude(password="").exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)

    def for_list(self) -> models.QuerySet[User]:
        """Return who can sign in first, then by what they are called."""
        called = Lower(Coalesce(NullIf("first_name", Value("")), "username"))
        return self.order_by("-is_active", called, "pk")


class User(AbstractUser):
    """A person who signs in. What they are called stands in `first_name`, whole."""

    Role = permissions.Role

    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    # How pages look to them. Empty: as the server's zone, as the browser's language.
    time_zone = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=10, blank=True)
    has_shortcuts = models.BooleanField(default=True)
    # When the last invitation was made: an older link is worth nothing any more.
    invited_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[PersonManager] = PersonManager()

    def may(self, permission: Permission | str) -> bool:
        """Return whether the person's role has this permission."""
        return permission in permissions.MAY[permissions.Role(self.role)]

    @property
    def called(self) -> str:
        """What others know the person by."""
        return self.get_full_name() or self.get_username()

    @property
    def author(self) -> Author:
        """Who stands in the record of what the person changes."""
        return Author(Change.By.USER.value, self.pk, self.called)


# --- API keys --------------------------------------------------------------------------------------------


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def working(self, now: datetime) -> ApiKeyQuerySet:
        """Those that open something."""
        return self.filter(_works(now))

    def for_list(self, now: datetime) -> ApiKeyQuerySet:
        """Those that work first, newest first, with all that a row shows (one further query for triggers)."""
        since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
        calls = KeyCalls.objects.filter(key=OuterRef("pk"), hour__gte=since).order_by().values("key")
        is_over = Case(When(_works(now), then=0), default=1)
        return (
            self.select_related("created_by", "replaced_by")
            .prefetch_related("triggers")
            .annotate(calls_24h=Coalesce(Subquery(calls.values(sum=Sum("count"))), 0), is_over=is_over)
            .order_by("is_over", "-pk")
        )

    def over_for_long(self, now: datetime) -> ApiKeyQuerySet:
        """Those that were revoked or have expired so long ago that the list drops them."""
        since = now - DEAD_KEYS_STAY
        return self.filter(Q(revoked_at__lt=since) | Q(expires_at__lt=since))


class KeyIsOver(Exception):
    """The key cannot be rotated: it was revoked, or another has taken its place."""


class ApiKey(models.Model):
    """A key of a program: only its SHA-256 is kept, and a prefix to find it by.

    A fast hash is right here: a key is 32 random bytes, which nobody guesses, and it is checked on every request.
    """

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=PREFIX_LENGTH, unique=True)
    digest = models.CharField(max_length=64)
    # Its scopes; none includes another.
    may_read = models.BooleanField(default=False)
    may_fire = models.BooleanField(default=False)
    may_write = models.BooleanField(default=False)
    may_metrics = models.BooleanField(default=False, db_default=False)  # an older web process does not name it
    # Apart from the list, which grows shorter when a trigger is forgotten: an empty one must never mean "all".
    is_limited = models.BooleanField(default=False)
    triggers = models.ManyToManyField(Trigger, related_name="+", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")  # None: a command
    expires_at = models.DateTimeField(null=True)  # None: never
    revoked_at = models.DateTimeField(null=True)
    replaced_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    # Written in bulk, with the calls (key_calls): seconds late.
    last_used_at = models.DateTimeField(null=True)
    last_used_from = models.CharField(max_length=45, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.shown_prefix})"

    @property
    def author(self) -> Author:
        """Who stands in the record of what is changed by this key."""
        return Author(Change.By.API_KEY.value, self.pk, self.name)

    @classmethod
    def create(
        cls,
        name: str,
        scopes: Collection[Permission] = SCOPES,
        *,
        by: User | None = None,
        triggers: Iterable[Trigger] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; return it with the clear text, which is shown once and never stored.

        `triggers`: those that it is limited to, for good; None: it reaches all.
        """
        clear = KEY_MARK + secrets.token_urlsafe(32)
        with transaction.atomic():
            key = cls.objects.create(
                name=name,
                prefix=_prefix(clear),
                digest=_digest(clear),
                **{f"may_{scope}": scope in scopes for scope in SCOPES},
                is_limited=triggers is not None,
                created_by=by,
                expires_at=expires_at,
            )
            if triggers is not None:
                key.triggers.set(triggers)
        return key, clear

    @classmethod
    def for_clear_text(cls, clear: str) -> ApiKey | None:
        """Return the key whose clear text this is, whether it still works or not; or None."""
        # SQL, as every call of the API comes by here: a third of the time that the ORM takes to write it.
        found = cls.objects.raw("SELECT * FROM dashboard_apikey WHERE prefix = %s", [_prefix(clear)])
        return next((key for key in found if secrets.compare_digest(key.digest, _digest(clear))), None)

    def rotate(self, by: User, old_lasts: timedelta, now: datetime) -> tuple[ApiKey, str]:
        """Make a key that may the same, for as long as this one; return it with its clear text.

        This one works for at most `old_lasts` more. Raises KeyIsOver when it was revoked, or rotated before.
        """
        with transaction.atomic():
            old = ApiKey.objects.select_for_update().get(pk=self.pk)
            if old.revoked_at or old.replaced_by_id:
                raise KeyIsOver
            lasts = old.expires_at - old.created_at if old.expires_at else None
            new, clear = ApiKey.create(
                old.name,
                old.scopes,
                by=by,
                triggers=old.triggers.all() if old.is_limited else None,
                expires_at=now + lasts if lasts else None,
            )
            old.replaced_by = new
            if old_lasts:
                old.expires_at = min(filter(None, (old.expires_at, now + old_lasts)))
            else:
                old.revoked_at = now
            old.save(update_fields=["replaced_by", "expires_at", "revoked_at"])
        return new, clear

    def revoke(self, now: datetime) -> None:
        """Let it work no more, from the next call on."""
        ApiKey.objects.filter(pk=self.pk, revoked_at__isnull=True).update(revoked_at=now)

    def may(self, permission: Permission) -> bool:
        """Return whether the key has this scope."""
        return permission in SCOPES and getattr(self, f"may_{permission}")

    @property
    def scopes(self) -> list[Permission]:
        return [scope for scope in SCOPES if self.may(scope)]

    def reaches(self, trigger_id: int | None) -> bool:
        """Return whether the key may do something with this trigger (None: with what belongs to no trigger)."""
        if not self.is_limited:
            return True
        if trigger_id is None or trigger_id > models.BigIntegerField.MAX_BIGINT:  # SQLite takes no larger number
            return False
        return ApiKey.triggers.through.objects.filter(apikey=self, trigger=trigger_id).exists()

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    @property
    def shown_prefix(self) -> str:
        """The beginning of the key, by which it is told from others."""
        return f"{KEY_MARK}{self.prefix}…"


class KeyCalls(models.Model):
    """How many calls came with a key in an hour (key_calls writes them)."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="calls")
    hour = models.DateTimeField()  # its beginning
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["key", "hour"], name="one_count_an_hour"),)

    def __str__(self) -> str:
        return f"{self.count} calls in the hour of {self.hour:%H:%M}"


def _works(now: datetime) -> Q:
    return Q(revoked_at__isnull=True) & (Q(expires_at__isnull=True) | Q(expires_at__gt=now))


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
