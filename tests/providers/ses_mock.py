"""Amazon SES v2 for tests: moto's server where it is installed, and a mock of our own that refuses what Amazon refuses.

The mock holds a request against the published facts: the shape of SendEmail (botocore's model sesv2/2019-09-27), the
signature by the description of Signature Version 4 (written a second time here, so that a mistake of ours shows), and the
message itself by RFC 5322, as Amazon reads what comes as `Raw`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from rekindle.lib.clock import Clock
from tests.providers.http_server import Got, Reply

SERVER = os.environ.get("REKINDLE_MOTO") or shutil.which("moto_server")
needs_moto = pytest.mark.skipif(SERVER is None, reason="no moto_server: set REKINDLE_MOTO")
_SCOPE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/ses/aws4_request, SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})"
)
_TAG = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_KNOWN = {
    "FromEmailAddress", "FromEmailAddressIdentityArn", "Destination", "ReplyToAddresses", "Content", "EmailTags",
    "FeedbackForwardingEmailAddress", "FeedbackForwardingEmailAddressIdentityArn", "ConfigurationSetName", "EndpointId",
    "TenantName", "ListManagementOptions",
}  # fmt: skip


@contextmanager
def moto() -> Iterator[str]:
    """The address of moto's server, for itself alone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([str(SERVER), "-H", "127.0.0.1", "-p", str(port)], stdout=quiet, stderr=quiet)
    try:
        asyncio.run(_listening(port, server))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


async def _listening(port: int, server: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(60):
        while server.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return
    pytest.skip("moto_server is there and does not start")


class RefusedError(Exception):
    """With the type and the words that Amazon answers."""


@dataclass
class SesMock:
    """One account in one region; ``clock`` is Amazon's."""

    clock: Clock
    access_key: str
    secret_key: str = field(repr=False)
    region: str
    verified: set[str] = field(default_factory=set)
    taken: list[EmailMessage] = field(default_factory=list)
    tags: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def answer(self, got: Got) -> Reply:
        try:
            self._signed(got)
            self._take(got)
        except RefusedError as fault:
            kind, words = fault.args
            self.refused.append(f"{kind}: {words}")
            status = 403 if kind.startswith(("InvalidSignature", "SignatureDoesNotMatch", "Unrecognized")) else 400
            return Reply.of(status, {"message": words}, **{"x-amzn-ErrorType": kind})
        return Reply.of(200, {"MessageId": f"0107018f{len(self.taken):08x}-000000"})

    def _signed(self, got: Got) -> None:
        found = _SCOPE.fullmatch(got.headers.get("authorization", ""))
        if found is None:
            raise RefusedError("InvalidSignatureException", "no signature of version 4 for ses")
        key, day, region, names, given = found.groups()
        if key != self.access_key:
            raise RefusedError("UnrecognizedClientException", "The security token included in the request is invalid.")
        stamp = got.headers.get("x-amz-date", "")
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(at - self.clock.now()) > timedelta(minutes=5) or not stamp.startswith(day) or region != self.region:
            raise RefusedError("InvalidSignatureException", "Signature expired, or for another place")
        if not {"host", "x-amz-date"} <= set(names.split(";")) or names.split(";") != sorted(names.split(";")):
            raise RefusedError("InvalidSignatureException", "host and date must be signed, in order")
        headers = "".join(f"{name}:{' '.join(got.headers[name].split())}\n" for name in names.split(";"))
        path, _, query = got.target.partition("?")
        whole = f"{got.method}\n{path}\n{query}\n{headers}\n{names}\n{hashlib.sha256(got.body).hexdigest()}"
        scope = f"{day}/{region}/ses/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
        secret = b"AWS4" + self.secret_key.encode()
        for part in (*scope.split("/"), text):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        if secret.hex() != given:
            raise RefusedError("SignatureDoesNotMatch", "The request signature we calculated does not match.")

    def _take(self, got: Got) -> None:
        if (got.method, got.target) != ("POST", "/v2/email/outbound-emails"):
            raise RefusedError("UnknownOperationException", got.target)
        if got.headers.get("content-type") != "application/json":
            raise RefusedError("BadRequestException", "not JSON")
        body = json.loads(got.body)
        if unknown := set(body) - _KNOWN:
            raise RefusedError("BadRequestException", f"unknown members {sorted(unknown)}")
        message = self._raw(body.get("Content"))
        receivers = [
            one for kind in ("To", "Cc", "Bcc") for one in body.get("Destination", {}).get(f"{kind}Addresses", [])
        ]
        if not 1 <= len(receivers) <= 50 or not all(isinstance(one, str) for one in receivers):
            raise RefusedError("BadRequestException", "1 to 50 recipients")
        if not (message["From"] or body.get("FromEmailAddress")):
            raise RefusedError("BadRequestException", "From is required")
        sender = message["From"].addresses[0].addr_spec
        if sender not in self.verified and sender.partition("@")[2] not in self.verified:
            raise RefusedError("MessageRejected", f"Email address is not verified: {sender}")
        self.tags.append(self._tags(body.get("EmailTags", [])))
        self.taken.append(message)

    def _raw(self, content: Any) -> EmailMessage:
        if not isinstance(content, dict) or len(content) != 1 or "Raw" not in content:
            raise RefusedError("BadRequestException", "exactly one of Raw, Simple and Template; this mock reads Raw")
        if set(content["Raw"]) != {"Data"}:
            raise RefusedError("BadRequestException", "Raw has Data")
        raw = b64decode(content["Raw"]["Data"], validate=True)
        if len(raw) > 40 * 2**20 or re.search(rb"[^\r]\n|\r[^\n]", raw) or max(map(len, raw.split(b"\r\n"))) > 998:
            raise RefusedError("BadRequestException", "too long, or lines that are none")
        message = message_from_bytes(raw, policy=policy.default)
        if message.defects or any(part.defects for part in message.walk()):
            raise RefusedError("BadRequestException", f"malformed: {message.defects}")
        for name in ("From", "To", "Subject", "Date", "Message-ID"):
            if len(message.get_all(name, [])) != 1:
                raise RefusedError("BadRequestException", f"{name} once")
        return message

    def _tags(self, tags: list[dict[str, str]]) -> dict[str, str]:
        for tag in tags:
            if set(tag) != {"Name", "Value"} or not all(_TAG.fullmatch(value) for value in tag.values()):
                raise RefusedError("BadRequestException", "a tag is a name and a value of plain letters")
        return {tag["Name"]: tag["Value"] for tag in tags}
