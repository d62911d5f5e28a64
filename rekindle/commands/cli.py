"""What does `rekindle ...` run?

A sub-command is a module of this package with `HELP` (one line), `configure(parser)` and `run(args) -> int`; its name
is the module's with dashes. `LOGGED` names those of its verbs (`args.verb`, or `args.state`) that change something, and
the deed that the log of people's actions gets for them. The list is read from the files without importing them, so that
`--help` is quick and a broken command cannot break another; a command module therefore imports what is heavy, and every
model, inside `run`.
Unless it says `NEEDS_DATABASE = False`, the database is found (or started) and Django is set up before `run`.
Django's own commands (`rekindle migrate`, `shell`, ...) pass through to Django after the same preparation.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import importlib.metadata
import os
import pkgutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, ModuleType

from rekindle.lib.operator_error import OperatorError

#: Django's commands that make sense here, with what they do; `rekindle <name> --help` says more.
DJANGO_COMMANDS = {
    "changepassword": "change the password of a dashboard account",
    "check": "check the installation's code and settings",
    "clearsessions": "delete expired sign-ins",
    "collectstatic": "gather the static files for a web server in front",
    "compilemessages": "compile translations",
    "createsuperuser": "create a dashboard account that may do everything",
    "dbshell": "open psql on the database",
    "makemessages": "collect texts for translation",
    "makemigrations": "write migrations for changed models",
    "migrate": "bring the database's tables up to date",
    "shell": "open a Python shell with everything set up",
    "showmigrations": "list migrations and which are applied",
    "sqlmigrate": "print a migration's SQL",
}

#: Commands that run until they are stopped.
_LASTING = {"serve", "worker"}


#: Arguments of commands that the log names; none of them is a secret, and none is about a shopper.
NAMED_IN_LOG = ("account", "shop", "role", "slug", "dry_run")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status: 0 done, 1 failed, 2 the operator's mistake, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except OperatorError as mistake:
        print(f"rekindle: {mistake.message}", file=sys.stderr)
        for line in mistake.hint.splitlines():
            print(f"  {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rekindle: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def discover(folder: Path | None = None) -> dict[str, str]:
    """Return name -> one line of help for every command module, without importing any."""
    found = {}
    for module in pkgutil.iter_modules([str(folder or Path(__file__).parent)]):
        text = _help_of((folder or Path(__file__).parent) / f"{module.name}.py")
        if text is not None:
            found[module.name.replace("_", "-")] = text
    return dict(sorted(found.items()))


def overview(commands: Mapping[str, str]) -> str:
    """The text of `rekindle --help`."""
    width = max(len(name) for name in (*commands, *DJANGO_COMMANDS)) + 2
    lines = ["usage: rekindle COMMAND [options]      (rekindle COMMAND --help says more)", "", "Rekindle:"]
    lines += [f"  {name:<{width}}{text}" for name, text in commands.items()]
    lines += ["", "Django's:"]
    lines += [f"  {name:<{width}}{text}" for name, text in DJANGO_COMMANDS.items()]
    lines += [
        "",
        "The database is DATABASE_URL (PostgreSQL 16 or newer), else an embedded PostgreSQL under",
        "REKINDLE_HOME (.rekindle in the working directory), started when needed and stopped after use.",
    ]
    return "\n".join(lines)


def _dispatch(words: list[str]) -> int:
    commands = discover()
    name = words[0].replace("_", "-") if words else "--help"
    if name in {"-h", "--help", "help"}:
        print(overview(commands))
        return 0
    if name in {"-V", "--version", "version"}:
        print(f"rekindle {_version()}")
        return 0
    _end_normally_on_signals()
    if name in commands:
        return _run(name, words[1:])
    if words[0] in DJANGO_COMMANDS:
        return _run_django(words)
    near = difflib.get_close_matches(name, [*commands, *DJANGO_COMMANDS], n=1)
    raise OperatorError(
        f"there is no command {words[0]!r}.", (f"Did you mean {near[0]}? " if near else "") + "See rekindle --help."
    )


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of one command; imports its module."""
    module = _module(name)
    parser = argparse.ArgumentParser(
        prog=f"rekindle {name}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.configure(parser)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"rekindle.commands.{name.replace('-', '_')}")


def _run(name: str, words: list[str]) -> int:
    args = parser_of(name).parse_args(words)
    module = _module(name)
    if getattr(module, "NEEDS_DATABASE", True):
        # Who sits at a terminal is told in words what a short command did; its log lines would only be in the way.
        _prepare("WARNING" if name not in _LASTING and sys.stderr.isatty() else "INFO")
    status: int = module.run(args)
    deed = getattr(module, "LOGGED", {}).get(str(getattr(args, "verb", getattr(args, "state", ""))))
    if deed is not None:
        _write_down(deed, status, args)
    return status


def _write_down(deed: str, status: int, args: argparse.Namespace) -> None:
    """A command that changes what people could change in the dashboard stands in the same log."""
    from django.conf import settings

    from rekindle.engine.audit_log import note
    from rekindle.engine.context import Context
    from rekindle.store.database import connect
    from rekindle.store.shops import shop_by_slug
    from rekindle.terms.log_entry import Deed, LogOutcome

    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    facts = {name: value for name in NAMED_IN_LOG if (value := getattr(args, name, None)) is not None}
    with connect(settings.DATABASE_URL) as connection:
        shop = shop_by_slug(connection, str(facts["shop"])) if "shop" in facts else None
        outcome = LogOutcome.DONE if status == 0 else LogOutcome.FAILED
        made = Deed(actor="command line", action=deed, outcome=outcome, shop_id=shop.id if shop else None, facts=facts)
        note(connection, context, made)


def _run_django(words: list[str]) -> int:
    if not {"-h", "--help"} & set(words):
        _prepare()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rekindle.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(["rekindle", *words])
    except ImproperlyConfigured as mistake:
        raise OperatorError(str(mistake)) from mistake
    return 0


def _prepare(log_level: str = "INFO") -> None:
    from rekindle.commands.prepare import prepare

    prepare(os.environ, log_level=log_level)


def _version() -> str:
    try:
        return importlib.metadata.version("rekindle")
    except importlib.metadata.PackageNotFoundError:
        return "(run from its source, not installed)"


def _help_of(path: Path) -> str | None:
    """The value of the module's `HELP`, read from its text; None when it is not a command."""
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = (
            statement.targets
            if isinstance(statement, ast.Assign)
            else [statement.target]
            if isinstance(statement, ast.AnnAssign)
            else []
        )
        if any(isinstance(target, ast.Name) and target.id == "HELP" for target in targets):
            value = getattr(statement, "value", None)
            return str(value.value) if isinstance(value, ast.Constant) else ""
    return None


def _end_normally_on_signals() -> None:
    """Turn SIGTERM, and SIGHUP where it is not ignored (nohup), into a normal end: what was started is then stopped.

    Commands that run for long set handlers of their own.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, end)


if __name__ == "__main__":
    sys.exit(main())
