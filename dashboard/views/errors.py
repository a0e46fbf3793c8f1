"""What people see when a page cannot be shown. (400, 403 and 404 are Django's own views with our templates.)"""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader
from django.utils import timezone
from django.utils.html import escape

from dashboard import request_ids

_REFERENCE = "<!-- reference -->"


def server_error(request: HttpRequest) -> HttpResponse:
    """503 while the database does not answer, which passes; 500 for everything else. Neither reads the database."""
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        return HttpResponse(loader.render_to_string("503.html"), status=503, headers={"Retry-After": "5"})
    return HttpResponse(loader.render_to_string("500.html").replace(_REFERENCE, _reference()), status=500)


def _reference() -> str:
    """Return where to look in the log. Put into the finished page, as a template's context may be what is broken."""
    now = timezone.localtime()
    return (
        f'Reference <span class="reference">{escape(request_ids.current())}</span>, {now:%H:%M:%S} {now:%Z}. '
        "It is in the server’s log."
    )


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token was missing or old: say what to do; nothing was done."""
    return render(request, "403_csrf.html", {"back": request.path}, status=403)
