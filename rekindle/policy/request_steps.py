"""What may be done about a request now? By its kind and state; nothing else is accepted."""

from __future__ import annotations

from rekindle.terms.privacy_request import CLOSED, PrivacyRequest, RequestKind, RequestState, Step

#: What carries a request out. Who objects or opts out of a sale need not prove anything (11 CCR 7060(b)).
_DOES = {
    RequestKind.ACCESS: Step.EXPORT,
    RequestKind.ERASURE: Step.ERASE,
    RequestKind.CORRECTION: Step.CORRECT,
    RequestKind.OBJECTION: Step.OBJECT,
    RequestKind.SALE_OPT_OUT: Step.STOP_SALE,
    RequestKind.COMPLAINT: Step.ANSWER,
}
_WITHOUT_PROOF = frozenset({RequestKind.OBJECTION, RequestKind.SALE_OPT_OUT, RequestKind.COMPLAINT})
#: These close a request by being done.
CLOSING = frozenset({Step.ERASE, Step.CORRECT, Step.OBJECT, Step.STOP_SALE, Step.ANSWER, Step.REFUSE})


def allowed_steps(request: PrivacyRequest) -> tuple[Step, ...]:
    """The steps that may follow, the one that matters first. A closed request only takes notes.

    An objection to marketing cannot be refused (GDPR art. 21(3)), and neither can the opt-out of a sale.
    """
    if request.state in CLOSED:
        return (Step.NOTE,)
    steps = []
    is_known = request.state is RequestState.VERIFIED or request.kind in _WITHOUT_PROOF
    if is_known:
        steps.append(_DOES[request.kind])
    else:
        steps.append(Step.VERIFY)
    if request.kind is RequestKind.ACCESS and is_known:
        steps.append(Step.ANSWER)
    if request.acknowledged_at is None:
        steps.append(Step.ACKNOWLEDGE)
    if request.kind not in _WITHOUT_PROOF and request.extended_at is None:
        steps.append(Step.EXTEND)
    if request.kind not in (RequestKind.OBJECTION, RequestKind.SALE_OPT_OUT):
        steps.append(Step.REFUSE)
    return (*steps, Step.NOTE)
