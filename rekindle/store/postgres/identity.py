"""Which account runs the server?

PostgreSQL refuses to run as root. Not root: we run it ourselves. Root tries, in this order, and takes the first that
works on this machine: the existing `postgres` account, if it can reach the programs and our folder; a user namespace,
in which our own uid is seen as an unprivileged one; the existing `nobody` account, with a copy of the programs where
it cannot reach them. No account is ever created. An existing data directory is a vote: whoever owns it goes first.

In a user namespace the files still belong to root, so a PostgreSQL superuser could do what root's files allow. That
is why the socket's folder is 0700 and why the application's role is not a superuser.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rekindle.lib.operator_error import OperatorError
from rekindle.store.postgres.binaries import Installation
from rekindle.store.postgres.place import Place, give_tree_to

NAMESPACE_UID = 65534
ELSEWHERE = Path("/var/lib/rekindle")
"""Where the data go when the only account left to run the server cannot reach our own folder."""

#: PostgreSQL's own variables (PGDATA, PGHOST, ...) would lead initdb and the server astray.
_KEPT_OUT = ("PG", "LC_", "LANG")


@dataclass(frozen=True)
class Identity:
    """How a PostgreSQL program is started, and who owns the files it writes (as seen from outside)."""

    name: str
    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    @property
    def switches(self) -> bool:
        return self.uid != os.geteuid()

    def run(
        self, command: Sequence[str | Path], *, timeout: float = 300, keep_open: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this account, from `/`, with a umask of 077; output is captured.

        The files in `keep_open` are inherited, none else.
        """
        return subprocess.run(
            [*self.prefix, *map(str, command)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            umask=0o077,
            pass_fds=keep_open,
            start_new_session=True,
            user=self.uid if self.switches else None,
            group=self.gid if self.switches else None,
            extra_groups=[] if self.switches else None,
        )


@dataclass(frozen=True)
class Choice:
    """The account, the programs it will run and the place it will run them on."""

    identity: Identity
    installation: Installation
    place: Place


def choose_identity(installation: Installation, place: Place) -> Choice:
    """Decide who runs the server here; may copy the programs and move the place (see the module's docstring).

    Raises: OperatorError when nobody can.
    """
    if os.geteuid() != 0:
        _require_own(place)
        return Choice(_ourselves(), installation, place)
    ways: list[Callable[[Installation, Place], Choice | None]] = [as_postgres, as_namespace, as_nobody]
    owner = _owner(place.data)
    if owner is not None:
        ways.sort(key=lambda way: _uid_of(way) != owner)  # a stable sort: the owner's way first, then the usual order
    for way in ways:
        choice = way(installation, place)
        if choice is not None:
            give_tree_to(choice.place.data, choice.identity.uid, choice.identity.gid)
            return choice
    raise OperatorError(
        "root may not run PostgreSQL, and no other account can do it here: there is no `postgres` account that "
        "reaches the programs, user namespaces are not allowed, and `nobody` cannot take over.",
        "Start Rekindle as an ordinary user, or set DATABASE_URL to a server that is already running.",
    )


def as_postgres(installation: Installation, place: Place) -> Choice | None:
    """The existing `postgres` account, if it reaches both the programs and our folder."""
    identity = _account("postgres")
    if identity is None or not _reaches(identity, installation, place.root):
        return None
    return Choice(identity, installation, place)


def as_namespace(installation: Installation, place: Place) -> Choice | None:
    """A user namespace in which our own uid is an unprivileged one; files stay ours."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    prefix = (unshare, "--user", f"--map-user={NAMESPACE_UID}", f"--map-group={NAMESPACE_UID}", "--")
    identity = Identity(name="user namespace", uid=os.geteuid(), gid=os.getegid(), prefix=prefix)
    return Choice(identity, installation, place) if _reaches(identity, installation, place.root) else None


def as_nobody(installation: Installation, place: Place) -> Choice | None:
    """The existing `nobody` account, with a copy of the programs and a place of its own where it needs them."""
    identity = _account("nobody")
    if identity is None:
        return None
    if not _can_enter(identity, place.root):
        if place.data.exists():
            return None  # data that are already there are never moved behind the operator's back
        place = _move_elsewhere(place)
        if not _can_enter(identity, place.root):
            return None
    if _reaches(identity, installation, place.root):
        return Choice(identity, installation, place)
    copied = copy_tree(installation, place.root / "programs", identity)
    return Choice(identity, copied, place) if _reaches(identity, copied, place.root) else None


def copy_tree(installation: Installation, into: Path, identity: Identity) -> Installation:
    """Copy an installation (and the libraries beside the wheel's package) to where the account can reach it.

    Distribution packages spread over the file system cannot be copied; then the same installation comes back.
    """
    if installation.origin != "wheel":
        return installation
    tree, package = installation.bin.parent, installation.bin.parent.parent
    target = into / f"{installation.version}" / package.name / tree.name
    if not (target / "bin" / "postgres").exists():
        shutil.rmtree(into, ignore_errors=True)
        unfinished = into.with_name("programs.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        inside = unfinished / installation.version
        shutil.copytree(tree, inside / package.name / tree.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():  # the programs look for libpq there, relative to themselves
            shutil.copytree(libraries, inside / libraries.name, symlinks=True)
        give_tree_to(unfinished, identity.uid, identity.gid)
        unfinished.rename(into)
    return replace(installation, bin=target / "bin", origin="copy of the wheel")


def _ourselves() -> Identity:
    return Identity(name="ourselves", uid=os.geteuid(), gid=os.getegid())


def _account(name: str) -> Identity | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        return None
    return Identity(name=f"account {name}", uid=entry.pw_uid, gid=entry.pw_gid)


def _uid_of(way: Callable[[Installation, Place], Choice | None]) -> int | None:
    if way is as_namespace:
        return os.geteuid()
    identity = _account("postgres" if way is as_postgres else "nobody")
    return identity.uid if identity else None


def _reaches(identity: Identity, installation: Installation, folder: Path) -> bool:
    """Can the account start the programs and enter the folder? Asked by doing it, so that every rule counts."""
    programs = (installation.postgres, installation.initdb)
    return all(_succeeds(identity, [program, "--version"]) for program in programs) and _can_enter(identity, folder)


def _can_enter(identity: Identity, folder: Path) -> bool:
    return _succeeds(identity, ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder])


def _succeeds(identity: Identity, command: Sequence[str | Path]) -> bool:
    try:
        return identity.run(command, timeout=30).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _move_elsewhere(place: Place) -> Place:
    root = ELSEWHERE / place.fingerprint
    try:
        for folder in (ELSEWHERE, root):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o711)  # to pass through, whatever the umask
    except OSError:
        return place
    place.location.write_text(f"{root}\n")
    return replace(place, root=root)


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None


def _require_own(place: Place) -> None:
    try:
        owner = _owner(place.data)
    except PermissionError:
        owner = -1
    if owner is not None and owner != os.geteuid():
        raise OperatorError(
            f"the embedded database in {place.data} belongs to another account"
            + (f" (uid {owner})." if owner >= 0 else "."),
            "Start Rekindle as the account that created it, or set REKINDLE_HOME to a folder of your own.",
        )


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_KEPT_OUT)}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
