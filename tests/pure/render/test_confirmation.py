"""Does the question say who asks, what for and until when, in every language, and nothing else?"""

from __future__ import annotations

import re
from datetime import date

import pytest

from rekindle.policy.stop_words import Wish, wish_of
from rekindle.render.confirmation import Asked, confirmation_email, confirmation_sms
from rekindle.render.confirmation_texts import agreement, words_to_confirm
from rekindle.render.date_format import long_date
from rekindle.render.locales import LANGUAGES
from rekindle.render.sms import MAX_SEGMENTS, segments

LINK = "https://rekindle.shop.example/k/" + "x" * 24
#: How the text message asks to be answered.
YES = {"en": "YES", "de": "JA", "fr": "OUI", "es": "SI", "it": "SI", "pt": "SIM", "nl": "JA", "pl": "TAK"}


def asked(language: str, **changes: str) -> Asked:
    plain = Asked(
        shop="Fernweh <Outdoor> & Co",
        sender="Fernweh <Outdoor> & Co",
        postal_address="Hauptstr. 1\n10115 Berlin",
        brand_color="#2f6f4f",
        locale=language,
        agreed=agreement("email", "Fernweh <Outdoor> & Co", language),
        link=LINK,
        until=date(2026, 3, 9),
    )
    return plain._replace(**changes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_letter_says_all_of_it_in_both_parts(language: str) -> None:
    letter = confirmation_email(asked(language))
    words = words_to_confirm(language)
    assert letter.subject == words["subject"].format(shop="Fernweh <Outdoor> & Co")
    for part in (letter.text, letter.html.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")):
        for said in (asked(language).agreed, LINK, words["button"], words["not_you"], "10115 Berlin", "Hauptstr. 1"):
            assert said in part
        assert long_date("2026-03-09", language) in part
    assert f'<html lang="{language}">' in letter.html
    assert "<Outdoor>" not in letter.html
    assert letter.html.count("<a ") == 1, "one link, nothing to look at and nothing to buy"
    assert "<img" not in letter.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_can_be_answered_and_costs_no_more_than_two(language: str) -> None:
    text = confirmation_sms("Fernweh Outfitters", language, LINK)
    assert text.startswith("Fernweh Outfitters")
    assert LINK in text
    assert "STOP" in text
    assert re.search(rf"\b{YES[language]}\b", text)
    assert wish_of(YES[language], is_asked=True) is Wish.CONFIRM
    assert segments(text).count <= MAX_SEGMENTS, segments(text)


def test_every_language_says_everything() -> None:
    names = set(words_to_confirm("en"))
    assert all(set(words_to_confirm(language)) == names for language in LANGUAGES)
    assert len({words_to_confirm(language)["why"] for language in LANGUAGES}) == len(LANGUAGES)
