"""Is every no heard, is nothing else taken for one, and does what is unclear wait for a person? (C-07)"""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.stop_words import MAX_READ, Wish, normalise, wish_of

from .replies import HELP, OTHER, OUT, START, UNCLEAR


def test_there_are_more_than_two_hundred_replies() -> None:
    every = [*OUT, *UNCLEAR, *HELP, *START, *OTHER]
    assert len(set(every)) == len(every)
    assert len(every) > 200


def test_recall_and_precision(capsys: pytest.CaptureFixture[str]) -> None:
    """C-07: every clear no is acted on at once; of what is acted on, at least 95 in 100 were meant so."""
    meant = dict.fromkeys(OUT, Wish.STOP) | dict.fromkeys(UNCLEAR, Wish.REVIEW) | dict.fromkeys(HELP, Wish.HELP)
    meant |= dict.fromkeys(START, Wish.START) | dict.fromkeys(OTHER, Wish.OTHER)
    heard = {text: wish_of(text) for text in meant}
    recall = sum(heard[text] is Wish.STOP for text in OUT) / len(OUT)
    taken = [text for text, wish in heard.items() if wish is Wish.STOP]
    precision = sum(meant[text] is Wish.STOP for text in taken) / len(taken)
    rest = [text for text in meant if meant[text] is not Wish.STOP]
    rest_right = sum(heard[text] is meant[text] for text in rest) / len(rest)
    paused = sum(heard[text] is Wish.REVIEW for text in UNCLEAR) / len(UNCLEAR)
    with capsys.disabled():
        print(
            f"\nC-07: {len(meant)} replies; recall of a no {recall:.1%} (100 %), precision {precision:.1%}, the rest"
            f" {rest_right:.1%} right (95 %), unclear ones paused {paused:.1%}"
        )
    assert recall == 1.0
    assert min(precision, rest_right) >= 0.95
    assert paused == 1.0


@pytest.mark.parametrize("text", OUT)
def test_every_no_is_heard(text: str) -> None:
    assert wish_of(text) is Wish.STOP


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_may_be_a_no_waits_for_a_person(text: str) -> None:
    assert wish_of(text) is Wish.REVIEW


@pytest.mark.parametrize("text", OTHER)
def test_what_is_about_something_else_changes_nothing(text: str) -> None:
    assert wish_of(text) is Wish.OTHER


@pytest.mark.parametrize("text", HELP)
def test_help_is_asked_for(text: str) -> None:
    assert wish_of(text) is Wish.HELP


@pytest.mark.parametrize("text", START)
def test_messages_are_wanted_again(text: str) -> None:
    assert wish_of(text) is Wish.START


@pytest.mark.parametrize("text", ["Y", "yes!", "YES please", "sí", "Si.", "oui", "Ja", "ja!", "tak", "sim", "Ok"])
def test_yes_is_an_agreement_only_while_one_was_asked_for(text: str) -> None:
    assert wish_of(text, is_asked=True) is Wish.CONFIRM
    assert wish_of(text) is not Wish.CONFIRM
    assert wish_of(f"{text} but stop texting", is_asked=True) is Wish.STOP


@pytest.mark.parametrize("text", OUT[:60])
def test_a_no_stays_a_no_while_an_agreement_is_waited_for(text: str) -> None:
    assert wish_of(text, is_asked=True) is Wish.STOP


@given(st.sampled_from(OUT), st.sampled_from(["", " ", "!", "...", "\n", " \u200b", "\u00a0", "🙏"]), st.booleans())
def test_case_signs_and_blanks_around_change_no_no(text: str, around: str, loud: bool) -> None:
    changed = f"{around}{text.upper() if loud else text}{around}"
    assert wish_of(changed) is Wish.STOP


@given(st.sampled_from(OUT), st.sampled_from(["?", "?!", " ??"]))
def test_a_no_with_a_question_mark_is_a_no_or_waits_for_a_person(text: str, sign: str) -> None:
    assert wish_of(f"{text}{sign}") in {Wish.STOP, Wish.REVIEW}


@given(st.text(max_size=400))
def test_every_text_has_exactly_one_meaning(text: str) -> None:
    assert wish_of(text) in set(Wish)
    assert wish_of(text) is wish_of(text)
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(alphabet=string.ascii_lowercase + " ", max_size=80))
def test_nothing_without_a_word_of_no_is_a_no(text: str) -> None:
    """A sentence that stops the messages says why: one of the words that are known for it."""
    if wish_of(f"the parcel {text}") is Wish.STOP:
        said = normalise(text)
        assert any(
            word in said for word in ("stop", "no", "out", "off", "un", "quit", "end", "stp", "sot", "go", "k", "d")
        )


def test_a_very_long_reply_is_read_at_its_beginning() -> None:
    assert wish_of("please stop texting me " + "x " * 100_000) is Wish.STOP
    assert wish_of("x" * (MAX_READ * 100)) is Wish.OTHER
