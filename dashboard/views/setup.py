"""The first visit: the first account, made only by who holds the token from the server's log."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from dashboard import checks, examples, setup_token
from dashboard.checks import Check
from dashboard.forms import SetupForm
from dashboard.models import User
from triggers import schedules, stats


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    if not setup_token.is_needed():
        return redirect("login")
    if not setup_token.is_right(request.GET.get("token", "")):
        return render(request, "setup/closed.html", {"was_given": "token" in request.GET}, status=403)
    now = timezone.now()
    form = SetupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = _make_first_account(form, now)
        if person is None:
            messages.info(request, _("The first account was made a moment ago. Sign in with it."))
            return redirect("login")
        setup_token.forget()
        login(request, person, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("overview")
    status = 422 if form.is_bound else 200
    return render(request, "setup/page.html", {"form": form, "checks": _checks(request, now)}, status=status)


@login_not_required
@never_cache
@require_GET
def check_again(request: HttpRequest) -> HttpResponse:
    """The server's checks alone, for "Check again"."""
    if not setup_token.is_needed() or not setup_token.is_right(request.GET.get("token", "")):
        return redirect("setup")
    return render(request, "setup/_checks.html", {"checks": _checks(request, timezone.now())})


def _make_first_account(form: SetupForm, now: datetime) -> User | None:
    """Make the account, and the examples where asked for; None when somebody else was first."""
    with transaction.atomic():
        # Of two who come at once one waits here, for a row that is always there. (SQLite has no row locks: there
        # the whole transaction waits at its start.)
        list(ContentType.objects.select_for_update().filter(app_label="dashboard", model="user"))
        if not setup_token.is_needed():
            return None
        given = form.cleaned_data
        person = User.objects.create_superuser(
            given["username"],
            given["email"],
            given["password"],
            time_zone=given["browser_zone"] if given["browser_zone"] in schedules.zone_names() else "",
        )
        if given["with_examples"]:
            examples.add(person, now)
    return person


def _checks(request: HttpRequest, now: datetime) -> list[Check]:
    return [checks.database(), checks.migrations(), _dispatcher(now), _https(request)]


def _dispatcher(now: datetime) -> Check:
    found = stats.dispatcher(now)
    if found.seen_at and found.state != "stopped":
        seconds = f"{max((now - found.seen_at).total_seconds(), 0):.1f}"
        words = (
            _("lagging, seen %(seconds)s s ago") if found.state == "lagging" else _("running, seen %(seconds)s s ago")
        )
        return Check(_("Dispatcher"), "ok", words % {"seconds": seconds})
    return Check(_("Dispatcher"), "warn", _("Not seen: nothing fires until a cluster runs. Run: manage.py cluster"))


def _https(request: HttpRequest) -> Check:
    if request.is_secure():
        return Check("HTTPS", "ok", _("This page came over https."))
    words = _("This page came over http. Fine on localhost; put a proxy with TLS in front before others use it.")
    if settings.BEHIND_HTTPS:
        words = _("BEHIND_HTTPS is set, but this page came over http. Open the address of the proxy.")
    return Check("HTTPS", "warn", words)
