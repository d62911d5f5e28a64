"""Which words does the default letter use in each language?

Texts may hold merge tags; they are HTML as well as plain text, so they contain no ``&`` and no ``<``. A new language is
one more entry in `TEXTS` (its code must be in `locales.LANGUAGES`); a missing field fails at import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class StepTexts:
    """What changes from letter to letter."""

    subject: str
    preheader: str
    heading: str
    intro: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """One language. ``steps`` are the letters 1, 2 and 3."""

    hello: str
    quantity: str
    more_items: str
    total: str
    button: str
    note: str
    recommend: str
    why: str
    questions: str
    unsubscribe: str
    preferences: str
    steps: tuple[StepTexts, StepTexts, StepTexts]


_FIRST = "{{ cart.items[0].title|truncate(60) }}"
_NAME = "{% if shopper.first_name %} {{ shopper.first_name }}{% endif %}"
_SHOP = "{{ shop.name }}"

TEXTS: Final[dict[str, Texts]] = {
    "en": Texts(
        hello="Hi {{ shopper.first_name|default('there') }},",
        quantity="Quantity {{ item.quantity }}",
        more_items="{{ cart.hidden_count|plural(locale, 'and # more item', 'and # more items') }}",
        total="Total",
        button="Return to your cart",
        note="Prices and availability can change until you order.",
        recommend="You may also like",
        why=f"You receive this e-mail because you left a cart at {_SHOP} and gave your address there.",
        questions="Questions? Write to",
        unsubscribe="Unsubscribe",
        preferences="Change what you receive",
        steps=(
            StepTexts(
                f"Your cart at {_SHOP}",
                f"{_FIRST} and your other picks are where you left them.",
                "You left something in your cart",
                "We kept your cart as you left it. One click brings you back to it, on any device.",
            ),
            StepTexts(
                f"{_FIRST} is still in your cart",
                "Anything unclear? We are glad to help.",
                "Still thinking it over?",
                "Take your time. Your cart is still here. If something was unclear or did not work at checkout, "
                "just reply to this e-mail.",
            ),
            StepTexts(
                f"Last reminder about your cart at {_SHOP}",
                "After this letter we will not write about this cart again.",
                "A last note about your cart",
                "This is our last e-mail about this cart. If you still want it, here is the way back.",
            ),
        ),
    ),
    "de": Texts(
        hello=f"Hallo{_NAME},",
        quantity="Menge {{ item.quantity }}",
        more_items="{{ cart.hidden_count|plural(locale, 'und # weiterer Artikel', 'und # weitere Artikel') }}",
        total="Summe",
        button="Zurück zum Warenkorb",
        note="Preise und Verfügbarkeit können sich bis zur Bestellung ändern.",
        recommend="Das könnte dazu passen",
        why=f"Du bekommst diese E-Mail, weil du bei {_SHOP} einen Warenkorb angelegt und deine Adresse angegeben hast.",
        questions="Fragen? Schreib an",
        unsubscribe="Abmelden",
        preferences="Einstellungen ändern",
        steps=(
            StepTexts(
                f"Dein Warenkorb bei {_SHOP}",
                f"{_FIRST} und deine Auswahl sind noch da, wo du sie gelassen hast.",
                "In deinem Warenkorb liegt noch etwas",
                "wir haben deinen Warenkorb so aufgehoben, wie du ihn verlassen hast. Ein Klick bringt dich zurück, "
                "auf jedem Gerät.",
            ),
            StepTexts(
                f"Noch im Warenkorb: {_FIRST}",
                "Etwas unklar? Wir helfen gern.",
                "Noch am Überlegen?",
                "lass dir Zeit. Dein Warenkorb ist noch da. Wenn etwas unklar war oder an der Kasse nicht geklappt "
                "hat, antworte einfach auf diese E-Mail.",
            ),
            StepTexts(
                f"Letzte Erinnerung an deinen Warenkorb bei {_SHOP}",
                "Danach schreiben wir zu diesem Warenkorb nicht mehr.",
                "Noch ein letztes Wort zu deinem Warenkorb",
                "das ist unsere letzte E-Mail zu diesem Warenkorb. Wenn du ihn noch möchtest: Hier geht es zurück.",
            ),
        ),
    ),
    "fr": Texts(
        hello=f"Bonjour{_NAME},",
        quantity="Quantité\u00a0: {{ item.quantity }}",
        more_items="{{ cart.hidden_count|plural(locale, 'et # autre article', 'et # autres articles') }}",
        total="Total",
        button="Reprendre mon panier",
        note="Les prix et la disponibilité peuvent changer jusqu’à la commande.",
        recommend="Vous aimerez peut-être aussi",
        why=f"Vous recevez cet e-mail parce que vous avez laissé un panier chez {_SHOP} et indiqué votre adresse.",
        questions="Une question\u00a0? Écrivez à",
        unsubscribe="Se désabonner",
        preferences="Modifier mes préférences",
        steps=(
            StepTexts(
                f"Votre panier chez {_SHOP}",
                f"{_FIRST} et le reste de votre sélection vous attendent.",
                "Il reste quelque chose dans votre panier",
                "Nous avons gardé votre panier tel que vous l’avez laissé. Un clic suffit pour le retrouver, sur tous "
                "vos appareils.",
            ),
            StepTexts(
                f"Toujours dans votre panier\u00a0: {_FIRST}",
                "Un point à éclaircir\u00a0? Nous vous aidons volontiers.",
                "Vous hésitez encore\u00a0?",
                "Prenez votre temps, votre panier est toujours là. Si quelque chose n’était pas clair ou n’a pas "
                "fonctionné au moment de payer, répondez simplement à cet e-mail.",
            ),
            StepTexts(
                f"Dernier rappel pour votre panier chez {_SHOP}",
                "Ensuite, nous ne vous écrirons plus au sujet de ce panier.",
                "Un dernier mot sur votre panier",
                "Ceci est notre dernier e-mail au sujet de ce panier. S’il vous intéresse encore, le voici.",
            ),
        ),
    ),
    "es": Texts(
        hello=f"Hola{_NAME}:",
        quantity="Cantidad: {{ item.quantity }}",
        more_items="{{ cart.hidden_count|plural(locale, 'y # artículo más', 'y # artículos más') }}",
        total="Total",
        button="Volver a mi carrito",
        note="Los precios y la disponibilidad pueden cambiar hasta que hagas el pedido.",
        recommend="También te puede gustar",
        why=f"Recibes este correo porque dejaste un carrito en {_SHOP} y nos diste tu dirección.",
        questions="¿Preguntas? Escribe a",
        unsubscribe="Darse de baja",
        preferences="Cambiar lo que recibo",
        steps=(
            StepTexts(
                f"Tu carrito en {_SHOP}",
                f"{_FIRST} y el resto de tu selección siguen donde los dejaste.",
                "Dejaste algo en tu carrito",
                "Hemos guardado tu carrito tal como lo dejaste. Con un clic vuelves a él, en cualquier dispositivo.",
            ),
            StepTexts(
                f"Sigue en tu carrito: {_FIRST}",
                "¿Alguna duda? Te ayudamos con gusto.",
                "¿Todavía lo estás pensando?",
                "Tómate tu tiempo: tu carrito sigue aquí. Si algo no quedó claro o falló al pagar, responde a este "
                "correo.",
            ),
            StepTexts(
                f"Último recordatorio de tu carrito en {_SHOP}",
                "Después no volveremos a escribirte sobre este carrito.",
                "Una última nota sobre tu carrito",
                "Este es nuestro último correo sobre este carrito. Si aún lo quieres, aquí tienes el camino de vuelta.",
            ),
        ),
    ),
    "it": Texts(
        hello=f"Ciao{_NAME},",
        quantity="Quantità: {{ item.quantity }}",
        more_items="{{ cart.hidden_count|plural(locale, 'e # altro articolo', 'e altri # articoli') }}",
        total="Totale",
        button="Torna al carrello",
        note="Prezzi e disponibilità possono cambiare fino all’ordine.",
        recommend="Potrebbe piacerti anche",
        why=f"Ricevi questa e-mail perché hai lasciato un carrello su {_SHOP} e ci hai dato il tuo indirizzo.",
        questions="Domande? Scrivi a",
        unsubscribe="Annulla l’iscrizione",
        preferences="Modifica le preferenze",
        steps=(
            StepTexts(
                f"Il tuo carrello su {_SHOP}",
                f"{_FIRST} e gli altri articoli sono dove li hai lasciati.",
                "Hai lasciato qualcosa nel carrello",
                "abbiamo conservato il carrello così come l’hai lasciato. Basta un clic per ritrovarlo, su qualsiasi "
                "dispositivo.",
            ),
            StepTexts(
                f"Ancora nel tuo carrello: {_FIRST}",
                "Qualcosa non è chiaro? Ti aiutiamo volentieri.",
                "Ci stai ancora pensando?",
                "prenditi il tuo tempo: il carrello è ancora qui. Se qualcosa non era chiaro o non ha funzionato alla "
                "cassa, rispondi a questa e-mail.",
            ),
            StepTexts(
                f"Ultimo promemoria sul tuo carrello su {_SHOP}",
                "Poi non ti scriveremo più per questo carrello.",
                "Un’ultima nota sul tuo carrello",
                "questa è la nostra ultima e-mail su questo carrello. Se lo desideri ancora, eccolo.",
            ),
        ),
    ),
    "pt": Texts(
        hello=f"Olá{_NAME},",
        quantity="Quantidade: {{ item.quantity }}",
        more_items="{{ cart.hidden_count|plural(locale, 'e mais # artigo', 'e mais # artigos') }}",
        total="Total",
        button="Voltar ao carrinho",
        note="Os preços e a disponibilidade podem mudar até à encomenda.",
        recommend="Também pode gostar de",
        why=f"Recebe este e-mail porque deixou um carrinho em {_SHOP} e indicou o seu endereço.",
        questions="Perguntas? Escreva para",
        unsubscribe="Cancelar subscrição",
        preferences="Alterar preferências",
        steps=(
            StepTexts(
                f"O seu carrinho em {_SHOP}",
                f"{_FIRST} e o resto da sua seleção estão onde os deixou.",
                "Deixou algo no seu carrinho",
                "Guardámos o seu carrinho tal como o deixou. Basta um clique para voltar a ele, em qualquer "
                "dispositivo.",
            ),
            StepTexts(
                f"Ainda no seu carrinho: {_FIRST}",
                "Alguma dúvida? Teremos todo o gosto em ajudar.",
                "Ainda a pensar?",
                "Não há pressa: o seu carrinho continua aqui. Se algo não ficou claro ou falhou no pagamento, basta "
                "responder a este e-mail.",
            ),
            StepTexts(
                f"Último lembrete do seu carrinho em {_SHOP}",
                "Depois disto, não voltaremos a escrever sobre este carrinho.",
                "Uma última nota sobre o seu carrinho",
                "Este é o nosso último e-mail sobre este carrinho. Se ainda o quiser, aqui está o caminho de volta.",
            ),
        ),
    ),
    "nl": Texts(
        hello=f"Hallo{_NAME},",
        quantity="Aantal: {{ item.quantity }}",
        more_items="{{ cart.hidden_count|plural(locale, 'en nog # artikel', 'en nog # artikelen') }}",
        total="Totaal",
        button="Terug naar je winkelwagen",
        note="Prijzen en beschikbaarheid kunnen tot je bestelling veranderen.",
        recommend="Misschien ook iets voor jou",
        why=f"Je krijgt deze e-mail omdat je bij {_SHOP} een winkelwagen achterliet en je adres opgaf.",
        questions="Vragen? Mail naar",
        unsubscribe="Afmelden",
        preferences="Voorkeuren wijzigen",
        steps=(
            StepTexts(
                f"Je winkelwagen bij {_SHOP}",
                f"{_FIRST} en je andere keuzes staan er nog.",
                "Er ligt nog iets in je winkelwagen",
                "We hebben je winkelwagen bewaard zoals je hem achterliet. Met één klik ben je terug, op elk apparaat.",
            ),
            StepTexts(
                f"Nog in je winkelwagen: {_FIRST}",
                "Iets onduidelijk? We helpen je graag.",
                "Denk je er nog over na?",
                "Neem de tijd, je winkelwagen staat er nog. Was iets onduidelijk of ging er iets mis bij het "
                "afrekenen? Beantwoord dan gewoon deze e-mail.",
            ),
            StepTexts(
                f"Laatste herinnering aan je winkelwagen bij {_SHOP}",
                "Hierna schrijven we niet meer over deze winkelwagen.",
                "Nog één bericht over je winkelwagen",
                "Dit is onze laatste e-mail over deze winkelwagen. Wil je hem nog? Hier vind je hem terug.",
            ),
        ),
    ),
    "pl": Texts(
        hello=f"Cześć{_NAME},",
        quantity="Ilość: {{ item.quantity }}",
        more_items="{{ cart.hidden_count|plural(locale, 'i jeszcze # produkt', 'i jeszcze # produkty', "
        "'i jeszcze # produktów') }}",
        total="Razem",
        button="Wróć do koszyka",
        note="Ceny i dostępność mogą się zmienić do chwili zamówienia.",
        recommend="Może Ci się też spodobać",
        why=f"Otrzymujesz tę wiadomość, ponieważ w sklepie {_SHOP} został koszyk z podanym przez Ciebie adresem.",
        questions="Pytania? Napisz na",
        unsubscribe="Wypisz się",
        preferences="Zmień ustawienia",
        steps=(
            StepTexts(
                f"Twój koszyk w sklepie {_SHOP}",
                f"{_FIRST} i pozostałe produkty są tam, gdzie zostały.",
                "W Twoim koszyku coś zostało",
                "zachowaliśmy Twój koszyk bez zmian. Jedno kliknięcie i jesteś z powrotem, na każdym urządzeniu.",
            ),
            StepTexts(
                f"Nadal w koszyku: {_FIRST}",
                "Coś jest niejasne? Chętnie pomożemy.",
                "Jeszcze się zastanawiasz?",
                "nie ma pośpiechu, Twój koszyk wciąż czeka. Jeśli coś było niejasne albo nie zadziałało przy "
                "płatności, po prostu odpowiedz na tę wiadomość.",
            ),
            StepTexts(
                f"Ostatnie przypomnienie o koszyku w sklepie {_SHOP}",
                "Więcej nie napiszemy w sprawie tego koszyka.",
                "Ostatnia wiadomość o Twoim koszyku",
                "to nasza ostatnia wiadomość w sprawie tego koszyka. Jeśli nadal go chcesz, oto droga powrotna.",
            ),
        ),
    ),
}
