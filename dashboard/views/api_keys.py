"""API keys: the list, a new one (shown once), one in place of another, and the end of one."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from dashboard import fresh_secrets
from dashboard.forms import ApiKeyForm, RotateForm
from dashboard.forms.api_keys import MOST_SHOWN, SCOPES_IN_WORDS
from dashboard.models import ApiKey, KeyIsOver
from dashboard.permissions import Permission, allows
from dashboard.requests import HtmxRequest
from triggers.models import LARGEST_ID, Trigger

MOST_LISTED = 200
WARN_WITHIN = timedelta(days=7)  # of its end


@allows(Permission.MANAGE)
@require_GET
@vary_on_headers("HX-Request")
def index(request: HtmxRequest) -> HttpResponse:
    """The page, once with the key that was just made; for htmx the list alone, 204 while it is as the page shows it."""
    words = _list(timezone.now())
    if request.htmx:
        if request.GET.get("v") == words["version"]:
            return HttpResponse(status=204)
        return render(request, "api_keys/_list.html", words)
    fresh = _fresh(request)
    answer = render(request, "api_keys/page.html", words | fresh)
    if fresh:
        add_never_cache_headers(answer)
    return answer


def _list(now: datetime) -> dict[str, Any]:
    keys = list(ApiKey.objects.for_list(now)[: MOST_LISTED + 1])
    shown = [
        (key.pk, key.calls_24h, key.last_used_at, key.expires_at, key.revoked_at, key.has_expired(now))  # type: ignore[attr-defined]
        for key in keys
    ]
    return {
        "keys": keys[:MOST_LISTED],
        "most": MOST_LISTED if len(keys) > MOST_LISTED else None,
        "version": f"{zlib.crc32(repr(shown).encode()):x}",
        "scopes": SCOPES_IN_WORDS,
        "warn_from": now + WARN_WITHIN,
        "now": now,
    }


def _fresh(request: HttpRequest) -> dict[str, Any]:
    """Return the key that was made a moment ago, with its clear text, for this one view; {} when there is none."""
    pk, clear = fresh_secrets.take_any(request.session, fresh_secrets.API_KEY)
    key = ApiKey.objects.filter(pk=pk).first() if clear else None
    if key is None:
        return {}
    call = _first_call(request, key)
    masked = f"{clear[:12]}…{clear[-4:]}"
    return {
        "fresh_key": key,
        "clear": clear,
        "curl": f'curl -H "Authorization: Bearer {clear}" {call}',
        "shown_curl": f'curl -H "Authorization: Bearer {masked}" {call}',
    }


def _first_call(request: HttpRequest, key: ApiKey) -> str:
    """Return the address of a call that the key may make, as curl wants it."""
    if key.may_read:
        return request.build_absolute_uri("/triggers")
    if key.may_fire:
        trigger = key.triggers.order_by("pk").first() if key.is_limited else Trigger.objects.order_by("pk").first()
        return f"-X POST {request.build_absolute_uri(f'/triggers/{trigger.pk if trigger else 1}/fire')}"
    return request.build_absolute_uri("/metrics" if key.may_metrics and not key.may_write else "/openapi.json")


# --- A new one -------------------------------------------------------------------------------------------


@allows(Permission.MANAGE)
@require_http_methods(["GET", "POST"])
def create(request: HtmxRequest) -> HttpResponse:
    now = timezone.now()
    if request.method == "GET":
        # What was ticked so far comes along when triggers are looked for without JavaScript.
        given: dict[str, Any] = {
            name: request.GET.getlist(name) for name in ("scopes", "triggers") if name in request.GET
        }
        given |= {name: request.GET[name] for name in ("name", "reach", "expires") if name in request.GET}
        return _show(request, ApiKeyForm(initial=given))
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _show(request, form)
    key, clear = ApiKey.create(**form.fields_of_key(now), by=request.user)
    fresh_secrets.keep(request.session, key.pk, clear, fresh_secrets.API_KEY)
    return redirect("key-list")


@allows(Permission.MANAGE)
@require_GET
def triggers(request: HttpRequest) -> HttpResponse:
    """The triggers to choose from: those that are ticked first, then those whose name or endpoint is searched for."""
    return render(request, "api_keys/_triggers.html", _choices(ApiKeyForm(request.GET), request.GET.get("q", "")))


def _show(request: HttpRequest, form: ApiKeyForm) -> HttpResponse:
    data = request.POST if request.method == "POST" else request.GET
    words = {"form": form, "scopes": SCOPES_IN_WORDS} | _choices(form, data.get("q", ""))
    return render(request, "api_keys/new.html", words, status=422 if form.errors else 200)


def _choices(form: ApiKeyForm, question: str) -> dict[str, Any]:
    chosen = form.chosen
    found = Trigger.objects.order_by("name", "pk").exclude(pk__in=[trigger.pk for trigger in chosen])
    question = question.replace("\0", "").strip()[:200]
    if question:
        found = found.filter(name__icontains=question) | found.filter(api_endpoint__icontains=question)
    others = list(found[: MOST_SHOWN + 1])
    return {
        "chosen": chosen,
        "others": others[:MOST_SHOWN],
        "has_more": len(others) > MOST_SHOWN,
        "most_shown": MOST_SHOWN,
        "question": question,
    }


# --- What is done to one ---------------------------------------------------------------------------------


@allows(Permission.MANAGE)
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def rotate(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask how long the old key works on (GET), then make one in its place, which the list shows once (POST)."""
    now = timezone.now()
    key = _key(pk, now)
    form = RotateForm(request.POST) if request.method == "POST" else RotateForm()
    if form.is_valid():
        try:
            new, clear = key.rotate(request.user, form.old_lasts(), now)
        except KeyIsOver:
            messages.error(request, _("It was revoked or rotated meanwhile. Nothing was changed."))
            return redirect("key-list")
        fresh_secrets.keep(request.session, new.pk, clear, fresh_secrets.API_KEY)
        return redirect("key-list")
    words = {"key": key, "form": form, "now": now}
    return render(request, f"api_keys/{_question(request, 'rotate')}", words, status=422 if form.errors else 200)


@allows(Permission.MANAGE)
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def revoke(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask first (GET), then end it (POST)."""
    now = timezone.now()
    key = _key(pk, now)
    if request.method == "GET":
        return render(request, f"api_keys/{_question(request, 'revoke')}", {"key": key, "now": now})
    key.revoke(now)
    messages.success(request, _("“%(name)s” is revoked. Calls with it get 401 from now on.") % {"name": key.name})
    return redirect("key-list")


def _key(pk: int, now: datetime) -> ApiKey:
    """Return the key, with its calls of the last 24 hours; raises Http404."""
    return get_object_or_404(ApiKey.objects.for_list(now), pk=min(pk, LARGEST_ID))


def _question(request: HtmxRequest, verb: str) -> str:
    return f"_{verb}_dialog.html" if request.htmx else f"{verb}.html"
