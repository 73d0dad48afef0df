"""A finding of the digest: somebody's vote carried what they had asked for, which became known too late."""

from __future__ import annotations

from datetime import datetime

from bot.domain.digest.figures import Finding, FindingKind
from bot.domain.model import TransitionRequest
from bot.language import _


def own_ask_approved(name: str, request: TransitionRequest, at: datetime) -> Finding:
    said = _(
        "{who} approved {version} for {target} and had asked for it in MLflow, which its guard reported after the move. Have somebody "
        "else look at it, or roll it back.",
        who=name,
        version=str(request.version),
        target=str(request.target),
    )
    link = request.card.url if request.card else ""
    return Finding(FindingKind.OWN_ASK_APPROVED, said, at, request.version.model, link)
