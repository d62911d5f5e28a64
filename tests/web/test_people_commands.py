"""Do `rekindle shop` and `rekindle person` lead from an empty database to somebody who is signed in?"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.test import Client

from rekindle.commands import person, shop
from rekindle.engine.context import Context
from rekindle.lib.operator_error import OperatorError
from tests.web.django_database import django_on
from tests.web.test_serve import url_of

ROOT = Path(__file__).resolve().parents[2]


def rekindle(dsn: str, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": url_of(dsn), "REKINDLE_DEBUG": "1"}
    command = [sys.executable, "-m", "rekindle.commands.cli", *words]
    return subprocess.run(
        command, env=environment, cwd=ROOT, input=typed, capture_output=True, text=True, timeout=60, check=False
    )


def test_two_commands_make_a_shop_and_its_owner(fresh_dsn: str, context: Context) -> None:
    assert "There is no shop yet" in rekindle(fresh_dsn, "shop", "list").stdout
    early = rekindle(fresh_dsn, "person", "add", "me@shop.example")
    assert (early.returncode, early.stdout) == (2, "")
    assert "rekindle shop create" in early.stderr
    made = rekindle(fresh_dsn, "shop", "create", "my-shop", "--name", "My shop", "--currency", "CHF", "--locale", "de")
    assert made.returncode == 0, made.stderr
    assert "Write key: " in made.stdout
    added = rekindle(fresh_dsn, "person", "add", "me@shop.example")
    assert added.returncode == 0, added.stderr
    password = added.stdout.rpartition("Password (shown only now): ")[2].strip()
    assert rekindle(fresh_dsn, "person", "list").stdout.split() == ["me@shop.example", "owner"]
    with django_on(fresh_dsn, context):
        browser = Client(HTTP_HOST="127.0.0.1")
        answer = browser.post("/login", {"account": "me@shop.example", "password": password}, follow=True)
        assert answer.redirect_chain[-1][0] == "/shops/my-shop/"
        assert "My shop is ready" in answer.text


def run_here(module: ModuleType, *words: str) -> int:
    """The same command in this process, with its options read as the command line reads them."""
    parser = argparse.ArgumentParser()
    module.configure(parser)
    status: int = module.run(parser.parse_args(words))
    return status


@pytest.fixture
def here(fresh_dsn: str, context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands of this process use the test's database, which has the shop `one`."""
    from django.conf import settings

    with django_on(fresh_dsn, context):
        monkeypatch.setattr(settings, "DATABASE_URL", fresh_dsn)
        run_here(shop, "create", "one", "--name", "One")
        yield


@pytest.mark.usefixtures("here")
def test_a_piped_password_is_taken_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "a long enough secret"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
    assert run_here(person, "add", "me", "--role", "viewer", "--password-stdin") == 0
    assert secret not in capsys.readouterr().out
    assert Client(HTTP_HOST="127.0.0.1").login(username="me", password=secret)
    monkeypatch.setattr("sys.stdin", io.StringIO("another long secret\n"))
    assert run_here(person, "password", "me", "--password-stdin") == 0
    assert not Client(HTTP_HOST="127.0.0.1").login(username="me", password=secret)
    assert Client(HTTP_HOST="127.0.0.1").login(username="me", password="another long secret")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("module", "words", "typed", "says"),
    [
        (person, ("add", "me", "--password-stdin"), "short\n", "too short"),
        (person, ("add", "me", "--password-stdin"), "", "no password on stdin"),
        (person, ("add", "a b"), "", "without spaces"),
        (person, ("password", "nobody"), "", "There is no account nobody"),
        (person, ("add", "me", "--shop", "other"), "", "there is no shop other"),
        (shop, ("create", "one", "--name", "Again"), "", "already a shop one"),
        (shop, ("create", "Bad Slug", "--name", "X"), "", "slug:"),
        (shop, ("create", "two", "--name", "X", "--currency", "EURO"), "", "currency"),
    ],
)
def test_a_mistake_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, words: tuple[str, ...], typed: str, says: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(OperatorError, match=says):
        run_here(module, *words)
