"""Where do tests get a database? A template with all migrations, made once; copies of it that are emptied and used again.

To copy the template costs several times more than to empty a copy. Whatever a test did to its copy beyond rows (another
table, a partition) makes it unfit for the next one: it is dropped then.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
_BUILDING = 723001  #: advisory lock: one test process builds the template, the others wait

#: Rows of ours lie in tables with pages; those of the migrations stay.
_USED = """
SELECT c.oid::regclass::text, pg_relation_size(c.oid) > 500000
FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND pg_relation_size(c.oid) > 0
  AND c.relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
ORDER BY c.oid
"""
_RESTART = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"
#: What a copy and its template have in common as long as only rows were changed.
_SHAPE = """
SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_constraint),
  (SELECT count(*) FROM django_content_type), (SELECT count(*) FROM auth_permission),
  (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase <> 0)
"""


def with_database(dsn: str, name: str) -> str:
    """The DSN of another database of the same server."""
    return psycopg.conninfo.make_conninfo(dsn, dbname=name)


def template(admin_dsn: str) -> str:
    """Name of a database with the schema of this checkout; made once per schema, shared by all test processes."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "rekindle" / "store").rglob("*.py")):
        if path.parent.name in ("migrations", "models") or path.name == "partitions.py":
            digest.update(path.read_bytes())
    name = f"rekindle_template_{digest.hexdigest()[:12]}"
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [_BUILDING])
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            building = f"{name}_building"
            admin.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
            admin.execute(f'CREATE DATABASE "{building}"')
            migrate(with_database(admin_dsn, building))
            admin.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
        admin.execute("SELECT pg_advisory_unlock(%s)", [_BUILDING])
    return name


def migrate(dsn: str) -> None:
    """Run the migrations in a process of its own, as an installation does."""
    info = psycopg.conninfo.conninfo_to_dict(dsn)
    query = f"?host={quote(str(info['host']), safe='')}" if info.get("host") else ""
    if info.get("port"):
        query += ("&" if query else "?") + f"port={info['port']}"
    auth = str(info.get("user", "")) + (f":{info['password']}" if info.get("password") else "")
    url = f"postgresql://{auth}@/{info['dbname']}{query}"
    done = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--verbosity", "0"],
        env={**os.environ, "DATABASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the migrations failed:\n{done.stderr[-4000:]}")


class Copies:
    """Copies of the template that one test process uses again and again; `close` drops them."""

    def __init__(self, admin_dsn: str, template_name: str) -> None:
        self._admin_dsn, self._template = admin_dsn, template_name
        self._ready: list[str] = []
        self._shape: object = None

    def take(self) -> str:
        """The DSN of a database that is as the migrations left it, under a name that no cache of ours has seen."""
        name = f"rekindle_test_{secrets.token_hex(6)}"
        with psycopg.connect(self._admin_dsn, autocommit=True) as admin:
            if self._ready:
                admin.execute(f'ALTER DATABASE "{self._ready.pop()}" RENAME TO "{name}"')
            else:
                admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        return with_database(self._admin_dsn, name)

    def give_back(self, dsn: str) -> None:
        """End whatever still uses it, and empty it; or drop it when it has another shape now."""
        name = str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])
        if self._is_emptied(dsn):
            self._ready.append(name)
        else:
            self._drop(name)

    def close(self) -> None:
        while self._ready:
            self._drop(self._ready.pop())

    def _is_emptied(self, dsn: str) -> bool:
        try:
            with psycopg.connect(dsn, autocommit=True) as link:
                link.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                link.execute("SET lock_timeout = '10s'")
                link.execute("SET session_replication_role = replica")  # past the triggers of what is append-only
                _empty(link)
                if self._shape is None:
                    self._shape = self._shape_of_template()
                return link.execute(_SHAPE).fetchone() == self._shape
        except psycopg.Error:
            return False

    def _shape_of_template(self) -> object:
        with psycopg.connect(with_database(self._admin_dsn, self._template), autocommit=True) as link:
            return link.execute(_SHAPE).fetchone()

    def _drop(self, name: str) -> None:
        with psycopg.connect(self._admin_dsn, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _empty(link: psycopg.Connection[Any]) -> None:
    """Delete the rows of what is small and give its pages back, which costs a quarter of truncating: that makes new files
    for each table and index. Without the pages, rows of the next test would lie in an order of chance."""
    used = link.execute(_USED).fetchall()
    small = [sql.SQL(name) for name, is_large in used if not is_large]
    large = [sql.SQL(name) for name, is_large in used if is_large]
    with link.transaction():
        link.execute("SET CONSTRAINTS ALL DEFERRED")
        if large:
            link.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(large)))
        for name in small:
            link.execute(sql.SQL("DELETE FROM {}").format(name))
        link.execute(_RESTART)
    if small:
        link.execute(sql.SQL("VACUUM (SKIP_DATABASE_STATS) {}").format(sql.SQL(", ").join(small)))
