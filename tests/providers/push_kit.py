"""Devices, a push service and Google's sign-in, as the tests of push need them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rekindle.providers.base import Device, Outcome, Push, PushAction, PushProvider
from rekindle.providers.http_client import EgressRules
from rekindle.providers.push.message_encryption import decrypt, point_of
from rekindle.providers.push.vapid import make_private_key
from tests.providers.http_server import Got, Reply

VAPID_KEY = make_private_key()
_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
_PEM = _RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
RSA_PUBLIC = _RSA.public_key()


def key_file(token_url: str = "https://oauth2.googleapis.com/token", **changes: object) -> str:
    """A service account's key file."""
    given: dict[str, object] = {
        "type": "service_account",
        "project_id": "demo-shop",
        "private_key_id": "kid-1",
        "private_key": _PEM,
        "client_email": "push@demo-shop.iam.gserviceaccount.com",
        "token_uri": token_url,
        **changes,
    }
    return json.dumps(given)


KEY_FILE = key_file()


@dataclass
class Browser:
    """A browser that subscribed."""

    auth: bytes = b"0123456789abcdef"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def device(self, endpoint: str, name: str = "d1") -> Device:
        return Device(id=name, address=endpoint, public_key=point_of(self.key), auth=self.auth)

    def read(self, body: bytes) -> dict[str, Any]:
        shown: dict[str, Any] = msgspec.json.decode(decrypt(body, self.key, self.auth))
        return shown


def push(*devices: Device, **changes: Any) -> Push:
    """A message; every part can be changed."""
    given: dict[str, Any] = {
        "send_id": "7-0190c3a2-5e3b-7a11-8000-0123456789ab",
        "devices": devices,
        "title": "Dein Korb wartet",
        "body": "Größe 42 – noch da 😀",
        "url": "https://r.example/r/abc",
        "topic": "cart-0190c3a25e3b",
        "valid_for_s": 14_400,
        "icon": "https://shop.example/icon.png",
        "image": "https://shop.example/shoe.jpg",
        "actions": (PushAction("Zum Korb", "https://r.example/r/abc"),),
        "locale": "de",
        **changes,
    }
    return Push(**given)


async def send(provider: PushProvider, *messages: Push) -> list[Outcome]:
    """Expect, prepare, start and await, as the engine does."""
    provider.expect(messages)
    assert await provider.prepare(len(messages)) == len(messages)
    return [await future for future in provider.start(messages)]


def rules_for(url: str) -> EgressRules:
    """This machine as a push service."""
    return EgressRules(allow_loopback=True, push_hosts=(url,))


def taken(got: Got) -> Reply:
    return Reply.of(201, Location="https://push.example/m/1")


def unpack(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
