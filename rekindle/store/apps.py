"""The one Django app that owns tables."""

from django.apps import AppConfig


class StoreConfig(AppConfig):
    name = "rekindle.store"
    label = "store"
    default_auto_field = "django.db.models.BigAutoField"
