"""What a view is handed: a request of a signed-in person, perhaps made by htmx."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from dashboard.models import User


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails
    user: User
