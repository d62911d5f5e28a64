"""Will mailbox providers believe that a message comes from this domain? From its DNS records, and a received message.

What Gmail, Yahoo and Microsoft ask of who sends to many: SPF and DKIM that pass, a DMARC policy aligned with the From
domain, a domain that can be answered, one-click unsubscription covered by the signature (RFC 7208, 6376, 7489, 8058).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

#: Mechanisms that cost a look-up; more than ten are a permanent error (RFC 7208 4.6.4).
_COSTLY: Final = re.compile(r"^[+?~-]?(?:include:|a(?:[:/]|$)|mx(?:[:/]|$)|ptr|exists:)|^redirect=", re.I)
_MOST_LOOK_UPS: Final = 10
_TAG: Final = re.compile(r"\s*([A-Za-z]+)\s*=\s*([^;]*)")


class Level(StrEnum):
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Finding(NamedTuple):
    """``found``: the record as it stands in DNS, shortened."""

    check: str
    level: Level
    text: str
    found: str = ""


class Records(NamedTuple):
    """Answers of DNS; None where a name could not be asked about. ``dkim``: TXT records by selector; ``dmarc``: those
    of the domain, or of the domain above it that ``dmarc_at`` names."""

    spf: Sequence[str] | None
    dmarc: Sequence[str] | None
    dmarc_at: str
    dkim: Mapping[str, Sequence[str] | None]
    takes_mail: bool | None


def judge(domain: str, records: Records) -> list[Finding]:
    """What is good and what must be mended, in the order of importance."""
    return [_spf(records.spf), _dkim(records.dkim), _dmarc(domain, records), _mail(domain, records.takes_mail)]


def _spf(texts: Sequence[str] | None) -> Finding:
    if texts is None:
        return Finding("SPF", Level.WARN, "DNS did not answer. Try again in a moment.")
    found = [text for text in texts if text.lower().split(" ")[0] == "v=spf1"]
    if not found:
        return Finding("SPF", Level.BAD, "There is no SPF record. Add the one that your provider shows you.")
    if len(found) > 1:
        return Finding("SPF", Level.BAD, "There are several SPF records, which counts as none. Merge them.", found[0])
    terms = found[0].split()
    look_ups = sum(bool(_COSTLY.match(term)) for term in terms)
    if look_ups > _MOST_LOOK_UPS:
        text = f"The record names {look_ups} look-ups; more than {_MOST_LOOK_UPS} make it void."
        return Finding("SPF", Level.BAD, text, found[0])
    ends = next((term.lower() for term in reversed(terms) if term.lower().lstrip("+?~-") == "all"), "")
    if ends in ("all", "+all"):
        return Finding("SPF", Level.BAD, "The record lets the whole world send for you: end it with ~all.", found[0])
    return Finding("SPF", Level.GOOD, "There is one record. Your provider must be in it.", found[0])


def _dkim(by_selector: Mapping[str, Sequence[str] | None]) -> Finding:
    if not by_selector:
        return Finding("DKIM", Level.WARN, "Give the selector that your provider shows you, to look at its key.")
    for selector, texts in by_selector.items():
        for text in texts or ():
            tags = _tags(text)
            if "p" in tags and tags.get("v", "DKIM1") == "DKIM1":
                if not tags["p"]:
                    return Finding("DKIM", Level.BAD, f"The key of {selector} was withdrawn (it is empty).", text[:200])
                return Finding("DKIM", Level.GOOD, f"There is a key under {selector}.", text[:200])
    if any(texts is None for texts in by_selector.values()):
        return Finding("DKIM", Level.WARN, "DNS did not answer. Try again in a moment.")
    names = ", ".join(by_selector)
    return Finding("DKIM", Level.BAD, f"No key under {names}. Add the records of your provider, or check the selector.")


def _dmarc(domain: str, records: Records) -> Finding:
    if records.dmarc is None:
        return Finding("DMARC", Level.WARN, "DNS did not answer. Try again in a moment.")
    found = [text for text in records.dmarc if _tags(text).get("v", "").upper() == "DMARC1"]
    if len(found) != 1:
        text = "There is no DMARC record" if not found else "There are several DMARC records, which counts as none"
        return Finding("DMARC", Level.BAD, f'{text}. Begin with "v=DMARC1; p=none; rua=mailto:you@{domain}".')
    tags = _tags(found[0])
    policy = (tags.get("p") if records.dmarc_at == domain else tags.get("sp") or tags.get("p") or "") or ""
    if policy.lower() not in ("none", "quarantine", "reject"):
        return Finding("DMARC", Level.BAD, "The record has no policy that can be read (p=).", found[0])
    if tags.get("aspf", "r").lower() == "s" and tags.get("adkim", "r").lower() == "s":
        text = "Alignment is strict on both sides: the provider must sign with exactly your domain."
        return Finding("DMARC", Level.WARN, text, found[0])
    where = "" if records.dmarc_at == domain else f" It stands at {records.dmarc_at}."
    return Finding("DMARC", Level.GOOD, f"The policy is {policy.lower()}.{where}", found[0])


def _mail(domain: str, takes_mail: bool | None) -> Finding:
    if takes_mail is None:
        return Finding("Replies", Level.WARN, "DNS did not answer. Try again in a moment.")
    if takes_mail:
        return Finding("Replies", Level.GOOD, f"{domain} takes mail: shoppers can answer.")
    return Finding("Replies", Level.BAD, f"{domain} takes no mail: answers and complaints would be lost.")


def judge_headers(domain: str, pasted: str) -> list[Finding]:
    """What the headers of a received message say. Empty when there are none of those that matter.

    The signature is that of the From domain, or of one below or above it (relaxed alignment, RFC 7489 3.1.1).
    """
    headers = _headers(pasted)
    found: list[Finding] = []
    signatures = [_tags(value) for name, value in headers if name == "dkim-signature"]
    if signatures:
        own = [tags for tags in signatures if _aligned(tags.get("d", ""), domain)]
        covered = [tags for tags in own if {"list-unsubscribe", "list-unsubscribe-post"} <= _signed(tags)]
        if not own:
            text = f"The message is signed, but not by {domain}: set the domain up with your provider."
            found.append(Finding("Signature", Level.BAD, text, ", ".join(tags.get("d", "?") for tags in signatures)))
        elif not covered:
            text = "The signature leaves out List-Unsubscribe or List-Unsubscribe-Post: one-click is then not believed."
            found.append(Finding("Signature", Level.BAD, text, own[0].get("h", "")[:200]))
        else:
            found.append(Finding("Signature", Level.GOOD, "It is yours, and covers both unsubscribe headers."))
    for name, value in headers:
        if name == "authentication-results":
            for method in ("spf", "dkim", "dmarc"):
                told = re.search(rf"\b{method}=(\w+)", value)
                if told:
                    level = Level.GOOD if told[1] == "pass" else Level.BAD
                    found.append(Finding(method.upper(), level, f"The receiver says {told[1]}."))
            break
    return found


def _signed(tags: Mapping[str, str]) -> set[str]:
    return {name.strip().lower() for name in tags.get("h", "").split(":")}


def _aligned(signer: str, domain: str) -> bool:
    signer, domain = signer.strip().lower().rstrip("."), domain.lower()
    return (
        bool(signer)
        and (signer == domain or domain.endswith(f".{signer}") or signer.endswith(f".{domain}"))
        and "." in signer
    )


def _headers(pasted: str) -> list[tuple[str, str]]:
    """Names in lower case with unfolded values; stops at the body."""
    found: list[tuple[str, str]] = []
    for line in pasted.replace("\r\n", "\n").split("\n"):
        if not line.strip() and found:
            break
        if line[:1] in (" ", "\t") and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon and re.fullmatch(r"[A-Za-z0-9-]+", name.strip()):
            found.append((name.strip().lower(), value.strip()))
    return found


def _tags(text: str) -> dict[str, str]:
    """The tags of a record: ``v=DMARC1; p=none``.

    >>> _tags("v=DMARC1; p=none")
    {'v': 'DMARC1', 'p': 'none'}
    """
    pairs = (_TAG.match(part) for part in text.split(";"))
    return {found[1].lower(): found[2].strip() for found in pairs if found}
