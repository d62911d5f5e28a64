"""Does moto, which answers as Amazon SES v2 does, take our requests? And does botocore sign as we do?

moto is no dependency of this project: REKINDLE_MOTO names its server (``moto_server``), or it is found on the path.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.providers.base import Accepted, NotStarted, Pause
from rekindle.providers.email.ses import Ses
from rekindle.providers.over_http import HttpProvider, json_request
from tests.providers.apis import CLOCK, local_client
from tests.providers.letters import run, send
from tests.providers.ses_mock import SERVER, moto, needs_moto
from tests.providers.test_email_apis import LETTER, MIME

pytestmark = needs_moto


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with moto() as url:
        yield url


def account(url: str) -> Ses:
    return Ses(access_key="AKIDEXAMPLE", secret_key="x" * 40, region="eu-central-1", base_url=url, clock=SYSTEM_CLOCK)


def test_letters_are_taken_once_the_sender_is_verified(moto_url: str) -> None:
    async def work() -> None:
        client = local_client(answer_s=15.0)
        ses = account(moto_url)
        provider = HttpProvider(client, ses)
        (refused,) = await send(provider, LETTER)
        assert isinstance(refused, NotStarted)  # every letter would meet the same: nothing fails for good
        assert refused.pause is Pause.OPERATOR
        identity = ses._signed(json_request("/v2/email/identities", {"EmailIdentity": "shop@shop.example"}))
        await client.exchange(f"{moto_url}{identity.target}", "POST", headers=identity.headers, body=identity.body)
        for letter in (LETTER, msgspec.structs.replace(LETTER, content=MIME.replace(b"body", b"Gr\xc3\xb6\xc3\x9fe"))):
            (outcome,) = await send(provider, letter)
            assert isinstance(outcome, Accepted), outcome
            assert outcome.provider_id
        await client.close()

    run(work())


def test_botocore_signs_the_same() -> None:
    """In moto's own Python, because botocore is no dependency of this project either."""
    python = Path(str(SERVER)).parent / "python"
    if not python.exists():
        python = Path(sys.executable)
    script = """
import datetime, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
import botocore.auth
class Now(datetime.datetime):
    @classmethod
    def utcnow(cls): return cls(2026, 3, 2, 9, 0)
    @classmethod
    def now(cls, tz=None): return cls(2026, 3, 2, 9, 0, tzinfo=tz)
botocore.auth.datetime = type('m', (), {'datetime': Now})
if hasattr(botocore.auth, 'get_current_datetime'):
    botocore.auth.get_current_datetime = lambda *a, **k: Now(2026, 3, 2, 9, 0)
body = sys.stdin.buffer.read()
request = AWSRequest('POST', 'https://email.eu-central-1.amazonaws.com/v2/email/outbound-emails', data=body,
    headers={'Content-Type': 'application/json', 'Accept': 'application/json'})
SigV4Auth(Credentials('AKIDEXAMPLE', 'x' * 40), 'ses', 'eu-central-1').add_auth(request)
print(request.headers['Authorization'])
"""
    ours = dataclasses.replace(account("https://email.eu-central-1.amazonaws.com"), clock=CLOCK).request(LETTER)
    theirs = subprocess.run([str(python), "-c", script], input=ours.body, capture_output=True, check=False)
    if b"No module named" in theirs.stderr:
        pytest.skip("no botocore beside moto")
    assert dict(ours.headers)["Authorization"] == theirs.stdout.decode().strip()
