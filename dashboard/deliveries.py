"""How a trigger delivers, in words, as its page says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from django.conf import settings
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

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
    if recipe.timeout_seconds:
        timeout = _("%(seconds)s s") % {"seconds": recipe.timeout_seconds}
    else:
        timeout = _("%(seconds)s s, the server’s") % {"seconds": settings.DELIVERY_TIMEOUT_SECONDS}
    yield Fact(_("Timeout"), timeout)
    yield Fact(_("Retries"), backoff.in_words(recipe.retries))
    # Translators: what counts as success.
    yield Fact(_("Success"), success_in_words(recipe))
    if limits := limits_in_words(recipe):
        yield Fact(_("Limits"), limits)
    if recipe.switch_off_after:
        yield Fact(_("Switches off"), _switch_off_in_words(trigger, recipe.switch_off_after))
    if recipe.body_template:
        yield Fact(_("Body"), _("By a template"))
    if not recipe.verify_tls:
        words = _("Not checked: anyone on the way can read and change what is sent")
        yield Fact(_("Certificate"), words, is_warning=True)
    if recipe.client_certificate:
        yield _certificate_fact(recipe.client_certificate, now)
    if recipe.signing_secret:
        yield Fact(_("Signing"), "HMAC-SHA256, whsec_••••••")
    if recipe.old_signing_secret and recipe.old_secret_until and now < recipe.old_secret_until:
        until = timezone.localtime(recipe.old_secret_until)
        words = _("Signs too until %(day)s, %(time)s")
        yield Fact(_("Old secret"), words % {"day": day(recipe.old_secret_until, now), "time": f"{until:%H:%M}"})


def success_in_words(recipe: Recipe) -> str:
    """Return "Status 200-299, $.ok is true, body contains “done”, within 2 s"."""
    words = [_("Status %(statuses)s") % {"statuses": statuses.in_words(recipe.success_statuses)}]
    if recipe.success_json_path:
        value = json.dumps(recipe.success_json_equals, ensure_ascii=False)
        words.append(_("%(path)s is %(value)s") % {"path": recipe.success_json_path, "value": value})
    if recipe.success_contains:
        words.append(_("body contains “%(text)s”") % {"text": recipe.success_contains})
    if recipe.success_longest_seconds is not None:
        words.append(_("within %(seconds)s s") % {"seconds": number_format(f"{recipe.success_longest_seconds:g}")})
    return ", ".join(words)


def limits_in_words(recipe: Recipe) -> str:
    """Return "5 requests at once, 60 a minute", or "" where there is no limit of its own."""
    words = []
    if recipe.most_at_once:
        at_once = ngettext("%(count)s request at once", "%(count)s requests at once", recipe.most_at_once)
        words.append(at_once % {"count": number_format(recipe.most_at_once, force_grouping=True)})
    if recipe.rate_per_minute:
        rate = number_format(recipe.rate_per_minute, force_grouping=True)
        words.append(_("%(count)s a minute") % {"count": rate})
    return ", ".join(words)


def _switch_off_in_words(trigger: Trigger, most: int) -> str:
    if most == 1:
        rule = _("After the first failed event")
    else:
        rule = _("After %(count)s failed events in a row") % {"count": number_format(most, force_grouping=True)}
    if not trigger.failures_in_a_row:
        return rule
    # Translators: after so many failed events it is switched off; of those there were this many so far.
    count = number_format(trigger.failures_in_a_row, force_grouping=True)
    return _("%(rule)s; %(count)s so far") % {"rule": rule, "count": count}


def _certificate_fact(pem: str, now: datetime) -> Fact:
    """Return whom the client certificate names, and until when it holds."""
    try:
        certificate = x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError:
        return Fact(_("Client certificate"), _("Cannot be read"), is_warning=True)
    until = certificate.not_valid_after_utc
    has_expired = until <= now
    words = _("%(name)s, expired %(day)s") if has_expired else _("%(name)s, expires %(day)s")
    places = {"name": certificate.subject.rfc4514_string() or _("no name"), "day": day(until, now)}
    return Fact(_("Client certificate"), words % places, is_warning=has_expired)
