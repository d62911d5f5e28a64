"""Is every kind of tampering with a chain of hashes found, and nothing else?"""

from __future__ import annotations

import pytest

from rekindle.policy.chain import GENESIS, Link, first_fault, link_hash

KEY = b"k" * 32


def chain(length: int, *, key: bytes = KEY) -> list[Link]:
    links: list[Link] = []
    for seq in range(1, length + 1):
        previous = links[-1].own_hash if links else GENESIS
        fields = [seq, f"deed {seq}", {"b": 1, "a": [2]}]
        links.append(Link(seq, fields, previous, link_hash(key, previous, fields)))
    return links


def test_a_whole_chain_has_no_fault_whatever_heads_were_kept_on_its_way() -> None:
    whole = chain(20)
    assert first_fault(KEY, whole) is None
    assert first_fault(KEY, whole, {link.seq: link.own_hash for link in whole[::7]}) is None
    assert first_fault(KEY, []) is None


def test_the_place_of_a_change_is_named() -> None:
    whole = chain(9)
    changed = [*whole[:4], whole[4]._replace(fields=[5, "another deed", {}]), *whole[5:]]
    assert first_fault(KEY, changed) == "row 5 was changed"
    assert first_fault(KEY, whole[:3] + whole[4:]) == "row 4 is missing"
    assert first_fault(KEY, [whole[1], whole[0], *whole[2:]]) == "row 1 is missing"


def test_a_cut_end_is_seen_only_against_a_head_that_was_kept() -> None:
    whole = chain(9)
    assert first_fault(KEY, whole[:6]) is None
    fault = first_fault(KEY, whole[:6], {3: whole[2].own_hash, 9: whole[8].own_hash})
    assert fault == "the chain ends at row 6, before row 9, whose hash was kept elsewhere"


def test_who_has_the_key_and_makes_it_anew_is_found_by_the_head() -> None:
    whole, head = chain(9), {9: chain(9)[8].own_hash}
    forged: list[Link] = []
    for link in whole:
        previous = forged[-1].own_hash if forged else GENESIS
        fields = [link.seq, "innocent"] if link.seq == 5 else link.fields
        forged.append(Link(link.seq, fields, previous, link_hash(KEY, previous, fields)))
    assert first_fault(KEY, forged) is None
    assert first_fault(KEY, forged, head) == "row 9 is not the one whose hash was kept elsewhere"


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        link_hash(b"short", GENESIS, [])
