"""Who may call: a program with an API key, or a person who is signed in (Swagger UI's Try it out).

Each call says what it takes, `@needs(Permission.FIRE)`: a key needs that scope, a person a role that has it. To a key
that is limited to some triggers the others do not exist: lists leave them out, and by their id they are not found.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from ninja.operation import Operation
from ninja.security import APIKeyHeader, HttpBearer
from ninja.security.base import AuthBase
from ninja.utils import check_csrf, contribute_operation_callback

from dashboard import key_calls
from dashboard.api.errors import Refusal
from dashboard.middleware import client_address
from dashboard.models import ApiKey, User
from dashboard.permissions import WHOM_IT_TAKES, Permission
from triggers.models import Author, EventQuerySet, TriggerQuerySet

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LONGEST_KEY = 200
# In the OpenAPI description.
IN_WORDS = {
    Permission.READ: "Scope: `read`.",
    Permission.FIRE: "Scope: `fire`.",
    Permission.WRITE: "Scope: `write`.",
    Permission.METRICS: "Scope: `metrics`.",
}
_WHAT_IT_IS = {
    Permission.READ: "read",
    Permission.FIRE: "fire",
    Permission.WRITE: "change triggers",
    Permission.METRICS: "read metrics",
}

Call = TypeVar("Call", bound=Callable[..., Any])
Rows = TypeVar("Rows", TriggerQuerySet, EventQuerySet)


class _Needy:
    """A way in for callers who have a permission; None: for all whom we know."""

    permission: Permission | None = None

    def needing(self, permission: Permission | None) -> Any:
        self.permission = permission
        return self


class BearerKey(_Needy, HttpBearer):
    openapi_description = "The API key as a bearer token."

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey:
        return _known_key(request, token, self.permission)


class HeaderKey(_Needy, APIKeyHeader):
    param_name = "X-API-Key"
    openapi_description = "The API key in a header of its own."

    def authenticate(self, request: HttpRequest, key: str | None) -> ApiKey | None:
        return None if key is None else _known_key(request, key, self.permission)


class Session(_Needy, AuthBase):
    """A signed-in browser. What changes anything needs its CSRF token too, in the header `X-CSRFToken`."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME
    openapi_description = "A signed-in browser session; calls that change anything also need X-CSRFToken."

    def __call__(self, request: HttpRequest) -> User | None:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        user: Any = request.user
        if not user.is_authenticated:
            return None
        if request.method not in SAFE_METHODS:
            # The token comes in a header: the check must not read the body as a form in search of it.
            request.POST = QueryDict()
            if check_csrf(request):
                raise Refusal(403, "The CSRF token is missing or wrong. Send it as X-CSRFToken, or use an API key.")
        if self.permission and not user.may(self.permission):
            role = user.get_role_display().lower()
            raise Refusal(403, f"{WHOM_IT_TAKES[self.permission]} You are signed in as {user.get_username()}, {role}.")
        return user  # type: ignore[no-any-return]


@cache
def any_of(permission: Permission | None) -> list[AuthBase]:
    """Return the ways in for a call that needs this permission; None: that any caller may make."""
    # In this order: who gives a key is judged by the key, whatever cookies come along.
    return [each.needing(permission) for each in (BearerKey(), HeaderKey(), Session())]


def from_metrics_network(request: HttpRequest) -> str | None:
    """Return the caller's address when METRICS_ALLOWED_NETWORKS has it, or None: a way in without a key."""
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:  # a socket has none
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    return str(address) if any(address in network for network in settings.METRICS_ALLOWED_NETWORKS) else None


def needs(permission: Permission, *other_ways: Callable[[HttpRequest], Any]) -> Callable[[Call], Call]:
    """Let only callers make this call who have the permission; its description says so. Stands below `@router.get`.

    Who gives no key and is not signed in may come by one of `other_ways`.
    """

    def mark(call: Call) -> Call:
        contribute_operation_callback(call, set_up)
        return call

    def set_up(operation: Operation) -> None:
        operation.auth_param = operation.auth_callbacks = [*any_of(permission), *other_ways]
        operation.description = f"{operation.description or ''}\n\n{IN_WORDS[permission]}".strip()

    return mark


# --- What a key that is limited reaches -------------------------------------------------------------------


def within_reach(request: HttpRequest, rows: Rows, trigger: str = "pk") -> Rows:
    """Return those of the rows that the caller may know of; `trigger` is the field that holds the trigger's id."""
    reach = reach_of(request)
    return rows if reach is None else rows.filter(**{f"{trigger}__in": reach})


def reach_of(request: HttpRequest) -> list[int] | None:
    """Return the ids of the triggers that the caller may know of; None: all."""
    caller: ApiKey | User = request.auth  # type: ignore[attr-defined]
    if isinstance(caller, User) or not caller.is_limited:
        return None
    return list(ApiKey.triggers.through.objects.filter(apikey=caller).values_list("trigger_id", flat=True))


def reaches(request: HttpRequest, trigger_id: int | None) -> bool:
    """Return whether the caller may know of this trigger, or (None) of what belongs to none."""
    caller: ApiKey | User = request.auth  # type: ignore[attr-defined]
    return isinstance(caller, User) or caller.reaches(trigger_id)


def author_of(request: HttpRequest) -> Author:
    """Return who stands in the record of what this call changes."""
    caller: ApiKey | User = request.auth  # type: ignore[attr-defined]
    return caller.author


def caller_in_words(request: HttpRequest) -> str:
    """Return who calls: "API key billing", or the name of a person."""
    caller: ApiKey | User = request.auth  # type: ignore[attr-defined]
    return f"API key {caller.name}" if isinstance(caller, ApiKey) else str(caller.get_username())


def refuse_if_limited(request: HttpRequest, way_out: str) -> None:
    """Raise Refusal (403) for a key that is limited to some triggers, as the call concerns all or a new one."""
    caller: ApiKey | User = request.auth  # type: ignore[attr-defined]
    if isinstance(caller, ApiKey) and caller.is_limited:
        raise Refusal(403, f"This API key is limited to chosen triggers. {way_out}")


# --- Keys ------------------------------------------------------------------------------------------------


def _known_key(request: HttpRequest, clear: str, permission: Permission | None) -> ApiKey:
    """Return the key; raises Refusal: 401 for one that is not known or works no more, 403 without the scope."""
    key = None
    if len(clear) <= LONGEST_KEY and clear.isascii() and clear.isprintable():
        key = ApiKey.for_clear_text(clear)
    if key is None:
        raise Refusal(401, "This API key is not known. An administrator makes one under API keys in the dashboard.")
    now = timezone.now()
    if key.revoked_at:
        raise Refusal(401, f"This API key was revoked on {_day(key.revoked_at)}. Ask an administrator for a new one.")
    if key.expires_at and key.has_expired(now):
        raise Refusal(401, f"This API key expired on {_day(key.expires_at)}. Ask an administrator for a new one.")
    key_calls.note(key.pk, now, client_address(request))
    if permission and not key.may(permission):
        has = ", ".join(key.scopes) or "none"
        raise Refusal(
            403,
            f"This API key may not {_WHAT_IT_IS[permission]}: it lacks the scope “{permission}” (it has: {has}). "
            "Use a key that has it; an administrator makes one under API keys in the dashboard.",
        )
    return key


def _day(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
