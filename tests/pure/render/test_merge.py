"""The merge language: what a template may say, what it may not, and that a hole is never sent."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekindle.render.merge import (
    FUEL,
    MAX_OUTPUT_BYTES,
    TemplateError,
    _environment,
    compile_template,
    render,
    variables,
)
from rekindle.render.merge_syntax import MAX_TAGS
from rekindle.render.plain import Facts, plain_facts


def fill(source: str, kind: str = "text", **facts: object) -> str:
    return render(compile_template(source, kind="html" if kind == "html" else "text"), plain_facts(facts))


def refusal(source: str, **facts: object) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        fill(source, **facts)
    return caught.value


class Deletable:
    deleted = False

    def delete(self) -> str:
        Deletable.deleted = True
        return "gone"


@pytest.mark.parametrize(
    ("source", "facts", "wanted"),
    [
        ("Hi {{ name }}", {"name": "Ada"}, "Hi Ada"),
        ("{{ a.b.c }}", {"a": {"b": {"c": 3}}}, "3"),
        ("{{ l[0] }}{{ l[1] }}", {"l": ["x", "y"]}, "xy"),
        (
            "{% for i in l %}{{ loop.index }}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}",
            {"l": ["a", "b"]},
            "1a,2b",
        ),
        ("{% for i in l %}{{ i }}{% else %}none{% endfor %}", {"l": []}, "none"),
        ("{% if n > 1 %}many{% elif n == 1 %}one{% else %}zero{% endif %}", {"n": 1}, "one"),
        ("{{ 'yes' if n is odd else 'no' }}", {"n": 3}, "yes"),
        ("{{ n + 1 - 2 }}", {"n": 5}, "4"),
        ("{{ (a or b) if not c and d else 'x' }}", {"a": "", "b": "B", "c": False, "d": True}, "B"),
        ("{% if 'x' in l and 'z' not in l %}ok{% endif %}", {"l": ["x"]}, "ok"),
        ("a {%- if x %} b {% endif -%} c", {"x": 1}, "a b c"),
        ("a{# {{ nothing }} #}b", {}, "ab"),
        ("{{ 'it\\'s \"}}\" here' }}", {}, 'it\'s "}}" here'),
        ("}} %} {", {}, "}} %} {"),
        ("{{#}}", {}, None),
        ("{% for x in ['a', 'b'] %}{{ x|upper }}{% endfor %}", {}, "AB"),
        ("{{ l|first }}{{ l|last }}{{ l|length }}{{ l|join('-') }}", {"l": ["a", "b"]}, "ab2a-b"),
        ("line\n", {}, "line\n"),
        ("{{ cart.items|length }}", {"cart": {"items": [1, 2]}}, "2"),
    ],
)
def test_the_language_means_what_it_says(source: str, facts: dict[str, object], wanted: str | None) -> None:
    if wanted is None:
        refusal(source, **facts)
    else:
        assert fill(source, **facts) == wanted


def test_an_empty_string_is_false_and_takes_the_default() -> None:
    assert fill("{% if v %}shown{% endif %}|{{ v|default('there') }}", v="") == "|there"


def test_zero_is_a_value_and_keeps_it() -> None:
    assert fill("{{ n|default(5) }}", n=0) == "0"


@pytest.mark.parametrize(
    "source",
    [
        "{{ nope }}",
        "{{ a.nope }}",
        "{{ a.nope.deeper }}",
        "{{ nope|upper }}",
        "{{ nope|length }}",
        "{{ nope|money('EUR') }}",
        "{{ l[7] }}",
        "{% for i in nope %}{% endfor %}",
        "{% for i in l %}{{ i.nope }}{% endfor %}",
        "{{ nope|default(nope2) }}",
        "{{ none_value }}",
        "{{ nope if true else 'x' }}",
        "{{ 1 + nope }}",
        "{{ nope|plural('en', '#', '#') }}",
    ],
)
def test_a_missing_value_fails_the_render_and_prints_nothing(source: str) -> None:
    assert refusal("first line\n" + source, a={}, l=[{}], none_value=None).line == 2


@pytest.mark.parametrize(
    "source",
    [
        "{{ nope|default('x') }}",
        "{{ a.b.c|default('x') }}",
        "{% if nope %}y{% else %}x{% endif %}",
        "{% if nope.deep.er %}y{% else %}x{% endif %}",
        "{% if nope is defined %}y{% else %}x{% endif %}",
        "{% if nope == 'a' %}y{% else %}x{% endif %}",
        "{{ nope|default(other)|default('x') }}",
        "{{ 'y' if nope else 'x' }}",
        "{% for i in nope|default([]) %}y{% else %}x{% endfor %}",
    ],
)
def test_default_and_if_may_ask_for_what_is_missing(source: str) -> None:
    assert fill(source) == "x"


@pytest.mark.parametrize(
    ("source", "facts", "part"),
    [
        ("a\nb {{ cart.total }}", {"cart": {}}, '"cart.total" has no value'),
        ("\n\n{{ n|money('EUR') }}", {"n": "12"}, "needs an amount in minor units for money"),
        ("{% if a %}\n{% elif n|upper == 'X' %}{% endif %}", {"a": 0, "n": 3}, "needs a text for upper"),
        ("\n{{ 'a' - 1 }}", {}, "combines or compares values that do not fit"),
        ("\n{{ l }}", {"l": []}, "is a list or a group"),
        ("\n{{ b }}", {"b": True}, "is true or false"),
    ],
)
def test_an_error_names_line_and_expression_but_no_value(source: str, facts: dict[str, object], part: str) -> None:
    fault = refusal(source, **facts, secret="ada@example.com")
    assert fault.line == source.count("\n", 0, source.rindex("{{" if "{{" in source else "{% elif")) + 1
    assert part in fault.text
    assert "ada@" not in str(fault)


@pytest.mark.parametrize(
    "source",
    [
        "{{ o.delete() }}",
        "{{ cart.clear() }}",
        "{{ range(10) }}",
        "{{ (a)(b) }}",
        "{{ 'a'.upper() }}",
        "{{ l[0]() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 2 ** 100 }}",
        "{{ a ~ b }}",
        "{{ a % b }}",
        "{{ a / b }}",
        "{{ a.__class__ }}",
        "{{ _private }}",
        "{{ a['b'] }}",
        "{{ a|safe }}",
        "{{ a|attr('x') }}",
        "{{ a|map('upper') }}",
        "{% set x = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% raw %}{{ a }}{% endraw %}",
        "{% block a %}{% endblock %}",
        "{% call x() %}{% endcall %}",
        "{% do x %}",
        "{% autoescape false %}{% endautoescape %}",
        "{% filter upper %}a{% endfilter %}",
        "{% for a, b in c %}{% endfor %}",
        "{% for a in b if c %}{% endfor %}",
        "{% for a in b recursive %}{% endfor %}",
        "{% for loop in b %}{% endfor %}",
        "{{ {'a': 1} }}",
        "{{ a if b }}",
        "{{ a is callable }}",
        "{{ a|default(1, 2) }}",
        "{{ a|money }}",
        "{{ }}",
        "{{",
        "{{ a",
        "{% if a %}",
        "{% if a %}{% endfor %}",
        "{% endif %}",
        "{% else %}",
        "{% if a %}{% else %}{% else %}{% endif %}",
        "{% if %}{% endif %}",
        "{% for x in l %}{% elif a %}{% endfor %}",
        "{# open",
        "{{ 'open }}",
        "{{ a b }}",
        "{{ 1 < 2 < 3 }}",
        "{{ " + "(" * 40 + "a" + ")" * 40 + " }}",
        "{{ 1.5 }}",
        "{{ 99999999999999999999 }}",
        "{% for a in l %}" * 4 + "{% endfor %}" * 4,
    ],
)
def test_what_the_language_does_not_know_is_refused_when_compiled(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template("\n" + source, kind="html")
    assert caught.value.line == 2
    assert caught.value.text


def test_an_object_cannot_enter_a_template() -> None:
    for value in (Deletable(), date(2026, 1, 1), 1.5, b"x", {1, 2}, {1: 2}, {"a": {"b": Deletable()}}):
        with pytest.raises(TypeError, match=r"^o"):
            plain_facts({"o": value})
    assert not Deletable.deleted


def test_facts_are_copied_so_that_no_shared_list_is_reachable() -> None:
    shared = ["a"]
    facts = plain_facts({"l": shared})
    assert facts.values["l"] == ["a"]
    assert facts.values["l"] is not shared


DEEP: object = [[[[[[[[[[]]]]]]]]]]


@pytest.mark.parametrize("value", ["x" * 20_001, [0] * 1_001, 1 << 64, DEEP])
def test_facts_have_limits(value: object) -> None:
    with pytest.raises(ValueError, match=r"^a"):
        plain_facts({"a": value})


def test_control_characters_and_overrides_do_not_enter() -> None:
    assert fill("{{ a }}", a="x\x00\r\x1b[31m\u202ey\ud800\u200dz") == "x   [31m y \u200dz"


def test_nested_loops_run_out_of_fuel() -> None:
    items = list(range(400))
    fault = refusal("\n{% for a in l %}{% for b in l %}{% for c in l %}x{% endfor %}{% endfor %}{% endfor %}", l=items)
    assert "too much work" in fault.text


def test_a_large_result_is_refused_without_using_memory() -> None:
    text = "y" * 19_000
    assert "too much work" in refusal("{% for a in l %}{{ t }}{% endfor %}", l=list(range(400)), t=text).text
    assert "larger than 256 KB" in refusal("{% for a in l %}{{ t }}{% endfor %}", l=list(range(15)), t=text).text
    assert len(fill("{% for a in l %}{{ t }}{% endfor %}", l=list(range(13)), t=text)) < MAX_OUTPUT_BYTES
    assert "larger than 256 KB" in refusal("{{ t }}" * 7, t="€" * 19_000).text  # bytes count, not characters


def test_fuel_bounds_what_one_render_can_write() -> None:
    """One step per 64 bytes, so even the largest render stays within a few megabytes before it is stopped."""
    assert FUEL * 64 < 2_000_000
    raw = "z" * 400_000
    assert "too much work" in refusal("{% for a in l %}" + raw + "{% endfor %}", l=list(range(400))).text


def test_too_many_tags_are_refused() -> None:
    with pytest.raises(TemplateError, match="more than"):
        compile_template("{{ a }}" * (MAX_TAGS + 1), kind="text")
    with pytest.raises(TemplateError, match="longer than"):
        compile_template("a" * (512 * 1024 + 1), kind="text")


def test_html_is_escaped_and_text_is_not() -> None:
    value = "<b a=\"1\" c='2'>&amp;</b> https://x.example/?a=1&b=2"
    assert fill("{{ v }}", "html", v=value) == (
        "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;&lt;/b&gt; https://x.example/?a=1&amp;b=2"
    )
    assert fill("{{ v }}", v=value) == value
    assert fill("{{ v|default('<i>') }}{{ '<u>' }}", "html", v="") == "&lt;i&gt;&lt;u&gt;"


def test_variables_are_listed_with_loops_resolved() -> None:
    compiled = compile_template(
        "{{ shop.name }}{% for item in cart.items %}{{ item.title|default(other.x) }}{{ links.items[loop.index0] }}"
        "{% for tag in item.tags %}{{ tag }}{% endfor %}{% endfor %}{% if a.b == c %}{% endif %}{{ l[0].z }}",
        kind="html",
    )
    assert variables(compiled) == {
        "shop.name",
        "cart.items",
        "cart.items[].title",
        "other.x",
        "links.items[]",
        "cart.items[].tags",
        "cart.items[].tags[]",
        "a.b",
        "c",
        "l[].z",
    }


def test_a_comment_between_braces_cannot_make_a_tag() -> None:
    assert fill("{# x #}{ a }}", a=1) == "{ a }}"
    assert fill("{ {# x #}{# y #}{ a }}", a=1) == "{ { a }}"
    assert fill("x  {#- y -#}  z{# y #} ") == "xz "


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="{}%#-|.()[]'\"ab1 \n", max_size=40))
def test_any_source_either_compiles_or_is_refused_with_a_line(source: str) -> None:
    def outcome() -> TemplateError | str:
        try:
            return render(compile_template(source, kind="html"), Facts({"a": "1", "b": [], "ab": {}}))
        except TemplateError as fault:
            return fault

    result = outcome()
    assert isinstance(result, str) or 1 <= result.line <= source.count("\n") + 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_text_without_tags_comes_out_as_it_went_in(source: str) -> None:
    if "{{" in source or "{%" in source or "{#" in source:
        return
    assert fill(source.replace("\r", "")) == source.replace("\r", "")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_value_breaks_out_of_an_attribute_or_a_tag(value: str) -> None:
    out = fill('<a title="{{ v }}">', "html", v=value)
    inside = out.removeprefix('<a title="').removesuffix('">')
    assert not set(inside) & set("<>\"'")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc '\"\\}%{n\n", max_size=20))
def test_string_literals_survive_the_canonical_form(value: str) -> None:
    literal = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    assert fill("{{ " + literal + " ~ }}".replace(" ~", "")) == value


def test_the_form_that_finds_faults_prints_the_same() -> None:
    source = "{{ a|default(c)|upper if not d or e - 1 >= 2 else [1, 'x'][0] }}{%- for x in y -%} {{ x }}{% endfor %}{% if d %}{% elif e %}!{% endif %}"
    compiled = compile_template(source, kind="text")
    facts = plain_facts({"a": "", "c": "see", "d": 0, "e": 7, "y": ["1", "2"]})
    marked = _environment("text", compiled.syntax.marked)
    marked.add_global("_mark", lambda _index: True)
    assert render(compiled, facts) == marked.render_template("t", **facts.values) == "SEE12!"
