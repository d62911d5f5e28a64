"""The RFCs' own examples, byte for byte; and what is not whole or not for this key does not open."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from rekindle.lib.clock import MovableClock
from rekindle.providers.push.content_encoding import EncodingError, decode, encode, key_id_of
from rekindle.providers.push.message_encryption import MAX_PLAIN, decrypt, encrypt, point_of
from rekindle.providers.push.vapid import Vapid, load_private_key, make_private_key, public_key_of
from tests.providers.apis import CLOCK
from tests.providers.push_kit import Browser, unpack
from tests.providers.shared_contracts import load

# RFC 8291 section 5, RFC 8188 section 3: the examples themselves, so that they are tried wherever the tests run.
PLAIN = b"When I grow up, I want to be a watermelon"
AUTH = unpack("BTBZMqHH6r4Tts7J_aSIgg")
RECEIVER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = unpack("DGv6ra1nlYgDCS1FRnbzlw")
BODY = unpack(
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
    "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
ONE_RECORD = unpack("I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg")
TWO_RECORDS = unpack(
    "uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA"
)


def test_rfc8291_reads_and_writes_its_example_byte_for_byte() -> None:
    receiver, sender = load_private_key(RECEIVER), load_private_key(SENDER)
    assert decrypt(BODY, receiver, AUTH) == PLAIN
    assert encrypt(PLAIN, point_of(receiver), AUTH, sender=sender, salt=SALT) == BODY


def test_rfc8188_examples() -> None:
    secret = unpack("yqdlZ-tYemfogSmv7Ws5PQ")
    assert decode(ONE_RECORD, secret) == b"I am the walrus"
    assert encode(b"I am the walrus", secret, ONE_RECORD[:16]) == ONE_RECORD
    assert decode(TWO_RECORDS, unpack("BO3ZVPxUlnLORbVGMpbT1Q")) == b"I am the walrus"
    assert key_id_of(TWO_RECORDS) == b"a1"


def test_the_shared_vectors_say_the_same() -> None:
    found = load("webpush/rfc_vectors.json")
    message = found["rfc8291_5"]
    receiver, sender = load_private_key(message["receiver_private"]), load_private_key(message["sender_private"])
    auth, salt = unpack(message["auth_secret"]), unpack(message["salt"])
    assert point_of(receiver) == unpack(message["receiver_public"])
    written = encrypt(message["plaintext"].encode(), point_of(receiver), auth, sender=sender, salt=salt)
    assert written == unpack(message["body"])
    for name in ("rfc8188_3_1", "rfc8188_3_2"):
        assert decode(unpack(found[name]["body"]), unpack(found[name]["ikm"])).decode() == found[name]["plaintext"]
    signed = found["rfc8292_2_4"]
    assert verified(signed["jwt"], signed["public_key"]) == signed["claims"]


@pytest.mark.parametrize("size", [0, 1, 3, 7, 8, 9, 16, 24, 100, 4_000])
def test_any_length_comes_back_in_records_of_any_size(size: int) -> None:
    plain = bytes(i % 251 for i in range(size)) + b"\0\0"
    for record in (18, 25, 4_096):
        assert decode(encode(plain, b"k" * 16, b"s" * 16, record=record), b"k" * 16) == plain


def test_what_was_changed_or_cut_off_does_not_open() -> None:
    body = encode(b"x" * 40, b"k" * 16, b"s" * 16, record=25)
    for at in range(len(body)):
        changed = bytearray(body)
        changed[at] ^= 1
        with pytest.raises(EncodingError):
            decode(bytes(changed), b"k" * 16)
    for end in range(len(body)):
        with pytest.raises(EncodingError):
            decode(body[:end], b"k" * 16)


def test_another_browser_cannot_read_it() -> None:
    one, other = Browser(), Browser()
    body = encrypt(b"secret", point_of(one.key), one.auth)
    assert decrypt(body, one.key, one.auth) == b"secret"
    for key, auth in ((other.key, one.auth), (one.key, b"f" * 16)):
        with pytest.raises(EncodingError):
            decrypt(body, key, auth)
    assert encrypt(b"secret", point_of(one.key), one.auth) != body


def test_too_much_and_no_point_of_the_curve_are_refused() -> None:
    browser = Browser()
    assert len(encrypt(b"x" * MAX_PLAIN, point_of(browser.key), browser.auth)) == 4_096
    with pytest.raises(ValueError, match="at most 3993"):
        encrypt(b"x" * (MAX_PLAIN + 1), point_of(browser.key), browser.auth)
    for point in (b"", b"\x04" + b"\1" * 64, b"\x02" + b"\1" * 32, point_of(browser.key)[:-1]):
        with pytest.raises(ValueError, match=r".+"):
            encrypt(b"x", point, browser.auth)


def verified(token: str, public_key: str) -> object:
    head, body, signature = (unpack(part) for part in token.split("."))
    assert json.loads(head) == {"typ": "JWT", "alg": "ES256"}
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    assert len(signature) == 64
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unpack(public_key))
    key.verify(utils.encode_dss_signature(r, s), token.rpartition(".")[0].encode(), ec.ECDSA(SHA256()))
    return json.loads(body)


def test_a_push_service_gets_a_token_for_itself_and_the_key() -> None:
    key = make_private_key()
    vapid = Vapid(key, "mailto:shop@example.com", CLOCK)
    scheme, token, public = vapid.authorization("https://push.example").replace(",", "").split()
    assert scheme == "vapid"
    assert public == f"k={public_key_of(key)}"
    claims = verified(token.removeprefix("t="), public_key_of(key))
    now = int(CLOCK.now().timestamp())
    assert claims == {"aud": "https://push.example", "exp": now + 43_200, "sub": "mailto:shop@example.com"}
    assert vapid.authorization("https://other.example") != vapid.authorization("https://push.example")


def test_a_token_is_kept_until_its_last_hour() -> None:
    clock = MovableClock(CLOCK.now())
    vapid = Vapid(make_private_key(), "mailto:shop@example.com", clock)
    first = vapid.authorization("https://push.example")
    clock.advance(timedelta(seconds=11 * 3600 - 1))
    assert vapid.authorization("https://push.example") == first
    clock.advance(timedelta(seconds=2))
    assert vapid.authorization("https://push.example") != first


@pytest.mark.parametrize("text", ["", "abc", "ä", "A" * 43 + "!", "-----BEGIN PRIVATE KEY-----\nx\n-----END", "A" * 43])
def test_what_is_no_private_key_is_named_as_such(text: str) -> None:
    with pytest.raises(ValueError, match=r"VAPID private key|private|scalar"):
        load_private_key(text)
