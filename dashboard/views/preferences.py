"""A person's own settings: what they are called, and how pages look to them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dashboard.forms import SettingsForm
from dashboard.models import User
from dashboard.permissions import Permission, allows
from dashboard.requests import HtmxRequest


@allows(Permission.OWN)
@require_http_methods(["GET", "POST"])
def preferences(request: HtmxRequest) -> HttpResponse:
    # A copy: while something is wrong with what was typed, the page around the form is as it was.
    person = User.objects.get(pk=request.user.pk)
    form = SettingsForm(request.POST or None, instance=person, now=timezone.now())
    if request.method == "POST" and form.is_valid():
        form.save()
        with translation.override(person.language or translation.get_language()):
            messages.success(request, _("Settings saved."))
        return redirect("settings")
    return render(request, "accounts/settings.html", {"form": form}, status=422 if form.is_bound else 200)
