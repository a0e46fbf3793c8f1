"""What the shell around every page asks for: the dispatcher's line, the theme, the scripts' words."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST
from django.views.i18n import JavaScriptCatalog

from dashboard.templatetags.shell import THEME_COOKIE, THEMES
from triggers import stats

_A_YEAR = 365 * 24 * 3600  # seconds


@require_GET
def dispatcher(request: HttpRequest) -> HttpResponse:
    """The dispatcher's line alone, and the note above the page."""
    return render(request, "shell/dispatcher.html", {"state": stats.dispatcher(timezone.now())})


@login_not_required
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie of this browser, and go back to the page."""
    target = request.POST.get("next", "")
    is_local = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    # Not `redirect`: it would take a word for the name of a view.
    response = HttpResponseRedirect(target if is_local else reverse("overview"))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(THEME_COOKIE, chosen, max_age=_A_YEAR, samesite="Lax", secure=request.is_secure())
    return response


@login_not_required
@require_GET
@cache_control(public=True, immutable=True, max_age=_A_YEAR)
def words(request: HttpRequest, language: str, version: str) -> HttpResponseBase:
    """The messages of the scripts in one language; the address has another `version` when they change."""
    if language not in dict(settings.LANGUAGES):  # Django would keep a catalogue for whatever it is called
        raise Http404
    with translation.override(language):
        return JavaScriptCatalog.as_view()(request)
