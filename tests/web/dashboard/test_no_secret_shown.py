"""Does any page, file or error of the dashboard show a secret: of the installation, or one that was entered (S-18)?"""

from __future__ import annotations

import io
import logging

import pytest
from django.conf import settings
from django.test import override_settings

from rekindle.lib.logs import JsonLines
from rekindle.terms.role import Action
from rekindle.web.dashboard import sends
from tests.web.dashboard.routes import shop_routes, things_of
from tests.web.dashboard.test_accounts import OWNER, SENDGRID, SMTP, add
from tests.web.seed import Seeded
from tests.web.world import World

CANARIES = {"account-password": "canary-smtp-4471", "account-api_key": "canary-sendgrid-9f02"}


def secrets_of(world: World) -> list[str]:
    kept = [settings.SECRET_KEY, settings.HASH_KEY.decode(), settings.VAULT_KEY.current.decode()]
    kept += [world.context.hash_key.decode(), str(world.context.vault_key)[2:34]]
    return [*kept, *CANARIES.values()]


def test_no_page_file_log_or_error_shows_a_secret(
    world: World, seeded: Seeded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    smtp = add(world, "smtp", SMTP | {"account-password": CANARIES["account-password"]})
    api = add(world, "sendgrid", SENDGRID | {"account-api_key": CANARIES["account-api_key"]})
    client = world.as_(OWNER)
    shown = io.StringIO()
    things = things_of(world.connection, world.shop)
    for account in (smtp, api):
        for route in shop_routes():
            if "GET" in route.actions and route.actions["GET"] in (Action.READ, Action.READ_LOG):
                answer = client.get(route.path(world.shop, things | {"account_id": account}))
                assert answer.status_code == 200, route.name
                shown.write(answer.text)
        shown.write(client.get(world.path(f"accounts/{account}/")).text)
    shown.write(client.post(world.path("log/export")).text)
    wrong = SMTP | {"account-host": "not a host", "account-password": CANARIES["account-password"]}
    again = client.post(world.path("accounts/new/smtp"), wrong)
    assert again.status_code == 422
    shown.write(again.text)

    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(sends, "show_sends", breaks)
    client.raise_request_exception = False
    with override_settings(DEBUG=False):
        error = client.get(world.path("sends/"))
    assert error.status_code == 500
    shown.write(error.text)
    logged = "\n".join(JsonLines().format(record) for record in caplog.records)
    assert len(shown.getvalue()) > 100_000
    for secret in secrets_of(world):
        assert secret not in shown.getvalue()
        assert secret not in logged
