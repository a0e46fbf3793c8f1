"""What people see when a page cannot be shown. (400 and 404 are Django's own views with our templates.)"""

from __future__ import annotations

import logging
import sys

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token
from django_htmx.http import trigger_client_event

from dashboard import request_ids
from dashboard.models import User
from dashboard.permissions import Forbidden
from triggers import faults

MOST_NAMED = 3  # administrators
_REFERENCE = "<!-- reference -->"

logger = logging.getLogger(__name__)


def server_error(request: HttpRequest) -> HttpResponse:
    """503 in words while the database is in trouble; 500 for everything else. Neither reads the database."""
    error = sys.exc_info()[1]
    if fault := faults.fault_of(error):
        faults.log(logger, f"{request.method} {request.path} was answered 503", error)  # type: ignore[arg-type]
        return _unavailable(request, fault)
    return HttpResponse(loader.render_to_string("500.html").replace(_REFERENCE, _reference()), status=500)


def _unavailable(request: HttpRequest, fault: faults.Fault) -> HttpResponse:
    """Say what is wrong: in a toast where htmx sent a form, which stays as it is; else on a page of its own.

    On that page stands what a form has sent, so that it can be sent again.
    """
    is_form = request.method == "POST"
    if is_form and request.headers.get("HX-Request") == "true":
        words = f"{fault.words} {fault.remedy}"
        response = HttpResponse(words, content_type="text/plain; charset=utf-8")
        trigger_client_event(response, "toast", {"level": "bad", "title": _("Not done."), "text": words})
    else:
        page = {"fault": fault, "is_form": is_form, "fields": _sent_again(request) if is_form else []}
        response = HttpResponse(loader.render_to_string("503.html", page))
    response.status_code = 503
    response["Retry-After"] = str(fault.retry_after)
    response["Cache-Control"] = "no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _sent_again(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the fields of the form that was sent; none when a password is among them, which no page shall hold."""
    if any("password" in name for name in request.POST):
        return []
    return [(name, str(value)) for name, values in request.POST.lists() for value in values]


def _reference() -> str:
    """Return where to look in the log. Put into the finished page, as a template's context may be what is broken."""
    now = timezone.localtime()
    return (
        f'Reference <span class="reference">{escape(request_ids.current())}</span>, {now:%H:%M:%S} {now:%Z}. '
        "It is in the server’s log."
    )


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say whom it takes, who one is, and who can help; to htmx in a toast. Nothing was done."""
    logger.warning("Forbidden: %s %s to %s", request.method, request.path, request.user or "a stranger")
    sentences = _why_forbidden(request, exception)
    if request.headers.get("HX-Request") == "true":
        words = " ".join(sentences)
        response = HttpResponse(words, status=403, content_type="text/plain; charset=utf-8")
        trigger_client_event(response, "toast", {"level": "bad", "title": _("Not done."), "text": words})
    else:
        response = render(request, "403.html", {"sentences": sentences}, status=403)
    # Django would log it with the way through the code, which says nothing more.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _why_forbidden(request: HttpRequest, exception: Exception) -> list[str]:
    if not isinstance(request.user, User):
        return [_("Sign in first.")]
    who = {"name": request.user.get_username(), "role": request.user.get_role_display()}
    sentences = [str(exception)] if isinstance(exception, Forbidden) else []
    sentences.append(_("You are signed in as %(name)s (%(role)s).") % who)
    helpers = [each.called for each in User.objects.administrators().order_by("pk")[:MOST_NAMED]]
    if len(helpers) == 1:
        sentences.append(_("Ask %(name)s for access.") % {"name": helpers[0]})
    elif helpers:
        sentences.append(_("Ask one of these administrators for access: %(names)s.") % {"names": ", ".join(helpers)})
    return sentences


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token was missing or old: say what to do; nothing was done."""
    return render(request, "403_csrf.html", {"back": request.path}, status=403)
