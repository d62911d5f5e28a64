"""Where does the database come from? `DATABASE_URL`, or else a PostgreSQL that we run ourselves.

The embedded server uses nothing but the programs of an installed PostgreSQL (the wheel's, or the system's): no
account is created, nothing outside our own folder changes its permissions, and it listens on no network port.
Commands and tests come in through `address.database_url` and `runner`.
"""

from rekindle.store.postgres.address import database_url, home_folder, require_supported_server
from rekindle.store.postgres.binaries import MINIMUM_MAJOR
from rekindle.store.postgres.runner import Server, Status, ensure_running, release, status, stop

__all__ = [
    "MINIMUM_MAJOR",
    "Server",
    "Status",
    "database_url",
    "ensure_running",
    "home_folder",
    "release",
    "require_supported_server",
    "status",
    "stop",
]
