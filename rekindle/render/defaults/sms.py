"""What does a shop text that has not written anything itself? One segment for most names, in eight languages."""

from __future__ import annotations

from typing import Final

from rekindle.render.locales import language_of

_TEXTS: Final = {
    "en": "{{ shop.name }}: your cart is still here: {{ links.recover }} Reply STOP to opt out",
    "de": "{{ shop.name }}: Dein Warenkorb wartet: {{ links.recover }} Abmelden: STOP antworten",
    "fr": "{{ shop.name }} : votre panier est ici : {{ links.recover }} STOP pour se désabonner",
    "es": "{{ shop.name }}: tu carrito te espera: {{ links.recover }} Responde STOP para salir",
    "it": "{{ shop.name }}: il tuo carrello è qui: {{ links.recover }} Rispondi STOP per uscire",
    "pt": "{{ shop.name }}: o seu carrinho espera: {{ links.recover }} Responda STOP para sair",
    "nl": "{{ shop.name }}: je winkelwagen wacht: {{ links.recover }} Afmelden? Antwoord STOP",
    "pl": "{{ shop.name }}: Twoj koszyk czeka: {{ links.recover }} Rezygnacja: odpisz STOP",
}


def default_sms(locale: str) -> str:
    """The text in the language that fits the locale, in the merge language.

    >>> default_sms("de-AT").startswith("{{ shop.name }}: Dein Warenkorb")
    True
    """
    return _TEXTS[language_of(locale)]
