"""How does a shopper leave? A page that changes nothing by being looked at, and a POST that counts at once.

RFC 8058: the mail program posts ``List-Unsubscribe=One-Click`` without cookies or a page; that ends the channel of the
message. The page's own form may also end everything. The opt-out is committed before the answer goes out.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from rekindle.engine.clicks import open_optout_link, record_use
from rekindle.engine.opt_out import opt_out
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink
from rekindle.terms.send import Channel, SendEventKind
from rekindle.terms.shop import ShopSettings
from rekindle.web import runtime
from rekindle.web.http import NO_STORE, Answer, Request, html_text, not_allowed
from rekindle.web.public import page
from rekindle.web.public.door import guarded, language_of, shop_of
from rekindle.web.public.targets import safe_target
from rekindle.web.public.words import Words

_MAX_FORM = 4_096


def unsubscribe(request: Request) -> Answer:
    """`/u/<token>`: GET and HEAD show the page, POST opts out."""
    if request.method not in ("GET", "HEAD", "POST"):
        return not_allowed("GET", "HEAD", "POST")
    token = request.path.removeprefix("/u/")
    handle = _opt_out if request.method == "POST" else _show
    return guarded("optout", request, lambda: handle(request, token), lambda: page.gone(language_of(request)))


def _show(request: Request, token: str) -> Answer | None:
    with runtime.database().control() as connection:
        found = _find(connection, token)
    if found is None:
        return None
    send, shop = found
    words = _words(request, send, shop)
    own = html_text(words(f"this_channel_{send.channel}"))
    body = (
        page.paragraph(words("optout_text", shop=shop.name))
        + '<form method="post">\n<fieldset>\n'
        + f'<label class="choice"><input type="radio" name="scope" value="channel" checked><span>{own}</span></label>\n'
        + '<label class="choice"><input type="radio" name="scope" value="everything">'
        + f"<span>{html_text(words('everything'))}</span></label>\n</fieldset>\n"
        + f'<button type="submit">{html_text(words("optout_button"))}</button>\n</form>\n'
        + page.paragraph(words("unchanged"), "soft")
        + f'<p><a href="/p/{html_text(token)}">{html_text(words("more_choices"))}</a></p>\n'
    )
    return page.page(200, words, title=words("optout_title"), body=body, shop=shop)


def _opt_out(request: Request, token: str) -> Answer | None:
    form = _form_of(request)
    is_one_click = "one-click" in form.get("list-unsubscribe", "").lower()
    everything = form.get("scope") == "everything" and not is_one_click
    context = runtime.context()
    now = context.clock.now()
    with runtime.database().control() as connection:
        found = _find(connection, token)
        if found is None:
            return None
        send, shop = found
        result = opt_out(
            connection,
            context,
            shop,
            bucket=send.bucket,
            shopper_id=send.shopper_id,
            channels=None if everything else [Channel(send.channel)],
            source="one-click" if is_one_click else "unsubscribe page",
            at=now,
        )
        record_use(connection, send, SendEventKind.UNSUBSCRIBED, at=now, detail={"link": "optout"})
    if is_one_click:
        return Answer(200, b"Unsubscribed.\n", headers=NO_STORE)
    return _done(_words(request, send, shop), send, shop, everything=everything, cancelled=result.cancelled_count)


def _done(words: Words, send: SendBehindLink, shop: ShopSettings, *, everything: bool, cancelled: int) -> Answer:
    what = words("everything" if everything else f"this_channel_{send.channel}")
    body = f'<p class="done" role="status">{html_text(words("done_text", what=what))}</p>'
    body += page.paragraph(words("cancelled", count=cancelled))
    home = safe_target(shop.url, shop)
    if home is not None:
        body += f'<p><a href="{html_text(home)}">{html_text(words("to_shop", shop=shop.name))}</a></p>'
    return page.page(200, words, title=words("done_title"), body=body, shop=shop)


def _find(connection: Connection, token: str) -> tuple[SendBehindLink, ShopSettings] | None:
    send = open_optout_link(connection, token)
    shop = shop_of(connection, send.shop_id) if send is not None else None
    return (send, shop) if send is not None and shop is not None else None


def _words(request: Request, send: SendBehindLink, shop: ShopSettings) -> Words:
    return language_of(request, str(send.context.get("locale") or ""), shop.locale)


def _form_of(request: Request) -> dict[str, str]:
    """The fields of the small form; empty for a body that is none. A POST opts out whatever it says."""
    body = request.read(_MAX_FORM) or b""
    if request.header("content-type").lower().startswith("multipart/"):  # RFC 8058 3.1 allows it
        return {"list-unsubscribe": "One-Click"} if b"one-click" in body.lower() else {}
    try:
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=10)
    except ValueError:
        return {}
    return {name.lower(): values[0] for name, values in fields.items()}
