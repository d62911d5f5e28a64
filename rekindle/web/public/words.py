"""What do the pages say that a shopper sees? Every sentence in every language that letters are written in."""

from __future__ import annotations

from rekindle.render.locales import language_of

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "optout_title": "No more reminders?",
        "optout_text": "{shop} reminds you of what you left in your cart. Choose what should stop.",
        "this_channel_email": "Reminders by e-mail",
        "this_channel_sms": "Reminders by text message",
        "this_channel_push": "Reminders in the browser",
        "everything": "Everything: e-mail, text messages and browser",
        "optout_button": "Stop",
        "unchanged": "Nothing changes before you press the button.",
        "more_choices": "Less often, a pause, or only about some things",
        "done_title": "Done",
        "done_text": "Ended: {what}. This counts from now on.",
        "cancelled": "Messages that were waiting for you and are now cancelled: {count}",
        "gone_title": "This link no longer works",
        "gone_text": "It may be too old, or was not copied completely. Nothing was changed.",
        "away_title": "Please try again in a moment",
        "away_text": "We cannot do this right now. Nothing was changed.",
        "to_shop": "Go to {shop}",
    },
    "de": {
        "optout_title": "Keine Erinnerungen mehr?",
        "optout_text": "{shop} erinnert Sie an das, was Sie im Warenkorb ließen. Wählen Sie, was aufhören soll.",
        "this_channel_email": "Erinnerungen per E-Mail",
        "this_channel_sms": "Erinnerungen per SMS",
        "this_channel_push": "Erinnerungen im Browser",
        "everything": "Alles: E-Mail, SMS und Browser",
        "optout_button": "Abbestellen",
        "unchanged": "Bevor Sie auf die Taste drücken, ändert sich nichts.",
        "more_choices": "Seltener, eine Pause oder nur über manches",
        "done_title": "Erledigt",
        "done_text": "Beendet: {what}. Das gilt ab sofort.",
        "cancelled": "Nachrichten, die auf Sie warteten und jetzt gelöscht sind: {count}",
        "gone_title": "Dieser Link gilt nicht mehr",
        "gone_text": "Er ist zu alt oder wurde nicht ganz kopiert. Es wurde nichts geändert.",
        "away_title": "Bitte gleich noch einmal versuchen",
        "away_text": "Das geht gerade nicht. Es wurde nichts geändert.",
        "to_shop": "Zu {shop}",
    },
    "fr": {
        "optout_title": "Ne plus recevoir de rappels ?",
        "optout_text": "{shop} vous rappelle ce que vous avez laissé dans votre panier. Choisissez ce qui doit cesser.",
        "this_channel_email": "Les rappels par e-mail",
        "this_channel_sms": "Les rappels par SMS",
        "this_channel_push": "Les rappels dans le navigateur",
        "everything": "Tout : e-mail, SMS et navigateur",
        "optout_button": "Se désabonner",
        "unchanged": "Rien ne change tant que vous n’appuyez pas sur le bouton.",
        "more_choices": "Moins souvent, une pause, ou seulement sur certains sujets",
        "done_title": "C’est fait",
        "done_text": "Terminé : {what}. C’est valable dès maintenant.",
        "cancelled": "Messages en attente qui viennent d’être annulés : {count}",
        "gone_title": "Ce lien n’est plus valable",
        "gone_text": "Il est trop ancien ou n’a pas été copié en entier. Rien n’a été modifié.",
        "away_title": "Veuillez réessayer dans un instant",
        "away_text": "C’est impossible pour le moment. Rien n’a été modifié.",
        "to_shop": "Aller chez {shop}",
    },
    "es": {
        "optout_title": "¿No quiere más recordatorios?",
        "optout_text": "{shop} le recuerda lo que dejó en su carrito. Elija qué debe terminar.",
        "this_channel_email": "Recordatorios por correo electrónico",
        "this_channel_sms": "Recordatorios por SMS",
        "this_channel_push": "Recordatorios en el navegador",
        "everything": "Todo: correo, SMS y navegador",
        "optout_button": "Darse de baja",
        "unchanged": "Nada cambia antes de que pulse el botón.",
        "more_choices": "Con menos frecuencia, una pausa o solo sobre algunas cosas",
        "done_title": "Hecho",
        "done_text": "Terminado: {what}. Vale desde ahora mismo.",
        "cancelled": "Mensajes que esperaban y ahora están cancelados: {count}",
        "gone_title": "Este enlace ya no funciona",
        "gone_text": "Puede ser demasiado antiguo o no se copió entero. No se ha cambiado nada.",
        "away_title": "Inténtelo de nuevo en un momento",
        "away_text": "Ahora mismo no es posible. No se ha cambiado nada.",
        "to_shop": "Ir a {shop}",
    },
    "it": {
        "optout_title": "Niente più promemoria?",
        "optout_text": "{shop} le ricorda ciò che ha lasciato nel carrello. Scelga che cosa deve finire.",
        "this_channel_email": "Promemoria per e-mail",
        "this_channel_sms": "Promemoria per SMS",
        "this_channel_push": "Promemoria nel browser",
        "everything": "Tutto: e-mail, SMS e browser",
        "optout_button": "Disiscriversi",
        "unchanged": "Non cambia nulla prima che prema il pulsante.",
        "more_choices": "Meno spesso, una pausa o solo su alcune cose",
        "done_title": "Fatto",
        "done_text": "Terminato: {what}. Vale da subito.",
        "cancelled": "Messaggi in attesa ora annullati: {count}",
        "gone_title": "Questo link non è più valido",
        "gone_text": "È troppo vecchio o non è stato copiato per intero. Non è stato cambiato nulla.",
        "away_title": "Riprovi tra un momento",
        "away_text": "In questo momento non è possibile. Non è stato cambiato nulla.",
        "to_shop": "Vai a {shop}",
    },
    "pt": {
        "optout_title": "Não quer mais lembretes?",
        "optout_text": "{shop} lembra o que deixou no carrinho. Escolha o que deve parar.",
        "this_channel_email": "Lembretes por e-mail",
        "this_channel_sms": "Lembretes por SMS",
        "this_channel_push": "Lembretes no navegador",
        "everything": "Tudo: e-mail, SMS e navegador",
        "optout_button": "Cancelar a subscrição",
        "unchanged": "Nada muda antes de carregar no botão.",
        "more_choices": "Com menos frequência, uma pausa ou só sobre alguns assuntos",
        "done_title": "Feito",
        "done_text": "Terminado: {what}. Vale a partir de agora.",
        "cancelled": "Mensagens que esperavam e foram canceladas: {count}",
        "gone_title": "Este link já não funciona",
        "gone_text": "Pode ser antigo ou não foi copiado por inteiro. Nada foi alterado.",
        "away_title": "Tente de novo daqui a pouco",
        "away_text": "Neste momento não é possível. Nada foi alterado.",
        "to_shop": "Ir para {shop}",
    },
    "nl": {
        "optout_title": "Geen herinneringen meer?",
        "optout_text": "{shop} herinnert u aan wat u in uw winkelwagen liet. Kies wat moet stoppen.",
        "this_channel_email": "Herinneringen per e-mail",
        "this_channel_sms": "Herinneringen per sms",
        "this_channel_push": "Herinneringen in de browser",
        "everything": "Alles: e-mail, sms en browser",
        "optout_button": "Afmelden",
        "unchanged": "Er verandert niets voordat u op de knop drukt.",
        "more_choices": "Minder vaak, een pauze of alleen over sommige dingen",
        "done_title": "Klaar",
        "done_text": "Gestopt: {what}. Dit geldt vanaf nu.",
        "cancelled": "Berichten die klaarstonden en nu geannuleerd zijn: {count}",
        "gone_title": "Deze link werkt niet meer",
        "gone_text": "Hij is te oud of niet helemaal gekopieerd. Er is niets veranderd.",
        "away_title": "Probeer het zo nog eens",
        "away_text": "Dit lukt nu niet. Er is niets veranderd.",
        "to_shop": "Naar {shop}",
    },
    "pl": {
        "optout_title": "Koniec przypomnień?",
        "optout_text": "{shop} przypomina o tym, co zostało w koszyku. Proszę wybrać, co ma się skończyć.",
        "this_channel_email": "Przypomnienia e-mailem",
        "this_channel_sms": "Przypomnienia SMS-em",
        "this_channel_push": "Przypomnienia w przeglądarce",
        "everything": "Wszystko: e-mail, SMS i przeglądarka",
        "optout_button": "Wypisz mnie",
        "unchanged": "Nic się nie zmieni przed naciśnięciem przycisku.",
        "more_choices": "Rzadziej, z przerwą albo tylko o niektórych sprawach",
        "done_title": "Gotowe",
        "done_text": "Zakończono: {what}. Obowiązuje od teraz.",
        "cancelled": "Liczba czekających wiadomości, które anulowano: {count}",
        "gone_title": "Ten link już nie działa",
        "gone_text": "Jest za stary albo nie skopiowano go w całości. Nic nie zostało zmienione.",
        "away_title": "Proszę spróbować za chwilę",
        "away_text": "W tej chwili to niemożliwe. Nic nie zostało zmienione.",
        "to_shop": "Przejdź do {shop}",
    },
}


class Words:
    """The sentences of one language; ``words("done_text", shop="Fernweh")``."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._words = _WORDS[language]

    def __call__(self, name: str, **values: object) -> str:
        return self._words[name].format(**values)


def words_for(*wishes: str) -> Words:
    """The words of the first wish that names a language of ours: a locale, or a browser's Accept-Language.

    >>> words_for("", "xx, de-AT;q=0.9").language, words_for("sv").language
    ('de', 'en')
    """
    for wish in wishes:
        for part in wish.split(",")[:10]:
            tag = part.partition(";")[0].strip()[:20]
            language = language_of(tag) if tag else "en"
            if language != "en" or tag.lower().startswith("en"):
                return Words(language)
    return Words("en")
