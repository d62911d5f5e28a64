"""What does a shopper's reply want: no more messages, help, to begin again, or something that a person has to read?

A clear no is carried out at once, however it is put: the whole message, its first word, a phrase, with politeness
around it, mistyped, in full-width letters or as a sign. What only may be a no stops the messages too, until somebody
has read it. A word that is also about an order ("cancel my order") is not a no. Rules: 47 CFR 64.1200(a)(10); CTIA
messaging principles; the order of tests is that of the policy pack.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from rekindle.policy import stop_word_lists as lists


class Wish(StrEnum):
    STOP = "stop"  #: no more messages
    HELP = "help"  #: who is this, and how does it end
    START = "start"  #: messages again
    CONFIRM = "confirm"  #: yes to a question that was asked
    REVIEW = "review"  #: perhaps a no: nothing is sent until a person has read it
    OTHER = "other"


MAX_READ: Final = 1_000  #: characters; a no stands at the beginning or is short

_SIGNS: Final = frozenset("🛑✋⛔🚫🙅")
_CROSS_SIGNS: Final = frozenset("🖕👎😡🤬")
_GLUED: Final = frozenset(
    "all please pls plz now it sms text texts texting txt msg msgs messages this bitte svp bro".split()
)
_NOT_A_NO = re.compile(r"\b(?:dont|do not|never|non|not|wont|cant|cannot) stop\b(?! (?:me|us)\b)")
_PASSING = re.compile(r"\bstop(?:ped|ping)? (?:by|in|over|off)\b")
_APOSTROPHES: Final = str.maketrans(dict.fromkeys("'’‘`´ʼ＇", ""))


def wish_of(text: str, *, is_asked: bool = False) -> Wish:
    """``is_asked``: an agreement of this shopper is being waited for (double opt-in).

    >>> [wish_of(t).value for t in ("STOP", "ＳＴＯＰ!!", "Cancel my order", "Don't text me", "HELP", "Yes")]
    ['stop', 'stop', 'other', 'stop', 'help', 'other']
    >>> wish_of("Yes!", is_asked=True).value, wish_of("When do you stop shipping?").value
    ('confirm', 'review')
    """
    told = text[:MAX_READ]
    if _SIGNS & set(told):
        return Wish.STOP
    plain = normalise(told)
    if is_asked and plain in _YES:
        return Wish.CONFIRM
    if plain in _NOES:
        return Wish.STOP
    if plain in _HELP or _is_with_politeness(plain, _HELP):
        return Wish.HELP
    if plain in _START:
        return Wish.START
    if _is_whole_no(plain):
        return Wish.STOP
    return _wish_of_sentence(told, plain)


def normalise(text: str) -> str:
    """Words between single blanks: compatibility forms folded, no case, accents, apostrophes or signs; letters that are
    spelt out are joined.

    >>> normalise(" Arrêtez,  S'IL vous plaît… "), normalise("S.T.O.P"), normalise("s t o p it")
    ('arretez sil vous plait', 'stop', 'stop it')
    """
    folded = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    letters = unicodedata.normalize("NFD", folded)
    kept = "".join(
        character if character.isalnum() else " " for character in letters if unicodedata.category(character) != "Mn"
    )
    return " ".join(_joined(unicodedata.normalize("NFC", kept).split()))


def _joined(words: list[str]) -> Iterable[str]:
    """Runs of three and more single letters are one word."""
    run: list[str] = []
    for word in [*words, ""]:
        if len(word) == 1 and word.isalpha():
            run.append(word)
            continue
        if run:
            yield from ["".join(run)] if len(run) > 2 else run
            run = []
        if word:
            yield word


def _is_whole_no(plain: str) -> bool:
    """A no, a mistyped one, or one with nothing but politeness around it."""
    words = plain.split()
    if len(words) == 1:
        return _is_mistyped(words[0])
    if len(words) > 8:
        return False
    noes = [word for word in words if word in _NOES or _is_mistyped(word)]
    rest = {word for word in words if word not in noes}
    if not noes or not rest <= _FILLERS:
        return False
    return any(word not in _ALONE for word in noes) or not {"it", "this", "that"} & rest


def _is_with_politeness(plain: str, wanted: frozenset[str]) -> bool:
    words = set(plain.split())
    return len(words) <= 4 and bool(wanted & words) and words <= wanted | _FILLERS


def _is_mistyped(word: str) -> bool:
    squeezed = _squeezed(word)
    if squeezed in _STRONG:
        return True
    for short in ("stop", "please", "pls"):
        rest = word.removeprefix(short)
        if rest != word and (rest in _GLUED or (short != "stop" and rest in _STRONG)):
            return True
    return len(word) >= 8 and any(_distance(word, other) <= 2 for other in _LONG if abs(len(word) - len(other)) <= 2)


def _wish_of_sentence(told: str, plain: str) -> Wish:
    words = plain.split()
    padded = f" {plain} "
    is_denied = bool(_NOT_A_NO.search(plain)) or bool(_PASSING.search(plain))
    if any(sign in plain for sign in _UNSPACED):
        return Wish.STOP
    if not is_denied and any(f" {phrase} " in padded for phrase in _PHRASES):
        return Wish.STOP
    if words and not is_denied and (words[0] in _STRONG or _squeezed(words[0]) in _STRONG):
        return Wish.STOP
    if words and words[-1] in _LAST and not is_denied and words[0] not in _ASKING and "?" not in told:
        return Wish.STOP
    about_an_order = bool(_ORDERING & set(words))
    if _STOPPISH & set(words) or is_denied:
        return Wish.REVIEW
    if not about_an_order and ("cancel" in words or _DOUBTFUL & set(words) or any(map(_is_near_no, words))):
        return Wish.REVIEW
    if _CROSS_SIGNS & set(told) or plain in _BARE_NOES:
        return Wish.REVIEW
    if len(words) == 1 and len(plain) == 4 and plain not in _NOT_STOP and _distance(plain, "stop") == 1:
        return Wish.REVIEW
    return Wish.OTHER


def _is_near_no(word: str) -> bool:
    return len(word) >= 9 and any(_distance(word, other) <= 2 for other in _LONG if abs(len(word) - len(other)) <= 2)


def _squeezed(word: str) -> str:
    """``stooop`` and ``stoppp`` as ``stop``; nothing else has its letters counted."""
    return "stop" if re.fullmatch(r"s+t+o+p+", word) else word


def _distance(one: str, other: str) -> int:
    """Edits between two words: letters added, left out, changed, or swapped with their neighbour."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, wanted in enumerate(other, 1):
            best = min(last[column] + 1, now[column - 1] + 1, last[column - 1] + (letter != wanted))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted:
                best = min(best, before[column - 2] + 1)
            now.append(best)
        before, last = last, now
    return last[-1]


def _set(words: Iterable[str]) -> frozenset[str]:
    return frozenset(normalise(word) for word in words)


_STRONG: Final = _set(lists.STRONG)
_ALONE: Final = _set(lists.ALONE)
_NOES: Final = _STRONG | _ALONE
_PHRASES: Final = tuple(sorted(_set(lists.PHRASES)))
_UNSPACED: Final = _set(lists.UNSPACED)
_HELP: Final = _set(lists.HELP)
_START: Final = _set(lists.START)
_YES: Final = _set(lists.YES) - {""}
_FILLERS: Final = _set(lists.FILLERS)
_DOUBTFUL: Final = _set(lists.DOUBTFUL)
_ORDERING: Final = _set(lists.ORDERING)
_NOT_STOP: Final = _set(lists.NOT_STOP)
#: Words that mean a no to messages whatever else is spoken of.
_STOPPISH: Final = _set(
    ("stop", "stopp", "unsubscribe", "unsub", "optout", "revoke", "spam", "arretez", "abmelden", "стоп")
)
#: At the end of what is no question they are a demand.
_LAST: Final = _set(("stop", "stopp", "unsubscribe", "optout", "unsub"))
_ASKING: Final = _set("when why where what who which does do did is are will would can could should how if".split())
_BARE_NOES: Final = _set(("no", "nope", "nah", "no thanks", "no thank you", "nein", "non", "non merci", "no gracias"))
_LONG: Final = tuple(word for word in sorted(_STRONG) if len(word) >= 9)
