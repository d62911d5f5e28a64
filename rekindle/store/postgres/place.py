"""Where does the embedded cluster live on disk?

Everything is below `<home>/postgres`. Only where PostgreSQL must run as another account that cannot reach that folder
do the data move elsewhere; the file `location` then says where, so that every later start finds them.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103
"""Bytes of a Unix socket's path: 107 on Linux, 103 on the BSDs and macOS; the smaller holds everywhere."""


@dataclass(frozen=True)
class Place:
    """The paths of one embedded cluster.

    `control` belongs to whoever calls us (locks, pointer); `root` belongs to whoever runs the server.
    """

    home: Path
    root: Path

    @property
    def control(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def settings(self) -> Path:
        return self.root / "server.conf"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    @property
    def start_lock(self) -> Path:
        return self.control / "start.lock"

    @property
    def users_lock(self) -> Path:
        return self.control / "users.lock"

    @property
    def data_lock(self) -> Path:
        return self.control / "data.lock"

    @property
    def keep_marker(self) -> Path:
        return self.control / "keep"

    @property
    def location(self) -> Path:
        return self.control / "location"

    @property
    def fingerprint(self) -> str:
        """Twelve characters that differ between clusters on one machine."""
        return hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]

    @property
    def cluster_name(self) -> str:
        """Shown in the title of each server process, so that orphans can be told from strangers."""
        return f"rekindle-{self.fingerprint}"

    def data_major(self) -> int | None:
        """The major version that wrote the data directory, or None when there is none yet."""
        try:
            return int((self.data / "PG_VERSION").read_text().strip())
        except FileNotFoundError:
            return None


def find_place(home: Path) -> Place:
    """Return the place that belongs to this home, following `location` where the data live elsewhere."""
    home = home.resolve()
    control = home / "postgres"
    try:
        root = Path((control / "location").read_text().strip())
    except FileNotFoundError:
        root = control
    return Place(home=home, root=root)


def prepare_socket_folder(place: Place, uid: int, gid: int) -> Path:
    """Create the 0700 folder for the server's socket and return it.

    It is `<root>/socket`, or a short folder in the temporary directory when that path is too long for a socket.
    A folder of that name which somebody else made is never used: then a fresh one with a random name is.
    """
    folder = place.root / "socket"
    if not _fits(folder):
        temporary = Path(tempfile.gettempdir())
        if not _fits(temporary / f"rekindle-{place.fingerprint}"):
            temporary = Path("/tmp")  # noqa: S108 - the folder made inside is 0700 and its owner is checked
        folder = temporary / f"rekindle-{place.fingerprint}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        shared = folder.parent != place.root
        if shared and (not stat.S_ISDIR(found.st_mode) or found.st_uid not in {uid, os.geteuid()}):
            folder = Path(tempfile.mkdtemp(prefix="rekindle-", dir=folder.parent))
    folder.chmod(0o700)
    give_to(folder, uid, gid)
    return folder


def give_to(path: Path, uid: int, gid: int) -> None:
    """Make the account the owner of one path of ours, where it is not already."""
    if path.lstat().st_uid != uid:
        os.chown(path, uid, gid, follow_symlinks=False)


def give_tree_to(root: Path, uid: int, gid: int) -> None:
    """Make the account the owner of a whole folder of ours, where it is not already."""
    if not root.exists() or root.lstat().st_uid == uid:
        return
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            os.chown(Path(folder, name), uid, gid, follow_symlinks=False)
    os.chown(root, uid, gid)  # last: an interrupted walk is then taken up again


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT
