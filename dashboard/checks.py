"""What can be looked at on this server in a moment, each said in words. Nothing outside is asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest
from django.http.request import validate_host
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from triggers import broker, patience
from triggers.models import Recipe
from triggers.vault import VaultError

SLOW_MS = 250  # of a database that has nothing to do but answer
CLOCK_OFF_SECONDS = 0.5  # the beat looks a second ahead
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `level` is "ok", "warn" or "bad".

    `remedy` says the way out of a warning; `public` stands for words that a bug report must not have."""

    name: str
    level: str
    words: str
    remedy: str = ""
    public: str = ""


def database() -> Check:
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    taken = (time.perf_counter() - started) * 1000
    version = ".".join(str(part) for part in connection.get_database_version())
    words = f"{connection.display_name} {version}, {_milliseconds(taken)}"
    if taken > SLOW_MS:
        return Check(
            _("Database"), "warn", words, _("The database is slow: look at its machine, and at the way there.")
        )
    if settings.DATABASE_POOLER and not patience.is_bounded():
        return Check(
            _("Database"),
            "warn",
            _("no time limits behind the pooler"),
            _("Whoever freezes there may hold a lock for ever: see pgbouncer in docs/deployment.md."),
        )
    return Check(_("Database"), "ok", words)


def clock() -> Check:
    if connection.vendor == "sqlite":
        return Check(_("Clock"), "ok", _("same machine as the database"))
    with connection.cursor() as cursor:
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        after = timezone.now()
        offset = abs((cursor.fetchone()[0] - (before + (after - before) / 2)).total_seconds())
    words = _("%(seconds)s s off the database") % {"seconds": f"{offset:.3f}"}
    if offset > CLOCK_OFF_SECONDS:
        return Check(_("Clock"), "warn", words, _("Let all machines keep their time by NTP, or events come late."))
    return Check(_("Clock"), "ok", words)


def migrations() -> Check:
    applied = set(MigrationRecorder.Migration.objects.values_list("app", "name"))
    known = _known_migrations()
    if missing := len(known - applied):
        words = ngettext("%(count)s migration is missing", "%(count)s migrations are missing", missing)
        return Check(_("Migrations"), "bad", words % {"count": missing}, _("Run: manage.py migrate"))
    apps = {app for app, _name in known}
    if newer := len({(app, name) for app, name in applied if app in apps} - known):
        words = ngettext("%(count)s of a newer version", "%(count)s of a newer version", newer) % {"count": newer}
        return Check(
            _("Migrations"),
            "warn",
            words,
            _("This process is older than the database: restart it with the new version."),
        )
    words = ngettext("%(count)s migration applied", "all %(count)s migrations applied", len(known))
    return Check(_("Migrations"), "ok", words % {"count": len(known)})


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    """Return (app, name) of the migrations of this code, which do not change while it runs."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return frozenset(loader.disk_migrations)


def queue() -> Check:
    """Whether the messages between the beat and the workers can be passed on."""
    kind = _("Redis") if settings.REDIS_URL else _("a table of the database")
    started = time.perf_counter()
    try:
        count = broker.waiting_messages()
    except Exception:  # whatever a client of Redis raises; its words may name the server
        words = _("%(queue)s does not answer") % {"queue": kind}
        return Check(_("Queue"), "warn", words, _("Look at Redis (REDIS_URL). Meanwhile the database takes its place."))
    taken = (time.perf_counter() - started) * 1000
    values = {"queue": kind, "time": _milliseconds(taken), "count": f"{count:,}"}
    if count:
        words = ngettext(
            "%(queue)s, %(time)s, %(count)s message waits", "%(queue)s, %(time)s, %(count)s messages wait", count
        )
    else:
        words = "%(queue)s, %(time)s"
    return Check(_("Queue"), "ok", words % values)


def keys() -> Check:
    """Whether the secrets in the database can be read: the oldest and the newest, each with a key of its time."""
    count = len(settings.ENCRYPTION_KEYS)
    try:
        secrets = Recipe.objects.values_list("signing_secret", flat=True)
        found = [secrets.order_by(order).first() for order in ("pk", "-pk")]
    except VaultError:
        return Check(
            _("Encryption keys"),
            "bad",
            _("a secret cannot be read"),
            _("None of the ENCRYPTION_KEYS fits. Put the key of then back at their end."),
        )
    number = ngettext("%(count)s key", "%(count)s keys", count) % {"count": count}
    words = _("%(keys)s, secrets can be read") if any(found) else _("%(keys)s, no secrets yet")
    return Check(_("Encryption keys"), "ok", words % {"keys": number})


def public_url(request: HttpRequest) -> Check:
    """Whether the address that this server says of itself can be one that others reach."""
    name, parts = "PUBLIC_URL", urlsplit(settings.PUBLIC_URL)
    host = parts.hostname or ""
    here = urlsplit(f"//{request.get_host()}").hostname or ""
    if host in _LOOPBACK and here not in _LOOPBACK:
        return Check(name, "warn", _("only this machine"), _("Set PUBLIC_URL to the address that people open."))
    if settings.BEHIND_HTTPS and parts.scheme != "https":
        return Check(name, "warn", _("http, behind https"), _("Set PUBLIC_URL to the https address of the proxy."))
    if not validate_host(host, settings.ALLOWED_HOSTS):
        return Check(name, "warn", _("not in ALLOWED_HOSTS"), _("Add the host of PUBLIC_URL to ALLOWED_HOSTS."))
    words = _("this machine") if host in _LOOPBACK else settings.PUBLIC_URL
    return Check(name, "ok", words, public=parts.scheme)


def _milliseconds(taken: float) -> str:
    return f"{max(taken, 0.1):.1f} ms" if taken < 10 else f"{taken:.0f} ms"
