"""What does a page look like that a shopper sees? One column, the shop's colour, no script, no personal data.

It reads well without its style sheet, on any phone and by any screen reader.
"""

from __future__ import annotations

import re

from rekindle.render.facts import text_color_on
from rekindle.terms.shop import ShopSettings
from rekindle.web.http import Answer, html_text
from rekindle.web.public.words import Words

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
_PLAIN = (
    ":root{color-scheme:light dark}body{margin:0;padding:1.25rem;font:1.0625rem/1.55 system-ui,sans-serif}"
    "main{max-width:34rem;margin:0 auto}button,.button{min-height:3rem;padding:.6rem 1.4rem;font:inherit}"
)


def page(status: int, words: Words, *, title: str, body: str, shop: ShopSettings | None = None) -> Answer:
    """A whole page. ``title`` is text, ``body`` is HTML that is safe already."""
    color = shop.brand_color if shop is not None and _COLOR.fullmatch(shop.brand_color) else ""
    brand = ""
    if color:
        ink = text_color_on(color)
        brand = f"<style>button,.button{{background:{color};color:{ink}}}</style>\n"
    name = f'<p class="shop">{html_text(shop.name)}</p>' if shop is not None else ""
    heading = html_text(title)
    text = (
        f'<!doctype html>\n<html lang="{words.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="robots" content="noindex">\n<title>{heading}</title>\n<style>{_PLAIN}</style>\n'
        '<link rel="icon" href="/static/favicon.svg" type="image/svg+xml">\n'
        '<link rel="stylesheet" href="/static/dist/public.css">\n'
        f"{brand}</head>\n<body>\n<main>\n{name}\n<h1>{heading}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
    return Answer(status, text.encode(), "text/html; charset=utf-8", _HEADERS)


def paragraph(text: str, style: str = "") -> str:
    return f'<p class="{style}">{html_text(text)}</p>' if style else f"<p>{html_text(text)}</p>"


def gone(words: Words) -> Answer:
    """The one answer to every token that is not good, whatever is wrong with it."""
    return page(404, words, title=words("gone_title"), body=paragraph(words("gone_text")))


def wrong(words: Words) -> Answer:
    """The link's target is not the shop's own: nobody is sent there."""
    return page(400, words, title=words("gone_title"), body=paragraph(words("gone_text")))


def away(words: Words) -> Answer:
    answer = page(503, words, title=words("away_title"), body=paragraph(words("away_text")))
    return Answer(503, answer.body, answer.content_type, {**answer.headers, "Retry-After": "5"})


def too_many(words: Words) -> Answer:
    answer = page(429, words, title=words("away_title"), body=paragraph(words("away_text")))
    return Answer(429, answer.body, answer.content_type, {**answer.headers, "Retry-After": "2"})
