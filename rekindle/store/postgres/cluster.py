"""How is a new database made: the data directory, the application's role and its database?

Each step may be cut off at any moment (`kill -9`, power) and is simply taken up again by the next start.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote

import psycopg

from rekindle.lib.operator_error import OperatorError
from rekindle.store.postgres.configuration import INCLUDE_LINE
from rekindle.store.postgres.identity import Choice
from rekindle.store.postgres.place import give_to

SUPERUSER = "postgres"
ROLE = "rekindle"
DATABASE = "rekindle"


def create_data_directory(choice: Choice) -> None:
    """Run initdb beside the final name and rename the result: a data directory is there whole or not at all."""
    place, identity = choice.place, choice.identity
    unfinished = place.root / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    give_to(unfinished, identity.uid, identity.gid)
    answer = identity.run(
        [
            choice.installation.initdb,
            *("-D", unfinished, "-U", SUPERUSER, "-E", "UTF8", "--locale=C"),
            *("--auth=trust", "--no-instructions"),  # the door is the socket's 0700 folder; there is no other
        ]
    )
    if answer.returncode != 0:
        raise OperatorError(
            f"initdb could not create the embedded database in {place.root}.", (answer.stderr or answer.stdout).strip()
        )
    with (unfinished / "postgresql.conf").open("a") as configuration:
        configuration.write(f"\n{INCLUDE_LINE}\n")
    unfinished.rename(place.data)


def ensure_role_and_database(socket_folder: Path) -> None:
    """Create the application's role (no superuser, no createdb) and the database it owns, where they are missing."""
    with psycopg.connect(socket_url(socket_folder, SUPERUSER, "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
            connection.execute(
                f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
            )
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")


def socket_url(socket_folder: Path, role: str = ROLE, database: str = DATABASE) -> str:
    """The URL of a database behind a Unix socket, for libpq: the folder is a percent-encoded parameter."""
    return f"postgresql://{role}@/{database}?host={quote(str(socket_folder), safe='')}&port=5432"
