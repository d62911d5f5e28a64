"""Which words does the default letter about a visit use in each language? What it shares with carts is in `texts`.

A visit is less than a cart: nothing was chosen, so nothing is said to wait, to be kept or to run out. The same rules
for the texts hold as in `texts`; a new language needs an entry in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class VisitTexts:
    """One language."""

    subject: str
    preheader: str
    heading: str
    intro: str
    button: str
    why: str


_FIRST = "{{ cart.items[0].title|truncate(60) }}"
_SHOP = "{{ shop.name }}"

VISIT_TEXTS: Final[dict[str, VisitTexts]] = {
    "en": VisitTexts(
        f"Another look at {_FIRST}?",
        f"What you looked at in {_SHOP}, should you want to see it again.",
        "What you looked at",
        "You had a look around in our shop. If you would like to see these again, here they are.",
        "Back to the shop",
        f"You receive this e-mail because you agreed to e-mails from {_SHOP} and looked at these products there.",
    ),
    "de": VisitTexts(
        f"Noch ein Blick auf {_FIRST}?",
        f"Was du dir bei {_SHOP} angesehen hast, falls du es noch einmal sehen möchtest.",
        "Das hast du dir angesehen",
        "du hast dich bei uns umgesehen. Falls du diese Artikel noch einmal sehen möchtest: Hier sind sie.",
        "Zurück zum Shop",
        f"Du bekommst diese E-Mail, weil du E-Mails von {_SHOP} zugestimmt und dir dort diese Artikel angesehen hast.",
    ),
    "fr": VisitTexts(
        f"Revoir {_FIRST}\u00a0?",
        f"Ce que vous avez regardé chez {_SHOP}, si vous souhaitez le revoir.",
        "Ce que vous avez regardé",
        "Vous avez parcouru notre boutique. Si vous souhaitez revoir ces articles, les voici.",
        "Retourner à la boutique",
        f"Vous recevez cet e-mail parce que vous avez accepté les e-mails de {_SHOP} et y avez regardé ces articles.",
    ),
    "es": VisitTexts(
        f"¿Otro vistazo a {_FIRST}?",
        f"Lo que miraste en {_SHOP}, por si quieres verlo otra vez.",
        "Lo que estuviste mirando",
        "Estuviste mirando nuestra tienda. Si quieres ver otra vez estos artículos, aquí los tienes.",
        "Volver a la tienda",
        f"Recibes este correo porque aceptaste los correos de {_SHOP} y miraste allí estos artículos.",
    ),
    "it": VisitTexts(
        f"Un altro sguardo a {_FIRST}?",
        f"Ciò che hai guardato su {_SHOP}, se vuoi rivederlo.",
        "Ciò che hai guardato",
        "hai dato un’occhiata al nostro negozio. Se vuoi rivedere questi articoli, eccoli.",
        "Torna al negozio",
        f"Ricevi questa e-mail perché hai accettato le e-mail di {_SHOP} e hai guardato lì questi articoli.",
    ),
    "pt": VisitTexts(
        f"Rever {_FIRST}?",
        f"O que viu em {_SHOP}, caso queira ver de novo.",
        "O que esteve a ver",
        "Esteve a ver a nossa loja. Se quiser rever estes artigos, aqui estão.",
        "Voltar à loja",
        f"Recebe este e-mail porque aceitou os e-mails de {_SHOP} e viu lá estes artigos.",
    ),
    "nl": VisitTexts(
        f"Nog eens kijken naar {_FIRST}?",
        f"Wat je bij {_SHOP} bekeek, als je het nog eens wilt zien.",
        "Wat je bekeek",
        "Je hebt bij ons rondgekeken. Wil je deze artikelen nog eens zien? Hier zijn ze.",
        "Terug naar de winkel",
        f"Je krijgt deze e-mail omdat je instemde met e-mails van {_SHOP} en daar deze artikelen bekeek.",
    ),
    "pl": VisitTexts(
        f"Jeszcze raz {_FIRST}?",
        f"Produkty obejrzane w sklepie {_SHOP}, jeśli chcesz zobaczyć je ponownie.",
        "Obejrzane produkty",
        "to produkty, które były oglądane podczas ostatniej wizyty w naszym sklepie. Możesz zobaczyć je ponownie.",
        "Wróć do sklepu",
        f"Otrzymujesz tę wiadomość na podstawie Twojej zgody na e-maile od {_SHOP} i po obejrzeniu tam tych produktów.",
    ),
}
