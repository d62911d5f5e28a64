"""Which settings does the embedded server run with?

Written to `server.conf` beside the data directory at every start, so that more memory or a moved folder take effect.
It is never written inside the data directory: that may belong to another account, and root must not follow what that
account puts there. An operator's own settings go into `postgresql.auto.conf` (ALTER SYSTEM), and win.
"""

from __future__ import annotations

import os
from pathlib import Path

INCLUDE_LINE = "include = '../server.conf'"
"""Appended to a new cluster's postgresql.conf; relative to that file."""

MIB = 1024 * 1024


def write_configuration(target: Path, *, socket_folder: Path, cluster_name: str) -> None:
    """Write the settings file, readable by whoever runs the server; it holds no secret."""
    memory = memory_bytes()
    settings: dict[str, str] = {
        "cluster_name": cluster_name,
        "listen_addresses": "",  # no network port: the socket's folder is the door
        "port": "5432",
        "unix_socket_directories": '"' + str(socket_folder).replace('"', '""') + '"',
        "unix_socket_permissions": "0700",
        "shared_buffers": f"{shared_buffers_mib(memory)}MB",
        "effective_cache_size": f"{max(256, memory // 2 // MIB)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{min(512, max(64, memory // 16 // MIB))}MB",
        "max_connections": "100",
        "random_page_cost": "1.1",  # solid-state storage
        "fsync": "on",
        "synchronous_commit": "on",  # an acknowledged order or opt-out survives a crash
        # Whole pages after a checkpoint: seldom, and not squeezed. The wheel's programs know only pglz for it, and that
        # was a seventh of the server's work while letters went out.
        "wal_compression": "off",
        "checkpoint_timeout": "15min",
        "min_wal_size": "256MB",
        "max_wal_size": "2GB",
        "jit": "off",  # short statements; the wheel's programs are built without it
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        # The log must not carry addresses: no statement texts, no "Key (address)=(...) already exists".
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
    }
    lines = ["# Written by Rekindle at every start; changes made here are lost.\n"]
    lines += [f"{name} = {quote(value)}\n" for name, value in settings.items()]
    target.write_text("".join(lines))
    target.chmod(0o644)


def quote(value: str) -> str:
    """Quote a value for postgresql.conf: single quotes and backslashes are special there."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def shared_buffers_mib(memory: int) -> int:
    """A quarter of the memory, between 256 MiB and 1 GiB; an eighth on machines too small for that."""
    quarter = memory // 4 // MIB
    return min(1024, quarter) if quarter >= 256 else max(64, memory // 8 // MIB)


def memory_bytes() -> int:
    """The memory this process may use: the machine's, or the control group's limit where that is lower."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        try:
            total = min(total, int(limit.read_text()))
        except (OSError, ValueError):  # absent, or "max"
            continue
    return total
