"""Whole letters: facts, the default letter in all languages, and the lint before sending."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import ClassVar

import pytest

from rekindle.render.defaults import STEPS, default_email, default_mjml, default_visit_email, default_visit_mjml
from rekindle.render.defaults.texts import TEXTS
from rekindle.render.defaults.visit_texts import VISIT_TEXTS
from rekindle.render.email import (
    EmailTemplate,
    EmailTemplateError,
    RenderedEmail,
    compile_email,
    email_variables,
    render_email,
)
from rekindle.render.facts import (
    MAX_SHOWN_ITEMS,
    CartFacts,
    FactsError,
    ItemFacts,
    LinkFacts,
    RecommendationFacts,
    ShopFacts,
    ShopperFacts,
    build_facts,
)
from rekindle.render.lint import Required, lint_before_send, lint_email, required_of
from rekindle.render.locales import LANGUAGES
from rekindle.render.mjml import compile_mjml
from rekindle.render.plain import Facts, plain_facts
from rekindle.render.sample import SAMPLE_SHOP, known_variables, sample_facts

LINKS = LinkFacts(
    recover="https://go.example/r/1", unsubscribe="https://go.example/u/1", preferences="https://go.example/p/1"
)


def item(number: int, **changes: object) -> ItemFacts:
    return replace(ItemFacts(title=f"Thing {number}", quantity=1, unit_cents=100, line_cents=100), **changes)  # type: ignore[arg-type]


def facts(items: int = 2, **changes: object) -> Facts:
    given: dict[str, object] = {
        "shop": SAMPLE_SHOP,
        "shopper": ShopperFacts(first_name="Ada"),
        "cart": CartFacts(
            items=[item(n) for n in range(items)], item_count=items, total_cents=100 * items, currency="EUR"
        ),
        "links": LINKS,
        **changes,
    }
    return build_facts(**given)  # type: ignore[arg-type]


VISIT = 0


def letter_source(step: int, language: str) -> tuple[EmailTemplate, str]:
    """A default letter and its MJML; step `VISIT` is the one about a visit."""
    if step == VISIT:
        return default_visit_email(language), default_visit_mjml(language)
    return default_email(step, language), default_mjml(step, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", [*STEPS, VISIT])
def test_the_default_letter_is_fit_to_leave(step: int, language: str) -> None:
    compiled = compile_email(letter_source(step, language)[0])
    for given in (
        sample_facts(step=step or 1, locale=language),
        sample_facts(step=step or 1, locale=language, first_name=""),
        facts(items=1, locale=language),
        facts(items=30, locale=language, shop=replace(SAMPLE_SHOP, logo_url="", support_email="")),
    ):
        letter = render_email(compiled, given)
        assert lint_email(letter, required_of(given)) == ()
        assert "\n" not in letter.subject
        assert len(letter.html) < 102 * 1024
        assert f'lang="{language}"' in letter.html


def test_the_default_letter_shows_what_is_in_the_cart_once() -> None:
    letter = render_email(compile_email(default_email(1, "de")), sample_facts(locale="de"))
    assert letter.subject == "Dein Warenkorb bei Nordlicht Outdoor"
    assert "Hallo Ada," in letter.html
    for words in ("Pine green · M", "149,00\xa0€", "Menge 2 · 24,50\xa0€", "215,90\xa0€", "Zurück zum Warenkorb"):
        assert letter.html.count(words) == 1, words
    assert 'alt="Trail rain jacket “Fjell”"' in letter.html
    assert "1-item2sample" in letter.html
    assert "Das könnte dazu passen" in letter.html
    assert "weiterer Artikel" not in letter.html


def test_the_letter_about_a_visit_shows_what_was_looked_at_and_speaks_of_no_cart() -> None:
    letter = render_email(compile_email(default_visit_email("en")), sample_facts())
    assert letter.subject == "Another look at Trail rain jacket “Fjell”?"
    for part in (letter.html, letter.text):
        assert "Trail rain jacket" in part
        assert "€149.00" in part
        assert "Back to the shop" in part
        assert "agreed to e-mails" in part
        for words in ("cart", "Quantity", "Total", "€215.90", "more items", "[["):
            assert words not in re.sub(r"<style.*?</style>|<!--.*?-->", "", part, flags=re.DOTALL), words
    assert set(VISIT_TEXTS) == set(TEXTS) == set(LANGUAGES)


def test_without_recommendations_there_is_no_heading_for_them() -> None:
    letter = render_email(compile_email(default_email(1, "en")), facts())
    assert "You may also like" not in letter.html
    assert "You may also like" not in letter.text


def test_a_large_cart_says_how_many_more_there_are() -> None:
    letter = render_email(compile_email(default_email(1, "en")), facts(items=MAX_SHOWN_ITEMS + 3))
    assert "and 3 more items" in letter.html
    assert "and 3 more items" in letter.text
    assert "Thing 19" in letter.html
    assert "Thing 20" not in letter.html


def test_the_fallback_for_the_name_reads_well_in_every_language() -> None:
    greetings = {
        language: render_email(
            compile_email(default_email(1, language)), sample_facts(locale=language, first_name="")
        ).text.split("\n")[2]
        for language in LANGUAGES
    }
    assert greetings == {
        "en": "Hi there,",
        "de": "Hallo,",
        "fr": "Bonjour,",
        "es": "Hola:",
        "it": "Ciao,",
        "pt": "Olá,",
        "nl": "Hallo,",
        "pl": "Cześć,",
    }


def test_a_hostile_name_stays_text() -> None:
    letter = render_email(
        compile_email(default_email(1, "en")), sample_facts(first_name='<a href="javascript:x">\r\nBcc: e@x')
    )
    assert "Hi &lt;a href=&quot;javascript:x&quot;&gt; Bcc: e@x," in letter.html
    assert lint_email(letter, required_of(sample_facts())) == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_default_letter_reads_only_known_facts_and_promises_nothing(language: str) -> None:
    for step in (*STEPS, VISIT):
        email, mjml = letter_source(step, language)
        assert email_variables(compile_email(email)) <= known_variables()
        words = mjml + str(TEXTS[language]) + str(VISIT_TEXTS[language])
        for promise in (
            "%25",
            "discount",
            "Rabatt",
            "hurry",
            "only today",
            "last chance",
            "rabais",
            "descuento",
            "sconto",
        ):
            assert promise not in words
        assert "[[" not in mjml


def test_every_picture_has_an_alt_text_and_every_tag_is_closed() -> None:
    class Reader(HTMLParser):
        pictures: ClassVar[list[dict[str, str | None]]] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "img":
                self.pictures.append(dict(attrs))

    reader = Reader()
    reader.feed(render_email(compile_email(default_email(1, "en")), sample_facts()).html)
    assert len(reader.pictures) == 7
    assert all(picture["alt"] for picture in reader.pictures)


def test_the_subject_is_one_line_and_not_endless() -> None:
    compiled = compile_email(EmailTemplate("{{ a }}\r\n {{ b }}", "", "<p>x</p>"))
    assert render_email(compiled, plain_facts({"a": "x\n\ty", "b": "z"})).subject == "x y z"
    assert len(render_email(compiled, plain_facts({"a": "x" * 500, "b": ""})).subject) == 200


def test_an_empty_subject_fails_the_letter() -> None:
    with pytest.raises(EmailTemplateError, match="subject"):
        render_email(compile_email(EmailTemplate("{{ a }}", "", "<p>x</p>")), plain_facts({"a": " "}))


@pytest.mark.parametrize("part", ["subject", "preheader", "html", "text"])
def test_a_fault_names_the_part(part: str) -> None:
    sources = {"subject": "s", "preheader": "p", "html": "<body>h</body>", "text": "t"}
    with pytest.raises(EmailTemplateError) as caught:
        compile_email(EmailTemplate(**{**sources, part: "\n{{ nope("}))
    assert (caught.value.part, caught.value.line) == (part, 2)
    compiled = compile_email(EmailTemplate(**{**sources, part: "{{ nope }}"}))
    with pytest.raises(EmailTemplateError, match='"nope" has no value') as missing:
        render_email(compiled, Facts({}))
    assert missing.value.part == ("html" if part == "preheader" else part)


def test_the_preheader_is_hidden_at_the_top_of_the_body() -> None:
    compiled = compile_email(EmailTemplate("s", "Look: {{ a }}", "<html><body class='x'><p>b</p></body></html>"))
    letter = render_email(compiled, plain_facts({"a": "<1>"}))
    assert letter.html.startswith("<html><body class='x'><div style=\"display:none;")
    assert "Look: &lt;1&gt;&#847;" in letter.html
    assert letter.text == "b\n"


def test_the_text_part_is_derived_when_none_was_written() -> None:
    html = compile_mjml(default_mjml(1, "en"))
    derived = render_email(compile_email(EmailTemplate("s", "", html)), sample_facts())
    for words in ("Hi Ada,", "Merino hiking socks, pack of two", "€215.90", "Return to your cart (https://go."):
        assert words in derived.text
    assert lint_email(derived, required_of(sample_facts())) == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"links": replace(LINKS, recover="javascript:alert(1)")}, "links.recover"),
        ({"links": replace(LINKS, unsubscribe="")}, "links.unsubscribe"),
        ({"links": replace(LINKS, preferences="http://")}, "links.preferences"),
        ({"links": replace(LINKS, recover="https://x.example/\r\nBcc: a")}, "links.recover"),
        ({"shop": replace(SAMPLE_SHOP, postal_address=" \n ")}, "shop.postal_address"),
        ({"shop": replace(SAMPLE_SHOP, name="")}, "shop.name"),
        ({"items": 0}, "cart.items"),
        ({"extra": {"cart": {}}}, "cart"),
    ],
)
def test_facts_without_which_no_letter_may_leave_are_demanded(changes: dict[str, object], field: str) -> None:
    with pytest.raises(FactsError, match=field):
        facts(**changes)  # type: ignore[arg-type]


def test_a_broken_picture_or_product_link_stops_no_letter() -> None:
    cart = CartFacts(
        items=[item(1, image_url="data:image/png;base64,x", url="ftp://x"), item(2, url="https://shop.example/2")],
        item_count=2,
        total_cents=200,
        currency="EUR",
    )
    offered = [RecommendationFacts(title="R", unit_cents=1, currency="EUR", url="https://shop.example/r")]
    values = facts(cart=cart, recommendations=offered).values
    assert values["cart"]["items"][0]["image_url"] == ""  # type: ignore[index,call-overload]
    assert values["links"]["items"] == [LINKS.recover, "https://shop.example/2"]  # type: ignore[index,call-overload]
    assert values["links"]["recommendations"] == ["https://shop.example/r"]  # type: ignore[index,call-overload]
    tracked = facts(links=replace(LINKS, items=["https://go.example/i/1"])).values
    assert tracked["links"]["items"] == ["https://go.example/i/1", LINKS.recover]  # type: ignore[index,call-overload]


def test_facts_are_plain_and_fresh() -> None:
    built = facts(extra={"offer": {"code": "X"}})
    assert plain_facts(built.values).values == built.values


def test_a_brand_color_that_is_none_falls_back_and_text_on_it_is_readable() -> None:
    def shop(color: str) -> dict[str, object]:
        return facts(shop=replace(SAMPLE_SHOP, brand_color=color)).values["shop"]  # type: ignore[return-value]

    assert shop("red;} body{display:none")["brand_color"] == "#1f2937"
    assert shop("#ffee00")["button_text_color"] == "#111827"
    assert shop("#003366")["button_text_color"] == "#ffffff"


GOOD = RenderedEmail(
    "Hi",
    '<a href="https://x.example/r?a=1&amp;b=2">Cart</a><a href="https://x.example/u">Stop</a><p>A&amp;B<br>Street 1</p>',
    "https://x.example/r?a=1&b=2 https://x.example/u A&B Street 1",
)
NEEDS = Required(
    recover_url="https://x.example/r?a=1&b=2",
    unsubscribe_url="https://x.example/u",
    sender_name="A&B",
    postal_lines=("Street 1",),
)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subject": " "}, "subject_missing"),
        ({"text": "\n"}, "text_missing"),
        ({"html": GOOD.html.replace("/u", "/x")}, "unsubscribe_missing"),
        ({"text": GOOD.text.replace("/u", "/x")}, "unsubscribe_missing"),
        ({"html": GOOD.html.replace("/r?", "/x?")}, "recover_missing"),
        ({"html": GOOD.html.replace("Street 1", "")}, "address_missing"),
        ({"text": GOOD.text.replace("A&B", "")}, "sender_missing"),
        ({"html": GOOD.html + "{{ x }}"}, "leftover_tag"),
        ({"subject": "{% if"}, "leftover_tag"),
        ({"html": GOOD.html + '<a href="">x</a>'}, "empty_link"),
        ({"html": GOOD.html + '<a href=" java\nscript:x">x</a>'}, "unsafe_link"),
        ({"html": GOOD.html + "<img src=data:image/png;base64,x alt=''>"}, "unsafe_link"),
        ({"html": GOOD.html + "<a HREF='&#106;avascript:x'>x</a>"}, "unsafe_link"),
    ],
)
def test_the_lint_finds_each_fault_alone(changes: dict[str, str], code: str) -> None:
    found = {finding.code for finding in lint_email(replace(GOOD, **changes), NEEDS)}
    assert code in found
    assert found <= {code, "sender_missing", "address_missing"} if code == "text_missing" else found == {code}


def test_what_varies_between_letters_is_looked_at_before_each_send() -> None:
    assert lint_before_send(GOOD, NEEDS) == ()
    assert [finding.code for finding in lint_before_send(replace(GOOD, text=GOOD.text + "{{ x"), NEEDS)] == [
        "leftover_tag"
    ]
    codes = [finding.code for finding in lint_before_send(RenderedEmail("", "", ""), NEEDS)]
    assert codes == [
        "subject_missing",
        "text_missing",
        "recover_missing",
        "unsubscribe_missing",
        "sender_missing",
        "address_missing",
    ]


def test_a_good_letter_has_no_findings_even_with_data_in_its_words() -> None:
    html = GOOD.html + "<p>Big data: a book. javascript: the good parts</p>"
    assert lint_email(replace(GOOD, html=html), NEEDS) == ()


def test_missing_requirements_are_errors_not_free_passes() -> None:
    none = Required(recover_url="", unsubscribe_url="", sender_name="", postal_lines=())
    codes = {finding.code for finding in lint_email(GOOD, none)}
    assert codes == {"recover_missing", "unsubscribe_missing", "sender_missing", "address_missing"}


def test_authors_are_warned_of_clipping_relative_links_and_pictures_without_alt() -> None:
    html = GOOD.html + '<img src="/a.png"><a href="/x">y</a>' + "x" * 105_000
    found = lint_email(replace(GOOD, html=html), NEEDS)
    assert [(finding.severity, finding.code) for finding in found] == [
        ("warning", "relative_link"),
        ("warning", "alt_missing"),
        ("warning", "too_large"),
    ]


def test_the_shop_facts_type_needs_an_address() -> None:
    with pytest.raises(TypeError):
        ShopFacts(name="x", url="https://x.example")  # type: ignore[call-arg]
