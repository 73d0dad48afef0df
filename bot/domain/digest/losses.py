"""A finding of the digest: a part of an approval's evidence is gone, or could not be looked at for long."""

from __future__ import annotations

from bot.domain.digest.figures import Finding, FindingKind
from bot.domain.digest.periods import Period
from bot.domain.digest.sentences import local_moment
from bot.domain.evidence.loss_text import lost_text, out_of_sight_text
from bot.domain.evidence.losses import Kept
from bot.domain.model import TransitionRequest
from bot.language import _, sentences


def evidence_lost(request: TransitionRequest, kept: Kept, period: Period) -> Finding:
    """It stays until all of the part is back, or somebody has acknowledged it."""
    since = kept.lost_since or kept.unread_since or kept.seen_at
    values = {"version": str(request.version), "target": str(request.target), "since": local_moment(since, period)}
    if kept.lost_since is not None:
        what = lost_text(kept.part, kept.lost, len(kept.lost), request)
        said = _(
            "What the approval of {version} for {target} rests on has been gone since {since}: {what}.",
            what=what,
            **values,
        )
    else:
        what = out_of_sight_text(kept.part, kept.unread)
        said = _(
            "What the approval of {version} for {target} rests on has been out of sight since {since}: {what}.",
            what=what,
            **values,
        )
    command = f"countersign evidence acknowledge {request.short_id} --reason TEXT"
    fix = _("Restore it, or run: {command}", command=command)
    link = request.card.url if request.card else ""
    return Finding(FindingKind.EVIDENCE_LOST, sentences(said, fix), since, request.version.model, link)
