"""Which database are we to use, and is it new enough?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from rekindle.lib.operator_error import OperatorError
from rekindle.store.postgres.binaries import MINIMUM_MAJOR
from rekindle.store.postgres.runner import ensure_running

CONNECT_SECONDS = 10


def home_folder(environ: Mapping[str, str]) -> Path:
    """The folder of our own files: REKINDLE_HOME, or `.rekindle` in the working directory."""
    return Path(environ.get("REKINDLE_HOME") or ".rekindle").expanduser().resolve()


def database_url(environ: Mapping[str, str], home: Path) -> str:
    """Return the URL of the database: DATABASE_URL (or the text of DATABASE_URL_FILE), else the embedded server's.

    The embedded server is created and started where needed; a server that was named is not contacted.
    Raises: OperatorError for a URL of another kind of database, an unreadable file, or an embedded start that failed.
    """
    named = _named(environ)
    if named is None:
        return ensure_running(home).dsn
    if urlsplit(named).scheme not in {"postgres", "postgresql"}:
        raise OperatorError(
            "DATABASE_URL does not name a PostgreSQL database.",
            "It looks like postgresql://user:password@host:5432/database; leave it out to use the embedded server.",
        )
    return named


def is_embedded(environ: Mapping[str, str]) -> bool:
    """Would `database_url` use the embedded server?"""
    return _named(environ) is None


def require_supported_server(url: str) -> int:
    """Connect once and return the server's version (180004 for 18.4).

    Raises: OperatorError when it cannot be reached, turns us away, or is older than PostgreSQL 16.
    """
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            version = connection.info.server_version
    except psycopg.OperationalError as failed:
        raise OperatorError(
            f"the database cannot be used: {' '.join(str(failed).split())}", "Check DATABASE_URL."
        ) from failed
    except (psycopg.Error, UnicodeError):  # the parser's message may repeat the password
        raise OperatorError(
            "DATABASE_URL cannot be understood.",
            "It looks like postgresql://user:password@host:5432/database; special characters are percent-encoded.",
        ) from None
    require_supported_version(version)
    return version


def require_supported_version(version: int) -> None:
    """Raise OperatorError for a `server_version_num` below PostgreSQL 16."""
    if version // 10000 < MINIMUM_MAJOR:
        raise OperatorError(
            f"the database is PostgreSQL {version // 10000}.{version % 10000}; "
            f"Rekindle needs {MINIMUM_MAJOR} or newer.",
            "Upgrade that server, or leave DATABASE_URL out to use the embedded one.",
        )


def _named(environ: Mapping[str, str]) -> str | None:
    file = environ.get("DATABASE_URL_FILE")
    if environ.get("DATABASE_URL"):
        return environ["DATABASE_URL"]
    if not file:
        return None
    try:
        return Path(file).read_text().strip()
    except OSError as failed:
        raise OperatorError(f"DATABASE_URL_FILE cannot be read: {failed.strerror}.", f"It names {file}.") from failed
