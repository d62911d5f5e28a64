"""How does the message read that asks an address to confirm? One page of text, one button, no marketing."""

from __future__ import annotations

from datetime import date
from html import escape
from typing import NamedTuple

from rekindle.render.confirmation_texts import plain_name, words_to_confirm
from rekindle.render.date_format import long_date
from rekindle.render.email import RenderedEmail
from rekindle.render.facts import text_color_on
from rekindle.render.merge import compile_template
from rekindle.render.plain import Facts
from rekindle.render.sms import CompiledSms, render_sms

_HTML = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{subject}</title></head>
<body style="margin:0;padding:24px;font:16px/1.5 Arial,sans-serif;color:#222;background:#fff">
<div style="max-width:560px;margin:0 auto">
<p>{why}</p>
<blockquote style="margin:16px 0;padding:0 0 0 16px;border-left:4px solid {color}">{agreed}</blockquote>
<p><a href="{link}" style="display:inline-block;padding:12px 24px;background:{color};color:{ink};text-decoration:none">
{button}</a></p>
<p>{not_you} {until}</p>
<hr style="border:0;border-top:1px solid #ccc">
<p style="font-size:13px;color:#555">{sender}<br>{address}</p>
</div></body></html>
"""


class Asked(NamedTuple):
    """What a confirmation is about. ``agreed``: the sentence, word for word; ``until``: the last day of the link."""

    shop: str
    sender: str
    postal_address: str
    brand_color: str
    locale: str
    agreed: str
    link: str
    until: date


def confirmation_email(asked: Asked) -> RenderedEmail:
    words = words_to_confirm(asked.locale)
    shop = plain_name(asked.shop)
    until = words["until"].format(date=long_date(asked.until.isoformat(), asked.locale))
    said = {
        "subject": words["subject"].format(shop=shop),
        "why": words["why"].format(shop=shop),
        "agreed": asked.agreed,
        "link": asked.link,
        "button": words["button"],
        "not_you": words["not_you"],
        "until": until,
        "sender": asked.sender,
        "address": ", ".join(asked.postal_address.split("\n")),
        "language": asked.locale.replace("_", "-").partition("-")[0] or "en",
        "color": asked.brand_color,
        "ink": text_color_on(asked.brand_color),
    }
    text = (
        f"{said['why']}\n\n  {said['agreed']}\n\n{said['button']}:\n{said['link']}\n\n{said['not_you']} {until}\n\n"
        f"-- \n{said['sender']}\n{said['address']}\n"
    )
    html = _HTML.format(**{name: escape(value, quote=True) for name, value in said.items()})
    return RenderedEmail(subject=said["subject"], html=html, text=text)


def confirmation_sms(shop: str, locale: str, link: str) -> str:
    """The text, in the characters that one price is paid for where the language allows it."""
    source = words_to_confirm(locale)["sms"]
    text = source.replace("{shop}", "{{ shop }}").replace("{link}", "{{ link }}")
    compiled = CompiledSms(compile_template(text, kind="text"))
    return render_sms(compiled, Facts({"shop": plain_name(shop)[:30], "link": link}))
