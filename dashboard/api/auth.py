"""Who may call: a program with an API key, or a person who is signed in (Swagger UI's Try it out)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from ninja.security import APIKeyHeader, HttpBearer
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from dashboard.api.errors import Refusal
from dashboard.models import ApiKey, User

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LONGEST_KEY = 200


class BearerKey(HttpBearer):
    openapi_description = "The API key as a bearer token."

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey:
        return _known_key(token)


class HeaderKey(APIKeyHeader):
    param_name = "X-API-Key"
    openapi_description = "The API key in a header of its own."

    def authenticate(self, request: HttpRequest, key: str | None) -> ApiKey | None:
        return None if key is None else _known_key(key)


class Session(AuthBase):
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
        return user  # type: ignore[no-any-return]


# In this order: who gives a key is judged by the key, whatever cookies come along.
ANY_OF = [BearerKey(), HeaderKey(), Session()]


def _known_key(clear: str) -> ApiKey:
    """Return the key; raises Refusal (401) for one that is not known."""
    key = None
    if len(clear) <= LONGEST_KEY and clear.isascii() and clear.isprintable():
        key = ApiKey.for_clear_text(clear)
    if key is None:
        raise Refusal(401, "This API key is not known. `manage.py create_api_key NAME` makes one.")
    key.note_use(timezone.now())
    return key
