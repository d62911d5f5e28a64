"""What does a message on a screen say, in every language, and what does it leave out?"""

from __future__ import annotations

import pytest

from rekindle.providers.push.message_encryption import MAX_PLAIN
from rekindle.providers.push.web_push import payload
from rekindle.render.defaults import default_push
from rekindle.render.locales import LANGUAGES
from rekindle.render.merge import TemplateError
from rekindle.render.push import (
    MAX_BODY,
    MAX_TITLE,
    PushTemplate,
    compile_push,
    read_push_template,
    render_push,
)
from rekindle.render.sample import sample_facts
from tests.providers.push_kit import push


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_words_of_its_own(language: str) -> None:
    shown = render_push(compile_push(default_push(language)), sample_facts(locale=language))
    assert "Nordlicht Outdoor" in shown.title
    assert "Fjell" in shown.body
    assert "{" not in shown.title + shown.body + shown.button + shown.stop
    assert len(shown.button) < 25
    others = {default_push(other).body for other in LANGUAGES if other != language}
    assert default_push(language).body not in others


def test_the_longest_message_fits_into_what_a_push_service_takes() -> None:
    wide = "😀" * 400
    made = compile_push(PushTemplate(title=wide, body=wide, button=wide, stop=wide))
    shown = render_push(made, sample_facts())
    assert (len(shown.title), len(shown.body)) == (MAX_TITLE, MAX_BODY)
    link = "https://rekindle.shop.example/r/" + "x" * 60
    message = push(
        title=shown.title, body=shown.body, url=link, image="https://s.example/" + "x" * 982, icon=shown.icon
    )
    assert len(payload(message)) <= MAX_PLAIN


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"title": "x"}', '{"title": "x", "body": "y", "html": "z"}', "<mjml>"]
)
def test_what_is_no_push_template_says_so(text: str) -> None:
    with pytest.raises(TemplateError, match="push template"):
        read_push_template(text)


def test_a_fault_names_its_part() -> None:
    with pytest.raises(TemplateError, match="button, line 1"):
        compile_push(PushTemplate(title="a", body="b", button="{{ x"))
    with pytest.raises(TemplateError, match="body, line 1"):
        render_push(compile_push(PushTemplate(title="a", body="{{ nothing }}")), sample_facts())
    with pytest.raises(TemplateError, match="title, line 1: is empty"):
        render_push(compile_push(PushTemplate(title=" ", body="b")), sample_facts())
