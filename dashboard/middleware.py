"""Who asks, and in which language: who is not signed in is led to the sign-in page; a part of a page is told so."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import timezone, translation
from django_htmx.http import trigger_client_event

from triggers import schedules


class SignInRequired(LoginRequiredMiddleware):
    """As Django's own; but the sign-in page must never be swapped into the middle of another page."""

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        # Django looks at the session first, and then whether the view needs it; the API judges for itself.
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(  # type: ignore[override]  # a redirect is not the only answer
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        if request.headers.get("HX-Request") == "true":
            response = HttpResponse("Your session ended. Sign in again.", status=401, content_type="text/plain")
            response["WWW-Authenticate"] = 'Session realm="dashboard"'
            return trigger_client_event(response, "session-ended", {})
        return super().handle_no_permission(request, view_func)


PAGES = ("/dashboard", "/invitation", "/login", "/logout", "/setup")


class ReadersWay(LocaleMiddleware):
    """Pages speak the language and show the times that their reader has chosen; all else is in English.

    Who has chosen no language gets what the browser asks for; without a zone, the server's.
    """

    def process_request(self, request: HttpRequest) -> None:
        timezone.deactivate()
        if not _is_page(request):
            translation.activate(settings.LANGUAGE_CODE)
            return
        super().process_request(request)
        person: Any = request.user
        if person.is_authenticated:
            if translation.check_for_language(person.language):
                translation.activate(person.language)
            if person.time_zone in schedules.zone_names():
                timezone.activate(schedules.zone(person.time_zone))

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return super().process_response(request, response) if _is_page(request) else response


def _is_page(request: HttpRequest) -> bool:
    return request.path == "/" or request.path.startswith(PAGES)


def client_address(request: HttpRequest) -> str:
    """Return the address that a sign-in comes from, for the lock after too many tries.

    Behind HTTPS it is the one that the proxy in front has seen, the last of X-Forwarded-For: its own address is
    everyone's, and a stranger could lock a person out. What stands before the last is the client's word.
    """
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.BEHIND_HTTPS else ""
    last = forwarded.rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return str(request.META.get("REMOTE_ADDR", ""))
