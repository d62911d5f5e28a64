"""Which words does the default message in a browser or an app use in each language? No discount, no urgency."""

from __future__ import annotations

from typing import Final

from rekindle.render.push import PushTemplate

_SHOP = "{{ shop.name }}"
_FIRST = "{{ cart.items[0].title|truncate(60) }}"
_MORE = "{% if cart.item_count > 1 %}"

PUSH_TEXTS: Final[dict[str, PushTemplate]] = {
    "en": PushTemplate(
        title=f"Your cart at {_SHOP}",
        body=f"{_FIRST}{_MORE} and more{{% endif %}}: we kept it for you.",
        button="Return to your cart",
        stop="No more reminders",
    ),
    "de": PushTemplate(
        title=f"Dein Warenkorb bei {_SHOP}",
        body=f"{_FIRST}{_MORE} und mehr{{% endif %}}: Wir haben alles für dich aufgehoben.",
        button="Zum Warenkorb",
        stop="Keine Erinnerungen",
    ),
    "fr": PushTemplate(
        title=f"Votre panier chez {_SHOP}",
        body=f"{_FIRST}{_MORE} et plus{{% endif %}} : nous l’avons gardé pour vous.",
        button="Voir mon panier",
        stop="Plus de rappels",
    ),
    "es": PushTemplate(
        title=f"Tu carrito en {_SHOP}",
        body=f"{_FIRST}{_MORE} y más{{% endif %}}: te lo hemos guardado.",
        button="Ver mi carrito",
        stop="No más recordatorios",
    ),
    "it": PushTemplate(
        title=f"Il tuo carrello da {_SHOP}",
        body=f"{_FIRST}{_MORE} e altro{{% endif %}}: l’abbiamo conservato per te.",
        button="Vai al carrello",
        stop="Niente promemoria",
    ),
    "pt": PushTemplate(
        title=f"O seu carrinho em {_SHOP}",
        body=f"{_FIRST}{_MORE} e mais{{% endif %}}: guardámos tudo para si.",
        button="Ver o carrinho",
        stop="Sem lembretes",
    ),
    "nl": PushTemplate(
        title=f"Je winkelmand bij {_SHOP}",
        body=f"{_FIRST}{_MORE} en meer{{% endif %}}: we hebben het voor je bewaard.",
        button="Naar je winkelmand",
        stop="Geen herinneringen",
    ),
    "pl": PushTemplate(
        title=f"Twój koszyk w {_SHOP}",
        body=f"{_FIRST}{_MORE} i więcej{{% endif %}}: zachowaliśmy go dla Ciebie.",
        button="Wróć do koszyka",
        stop="Bez przypomnień",
    ),
}
