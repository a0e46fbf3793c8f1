"""The test receiver: it takes what arrives at /sink/<token>, and its page shows it, live."""

from __future__ import annotations

import logging
import time
from typing import Any

from csp.decorators import csp_exempt
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.forms import model_to_dict
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from dashboard import sinks
from dashboard.api.bodies import read_bounded
from dashboard.forms import SinkForm
from dashboard.middleware import client_address
from dashboard.models import Sink, SinkRequest
from dashboard.permissions import Permission, allows
from dashboard.requests import HtmxRequest
from triggers import faults
from triggers.models import LARGEST_ID
from triggers.vault import VaultError

logger = logging.getLogger(__name__)

_BODILESS = (204, 205, 304)
_WAIT_A_LITTLE = 2  # seconds


# --- What arrives --------------------------------------------------------------------------------------


@csrf_exempt
@login_not_required
@csp_exempt()  # type: ignore[arg-type]  # the library's types know views without arguments only
@xframe_options_exempt
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """Take a request of whoever knows the token, and answer as its person said. Never a page, never a cookie."""
    try:
        response = _received(request, token)
    except DatabaseError as error:
        faults.log(logger, "A request to a test receiver could not be stored", error)
        response = _plain(503, "The request could not be stored. Try again.", retry_after=_WAIT_A_LITTLE)
    # Django would log every status from 400 on with the path, in which the secret stands.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _received(request: HttpRequest, token: str) -> HttpResponse:
    sink = sinks.find(token)
    if sink is None:
        return _plain(404, "There is no test receiver at this address.")
    if not sinks.take_turn(sink, time.time()):
        return _plain(429, f"Too many requests: {sinks.PER_SECOND} a second are taken.", retry_after=1)
    return _answer(request, sink)


def _answer(request: HttpRequest, sink: Sink) -> HttpResponse:
    try:
        body = read_bounded(request, sinks.LARGEST_BODY)
    except OSError:
        return _plain(400, "The body broke off.")
    if body is None:
        return _plain(413, f"The body is too large: at most {sinks.LARGEST_BODY // 1024} KiB are taken.")
    with sinks.room_to_wait(sink.delay_seconds) as has_room:
        sinks.keep(sink, _arrival(request, body), sink.status if has_room else 503, timezone.now())
        if not has_room:
            return _plain(503, "Too many requests wait for their answer here.", retry_after=_WAIT_A_LITTLE)
        time.sleep(sink.delay_seconds)
    is_bodiless = request.method == "HEAD" or sink.status in _BODILESS
    response = HttpResponse(
        b"" if is_bodiless else sink.body, status=sink.status, content_type=sinks.answer_type(sink.body)
    )
    if sink.retry_after_seconds is not None:
        response["Retry-After"] = str(sink.retry_after_seconds)
    return response


def _arrival(request: HttpRequest, body: bytes) -> sinks.Arrival:
    return sinks.Arrival(
        request.method or "",
        request.META.get("QUERY_STRING", ""),
        tuple(request.headers.items()),
        request.META.get("CONTENT_TYPE", ""),
        body,
        client_address(request),
    )


def _plain(status: int, words: str, *, retry_after: int | None = None) -> HttpResponse:
    response = HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


# --- Its page ------------------------------------------------------------------------------------------


@allows(Permission.OWN)
@require_GET
@vary_on_headers("HX-Request")
def index(request: HtmxRequest) -> HttpResponse:
    """The page; for htmx what arrived alone, 204 when it still is as the page shows it (`v`)."""
    sink = sinks.sink_of(request.user)
    words = _arrived(sink)
    if not request.htmx or request.htmx.history_restore_request:
        return render(request, "sink/page.html", words | _about(request, sink, _form(sink)))
    if request.GET.get("v") == words["version"]:
        return HttpResponse(status=204)
    return render(request, "sink/_arrived.html", words | _addresses(request, sink))


@allows(Permission.OWN)
@require_GET
@vary_on_headers("HX-Request")
def detail(request: HtmxRequest, pk: int) -> HttpResponse:
    """What arrived in one request; for htmx alone, to stand in the list."""
    found = SinkRequest.objects.filter(pk=min(pk, LARGEST_ID), sink__user=request.user)
    try:
        arrived = found.first()
    except VaultError as error:
        return render(request, "sink/_unreadable.html" if request.htmx else "sink/request.html", {"error": error})
    if arrived is None:
        raise Http404(
            _("There is no request %(id)s. Only the newest %(kept)s are kept.") % {"id": pk, "kept": sinks.KEPT}
        )
    template = "sink/_request.html" if request.htmx else "sink/request.html"
    return render(request, template, {"arrived": arrived, "now": timezone.now()})


@allows(Permission.OWN)
@require_POST
def set_answer(request: HtmxRequest) -> HttpResponse:
    sink = sinks.sink_of(request.user)
    form = SinkForm(request.POST)
    if not form.is_valid():
        return render(request, "sink/page.html", _arrived(sink) | _about(request, sink, form), status=422)
    Sink.objects.filter(pk=sink.pk).update(**form.cleaned_data)
    messages.success(request, _("Saved. The next request is answered so."))
    return redirect("sink")


@allows(Permission.OWN)
@require_POST
def clear(request: HtmxRequest) -> HttpResponse:
    sinks.sink_of(request.user).requests.all().delete()
    messages.success(request, _("Cleared."))
    return redirect("sink")


@allows(Permission.OWN)
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def move(request: HtmxRequest) -> HttpResponse:
    """Ask first (GET), then give it a new address (POST)."""
    if request.method == "GET":
        return render(request, "sink/_move_dialog.html" if request.htmx else "sink/move.html")
    sinks.move(sinks.sink_of(request.user))
    messages.success(request, _("It has a new address. Use it in your triggers too."))
    return redirect("sink")


def _form(sink: Sink) -> SinkForm:
    return SinkForm(initial=model_to_dict(sink) | {"delay_seconds": f"{sink.delay_seconds:g}"})


def _arrived(sink: Sink) -> dict[str, Any]:
    arrived = list(sink.requests.for_list()[: sinks.KEPT])
    version = f"{arrived[0].pk}-{len(arrived)}" if arrived else "0"
    return {"arrived": arrived, "version": version, "most": sinks.KEPT, "now": timezone.now()}


def _about(request: HttpRequest, sink: Sink, form: SinkForm) -> dict[str, Any]:
    return {"form": form} | _addresses(request, sink)


def _addresses(request: HttpRequest, sink: Sink) -> dict[str, Any]:
    """Return its address for triggers here, and the one that whoever looks at the page reaches."""
    return {
        "address": sinks.address(sink),
        "address_here": request.build_absolute_uri(f"/sink/{sink.token}"),
    }
