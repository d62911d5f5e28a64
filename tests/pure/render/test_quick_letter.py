"""The quick way writes what the engine writes, letter by letter, or leaves the letter to it."""

from __future__ import annotations

import email.policy
import quopri
from dataclasses import replace
from datetime import UTC, datetime
from email.parser import BytesParser
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rekindle.render.defaults import STEPS, default_email
from rekindle.render.email import EmailTemplate, compile_email, render_email
from rekindle.render.lint import lint_before_send, required_of
from rekindle.render.locales import LANGUAGES
from rekindle.render.merge import TemplateError, compile_template, print_html, render
from rekindle.render.merge_program import Said, program
from rekindle.render.merge_syntax import read
from rekindle.render.mime import HeaderError, Letterhead, MailHeaders
from rekindle.render.plain import Facts, plain_facts
from rekindle.render.quick_letter import write_bare, write_for_mail
from rekindle.render.quoted_printable import cell, fold
from rekindle.render.sample import sample_facts

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 1_000_000),
    st.sampled_from(["", "a", "A&B", "<i>", "ü€", "x y", "1", "EUR", "."]),
    st.lists(st.sampled_from(["", "a", "b", "A&B"]), max_size=3),
)
PIECES = (
    "{{ a }}", "{{ a.b }}", "{{ l[0] }}", "{{ l[n] }}", "{{ l|length }}", "{{ n + 1 }}", "{{ n - m }}", "{{ a|upper }}",
    "{{ a|default('x') }}", "{{ n|money('EUR') }}", "{{ n|money(a, b) }}", "{{ a if n > m else b }}", "{{ l|join(', ') }}",
    "{{ a|truncate(3)|upper }}", "{{ n|plural('pl', '# a', '# b', '# c') }}", "{{ (n + 1)|money('EUR') }}", "{{ l|first }}",
    "{{ ['p', a][0] }}", "{{ -n }}", "{{ a and b or 'none' }}", "{{ not a }}", "{{ 'yes' if n is odd else 'no' }}",
    "{{ 'it\\'s \"q\" \\\\ €' }}", "{{ l[-1] }}", "{{ a.b if a.b is defined else 'u' }}", "{{ n + m|length }}",
    "{% if a %}", "{% if n == m %}", "{% if a in l %}", "{% if a not in b %}", "{% if n <= m and not a %}", "{% if n != a %}",
    "{% elif b %}", "{% else %}", "{% endif %}", "{%- if b -%}", "{%- endif -%}", "{% for x in l %}", "{% for x in a %}",
    "{% endfor %}", "{{ x }}", "{{ loop.index }}{{ loop.first }}", "{{ loop.index0 }}/{{ loop.length }}",
    "{% if not loop.last %}, {% endif %}", "{{ l[loop.index0] }}", "{#- c -#}", " text ", "\n", "\u2003 ", "=", ".", "From me\n",
)  # fmt: skip


def decoded(text: str) -> str:
    return quopri.decodestring(text.encode()).decode().replace("\r\n", "\n")


@settings(max_examples=1_500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), st.dictionaries(st.sampled_from("ablmn"), VALUES))
@example(["{{ n + m|length }}"], {"n": 1, "m": ["a"]})
@example(["{% for x in l %}", "{{ x }}", "{% else %}", "none", "{% endfor %}"], {"l": []})
def test_a_program_prints_what_the_engine_prints_or_nothing(parts: list[str], facts: dict[str, object]) -> None:
    source = "".join(parts)
    try:
        syntax = read(source)
    except TemplateError:
        return
    made, ready = program(syntax), plain_facts(facts)
    if made is None:
        return
    try:
        bare = "".join(made.with_style(str, lambda value: str(print_html(value)))(ready.values)[0])
        mail = "".join(made.with_style(fold, lambda value: cell(str(print_html(value))))(ready.values)[0])
    except Exception:  # the engine's turn
        return
    assert bare == render(compile_template(source, kind="html"), ready)
    assert decoded(mail) == bare


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("{{ a }}{% if a == 'x' %}y{% elif n >= 2 %}z{% endif %}", "xy"),
        ("{% for i in l %}{{ loop.index }}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}", "1p,2q"),
        ("{{ n|money('EUR', 'de') }} {{ l|length }}", "0,03\xa0€ 2"),
        ("a {%- if a -%} b {%- endif %} c", "ab c"),
    ],
)
def test_what_letters_do_is_in_reach(source: str, wanted: str) -> None:
    made = program(read(source))
    assert made is not None
    assert "".join(made.with_style(str, str)({"a": "x", "n": 3, "l": ["p", "q"]})[0]) == wanted


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in l %}{% for b in a %}{% endfor %}{% endfor %}",
        "{{ a is defined }}",
        "{{ a.class }}",
        "{{ n + m|length }}",
    ],
)
def test_what_is_rare_is_left_to_the_engine(source: str) -> None:
    assert program(read(source)) is None


def test_no_word_of_a_template_becomes_a_name_of_the_program() -> None:
    made = program(read("{{ F }}{{ len.x }}{{ p|upper }}{% for F in e %}{{ F }}{{ run }}{% endfor %}"))
    assert made is not None
    facts = {"F": 1, "len": {"x": 2}, "p": "p", "e": ["q"], "run": 4}
    assert "".join(made.with_style(str, str)(facts)[0]) == "12Pq4"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", STEPS)
def test_the_default_letters_are_written_quickly_and_alike(step: int, language: str) -> None:
    compiled = compile_email(default_email(step, language))
    assert compiled.quick is not None
    for facts in (sample_facts(locale=language), sample_facts(locale=language, first_name="Łucja & <Zoë>")):
        slow = render_email(compiled, facts)
        assert not lint_before_send(slow, required_of(facts))
        assert write_bare(compiled.quick, facts) == (slow.subject, slow.text, slow.html)
        mail = write_for_mail(compiled.quick, facts)
        assert mail is not None
        assert (mail[0], mail[1], decoded(mail[2])) == (slow.subject, slow.text, slow.html)


GOOD = EmailTemplate(
    "Hi {{ shopper.first_name|default('there') }}", "",
    '<a href="{{ links.recover }}">Cart</a> <a href="{{ links.unsubscribe }}">Stop</a> {{ shop.name }}'
    "{% for line in shop.postal_lines %}<br>{{ line }}{% endfor %}",
    "{{ links.recover }} {{ links.unsubscribe }} {{ shop.name }} {{ shop.postal_address }}",
)  # fmt: skip


def changed(**parts: str) -> EmailTemplate:
    return EmailTemplate(**{"subject": GOOD.subject, "preheader": "", "html": GOOD.html, "text": GOOD.text, **parts})


def test_a_whole_letter_is_written_quickly() -> None:
    compiled = compile_email(GOOD)
    assert compiled.quick is not None
    assert write_for_mail(compiled.quick, sample_facts()) is not None


@pytest.mark.parametrize(
    "template",
    [
        changed(html=GOOD.html.replace("links.unsubscribe", "links.preferences")),
        changed(html=GOOD.html.replace('"{{ links.recover }}"', "'{{ links.recover }}'")),
        changed(html=GOOD.html.replace("{{ shop.name }}", "{% if step > 9 %}{{ shop.name }}{% endif %}")),
        changed(html=GOOD.html.replace("{{ line }}", "{% if loop.first %}{{ line }}{% endif %}")),
        changed(text=GOOD.text.replace("{{ links.unsubscribe }}", "")),
        changed(text=GOOD.text.replace("{{ shop.postal_address }}", "")),
        changed(subject="{{ cart.items|join('') if step > 9 else '' }}"),
        changed(subject="{{ '{{' }}"),
        changed(subject="{{ cart.total_cents|upper }}"),
    ],
)
def test_what_is_not_fit_to_leave_is_never_written_quickly(template: EmailTemplate) -> None:
    quick = compile_email(template).quick
    assert quick is not None
    assert write_for_mail(quick, sample_facts()) is None


def test_a_value_that_looks_like_a_tag_is_left_to_the_lint() -> None:
    quick = compile_email(GOOD).quick
    assert quick is not None
    assert write_for_mail(quick, sample_facts(first_name="{{ x }}")) is None
    assert write_for_mail(quick, Facts({})) is None


@settings(max_examples=600, deadline=None)
@given(st.lists(TEXT, max_size=4))
@example([" \n", "\n", "=" * 80, "ü" * 80, "." * 200, "From x", "a" * 74 + "=.", "a " * 100 + "\n"])
def test_folded_pieces_join_to_what_they_were(texts: list[str]) -> None:
    wire = "".join(fold(text) for text in texts)
    expected = "".join(texts).replace("\r\n", "\n").replace("\r", "\n")
    if not any(a.endswith("\r") and b.startswith("\n") for a, b in pairwise(texts)):
        assert decoded(wire) == expected
    assert "".join(cell(text) for text in texts) == wire
    for line in wire.split("\r\n"):
        assert len(line) <= 76
        assert line.isascii()
        assert not line.startswith((".", "From "))
        assert "\r" not in line
        assert "\n" not in line
        assert not line.endswith((" ", "\t"))


HEAD = Letterhead(
    from_address="hello@shop.example", from_name="Größe & Co", reply_to="help@shop.example", list_id="carts.shop.example",
)  # fmt: skip
SENT = MailHeaders(
    from_address="", to_address="ada@example.com", subject="", date=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    message_id="0190-aa@go.shop.example", send_id="0190-aa", unsubscribe_url="https://go.shop.example/u/1-abc",
)  # fmt: skip
TEXT_PART = "Größe €\n.\nend\n"


def test_the_letterhead_writes_a_message_that_reads_back() -> None:
    raw = HEAD.message(SENT, subject="Größe €", text=TEXT_PART, html=fold("<p>Größe €</p>\n.x" + "y" * 2_000 + "\n"))
    assert raw.endswith(b"--\r\n")
    assert all(len(line) <= 78 and not line.startswith(b".") for line in raw.split(b"\r\n"))
    letter = BytesParser(policy=email.policy.default).parsebytes(raw)
    assert (letter["From"], letter["To"], letter["Reply-To"]) == (
        "Größe & Co <hello@shop.example>", "ada@example.com", "help@shop.example",
    )  # fmt: skip
    assert letter["Subject"] == "Größe €"
    assert letter["Message-ID"] == "<0190-aa@go.shop.example>"
    assert letter["List-Unsubscribe"] == "<https://go.shop.example/u/1-abc>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["List-Id"] == "<carts.shop.example>"
    assert letter["X-Rekindle-Send"] == "0190-aa"
    text, html = letter.get_payload()  # type: ignore[misc]
    assert text.get_content().replace("\r\n", "\n") == TEXT_PART  # type: ignore[union-attr]
    assert html.get_content().replace("\r\n", "\n").strip() == "<p>Größe €</p>\n.x" + "y" * 2_000  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change",
    [
        {"to_address": "a@b.example, c@d.example"},
        {"to_address": "a@b.example\r\nBcc: x@y.example"},
        {"send_id": "a b"},
        {"message_id": "a@b.example>\r\n"},
        {"unsubscribe_url": "https://x.example/ >"},
        {"date": datetime(2026, 3, 2)},  # noqa: DTZ001
    ],
)
def test_no_value_breaks_out_of_its_header(change: dict[str, object]) -> None:
    with pytest.raises(HeaderError):
        HEAD.message(replace(SENT, **change), subject="s", text="t", html="")  # type: ignore[arg-type]
    with pytest.raises(HeaderError):
        HEAD.message(SENT, subject="a\r\nBcc: x@y.example", text="t", html="")
    with pytest.raises(HeaderError):
        Letterhead(from_address="a@b.example\n")
    with pytest.raises(HeaderError):
        Letterhead(from_address="a@b.example", list_id="x.example>\r\n")


def test_what_was_said_is_told() -> None:
    made = program(read('<a href="{{ links.recover }}">{{ links.unsubscribe }}{{ shop.name }}'))
    assert made is not None
    said = made.with_style(str, str)({"links": {"recover": "r", "unsubscribe": "u"}, "shop": {"name": "s"}})[1]
    assert said == Said.RECOVER | Said.LINKED_RECOVER | Said.UNSUBSCRIBE | Said.SENDER
