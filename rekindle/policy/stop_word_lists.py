"""Which words do shoppers use for no, for help and for yes? Data of `stop_words`, written as people write them.

Sources: the default words of Twilio, AWS and Telnyx; 47 CFR 64.1200(a)(10) (stop, quit, end, revoke, opt out, cancel,
unsubscribe are a no by themselves); the house's own lists for other languages.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for line in text.splitlines() for word in line.split(",") if word.strip())


#: A no also as the first word of a longer message, and with nothing but politeness around it.
STRONG: Final = _words("""
stop, stopp, stopall, unsubscribe, unsubscribed, unsubscribing, unsub, optout, revoke
sotp, stpo, tsop, stopt, arret, arreter, arretez, arrete, desabonner, desabonnement
desabo, desinscription, desinscrire, desinscrivez, abmelden, abmeldung, abbestellen
austragen, aufhören, desuscribir, desuscribirme, desuscribirse, desuscribete
desuscripción, disiscriviti, disiscrivermi, cancellami, disiscrizione, smettetela
smettila, basta, descadastrar, desinscrever, parem, pare, afmelden, uitschrijven, stoppen
wypisz, wypisać, rezygnuję, avregistrera, avsluta, avslutt, afmeld, frameld, lopeta
odhlásit, leiratkozom, leiratkozás, dezabonare, dezabonez, стоп, отписаться, отписка
отпишите, відписатися, στοπ, διαγραφή, הסר, הסירו, إيقاف, توقف
""")

#: A no as the whole message, or with politeness around it; inside a sentence they mean other things as often.
ALONE: Final = _words("""
cancel, end, quit, remove, td, t, alto, baja, ya basta, no más, no mas, para, parar
cancelar, sair, salir, darse de baja, stop all, opt out, opt-out, kündigen, ende, beenden
schluss, löschen, nein danke, annuler, résilier, stop sms, fin, annulla, fine, cancella
stop alles, koniec, anuluj, usuń, zrušit, peru, poista, iptal, ret, red, slett, slet
ta bort, bort, отмена, отменить, хватит, ακύρωση, الغاء, إلغاء, 退订, 取消订阅, 取消訂閱, 退訂, 停止
配信停止, 解除, 수신거부, 거부, 중지, 그만, no more, not interested, wrong number, wrong person
leave me alone, go away, fuck off, f off, piss off, get lost, bugger off, enough
enough already, knock it off, lose my number, delete me, remove me, forget me, block me
kein interesse, pas intéressé, pas intéressée, no me interesa, no estoy interesado
non mi interessa, não tenho interesse, geen interesse, nie jestem zainteresowany
nie jestem zainteresowana
""")

#: A no wherever it stands. Words between single blanks, after normalising.
PHRASES: Final = _words("""
stop texting, stop sending, stop messaging, stop contacting, stop calling, stop bothering
stop spamming, stop harassing, stop these, stop this, stop with the, stop the texts
stop the messages, stop the sms, stop the msgs, stop all, stop msg, stop msgs, stop sms
stop messages, stop texts, stop txt, stop txting, stop now, stop it, please stop, pls stop
plz stop, just stop, have to stop, needs to stop, need to stop, must stop, want to stop
want this to stop, make it stop, to stop pls, quit texting, quit sending, quit messaging
quit contacting, quit bothering, cease and desist, cease all, do not text, dont text
do not contact, dont contact, do not message, dont message, do not msg, dont msg
do not send, dont send, dont ever text, never text, never contact, never message
do not ever, not to text, not to contact, no more texts, no more text, no more messages
no more msgs, no more sms, no more of these, no more of your, no more spam, no longer want
no longer wish, no longer interested, not want to receive, dont want to receive
dont want to get, not want any, dont want any, dont want these, dont want your
dont want this, dont want them, didnt sign up, did not sign up, never signed up
do not want these, do not want your, do not want to, never subscribed, didnt subscribe
i am not interested, im not interested, not interested in, am not interested
leave me alone, leave me be, take me off, take my number off, take this number off
get me off, remove me, remove my number, remove this number, remove my phone
delete my number, delete this number, delete my phone, lose my number, lose this number
forget my number, erase my number, opt me out, opting out, opt out, i opt out, want out
wrong number, wrong person, off your list, off this list, off the list, from your list
from this list, from the list, unsubscribe me, unsubscribe from, unsubscribe please
want to unsubscribe, like to unsubscribe, wish to unsubscribe, need to unsubscribe
to unsubscribe, do i unsubscribe, can i unsubscribe, unsubscribe my, unsubscribe this
do i stop, can i stop, i revoke, revoke my consent, revoke consent, withdraw my consent
cancel these, cancel texts, cancel the texts, cancel messages, cancel text messages
cancel sms, cancel your texts, end these texts, end these messages, end text, end texts
end messages, go away, fuck off, piss off, bitte aufhören, hören sie auf, hör auf
hört auf, keine sms, keine nachrichten, keine weiteren, keine werbung
nicht mehr schreiben, nicht mehr anschreiben, nicht mehr senden, nicht mehr kontaktieren
nicht mehr schicken, keine mehr, nichts mehr, lassen sie mich in ruhe, lasst mich in ruhe
lass mich in ruhe, falsche nummer, bitte abmelden, melden sie mich ab, meldet mich ab
tragen sie mich aus, nummer löschen, löschen sie meine, löscht meine, kein interesse
will das nicht, möchte das nicht, möchte keine, will keine, abmelden bitte
ne plus recevoir, plus recevoir, ne plus me contacter, ne m'envoyez plus
ne m'écrivez plus, ne me contactez plus, n'envoyez plus, ne plus envoyer, plus de sms
plus de messages, arrêtez de, arrête de, laissez moi tranquille, mauvais numéro
désabonnez moi, désinscrivez moi, me désabonner, me désinscrire, retirez moi, enlevez moi
supprimez mon, supprimer mon numéro, stopper les, stopper l'envoi, faux numéro
pas intéressé, pas intéressée, no me escriban, no me escribas, no me envíen, no me envien
no me envíes, no me manden, no me mandes, no enviar más, no envíen más, no quiero recibir
no quiero más, no quiero mas, no deseo recibir, dejen de, deja de, déjenme en paz
dejame en paz, número equivocado, denme de baja, darme de baja, dame de baja
quiero darme de baja, quítenme de, bórrenme de, borren mi, eliminen mi, no me contacten
no me interesa, no molesten, non scrivetemi, non mi scrivete, non inviatemi, non mandatemi
non voglio ricevere, non voglio più, non contattatemi, smettete di, smettetela di
lasciatemi in pace, numero sbagliato, cancellate il mio, cancellatemi, toglietemi
rimuovetemi, basta messaggi, basta sms, non mi interessa, não me envie, não me enviem
não me mande, não me mandem, não quero receber, não quero mais, parem de, pare de
me deixe em paz, número errado, me tire da, me tirem da, me remova, me removam, retire meu
descadastrar meu, tira meu, niet meer sturen, stuur me geen, geen sms, geen berichten
niet meer berichten, laat me met rust, verkeerd nummer, verwijder mij, verwijder me
verwijder mijn nummer, schrijf me uit, meld me af, wil geen, geen interesse, proszę nie
nie wysyłać, nie wysyłajcie, nie wysyłaj, nie piszcie, nie pisz, nie chcę, wypiszcie mnie
wypisz mnie, zły numer, usuńcie mój, usuń mój, dajcie mi spokój, prestańcie, przestańcie
sluta skicka, inga fler, vill inte ha, fel nummer, ta bort mig, ingen flere, ikke send
forkert nummer, feil nummer, не присылайте, не пишите, больше не, не надо, отпишите меня
удалите мой, ошиблись номером, bana mesaj, mesaj atma
""")

#: Scripts without blanks: a no wherever these characters stand together.
UNSPACED: Final = _words("""
退订, 退訂, 取消订阅, 取消訂閱, 不要再发, 別再發, 别再发
不要再傳, 不要发, 別再傳, 配信停止, 送らないで, 送信しないで, 停止して, 登録解除, 수신거부
보내지마, 보내지 마, 그만 보내
""")

HELP: Final = _words("""
help, info, help me, aide, ayuda, hilfe, aiuto, ajuda, hulp, pomoc, informacje, hjälp
hjælp, hjelp, apua, помощь, βοήθεια, informations, information, infos, help please
please help
""")

START: Final = _words("start, unstop, resume, restart, resubscribe, subscribe")

#: An agreement, and only while one was asked for.
YES: Final = _words("""
y, yes, yes please, yep, yeah, yup, ok, okay, sure, confirm, agree, i agree, oui, d'accord
si, sí, claro, ja, ja bitte, jawohl, sim, tak, ano, sì, да, evet, joo, kyllä, はい, 是, 네, 1
c, 👍
""")

#: Politeness, impatience and the messages themselves: beside a no they take nothing from it.
FILLERS: Final = _words("""
please, pls, plz, thanks, thank, you, ty, thx, now, ok, okay, hi, hello, hey, just
immediately, asap, right, away, already, sir, madam, team, texts, text, texting, sms
message, messages, msg, msgs, txt, notifications, alerts, from, to, me, my, your, the, all
everything, everyone, ever, again, forever, at, once, today, bitte, danke, sofort, jetzt
alle, mich, nachrichten, svp, merci, s'il, il, vous, plait, maintenant, tout, les, de
suite, por, favor, gracias, ya, ahora, mensajes, todo, per, favore, grazie, subito, adesso
messaggi, tutti, obrigado, obrigada, agora, mensagens, tudo, alstublieft, aub, graag, nu
berichten, alles, proszę, prosze, dziękuję, teraz, tack, tak, takk, vennligst, kiitos
пожалуйста, спасибо, lol, ffs, omg, sorry, no, und, and, et, y, e, i, in, ruhe, bro, man
dude, guys, re, fwd, number, this, that, these, those, it, list, marketing, promotional
""")

#: In these a no is only likely: the shopper's messages wait until a person has read it.
DOUBTFUL: Final = _words("""
stop, stopp, stops, stopping, stopped, unsubscribe, unsub, unsubscribed, optout, revoke
revoked, spam, spamming, spammer, harass, harassing, harassment, harassed, annoying
annoyed, lawyer, attorney, sue, suing, lawsuit, tcpa, fcc, gdpr, dsgvo, rgpd, police, scam
scammers, blocked, block, blocking, reported, reporting, complaint, arrêter, arrêtez
arret, désabonner, abmelden, abmeldung, abbestellen, aufhören, belästigung, anwalt
werbung, nervt, basta, bastaa, uitschrijven, afmelden, wypisać, rezygnuję, descadastrar
desuscribir, стоп, отписаться, стап, enough, consent, privacy, dnc, fuck, fucking, wtf
bother, bothering, remove, delete, unsolicited, opt, optin, cease, desist, quitting, quit
cancelar, kündigen, résilier, leiratkozás, iptal, avregistrera
""")

#: Beside one of these, words that also mean an order's end, or what lies in a cart, are about that.
ORDERING: Final = _words("""
order, orders, ordered, purchase, delivery, shipment, shipping, package, parcel
appointment, item, items, cart, basket, checkout, discount, code, coupon, refund, return
payment, card, bestellung, lieferung, paket, warenkorb, artikel, commande, livraison
panier, colis, pedido, compra, envío, carrito, ordine, consegna, carrello, entrega
carrinho, bestelling, levering, winkelwagen, zamówienie, koszyk, size, color, colour
product, tent, jacket, shoes, subscription, abo, account, password
""")

#: A single word of these letters looks like a mistyped "stop" and is another word.
NOT_STOP: Final = _words("""
shop, step, top, stow, atop, slop, stoup, store, sto, sop, stock, story, spot, post, pots, opts, tops, strop, stomp
stops
""")
