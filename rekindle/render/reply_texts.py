"""What is answered to a short message of a shopper? One sentence without any offer, in their language.

A confirmation names the sender and says what ended (47 CFR 64.1200(a)(12): no marketing in it); help says who writes,
how often, and how it ends (CTIA messaging principles 5.1.3).
"""

from __future__ import annotations

from typing import Final

MAX_NAME: Final = 30
#: Two parts of a message in the alphabet that all of these texts fit into.
MAX_ANSWER: Final = 306

_STOPPED: Final = {
    "en": "{shop}: You are unsubscribed and will get no more messages. Reply START to get them again.",
    "de": "{shop}: Sie sind abgemeldet und erhalten keine Nachrichten mehr. Mit START melden Sie sich wieder an.",
    "fr": "{shop} : vous êtes désabonné et ne recevrez plus de messages. Répondez START pour en recevoir à nouveau.",
    "es": "{shop}: se ha dado de baja y no recibirá más mensajes. Responda START para volver a recibirlos.",
    "it": "{shop}: iscrizione annullata, non riceverà altri messaggi. Risponda START per riceverli di nuovo.",
    "pt": "{shop}: a subscrição terminou e não receberá mais mensagens. Responda START para voltar a recebê-las.",
    "nl": "{shop}: u bent afgemeld en krijgt geen berichten meer. Antwoord START om ze weer te krijgen.",
    "pl": "{shop}: wypisano. Nie otrzymasz już wiadomości. Odpisz START, aby otrzymywać je ponownie.",
}
_HELP: Final = {
    "en": "{shop}: reminders about the cart you left, at most one per cart. Msg & data rates may apply."
    " Help: {contact}. Reply STOP to end.",
    "de": "{shop}: Erinnerungen an Ihren Warenkorb, höchstens eine je Warenkorb. Hilfe: {contact}. Abmelden mit STOP.",
    "fr": "{shop} : rappels de votre panier, un au plus par panier. Aide : {contact}. STOP pour ne plus en recevoir.",
    "es": "{shop}: recordatorios de su carrito, uno como máximo por carrito. Ayuda: {contact}. STOP para terminar.",
    "it": "{shop}: promemoria del carrello, al massimo uno per carrello. Aiuto: {contact}. STOP per terminare.",
    "pt": "{shop}: lembretes do seu carrinho, no máximo um por carrinho. Ajuda: {contact}. STOP para terminar.",
    "nl": "{shop}: herinneringen aan uw winkelwagen, hooguit één per wagen. Hulp: {contact}. STOP om te eindigen.",
    "pl": "{shop}: przypomnienia o koszyku, najwyżej jedno na koszyk. Pomoc: {contact}. Odpisz STOP, aby zakończyć.",
}


def stopped_text(shop: str, locale: str) -> str:
    """
    >>> stopped_text("Fernweh", "de-AT")
    'Fernweh: Sie sind abgemeldet und erhalten keine Nachrichten mehr. Mit START melden Sie sich wieder an.'
    """
    return _said(_STOPPED, locale).format(shop=_name(shop))[:MAX_ANSWER]


def help_text(shop: str, contact: str, locale: str) -> str:
    """``contact``: where a person answers, an address or a page."""
    return _said(_HELP, locale).format(shop=_name(shop), contact=contact[:120])[:MAX_ANSWER]


def _said(texts: dict[str, str], locale: str) -> str:
    return texts.get(locale.replace("_", "-").partition("-")[0].lower(), texts["en"])


def _name(shop: str) -> str:
    return " ".join(shop.split())[:MAX_NAME]
