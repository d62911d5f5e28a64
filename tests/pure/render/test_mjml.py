"""MJML at save time: what is refused, and that merge tags come out as they went in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekindle.render.merge import TemplateError, compile_template, render
from rekindle.render.merge_guard import hide
from rekindle.render.mjml import compile_mjml
from rekindle.render.plain_text import html_to_text


def letter(inside: str, head: str = "") -> str:
    return f"<mjml><mj-head>{head}</mj-head><mj-body>\n<mj-section><mj-column>{inside}</mj-column></mj-section></mj-body></mjml>"


def fill(source: str, **facts: object) -> str:
    return render(compile_template(compile_mjml(source), kind="html"), facts)  # type: ignore[arg-type]


def test_rows_of_a_table_repeat_inside_the_table() -> None:
    html = fill(
        letter(
            "<mj-table>{% for i in l %}<tr><td>{{ i }}</td></tr>{% endfor %}</mj-table>",
            head='<mj-style inline="inline">td { color: #123456 }</mj-style>',
        ),
        l=["A", "B"],
    )
    assert html.count("<tr><td") >= 2
    assert '<td style="color: #123456;">A</td></tr><tr><td style="color: #123456;">B</td>' in html
    assert html.count("<tbody>") == html.count("</tbody>")


def test_sections_repeat_when_the_loop_is_in_mj_raw() -> None:
    source = (
        "<mjml><mj-body><mj-raw>{% for i in l %}</mj-raw><mj-section><mj-column><mj-text>{{ i }}</mj-text></mj-column>"
        "</mj-section><mj-raw>{% endfor %}</mj-raw></mj-body></mjml>"
    )
    html = fill(source, l=["one", "two", "three"])
    assert [html.count(f">{word}<") for word in ("one", "two", "three")] == [1, 1, 1]


def test_comparison_signs_and_quotes_inside_tags_survive_all_compilers() -> None:
    inside = '<mj-text>{% if a < b and b > 1 %}{{ c|default("<none>") }}{% endif %}</mj-text><mj-button href="{{ url|default(\'https://x.example/?a=1&b=2\') }}">Go</mj-button>'
    for head in ("", '<mj-style inline="inline">.x { color: red }</mj-style>'):
        html = fill(letter(inside, head), a=1, b=2)
        assert "&lt;none&gt;" in html
        assert 'href="https://x.example/?a=1&amp;b=2"' in html


def test_inline_styles_are_applied_and_others_stay_for_the_dark() -> None:
    html = compile_mjml(
        letter(
            '<mj-text><p class="x">a</p></mj-text>',
            head='<mj-style inline="inline">.x { color: red }</mj-style><mj-style>@media (prefers-color-scheme: dark) { .x { color: blue !important } }</mj-style>',
        )
    )
    assert '<p class="x" style="color: red;">' in html
    assert "prefers-color-scheme: dark" in html


def test_nothing_is_loaded_from_other_hosts() -> None:
    html = compile_mjml(letter('<mj-text font-family="Ubuntu, Roboto">a</mj-text>'))
    assert "googleapis" not in html
    assert "//" not in html.replace("http://www.w3.org/", "").replace("<!--", "").replace("-->", "")


@pytest.mark.parametrize(
    ("inside", "line", "part"),
    [
        ("<mj-txt>a</mj-txt>", 2, "<mj-txt> is not an MJML tag"),
        ("\n<mj-include path='/etc/passwd' />", 3, "files are never read"),
        ("<mj-text>\n\n<script>x</script></mj-text>", 4, "<script> is not possible"),
        ("<mj-raw><iframe src='https://x.example'></iframe></mj-raw>", 2, "<iframe>"),
        ("<mj-raw><form></form></mj-raw>", 2, "<form>"),
        ("<mj-raw><link rel='stylesheet' href='https://x.example/a.css'></mj-raw>", 2, "<link>"),
        ("<mj-raw><meta http-equiv='refresh' content='0'></mj-raw>", 2, "<meta>"),
        ("<mj-text>\n<a onclick='x()'>a</a></mj-text>", 3, "onclick="),
        ("<mj-button href=' JavaScript:alert(1)'>a</mj-button>", 2, "http or https"),
        ("<mj-image src='data:image/png;base64,AAAA' />", 2, "http or https"),
        ("<mj-social><mj-social-element name='x'>a</mj-social-element></mj-social>", 2, "needs src"),
        ("<mj-text>\n<b>a</mj-text>", 3, "<b> is not closed"),
        ("<mj-text></b></mj-text>", 2, "is not closed before </b>"),
        ("<mj-text>{{ a </mj-text>", 2, "is not closed"),
        ("<mj-social>\n\n{% if a %}</mj-social>", 4, "cannot stand here"),
        ("<mj-accordion>\n<mj-text>a</mj-text></mj-accordion>", 3, "unexpected element"),
    ],
)
def test_what_no_letter_may_hold_is_refused_with_its_line(inside: str, line: int, part: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_mjml(letter(inside))
    assert (caught.value.line, part in caught.value.text) == (line, True), caught.value


@pytest.mark.parametrize(
    "source", ["", "hello", "<mjml>", "<mjml></mjml>x</p>", "<html></html>", "<mjml><mj-font/></mjml>"]
)
def test_what_is_no_mjml_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        compile_mjml(source)


def test_a_tag_that_the_compiler_drops_is_an_error_not_a_surprise() -> None:
    with pytest.raises(TemplateError, match="would be lost") as caught:
        compile_mjml(
            "<mjml><mj-body>\n<mj-section>\n<mj-column collor='{{ a }}'></mj-column></mj-section></mj-body></mjml>"
        )
    assert caught.value.line == 3


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", "{{ x }}", "{% if a < 'b' %}", "\n", "{# c\nd #}", "mergetag0x", " <b> "]), max_size=12
    )
)
def test_hiding_tags_is_undone_exactly(parts: list[str]) -> None:
    source = "".join(parts)
    hidden = hide(source)
    assert hidden.show(hidden.text) == source
    assert hidden.text.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a&nbsp;&amp; b</p>", "a\xa0& b\n"),
        ("<p>one</p><p>two</p>", "one\n\ntwo\n"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b\n"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/\n"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example\n"),
        ('<a href="https://x.example/c"><img src="i.png" alt="Your cart"></a>', "Your cart (https://x.example/c)\n"),
        ('<a href="https://x.example/c"><img src="i.png" alt=""></a>', "\n"),
        ("<head><title>t</title><style>p{}</style></head><body>x</body>", "x\n"),
        ('<div style="display:none">secret <b>pre</b></div><p>seen</p>', "seen\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
        ("a<br>b<br/>c<hr>d", "a\nb\nc\n\n----\n\nd\n"),
        ("<p>{% if a < b %}{{ x|default('<') }}{% endif %}</p>", "{% if a < b %}{{ x|default('<') }}{% endif %}\n"),
        ("<script>x</script></p></b>y", "y\n"),
        ("", "\n"),
    ],
)
def test_html_reads_as_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="<>/ap\"'=! -&;b\n", max_size=60))
def test_any_html_becomes_some_text(html: str) -> None:
    assert html_to_text(html).endswith("\n")
