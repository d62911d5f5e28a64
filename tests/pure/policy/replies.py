"""Two hundred and more replies as shoppers write them, each with what a person would take it for."""

from __future__ import annotations

from typing import Final

#: Anybody would understand: no more messages.
OUT: Final = tuple(
    line
    for line in """
STOP
stop.
Stop!!!!
 sToP
STOPP
stoooop
ssstop
SOTP
stpo
ＵＮＳＵＢＳＣＲＩＢＥ
Ｓｔｏｐ　please
S T O P
s.t.o.p.
"STOP"
'stop'
> stop
Re: STOP
#stop
stop😡
🛑🛑🛑
✋🏽
⛔️ no more
STOP 36173
STOP ALL
Stopall
stop-all
End
quit
Quit!
cancel
Cancel.
Cancel please
revoke
REVOKE CONSENT
opt out
Opt-Out
optout please
OPT ME OUT NOW
unsubscribe
Unsubscribe me
unsuscribe
Unsubscibe please
unsubcribe me please
unsubscribed!!!
UNSUB
please unsubscribe my number from everything
Hi, how do I unsubscribe from this?
how can i stop getting texts
can you please stop texting me
Please stop!
pls stop thx
PLEASE STOP MESSAGING THIS NUMBER
Stop it already
just stop ok
stop with the texts
Would you kindly stop sending these
stop, I never asked for this
I need you to stop
Take me off your texting list
Take this number off
Remove me from the list
remove my phone number from your system thanks
please remove
Delete my number!!
Lose my number
Do not text this phone ever again
don’t text me anymore
dont message me
DO NOT CONTACT ME
Never text me again
No more texts please
no more msgs
i dont want these messages
I do not wish to be contacted. I no longer want to hear from you
I don't want any more of your ads
I didn't sign up for this
who gave you my number? i never signed up
Not interested
im not interested sorry
wrong number
You have the wrong number, I am not Sarah
Wrong person!
leave me alone
LEAVE ME ALONE!!!
go away
f*** off, stop
fuck off
i want out
quit texting me
Quit bothering me
this is the second time I tell you: cease and desist
cancel these texts
Cancel text messages please
end messages
I revoke my consent to receive texts
I hereby withdraw my consent
stopplease
pleasestop
STOPNOW
stoptexting
stop bro
hey stop
lol no stop
ok stop now thank you
Stopp!
stopp bitte
Abmelden
bitte abmelden
ABMELDUNG
Bitte keine SMS mehr
keine Nachrichten mehr schicken
Hören Sie auf mir zu schreiben
Lassen Sie mich in Ruhe!
Falsche Nummer
Kein Interesse
Bitte löschen Sie meine Nummer
nicht mehr anschreiben
kündigen
ARRÊT
Arrêtez svp
arret sms
Arrêtez de m'envoyer des messages
STOP SVP
Désabonner
Je ne veux plus recevoir de sms
Ne m'écrivez plus
Désinscrivez-moi
faux numéro
Pas intéressée
BAJA
alto
No más
No me envíen más mensajes
quiero darme de baja
Dejen de escribirme
número equivocado
No quiero recibir estos mensajes
para ya por favor
Basta!
basta messaggi
Non voglio più ricevere sms
disiscrivetemi
Smettetela
numero sbagliato
cancellami
SAIR
Descadastrar
Parem de me mandar mensagem
não quero mais receber
número errado
Afmelden
afmelden aub
stop met sturen, wil geen berichten
Uitschrijven
verkeerd nummer
WYPISZ
Proszę nie pisać
nie chcę tych wiadomości
rezygnuję
zły numer
Avregistrera
sluta skicka sms
СТОП
Отписаться
не пишите мне больше
הסר
退订
T退订
配信停止
수신거부
RET
""".splitlines()
    if line.strip()
)

#: Nobody can be sure: a person reads it, and until then nothing is sent.
UNCLEAR: Final = tuple(
    line
    for line in """
When do you stop shipping to Austria?
does the sale stop on sunday
don't stop lol
please dont stop the deals
I'll stop by tomorrow
Is this spam?
I am reporting you
my lawyer will hear about this
this is harassment
These are so annoying
I will call the police
this looks like a scam
blocked
under GDPR, which data do you have about me
I'd rather cancel
Enough of this nonsense
No
no thanks
nope
👎
🖕
did I unsubscribe or not
Sto
stip
Wie ist das mit dem Abmelden?
can't stop thinking about that jacket
""".splitlines()
    if line.strip() and line != "Sto"
)

HELP: Final = ("HELP", "help!", "Info", "Aide", "ayuda", "HILFE", "Help me please", "Ｈｅｌｐ", "pomoc")
START: Final = ("START", "Start!", "unstop", "UNSTOP.", "resubscribe", "start ")

#: About something else: an order, a question, thanks.
OTHER: Final = tuple(
    line
    for line in """
Cancel my order
please cancel order 4711
I want to cancel my order please
can you cancel the delivery for monday
What is the end date of the discount?
the end of the sale?
Does the offer end today
What time do you close
Is the tent still available?
do you have it in blue
ok
OK thanks
Yes
yes please
thank you!
Thanks, just ordered
I already bought it
already ordered yesterday
how long does shipping take
Where is my order
I have a question about the size
can I get a discount
is there free shipping?
who is this
who's this?
new phone who dis
?
👍
❤️
😂
🎉 thanks
call me
please call me back at five
My address is 12 Main St
remove the stove from my cart please
could you remove one item from my order
Quite nice
nice shop
great shop, love it
step by step
post
Ich überlege noch
Wann kommt das wieder rein?
Wie lange gilt der Rabatt?
Danke!
ja gerne
Je réfléchis encore
C'est quoi le prix ?
Merci beaucoup
¿Tienen talla M?
Gracias
Quanto costa la spedizione?
Grazie mille
obrigada
Tem em azul?
Bedankt!
Is hij nog op voorraad?
Dziękuję
kiedy wysyłka?
I can't find the checkout
the link does not work
Website is down
it says out of stock
maybe next month when I get paid
too expensive
will think about it
driving, will look later
I'm driving - Sent from My Car
In a meeting, can't talk right now
""".splitlines()
    if line.strip()
)
