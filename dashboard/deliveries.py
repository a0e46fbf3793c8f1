"""How a trigger delivers, in words, as its page says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from django.conf import settings
from django.utils import timezone

from dashboard.templatetags.times import day
from triggers import backoff, statuses
from triggers.models import Recipe, Trigger


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the configuration: what it is about, and the words; `is_warning` where it should not stay so."""

    label: str
    words: str
    is_warning: bool = False


def facts(trigger: Trigger, now: datetime) -> list[Fact]:
    """Return how the trigger delivers, but for its headers: only what counts, most asked for first."""
    recipe = trigger.recipe
    if recipe is None or not trigger.api_endpoint:
        return []
    return list(_facts(trigger, recipe, now))


def _facts(trigger: Trigger, recipe: Recipe, now: datetime) -> Iterator[Fact]:
    timeout = recipe.timeout_seconds
    yield Fact("Timeout", f"{timeout or settings.DELIVERY_TIMEOUT_SECONDS} s{'' if timeout else ', the server’s'}")
    yield Fact("Retries", backoff.in_words(recipe.retries))
    yield Fact("Success", success_in_words(recipe))
    if limits := limits_in_words(recipe):
        yield Fact("Limits", limits)
    if recipe.switch_off_after:
        yield Fact("Switches off", _switch_off_in_words(trigger, recipe.switch_off_after))
    if recipe.body_template:
        yield Fact("Body", "By a template")
    if not recipe.verify_tls:
        yield Fact("Certificate", "Not checked: anyone on the way can read and change what is sent", is_warning=True)
    if recipe.client_certificate:
        yield _certificate_fact(recipe.client_certificate, now)
    if recipe.signing_secret:
        yield Fact("Signing", "HMAC-SHA256, whsec_••••••")
    if recipe.old_signing_secret and recipe.old_secret_until and now < recipe.old_secret_until:
        until = timezone.localtime(recipe.old_secret_until)
        yield Fact("Old secret", f"Signs too until {day(recipe.old_secret_until, now)}, {until:%H:%M}")


def success_in_words(recipe: Recipe) -> str:
    """Return "Status 200-299, $.ok is true, body contains “done”, within 2 s"."""
    words = [f"Status {statuses.in_words(recipe.success_statuses)}"]
    if recipe.success_json_path:
        words.append(f"{recipe.success_json_path} is {json.dumps(recipe.success_json_equals, ensure_ascii=False)}")
    if recipe.success_contains:
        words.append(f"body contains “{recipe.success_contains}”")
    if recipe.success_longest_seconds is not None:
        words.append(f"within {recipe.success_longest_seconds:g} s")
    return ", ".join(words)


def limits_in_words(recipe: Recipe) -> str:
    """Return "5 requests at once, 60 a minute", or "" where there is no limit of its own."""
    words = []
    if recipe.most_at_once:
        words.append(f"{recipe.most_at_once:,} at once")
    if recipe.rate_per_minute:
        words.append(f"{recipe.rate_per_minute:,} a minute")
    return ", ".join(words).replace(" at once", f" request{'' if recipe.most_at_once == 1 else 's'} at once", 1)


def _switch_off_in_words(trigger: Trigger, most: int) -> str:
    now = trigger.failures_in_a_row
    events = "the first failed event" if most == 1 else f"{most:,} failed events in a row"
    return f"After {events}{f'; {now:,} so far' if now else ''}"


def _certificate_fact(pem: str, now: datetime) -> Fact:
    """Return whom the client certificate names, and until when it holds."""
    try:
        certificate = x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError:
        return Fact("Client certificate", "Cannot be read", is_warning=True)
    until = certificate.not_valid_after_utc
    has_expired = until <= now
    verb = "expired" if has_expired else "expires"
    name = certificate.subject.rfc4514_string() or "no name"
    return Fact("Client certificate", f"{name}, {verb} {day(until, now)}", is_warning=has_expired)
