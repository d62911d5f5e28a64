"""Does our Signature Version 4 agree with Amazon's published examples?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rekindle.providers.aws_signature import AwsKey, authorization, signed_headers, signing_key
from rekindle.providers.http_client import Request

KEY = AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
DATE = ("X-Amz-Date", "20150830T123600Z")


def sign(request: Request) -> str:
    found = authorization(request, KEY, host="example.amazonaws.com", region="us-east-1", service="service")
    return found.rpartition("Signature=")[2]


def test_the_signing_key_of_the_documentation() -> None:
    key = signing_key(KEY.secret_key, "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


@pytest.mark.parametrize(
    ("request_", "signature"),
    [
        # AWS test suite: get-vanilla, get-vanilla-query-order-key-case, post-vanilla, post-header-key-sort
        (Request("GET", "/", (DATE,)), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            Request("GET", "/?Param2=value2&Param1=value1", (DATE,)),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (Request("POST", "/", (DATE,)), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            Request("POST", "/", (("My-Header1", "value1"), DATE)),
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
    ],
)
def test_the_published_test_suite(request_: Request, signature: str) -> None:
    assert sign(request_) == signature


def test_a_changed_body_changes_the_signature() -> None:
    assert sign(Request("POST", "/", (DATE,), b"a")) != sign(Request("POST", "/", (DATE,), b"b"))


def test_a_session_token_is_sent_and_signed() -> None:
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    key = AwsKey(KEY.access_key, KEY.secret_key, "token")
    signed = signed_headers(Request("POST", "/"), key, host="x.example", region="us-east-1", service="ses", at=at)
    headers = dict(signed.headers)
    assert headers["X-Amz-Security-Token"] == "token"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in headers["Authorization"]
    assert "token" not in repr(key)
