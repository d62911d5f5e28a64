"""The letter of W3a: about 11 KB of HTML and 1.3 KB of text, unique per recipient, in three spellings.

Like compiled MJML, its body is one long line (a line of more than 998 characters must be encoded on the way, which
every builder of messages has to pay). One skeleton with marks. `ours` is it in the merge language, `django` in Django's (for the peer), and `reference` is the
finished letter by plain string replacement, which no template engine of either side has touched: what arrives is
compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

SUBJECT = "[NAME], your cart at [SHOP] is still here"

_FINE_PRINT = (
    "You get this message because you left something in your cart and agreed to be reminded. We write at most three"
    " times about one cart, and not at all once you have ordered. Prices and stock are those of the moment at which you"
    " left; at the till the prices of the day apply. The coupon is for you alone, cannot be combined with another one,"
    " and ends at midnight of the day it names. Returns are free for thirty days after delivery."
)
_ITEM = """<tr><td width="96" style="padding:16px 16px 16px 0;border-top:1px solid #e5e7eb">
<a href="[LINK]" target="_blank" style="text-decoration:none"><img src="[IMAGE]" width="80" height="80" alt=""
 style="display:block;border:0;border-radius:8px"></a></td>
<td style="padding:16px 0;border-top:1px solid #e5e7eb;font:400 16px/24px Helvetica,Arial,sans-serif;color:#111827">
<a href="[LINK]" target="_blank" style="color:#111827;text-decoration:none;font-weight:700">[TITLE]</a>
<div style="color:#6b7280;font-size:14px">Quantity [QUANTITY]</div></td>
<td align="right" style="padding:16px 0;border-top:1px solid #e5e7eb;font-weight:600;white-space:nowrap">[PRICE]</td></tr>"""
_STYLE = "".join(
    f".c{n}{{color:#{n:02x}{n * 2:02x}4f;margin:0 {n}px;padding:{n}px 0;font-size:{12 + n % 6}px;line-height:{20 + n % 6}px}}"
    "\n"
    for n in range(72)
)
_HEAD = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>[SHOP]</title><style>{_STYLE}
@media only screen and (max-width:480px){{.wide{{width:100%!important}}}}</style></head>
"""
_FONT = "Helvetica,Arial,sans-serif"
_BODY = f"""<body style="margin:0;padding:0;background:#f3f4f6"><table role="presentation" width="100%"><tr><td align="center">
<table role="presentation" class="wide" width="600" style="background:#ffffff;border-radius:12px;padding:32px">
<tr><td style="font:700 24px/32px {_FONT};color:#111827">Hello [NAME], shall we keep this for you?</td></tr>
<tr><td style="font:400 16px/24px {_FONT};color:#374151;padding:16px 0">You left [COUNT] pieces in your cart at
 [SHOP]. We have kept them; one press brings you back to where you were, on any device.</td></tr>
<tr><td><table role="presentation" width="100%">[FOR]{_ITEM}[END]
<tr><td colspan="2" style="padding:16px 0;font-weight:700">Together</td>
<td align="right" style="font-weight:700">[TOTAL]</td></tr></table></td></tr>
<tr><td align="center" style="padding:24px 0"><a href="[RECOVER]" target="_blank" style="background:#2f6f4f;
color:#ffffff;padding:14px 28px;border-radius:8px;font:700 16px/24px {_FONT};text-decoration:none">Back to my cart</a></td></tr>
<tr><td style="font:400 13px/20px {_FONT};color:#6b7280">{_FINE_PRINT} {_FINE_PRINT}</td></tr>
<tr><td style="font:400 13px/20px {_FONT};color:#6b7280;padding-top:16px">[SHOP] · [ADDRESS] ·
 <a href="[STOP]" style="color:#6b7280">Unsubscribe</a></td></tr></table></td></tr></table></body></html>"""
#: As compiled MJML is: the styles line by line, the body in one line.
HTML = _HEAD + _BODY.replace("\n", "") + "\n"
TEXT = f"""Hello [NAME],

you left [COUNT] pieces in your cart at [SHOP].

[FOR]* [TITLE] ([QUANTITY]): [PRICE]
  [LINK]
[END]
Together: [TOTAL]

Back to my cart: [RECOVER]

{_FINE_PRINT} {_FINE_PRINT[:330]}

[SHOP] · [ADDRESS]
Unsubscribe: [STOP]
"""

_OURS = {
    "NAME": "{{ shopper.first_name }}",
    "SHOP": "{{ shop.name }}",
    "COUNT": "{{ cart.item_count }}",
    "FOR": "{% for item in cart.items %}",
    "END": "{% endfor %}",
    "TITLE": "{{ item.title }}",
    "QUANTITY": "{{ item.quantity }}",
    "PRICE": "{{ item.line_cents|money(cart.currency, locale) }}",
    "LINK": "{{ links.items[loop.index0] }}",
    "IMAGE": "{{ item.image_url }}",
    "TOTAL": "{{ cart.total_cents|money(cart.currency, locale) }}",
    "RECOVER": "{{ links.recover }}",
    "STOP": "{{ links.unsubscribe }}",
    "ADDRESS": "{{ shop.postal_address }}",
}
_DJANGO = {
    **{mark: "{{ " + mark.lower() + " }}" for mark in ("NAME", "SHOP", "COUNT", "TOTAL", "RECOVER", "STOP", "ADDRESS")},
    "FOR": "{% for item in rows %}",
    "END": "{% endfor %}",
    **{mark: "{{ item." + mark.lower() + " }}" for mark in ("TITLE", "QUANTITY", "PRICE", "LINK", "IMAGE")},
}


def ours() -> tuple[str, str, str]:
    """Subject, HTML and text in the product's merge language."""
    return _marked(SUBJECT, _OURS), _marked(HTML, _OURS), _marked(TEXT, _OURS)


def django() -> tuple[str, str, str]:
    """The same in Django's template language, prices formatted beforehand."""
    return _marked(SUBJECT, _DJANGO), _marked(HTML, _DJANGO), _marked(TEXT, _DJANGO)


def reference(values: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> tuple[str, str, str]:
    """The finished letter. ``values`` and ``rows``: marks of the letter and of each row, unescaped."""
    html = _finished(HTML, _safe(values), [_safe(row) for row in rows])
    return _finished(SUBJECT, values, rows), html, _finished(TEXT, values, rows)


def _marked(text: str, marks: Mapping[str, str]) -> str:
    for mark, written in marks.items():
        text = text.replace(f"[{mark}]", written)
    return text


def _finished(text: str, values: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> str:
    head, found, rest = text.partition("[FOR]")
    if found:
        row, _, tail = rest.partition("[END]")
        text = head + "".join(_marked(row, one) for one in rows) + tail
    return _marked(text, values)


def _safe(values: Mapping[str, str]) -> dict[str, str]:
    return {mark: escape(value, quote=True).replace("&#x27;", "&#39;") for mark, value in values.items()}
