"""What must be true before a command may use the database?

The database is known (DATABASE_URL, or the embedded server, which is then running), it is new enough, the settings
are complete, and Django is set up. Mistakes come out as OperatorError.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from rekindle.lib.operator_error import OperatorError
from rekindle.store.postgres import database_url, home_folder, require_supported_server


def prepare(environ: MutableMapping[str, str], *, log_level: str = "INFO") -> str:
    """Find or start the database, put its URL into the environment, set Django up; returns the URL.

    Children started afterwards inherit the URL: to them the database is a named one, and this process keeps the
    embedded server running for them. ``log_level`` counts where REKINDLE_LOG_LEVEL is not set.
    """
    url = database_url(environ, home_folder(environ))
    require_supported_server(url)
    environ["DATABASE_URL"] = url
    set_up_django(environ, log_level)
    return url


def set_up_django(environ: MutableMapping[str, str], log_level: str = "INFO") -> None:
    """Read the settings and load the models. Raises OperatorError for a setting that is missing or wrong."""
    environ.setdefault("DJANGO_SETTINGS_MODULE", "rekindle.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured

    from rekindle.lib.logs import set_up_logs

    set_up_logs(environ.get("REKINDLE_LOG_LEVEL", log_level).upper())
    try:
        django.setup()
    except ImproperlyConfigured as mistake:
        raise OperatorError(str(mistake), "For a try-out with built-in secrets: REKINDLE_DEBUG=1.") from mistake
