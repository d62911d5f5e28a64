"""What the engine really sends, held against the providers' own specifications (served by Prism, which refuses what they
do not allow). One letter or text each, composed from a stored cart and handed over by the worker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.lib.clock import MovableClock
from rekindle.providers.http_client import EgressRules, HttpSettings
from rekindle.store.database import connect
from tests.due_sends import publish_template
from tests.providers.shared_contracts import needs_contracts
from tests.providers.validating_mock import mocking

from .delivery import make_world

CASES = [
    ("sendgrid", "sendgrid/mail_overlay.json", "email", {"api_key": "SG.key"}),
    ("resend", "resend/resend.yaml", "email", {"api_key": "re_key"}),
    (
        "twilio",
        "twilio/messages_overlay.json",
        "sms",
        {"account_sid": "AC" + "0" * 32, "secret": "s", "sender": "+4930901820"},
    ),
]


@needs_contracts
@pytest.mark.parametrize(("kind", "specification", "channel", "values"), CASES, ids=[case[0] for case in CASES])
def test_what_is_handed_over_passes_the_specification(
    fresh_dsn: str,
    context: Context,
    clock: MovableClock,
    kind: str,
    specification: str,
    channel: str,
    values: dict[str, str],
) -> None:
    clock.advance(timedelta(hours=2))  # noon in Berlin
    with connect(fresh_dsn) as link, mocking(specification) as url:
        world = make_world(link, fresh_dsn, context, clock, 1)
        world.use_http(HttpSettings(rules=EgressRules(allow_loopback=True), connect_s=5.0, answer_s=20.0))
        link.execute("DELETE FROM provider_accounts")
        world.add_api_account(kind, url, **values)
        version = publish_template(link, world.shop, clock.now(), channel=channel)
        address = {"sms": "+436641234567"}.get(channel)
        ada = world.person("ada", channel=channel, address=address, template_version_id=version)

        async def work(worker: Deliverer) -> None:
            await worker.deliver_batch(ada.bucket)
            await worker.hand_over.close()

        world.with_worker(work)
        assert world.events(ada.send_id) == [("handed_over", None)], world.connection.execute(
            "SELECT kind, detail FROM send_events WHERE send_id = %s", [ada.send_id]
        ).fetchall()
