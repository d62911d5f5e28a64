"""Delivery by the accounts of a shop at stand-ins of the e-mail APIs, on loopback."""

from __future__ import annotations

from collections.abc import Callable

from rekindle.engine.batch import Tally
from rekindle.engine.deliver import Deliverer
from tests.due_sends import Person
from tests.providers.http_server import Answer, Server, serving

from .delivery import World

VALUES: dict[str, dict[str, str]] = {
    "sendgrid": {"api_key": "SG.key"},
    "mandrill": {"api_key": "md-key"},
    "ses": {"access_key": "AKIDEXAMPLE", "secret_key": "hidden", "region": "eu-central-1"},
    "resend": {"api_key": "re_key"},
    "postmark": {"server_token": "token"},
    "mailgun": {"api_key": "key", "domain": "mg.shop.example"},
    "brevo": {"api_key": "key"},
}


def over(world: World, kind: str, *answers: Answer, otherwise: Answer | None = None) -> Callable[..., Tally]:
    """Deliver to a server that answers so; the same account from call to call."""
    accounts: list[int] = []

    def deliver(*people: Person) -> Tally:
        buckets = sorted({person.bucket for person in people})

        async def work(worker: Deliverer) -> Tally:
            async with serving(*deliver.answers, otherwise=otherwise) as server:  # type: ignore[attr-defined]
                if not accounts:
                    accounts.append(world.add_api_account(kind, server.url, **VALUES[kind]))
                point_to(world, accounts[0], server)
                worker.books.refresh(world.connection)
                tally = Tally()
                for bucket in buckets:
                    tally.add(await worker.deliver_batch(bucket))
                deliver.got += server.got  # type: ignore[attr-defined]
                await worker.hand_over.close()
                return tally

        return world.with_worker(work)

    deliver.got = []  # type: ignore[attr-defined]
    deliver.answers = answers  # type: ignore[attr-defined]
    return deliver


def point_to(world: World, account_id: int, server: Server) -> None:
    world.connection.execute(
        "UPDATE provider_accounts SET options = options || jsonb_build_object('base_url', %s::text) WHERE id = %s",
        [server.url, account_id],
    )
