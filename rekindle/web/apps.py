"""The HTTP side as a Django app: templates and static files."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "rekindle.web"
    label = "web"
