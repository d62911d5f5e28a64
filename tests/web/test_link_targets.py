"""A link of a message leads to its own shop or nowhere."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.terms.shop import ShopSettings
from rekindle.web.public.targets import restore_target, safe_target
from rekindle.web.public.words import _WORDS, words_for

SHOP = ShopSettings(
    id=1,
    slug="f",
    name="Fernweh",
    url="https://www.fernweh.example",
    restore_url="https://shop.fernweh.example:8443/cart?a=1#x",
)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://fernweh.example/p/1?x=%20y#z", "https://fernweh.example/p/1?x=%20y#z"),
        ("https://www.fernweh.example", "https://www.fernweh.example"),
        ("https://checkout.fernweh.example/c", "https://checkout.fernweh.example/c"),
        ("https://shop.fernweh.example:8443/x", "https://shop.fernweh.example:8443/x"),
        ("https://FERNWEH.example/ä b", "https://FERNWEH.example/%C3%A4%20b"),
    ],
)
def test_the_shop_s_own_addresses_are_followed(url: str, target: str) -> None:
    assert safe_target(url, SHOP) == target


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "/relative",
        "//evil.example/",
        "https:/evil.example",
        "https:evil.example",
        "https://evil.example/",
        "https://fernweh.example.evil.example/",
        "https://evilfernweh.example/",
        "https://fernweh.example@evil.example/",
        "https://evil.example\\@fernweh.example/",
        "https://evil.example\\.fernweh.example/",
        "https://evil.example#.fernweh.example",
        "https://evil.example?.fernweh.example",
        "https://fernweh.example:evil/",
        "https://fernweh.example:99999/",
        "http://fernweh.example/",
        "https://fernweh.example:8443/",
        "https://fernweh.example/\r\nSet-Cookie: a=b",
        "https://fernweh.example/\x00",
        "\thttps://evil.example",
        "javascript:alert(1)//fernweh.example",
        "data:text/html,x",
        "https://ｅvil.example/",
        "https://fernweh。example.evil.example/",
        "https://fernweh.exаmple/",
        "https://[::1]/",
        "https://[fernweh.example]/",
        "https://fernweh.example./",
        "https://" + "a" * 5_000,
    ],
)
def test_every_other_address_leads_nowhere(url: str | None) -> None:
    assert safe_target(url, SHOP) is None


@given(st.text() | st.text(alphabet="htps:/\\.@#?%feranwexmpl evil\r\n").map(lambda tail: "https://" + tail))
def test_whatever_the_text_it_leads_to_the_shop_or_nowhere(url: str) -> None:
    target = safe_target(url, SHOP)
    if target is not None:
        host = urlsplit(target).hostname or ""
        assert host == "fernweh.example" or host.endswith(".fernweh.example")
        assert target.isascii()
        assert target.isprintable()


def test_the_token_joins_the_cart_page_s_own_query() -> None:
    assert restore_target(SHOP, "tok") == "https://shop.fernweh.example:8443/cart?a=1&rekindle_cart=tok#x"
    bare = ShopSettings(id=1, slug="f", name="F", url="https://f.example")
    assert restore_target(bare, "tok") == "https://f.example/?rekindle_cart=tok"
    old = ShopSettings(
        id=1, slug="f", name="F", url="https://f.example", restore_url="https://f.example/c?rekindle_cart=old"
    )
    assert restore_target(old, "tok") == "https://f.example/c?rekindle_cart=tok"
    assert restore_target(ShopSettings(id=1, slug="f", name="F"), "tok") is None


def test_every_language_has_every_sentence_with_its_values() -> None:
    import re

    english = {name: sorted(re.findall(r"{(\w+)}", text)) for name, text in _WORDS["en"].items()}
    for language, words in _WORDS.items():
        assert {name: sorted(re.findall(r"{(\w+)}", text)) for name, text in words.items()} == english, language


def test_the_browser_s_first_known_language_is_spoken() -> None:
    assert words_for("", "sv, pl;q=0.8, en;q=0.5").language == "pl"
    assert words_for("", "en-GB, de").language == "en"
    assert words_for("fr-CA", "de").language == "fr"
    assert words_for("," * 10_000).language == "en"
