"""Whether the person on record broke the glass: the form that they sent is verified again before anything is signed or moved."""

from __future__ import annotations

from bot.domain.break_glass.breaking import VIA
from bot.domain.break_glass.offer import ACTION, offer_of, read_offer
from bot.domain.broken_glass import BrokenGlass
from bot.domain.model import TransitionRequest, Verdict, Vote
from bot.domain.names import storable
from bot.errors import Refused, Rejected
from bot.services import Services
from bot.store.attestations import KeptRequest
from bot.store.transaction import Transaction
from handlers.attestation.vote_proofs import CHANGED, NO_REQUEST, NOT_THEIRS, OTHER_CLICK, belongs_to

NOBODY = "nothing on record says who broke the glass"


def why_not_broken(request: TransitionRequest, tx: Transaction, s: Services) -> str:
    """Why nothing proves that this person broke the glass for this version, target and rule; empty when it is proven.

    Raises Temporary while this worker does not know the secret that signed the form.
    """
    glass = request.glass
    if glass is None:
        return NOBODY
    kept = tx.signed_requests.find(glass.signed_request) if glass.signed_request else None
    if kept is None:
        return NO_REQUEST
    deed = deed_of(glass)
    if kept.request_id != request.id or kept.vote != deed:
        return CHANGED
    return _why_not_sent(request, glass, kept, s) or ("" if belongs_to(request, deed, tx) else NOT_THEIRS)


def deed_of(glass: BrokenGlass) -> Vote:
    """As it was kept with the form that it came in."""
    return Vote(
        person=glass.person,
        verdict=Verdict.APPROVE,
        reason=glass.reason,
        at=glass.at,
        groups=(glass.group,),
        via=VIA,
        rule_hash=glass.rule_hash,
        also=glass.also,
        team=glass.team,
        account=glass.account,
        signed_request=glass.signed_request,
        signed_by=glass.signed_by,
    )


def _why_not_sent(request: TransitionRequest, glass: BrokenGlass, kept: KeptRequest, s: Services) -> str:
    try:
        click = s.notifier.read_signed(kept.signed)
        shown = read_offer(click.value)
    except Rejected as refusal:
        return str(refusal)
    except Refused:
        return OTHER_CLICK
    said = (click.action, click.account, click.team, storable(click.reason), kept.signed.signed_by)
    is_same = said == (ACTION, glass.account, glass.team, glass.reason, glass.signed_by)
    return "" if click.is_form and is_same and shown == offer_of(request) else OTHER_CLICK
