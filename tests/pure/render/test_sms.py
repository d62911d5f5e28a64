"""Text messages: how they read, what they cost, and what stops them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.render.defaults.sms import default_sms
from rekindle.render.merge import TemplateError
from rekindle.render.plain import Facts
from rekindle.render.sample import SAMPLE_SHOP, sample_facts
from rekindle.render.sms import compile_sms, lint_sms, render_sms, segments

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")
LINK = "https://carts.nordlicht-outdoor.example/r/" + "x" * 24


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 164, 2),
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 305, 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),  # the pair is not split: a septet of the first part stays empty
        ("ÄÖÜäöüßñ@£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæÉ¡§¿à\n", "GSM-7", 39, 1),
        ("á", "UCS-2", 1, 1),
        ("ж" * 70, "UCS-2", 70, 1),
        ("ж" * 71, "UCS-2", 71, 2),
        ("🛒" * 35, "UCS-2", 70, 1),
        ("🛒" * 36, "UCS-2", 72, 2),
        ("a" * 66 + "🛒" + "a" * 4, "UCS-2", 72, 2),
        ("’" + "a" * 70, "UCS-2", 71, 2),
    ],
)
def test_segments(text: str, encoding: str, units: int, count: int) -> None:
    found = segments(text)
    assert (found.encoding, found.units, found.count) == (encoding, units, count)


@given(st.text(max_size=400))
def test_a_longer_text_never_costs_less(text: str) -> None:
    assert segments(text).count <= segments(text + "a").count <= segments(text + "a").units + 1


def test_typographic_characters_do_not_double_the_price() -> None:
    text = "“It’s here” – now…\u00a0go"
    sent = render_sms(compile_sms(text), Facts({}))
    assert sent == '"It\'s here" - now... go'
    assert segments(sent).encoding == "GSM-7"


def test_an_empty_text_and_a_hole_are_refused() -> None:
    with pytest.raises(TemplateError):
        render_sms(compile_sms("{{ first_name | default('') }}"), Facts({"first_name": ""}))
    with pytest.raises(TemplateError):
        render_sms(compile_sms("Hi {{ shopper.nobody }}"), sample_facts())


def test_control_characters_of_a_shops_data_do_not_reach_a_phone() -> None:
    assert render_sms(compile_sms("{{ t }}"), Facts({"t": "a\x07b\r\nc"})) == "a b\nc"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_default_text_is_one_segment_and_passes(language: str) -> None:
    facts = sample_facts(shop=replace(SAMPLE_SHOP, name="Nordlicht Outdoor"), locale=language, recover=LINK)
    text = render_sms(compile_sms(default_sms(language)), facts)
    assert lint_sms(text, facts) == ()
    size = segments(text)
    assert (size.encoding, size.count) == ("GSM-7", 1), text


@pytest.mark.parametrize(
    ("template", "codes"),
    [
        ("{{ shop.name }} {{ links.recover }} STOP", []),
        ("{{ shop.name }} {{ links.recover }} {{ links.unsubscribe }}", []),
        ("{{ links.recover }} STOP", ["sender_missing"]),
        ("{{ shop.name }} STOP", ["recover_missing"]),
        ("{{ shop.name }} {{ links.recover }}", ["unsubscribe_missing"]),
        ("{{ shop.name }} {{ links.recover }} do not stop", ["unsubscribe_missing"]),
        ("{{ shop.name }} {{ links.recover }} NONSTOP", ["unsubscribe_missing"]),
        ("{{ shop.name }} {{ links.recover }} STOP" + " more words" * 30, ["too_long"]),
        ("{{ shop.name }} {{ links.recover }} STOP " + "ж" * 60, []),
        ("{{ shop.name }} {{ links.recover }} STOP " + "ж" * 90, ["too_long"]),
    ],
)
def test_what_stops_a_text_message(template: str, codes: list[str]) -> None:
    facts = sample_facts()
    assert [finding.code for finding in lint_sms(render_sms(compile_sms(template), facts), facts)] == codes
