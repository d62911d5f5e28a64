"""How does an address confirm that it agreed? A page that changes nothing by being looked at, and a button.

`/k/<token>`: mail programs and scanners follow every link, so only a POST confirms. It is in the ledger before the
answer goes out. Nothing on the page says whose address it is.
"""

from __future__ import annotations

from rekindle.engine.double_opt_in import Receipt, confirm, open_confirm_link, question_of
from rekindle.lib.traces import browser_of, network_of
from rekindle.render.confirmation_texts import plain_name, words_to_confirm
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink
from rekindle.terms.shop import ShopSettings
from rekindle.web import runtime
from rekindle.web.http import Answer, Request, html_text, not_allowed
from rekindle.web.public import page
from rekindle.web.public.door import guarded, language_of, shop_of
from rekindle.web.public.targets import safe_target
from rekindle.web.public.words import Words


def confirm_consent(request: Request) -> Answer:
    """`/k/<token>`: GET and HEAD show the page, POST confirms."""
    if request.method not in ("GET", "HEAD", "POST"):
        return not_allowed("GET", "HEAD", "POST")
    token = request.path.removeprefix("/k/")
    handle = _confirm if request.method == "POST" else _show
    return guarded("confirm", request, lambda: handle(request, token), lambda: page.gone(language_of(request)))


def _show(request: Request, token: str) -> Answer | None:
    with runtime.database().control() as connection:
        found = _find(connection, token)
    if found is None:
        return None
    send, shop = found
    words, question = _words(request, send, shop), question_of(send)
    assert question is not None, "only a send that asks is found"
    said = words_to_confirm(words.language)
    body = (
        page.paragraph(said["page_text"])
        + f"<blockquote>{html_text(question.agreed)}</blockquote>\n"
        + f'<form method="post"><button type="submit">{html_text(said["button"])}</button></form>\n'
        + page.paragraph(said["page_unchanged"], "soft")
    )
    return page.page(200, words, title=said["page_title"].format(shop=plain_name(shop.name)), body=body, shop=shop)


def _confirm(request: Request, token: str) -> Answer | None:
    receipt = Receipt("link", network_of(request.remote), browser_of(request.header("user-agent")))
    with runtime.database().control() as connection:
        found = _find(connection, token)
        if found is None:
            return None
        send, shop = found
        if not confirm(connection, runtime.context(), shop, send, receipt):
            return None
    words = _words(request, send, shop)
    said = words_to_confirm(words.language)
    body = f'<p class="done" role="status">{html_text(said["done_text"])}</p>'
    home = safe_target(shop.url, shop)
    if home is not None:
        body += f'<p><a href="{html_text(home)}">{html_text(words("to_shop", shop=shop.name))}</a></p>'
    return page.page(200, words, title=said["done_title"], body=body, shop=shop)


def _find(connection: Connection, token: str) -> tuple[SendBehindLink, ShopSettings] | None:
    send = open_confirm_link(connection, token, now=runtime.context().clock.now())
    shop = shop_of(connection, send.shop_id) if send is not None else None
    return (send, shop) if send is not None and shop is not None else None


def _words(request: Request, send: SendBehindLink, shop: ShopSettings) -> Words:
    return language_of(request, str(send.context.get("locale") or ""), shop.locale)
