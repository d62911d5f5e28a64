"""How does a text become a template that messages may use? Compiled, tried and judged when it is saved, never later.

A version is immutable. It can only be published after it was rendered with sample facts without a missing value and
without a finding that would block a message.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from rekindle.engine.context import Context
from rekindle.render.email import EmailTemplate, compile_email, render_email
from rekindle.render.lint import lint_email, required_of
from rekindle.render.merge import TemplateError
from rekindle.render.mjml import compile_mjml
from rekindle.render.push import PushTemplate, compile_push, render_push
from rekindle.render.sample import SAMPLE_SHOP, sample_facts
from rekindle.render.sms import compile_sms, lint_sms, render_sms
from rekindle.store import configuration
from rekindle.store.database import Connection
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_MJML = re.compile(r"\s*<mjml\b", re.IGNORECASE)
_log = logging.getLogger(__name__)


class TemplateRefusedError(ValueError):
    """The template cannot be used; the text says which part and why."""


class SavedTemplate(NamedTuple):
    """A stored version."""

    template_id: int
    version_id: int
    number: int


def save_email_template(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    key: str,
    name: str,
    subject: str,
    source: str,
    preheader: str = "",
    text: str = "",
    publish: bool = True,
    by: str = "",
) -> SavedTemplate:
    """Store the next version of an e-mail and, unless told otherwise, use it from now on.

    ``source``: MJML, or HTML that is kept as it is; an empty ``text`` is derived from it. Raises TemplateRefusedError;
    nothing is stored then.
    """
    _check_key(key)
    html = _html_of(source)
    _try_out(EmailTemplate(subject, preheader, html, text), shop.locale)
    content = {"subject": subject, "preheader": preheader, "source": source, "html": html, "text": text}
    return _store(connection, context, shop, _New(Channel.EMAIL, key, name, content, publish, by))


def save_sms_template(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    key: str,
    name: str,
    text: str,
    publish: bool = True,
    by: str = "",
) -> SavedTemplate:
    """Store the next version of a text message and, unless told otherwise, use it from now on.

    Tried out with this shop's name and addresses, for the length depends on them. Raises TemplateRefusedError; nothing
    is stored then.
    """
    _check_key(key)
    _try_out_sms(context, shop, text)
    content = {"subject": "", "preheader": "", "source": text, "html": "", "text": text}
    return _store(connection, context, shop, _New(Channel.SMS, key, name, content, publish, by))


def save_push_template(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    key: str,
    name: str,
    template: PushTemplate,
    publish: bool = True,
    by: str = "",
) -> SavedTemplate:
    """Store the next version of a message in browsers and apps and, unless told otherwise, use it from now on.

    Raises TemplateRefusedError; nothing is stored then.
    """
    _check_key(key)
    try:
        render_push(compile_push(template), sample_facts(locale=shop.locale))
    except TemplateError as fault:
        raise TemplateRefusedError(str(fault)) from None
    source = msgspec.json.encode(template).decode()
    content = {"subject": template.title, "preheader": "", "source": source, "html": "", "text": template.body}
    return _store(connection, context, shop, _New(Channel.PUSH, key, name, content, publish, by))


class _New(NamedTuple):
    """A version to be stored; ``content`` by column."""

    channel: Channel
    key: str
    name: str
    content: Mapping[str, str]
    publish: bool
    by: str


#: What a template of each channel is, to a person.
_CALLED: Final = {Channel.EMAIL: "e-mail", Channel.SMS: "text messages", Channel.PUSH: "push messages"}


def _store(connection: Connection, context: Context, shop: ShopSettings, new: _New) -> SavedTemplate:
    """The next version under a key and name. Raises TemplateRefusedError."""
    with connection.transaction():
        template_id, channel = configuration.put_template(connection, shop.id, new.key, new.name, new.channel.value)
        if channel != new.channel.value:
            wanted = _CALLED[new.channel]
            raise TemplateRefusedError(f"the template {new.key} is written for {channel}, not for {wanted}")
        version_id, number = configuration.insert_template_version(
            connection, template_id, new.content, context.clock.now(), new.by
        )
        if new.publish:
            configuration.publish_template_version(connection, template_id, version_id)
    facts = {"shop": shop.id, "template": new.key, "number": number, "published": new.publish, "by": new.by}
    _log.info("template_saved", extra={"facts": facts})
    return SavedTemplate(template_id, version_id, number)


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise TemplateRefusedError("a template key is 1 to 40 of a-z, 0-9, _ and -")


def _try_out_sms(context: Context, shop: ShopSettings, text: str) -> None:
    link = f"{context.public_url}/r/{'x' * 24}"
    facts = sample_facts(
        shop=replace(SAMPLE_SHOP, name=shop.name or SAMPLE_SHOP.name), locale=shop.locale, recover=link
    )
    try:
        rendered = render_sms(compile_sms(text), facts)
    except TemplateError as fault:
        raise TemplateRefusedError(str(fault)) from None
    errors = [finding.text for finding in lint_sms(rendered, facts)]
    if errors:
        raise TemplateRefusedError("; ".join(errors))


@lru_cache(maxsize=32)  # each new shop begins with the same few
def _html_of(source: str) -> str:
    if not _MJML.match(source):
        return source
    try:
        return compile_mjml(source)
    except TemplateError as fault:
        raise TemplateRefusedError(str(fault)) from None


@lru_cache(maxsize=32)
def _try_out(template: EmailTemplate, locale: str) -> None:
    """Render as a message would be; what would stop a message stops the version."""
    facts = sample_facts(locale=locale)
    try:
        rendered = render_email(compile_email(template), facts)
    except TemplateError as fault:
        raise TemplateRefusedError(str(fault)) from None
    errors = [finding.text for finding in lint_email(rendered, required_of(facts)) if finding.severity == "error"]
    if errors:
        raise TemplateRefusedError("; ".join(errors))
