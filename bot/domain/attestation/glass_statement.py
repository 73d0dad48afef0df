"""What the statement of a decision says after break glass: who decided alone, in spite of what, and who has to review it."""

from __future__ import annotations

from bot.domain.broken_glass import BrokenGlass
from bot.domain.ledger.chain import Plain, as_plain
from bot.domain.model import DecidedBy, TransitionRequest

# What the person's signature on paper would mean.
AT_ONCE = "I promote {version} to {target} at once, without the votes that this rule asks for."


def glass_of(request: TransitionRequest) -> BrokenGlass | None:
    """None where the votes, the fast track or the rule decided."""
    return request.glass if request.decided_by is DecidedBy.BREAK_GLASS else None


def who_broke_it(glass: BrokenGlass, request: TransitionRequest, known: dict[str, Plain]) -> Plain:
    """As an approver of a decision is said; `known` is the person's id, name and address."""
    account: Plain = {"team": glass.team, "id": glass.account}
    meaning = AT_ONCE.format(version=request.version, target=request.target)
    said: dict[str, Plain] = {"for": glass.group, "reason": glass.reason, "at": as_plain(glass.at), "account": account}
    return [{**known, **said, "meaning": meaning}]


def glass_part(request: TransitionRequest) -> dict[str, Plain]:
    """Left out of every other decision."""
    glass = glass_of(request)
    if glass is None:
        return {}
    signed: dict[str, Plain] = {"digest": glass.signed_request, "by": glass.signed_by}
    review: dict[str, Plain] = {"by": glass.reviewers, "until": as_plain(glass.review_by)}
    return {"breakGlass": {"inSpiteOf": list(glass.passed), "review": review, "signedRequest": signed}}
