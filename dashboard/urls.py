"""Every address of the server, grouped by its path."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    # The API, at the server's root.
    path("", include("dashboard.api.root")),
]
