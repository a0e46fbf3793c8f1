"""Who may do what: five permissions beside one's own things, three roles of people, four scopes of API keys.

A view says what it allows, `@allows(Permission.WRITE)`; a call of the API does, `@needs(Permission.WRITE)` (api.auth);
a template asks, `{% if user|may:"write" %}`. All of them look at the table below.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import TextChoices
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    OWN = "own"  # what concerns oneself alone: password, profile, theme, test receiver
    READ = "read"  # triggers, events, figures
    FIRE = "fire"  # test, fire now, replay, cancel replays
    WRITE = "write"  # create, edit, switch, duplicate and delete triggers, replace their secrets
    METRICS = "metrics"  # what /metrics says of the server: figures, and no payloads
    MANAGE = "manage"  # API keys, people


class Role(TextChoices):
    """The roles of people, from the one that may least to the one that may all."""

    VIEWER = "viewer", _("Viewer")
    OPERATOR = "operator", _("Operator")
    ADMIN = "admin", _("Administrator")


MAY: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.OWN, Permission.READ, Permission.METRICS}),
    Role.OPERATOR: frozenset(Permission) - {Permission.MANAGE},
    Role.ADMIN: frozenset(Permission),
}

WHAT_ROLES_MAY = {
    Role.VIEWER: _("See triggers, events and figures."),
    Role.OPERATOR: _("Also fire, create, change and delete triggers."),
    Role.ADMIN: _("Also manage API keys and people."),
}

# What an API key may have; none includes another.
SCOPES = (Permission.READ, Permission.FIRE, Permission.WRITE, Permission.METRICS)

WHOM_IT_TAKES = {
    Permission.FIRE: _("Testing, firing and replaying are for operators and administrators."),
    Permission.WRITE: _("Creating, changing and deleting triggers is for operators and administrators."),
    Permission.MANAGE: _("API keys and people are for administrators."),
}


class Forbidden(PermissionDenied):
    """The person's role does not have this permission; the 403 page says so, and who can help."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(WHOM_IT_TAKES.get(permission, ""))
        self.permission = permission


def allows(permission: Permission) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Let only people in who may do this; for others the view raises Forbidden. It can be read back as `.allows`."""

    def guard(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            person: Any = request.user
            if not person.may(permission):
                raise Forbidden(permission)
            return view(request, *args, **kwargs)

        guarded.allows = permission  # type: ignore[attr-defined]
        return guarded

    return guard
