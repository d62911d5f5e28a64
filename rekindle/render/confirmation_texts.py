"""What is said to an address that has to confirm? Who asks, what for, how to confirm, how long; nothing else.

No offer, no name, no picture, nothing that somebody else may have typed: the request may come from a stranger. The
sentence that is agreed to is the shop's own kept wording where the consent named one, else ``agree_...`` of here.
"""

from __future__ import annotations

from typing import Final

from rekindle.render.locales import language_of

_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "subject": "Please confirm: reminders from {shop}",
        "why": "Somebody gave this address at {shop} and agreed to the following:",
        "agree_email": "Yes, {shop} may remind me by e-mail of what I left in my cart.",
        "agree_sms": "Yes, {shop} may remind me by text message of what I left in my cart.",
        "button": "Yes, I agree",
        "not_you": "If it was not you, do nothing: you will get no further message.",
        "until": "The link works until {date}.",
        "sms": "{shop}: reply YES to get cart reminders by text, at most 1 per cart. Or: {link} Not you? Do nothing. "
        "Msg & data rates may apply. STOP to end, HELP for help.",
        "page_title": "Reminders from {shop}?",
        "page_text": "With the button you agree to this:",
        "page_unchanged": "Nothing changes before you press the button.",
        "done_title": "Confirmed",
        "done_text": "Thank you. You can end this at any time, with the link in each message.",
    },
    "de": {
        "subject": "Bitte bestätigen: Erinnerungen von {shop}",
        "why": "Jemand hat diese Adresse bei {shop} angegeben und dem Folgenden zugestimmt:",
        "agree_email": "Ja, {shop} darf mich per E-Mail an das erinnern, was ich im Warenkorb ließ.",
        "agree_sms": "Ja, {shop} darf mich per SMS an das erinnern, was ich im Warenkorb ließ.",
        "button": "Ja, ich stimme zu",
        "not_you": "Wenn Sie das nicht waren, tun Sie nichts: Sie bekommen keine weitere Nachricht.",
        "until": "Der Link gilt bis zum {date}.",
        "sms": "{shop}: Mit JA bekommen Sie Warenkorb-Erinnerungen per SMS, höchstens 1 je Warenkorb. Oder: {link} "
        "Waren Sie das nicht? Tun Sie nichts. Ende mit STOP.",
        "page_title": "Erinnerungen von {shop}?",
        "page_text": "Mit der Taste stimmen Sie dem Folgenden zu:",
        "page_unchanged": "Bevor Sie auf die Taste drücken, ändert sich nichts.",
        "done_title": "Bestätigt",
        "done_text": "Danke. Sie können das jederzeit beenden, mit dem Link in jeder Nachricht.",
    },
    "fr": {
        "subject": "Veuillez confirmer : les rappels de {shop}",
        "why": "Quelqu’un a donné cette adresse chez {shop} et a accepté ce qui suit :",
        "agree_email": "Oui, {shop} peut me rappeler par e-mail ce que j’ai laissé dans mon panier.",
        "agree_sms": "Oui, {shop} peut me rappeler par SMS ce que j’ai laissé dans mon panier.",
        "button": "Oui, j’accepte",
        "not_you": "Si ce n’était pas vous, ne faites rien : vous ne recevrez pas d’autre message.",
        "until": "Le lien est valable jusqu’au {date}.",
        "sms": "{shop} : répondez OUI pour recevoir des rappels de panier par SMS, 1 au plus par panier. Ou : {link} "
        "Une erreur ? Ignorez ce SMS. STOP pour ne plus en recevoir.",
        "page_title": "Des rappels de {shop} ?",
        "page_text": "Avec le bouton, vous acceptez ceci :",
        "page_unchanged": "Rien ne change tant que vous n’appuyez pas sur le bouton.",
        "done_title": "C’est confirmé",
        "done_text": "Merci. Vous pouvez arrêter à tout moment, avec le lien de chaque message.",
    },
    "es": {
        "subject": "Confirme, por favor: recordatorios de {shop}",
        "why": "Alguien dio esta dirección en {shop} y aceptó lo siguiente:",
        "agree_email": "Sí, {shop} puede recordarme por correo electrónico lo que dejé en el carrito.",
        "agree_sms": "Sí, {shop} puede recordarme por SMS lo que dejé en el carrito.",
        "button": "Sí, acepto",
        "not_you": "Si no fue usted, no haga nada: no recibirá ningún otro mensaje.",
        "until": "El enlace vale hasta el {date}.",
        "sms": "{shop}: responda SI para recibir recordatorios del carrito por SMS, como mucho 1 por carrito. "
        "O: {link} ¿Un error? Ignore este SMS. STOP para terminar.",
        "page_title": "¿Recordatorios de {shop}?",
        "page_text": "Con el botón acepta lo siguiente:",
        "page_unchanged": "Nada cambia antes de que pulse el botón.",
        "done_title": "Confirmado",
        "done_text": "Gracias. Puede terminarlo cuando quiera, con el enlace de cada mensaje.",
    },
    "it": {
        "subject": "Confermi, per favore: i promemoria di {shop}",
        "why": "Qualcuno ha indicato questo indirizzo presso {shop} e ha accettato quanto segue:",
        "agree_email": "Sì, {shop} può ricordarmi per e-mail ciò che ho lasciato nel carrello.",
        "agree_sms": "Sì, {shop} può ricordarmi per SMS ciò che ho lasciato nel carrello.",
        "button": "Sì, accetto",
        "not_you": "Se non è stato lei, non faccia nulla: non riceverà altri messaggi.",
        "until": "Il link è valido fino al {date}.",
        "sms": "{shop}: risponda SI per ricevere promemoria del carrello per SMS, al massimo 1 per carrello. Oppure: "
        "{link} Non è stato lei? Non faccia nulla. STOP per terminare.",
        "page_title": "Promemoria da {shop}?",
        "page_text": "Con il pulsante accetta quanto segue:",
        "page_unchanged": "Non cambia nulla prima che prema il pulsante.",
        "done_title": "Confermato",
        "done_text": "Grazie. Può terminare in qualsiasi momento, con il link in ogni messaggio.",
    },
    "pt": {
        "subject": "Confirme, por favor: lembretes de {shop}",
        "why": "Alguém indicou este endereço em {shop} e aceitou o seguinte:",
        "agree_email": "Sim, {shop} pode lembrar-me por e-mail o que deixei no carrinho.",
        "agree_sms": "Sim, {shop} pode lembrar-me por SMS o que deixei no carrinho.",
        "button": "Sim, aceito",
        "not_you": "Se não foi você, não faça nada: não receberá mais nenhuma mensagem.",
        "until": "O link é válido até {date}.",
        "sms": "{shop}: responda SIM para receber lembretes do carrinho por SMS, até 1 por carrinho. Ou: {link} "
        "Foi engano? Ignore este SMS. STOP para terminar.",
        "page_title": "Lembretes de {shop}?",
        "page_text": "Com o botão aceita o seguinte:",
        "page_unchanged": "Nada muda antes de carregar no botão.",
        "done_title": "Confirmado",
        "done_text": "Obrigado. Pode terminar quando quiser, com o link de cada mensagem.",
    },
    "nl": {
        "subject": "Bevestig a.u.b.: herinneringen van {shop}",
        "why": "Iemand heeft dit adres bij {shop} opgegeven en stemde in met het volgende:",
        "agree_email": "Ja, {shop} mag mij per e-mail herinneren aan wat ik in mijn winkelwagen liet.",
        "agree_sms": "Ja, {shop} mag mij per sms herinneren aan wat ik in mijn winkelwagen liet.",
        "button": "Ja, ik ga akkoord",
        "not_you": "Was u dit niet, doe dan niets: u krijgt geen ander bericht.",
        "until": "De link werkt tot {date}.",
        "sms": "{shop}: antwoord JA voor winkelwagenherinneringen per sms, hooguit 1 per wagen. Of: {link} Was u dit "
        "niet? Doe niets. STOP om te eindigen.",
        "page_title": "Herinneringen van {shop}?",
        "page_text": "Met de knop stemt u in met het volgende:",
        "page_unchanged": "Er verandert niets voordat u op de knop drukt.",
        "done_title": "Bevestigd",
        "done_text": "Bedankt. U kunt dit altijd beëindigen, met de link in elk bericht.",
    },
    "pl": {
        "subject": "Prosimy o potwierdzenie: przypomnienia od {shop}",
        "why": "Ktoś podał ten adres w {shop} i zgodził się na to:",
        "agree_email": "Tak, {shop} może mi przypominać e-mailem o tym, co zostało w moim koszyku.",
        "agree_sms": "Tak, {shop} może mi przypominać SMS-em o tym, co zostało w moim koszyku.",
        "button": "Tak, zgadzam się",
        "not_you": "Jeśli to nie Państwo, nie trzeba nic robić: nie przyjdzie żadna inna wiadomość.",
        "until": "Link działa do {date}.",
        "sms": "{shop}: odpisz TAK, aby dostawac SMS-y z przypomnieniem o koszyku, najwyzej 1 na koszyk. Albo: {link} "
        "To nie Ty? Nic nie rob. STOP konczy.",
        "page_title": "Przypomnienia od {shop}?",
        "page_text": "Przyciskiem zgadzają się Państwo na to:",
        "page_unchanged": "Nic się nie zmieni przed naciśnięciem przycisku.",
        "done_title": "Potwierdzono",
        "done_text": "Dziękujemy. Można to zakończyć w każdej chwili linkiem w każdej wiadomości.",
    },
}

MAX_NAME: Final = 60


def words_to_confirm(locale: str) -> dict[str, str]:
    """The sentences in the language of a locale.

    >>> words_to_confirm("de-AT")["button"], words_to_confirm("sv")["button"]
    ('Ja, ich stimme zu', 'Yes, I agree')
    """
    return _WORDS[language_of(locale)]


def agreement(channel: str, shop: str, locale: str) -> str:
    """The sentence that is agreed to where the shop has none of its own; it names cart reminders. ``channel``: email
    or sms."""
    return words_to_confirm(locale)[f"agree_{channel}"].format(shop=plain_name(shop))


def plain_name(shop: str) -> str:
    return " ".join(shop.split())[:MAX_NAME]
