"""A token has one spelling, and comes apart into what it was made of."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from rekindle.lib.tokens import Purpose, TokenParts, hash_of, make_token, read_token, secret_of, take_apart


@given(st.integers(0, 1023), st.uuids(), st.binary(min_size=16, max_size=16))
def test_a_token_is_taken_apart_into_what_it_was_made_of(bucket: int, send_id: UUID, seed: bytes) -> None:
    token = make_token(bucket, send_id, seed, Purpose.LINK)
    secret_hash = hash_of(secret_of(seed, Purpose.LINK))
    assert take_apart(token) == (bucket, send_id.bytes, secret_hash)
    assert read_token(token) == TokenParts(bucket, send_id, secret_hash)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 45), st.sampled_from("+/=!\n\0 ~B"))
def test_no_other_spelling_opens_anything(raw: bytes, place: int, sign: str) -> None:
    token = make_token(7, UUID(bytes=raw[:16]), raw[16:], Purpose.LINK)
    other = token[:place] + sign + token[place + 1 :]
    found = take_apart(other)
    assert found is None or (sign == "B" and place < 45 and (other == token or found != take_apart(token)))
    assert take_apart(token + "==") is take_apart(token[:-1]) is None
