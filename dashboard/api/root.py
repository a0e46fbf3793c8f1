"""The JSON API put together: its routers, its own description and Swagger UI, and their addresses."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI

from dashboard.api import auth, errors, event_logs, health, replays, schedules, triggers

api = NinjaAPI(
    title="Event Trigger Platform",
    version=settings.VERSION,
    description="Define triggers, fire them, and read what became of every event. Every refusal has one form; "
    "times are ISO 8601 with offset; lists come in pages: pass `next` on as `cursor`. An API key has scopes (`read`, "
    "`fire`, `write`, `metrics`), and every call says which it takes; to a key that is limited to some triggers the "
    "others do not exist.",
    auth=auth.any_of(None),
    openapi_url=None,  # served below, so that they ask for a key or a session like every other call
    docs_url=None,
    servers=[{"url": "/", "description": "This server"}],
    openapi_extra={
        "tags": [
            {"name": "Triggers", "description": "What fires, when, with which payload, and where it is delivered."},
            {"name": "Schedules", "description": "What a schedule would do, and what fires in the hours to come."},
            {"name": "Event log", "description": "Every firing, and what became of it."},
            {"name": "Replays", "description": "Fire events again: one, or many that failed for good."},
            {"name": "Health", "description": "For monitors: in one word, without a key, and in figures."},
        ]
    },
)
errors.answer_with_errors(api)
api.add_router("", triggers.router)
api.add_router("", schedules.router)
api.add_router("", event_logs.router)
api.add_router("", replays.router)
api.add_router("", health.router)


@api.get("/openapi.json", include_in_schema=False)
def openapi(request: HttpRequest) -> HttpResponse:
    return JsonResponse(api.get_openapi_schema(path_prefix=""))


@api.get("/swagger-ui", include_in_schema=False)
def swagger_ui(request: HttpRequest) -> HttpResponse:
    return render(request, "api/swagger_ui.html", {"api": api, "swagger_settings": {"url": "/openapi.json"}})


def _one_form(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let a view of ninja answer every method in our form, without the pages' login redirect and form tokens."""

    @csrf_exempt  # auth.Session asks for the token where a cookie is what lets the caller in
    @login_not_required  # auth.any_of() decides
    @wraps(view)
    def answer(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        method = request.method
        if method == "HEAD":
            request.method = "GET"
        response = view(request, **parts)
        request.method = method
        if response.status_code == 405:
            response = _for_other_method(request, response["Allow"])
        if method == "HEAD" and isinstance(response, HttpResponse):
            length = len(response.content)
            response.content = b""
            response["Content-Length"] = str(length)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


def _for_other_method(request: HttpRequest, known: str) -> HttpResponse:
    methods = {*known.split(", "), "OPTIONS"} | ({"HEAD"} if "GET" in known else set())
    allowed = ", ".join(sorted(methods))
    if request.method == "OPTIONS":
        response = HttpResponse(status=204)
        del response["Content-Type"]
    else:
        response = errors.answer(405, f"Here is no {request.method}. Use {allowed}.")
    response["Allow"] = allowed
    return response


def _for_people(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Lead a browser that is not signed in to the login page, where a program is told about keys."""

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponseBase:
        response = view(request)
        if response.status_code == 401 and "text/html" in request.headers.get("Accept", ""):
            return redirect_to_login(request.get_full_path())
        return response

    return answer


@csrf_exempt
@login_not_required
def nothing_here(request: HttpRequest, **parts: Any) -> HttpResponse:
    return errors.answer(404, "There is nothing here. /swagger-ui and /openapi.json list every address.")


def _addresses() -> list[URLPattern]:
    """Return the addresses of ninja's views, each in our form; ninja's own root page is left out."""
    patterns = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern) and pattern.name != "api-root"]
    for pattern in patterns:
        pattern.callback = _one_form(pattern.callback)
        if pattern.name == "swagger_ui":
            pattern.callback = _for_people(pattern.callback)
    return patterns


urlpatterns: list[URLPattern] = [
    *_addresses(),
    # What looks like the API but is none of it is told so in JSON.
    re_path(r"^(?:api|schedule|scheduled|triggers|upcoming|event_logs|replays)(?:/(?s:.*))?\Z", nothing_here),
]
