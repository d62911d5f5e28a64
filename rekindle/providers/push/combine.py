"""What became of a message that went to several devices? One outcome for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from rekindle.providers.base import Accepted, Device, Fault, NotStarted, Outcome, Rejected, Uncertain


def combined(answers: Sequence[tuple[Device, Outcome]]) -> Outcome:
    """One yes is a yes, then a perhaps is a perhaps: what one device has or may have shown is not shown again.

    Nothing started before a refusal that may pass, before one that is for good; all of the devices gone is a dead
    address.
    """
    gone = tuple(device.id for device, said in answers if is_gone(said))
    said = [outcome for _, outcome in answers]
    accepted = next((one for one in said if isinstance(one, Accepted)), None)
    if accepted is not None:
        count = sum(isinstance(one, Accepted) for one in said)
        return Accepted(accepted.provider_id, f"{accepted.detail} ({count} of {len(said)} devices)", gone)
    for wanted in (Uncertain, NotStarted):
        for one in said:
            if isinstance(one, wanted):
                return one
    refused = [one for one in said if isinstance(one, Rejected)]
    if not refused:
        return Rejected(True, "no_device", "the message is for no device", Fault.LETTER)
    passing = [one for one in refused if not one.permanent]
    others = [one for one in refused if one.fault is not Fault.RECIPIENT]
    return replace((passing or others or refused)[0], gone=gone)


def is_gone(said: Outcome) -> bool:
    """Does the answer say that the device takes no more messages?"""
    return isinstance(said, Rejected) and said.permanent and said.fault is Fault.RECIPIENT


def all_answered(devices: Sequence[Device], answers: Sequence[asyncio.Future[Outcome]]) -> asyncio.Future[Outcome]:
    """One future for the answers of all devices."""
    whole: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    left = len(answers)

    def answered(_: asyncio.Future[Outcome]) -> None:
        nonlocal left
        left -= 1
        if left == 0 and not whole.done():
            told = [answer.result() for answer in answers]
            whole.set_result(combined(list(zip(devices, told, strict=True))))

    if not answers:
        whole.set_result(combined(()))
    for answer in answers:
        answer.add_done_callback(answered)
    return whole
