"""Which address leads where? The dashboard's pages lie at the root."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("rekindle.web.dashboard.urls")),
]
