"""What the shell around every page needs to know: the theme, where we are, how the dispatcher is."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation

from triggers import faults, sqlite_file, stats
from triggers.models import Trigger

register = template.Library()

THEMES = ("light", "dark", "system")
THEME_COOKIE = "theme"
MOST_ATTENTION = 50  # triggers that are counted


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """Return the theme that the visitor chose: light, dark or (until they choose) system."""
    request = context.get("request")
    chosen = request.COOKIES.get(THEME_COOKIE, "") if request else ""
    return chosen if chosen in THEMES else "system"


@register.simple_tag(takes_context=True)
def section(context: template.Context) -> str:
    """Return the noun that the name of this page's URL begins with ("trigger", "event"), or ""."""
    request = context.get("request")
    match = getattr(request, "resolver_match", None)
    return (match.url_name or "").split("-")[0] if match else ""


@register.simple_tag
def words_url() -> str:
    """Return the address of the scripts' messages in the language of this page."""
    language = translation.get_language() or settings.LANGUAGE_CODE
    return reverse("words", args=[language, _version_of_words(language)])


@cache
def _version_of_words(language: str) -> str:
    """Return a mark of the catalogue as it stands: browsers keep it for as long as its address is the same."""
    digest = hashlib.sha256(settings.VERSION.encode())
    for folder in settings.LOCALE_PATHS:
        catalogue = folder / language / "LC_MESSAGES" / "djangojs.mo"
        digest.update(catalogue.read_bytes() if catalogue.exists() else b"")
    return digest.hexdigest()[:12]


@register.simple_tag
def dispatcher() -> stats.Dispatcher:
    """Return how the dispatcher is now."""
    return stats.dispatcher(timezone.now())


@register.simple_tag
def database_trouble(state: stats.Dispatcher) -> faults.Fault | None:
    """Return what keeps the database from being written, if anything does."""
    return sqlite_file.trouble(state.state == "stopped")


@register.simple_tag
def failed_count() -> str:
    """Return how many events failed for good, "1,000+" for many, and "" for none."""
    failed = stats.failed_for_good()
    return f"{stats.COUNT_CAP:,}+" if failed > stats.COUNT_CAP else f"{failed or ''}"


@register.simple_tag
def trigger_count() -> str:
    """Return how many triggers there are."""
    return f"{Trigger.objects.count():,}"


@register.simple_tag
def attention_count() -> str:
    """Return how many triggers are failing, or were switched off by the server; "50+" for many, and "" for none."""
    found = stats.attention_count(MOST_ATTENTION + 1)
    return f"{MOST_ATTENTION}+" if found > MOST_ATTENTION else f"{found or ''}"


@register.filter
def initials(user: Any) -> str:
    """Return one or two letters for a person."""
    words = (user.get_full_name() or user.get_username()).split()
    return "".join(word[0] for word in words[:2]).upper()
