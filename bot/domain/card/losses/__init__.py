"""The message that says what evidence of approvals was lost, is back, or cannot be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.card.card import Card, Fact, Link, Mark
from bot.domain.events import Event, EvidenceFound, EvidenceLost, EvidenceOutOfSight
from bot.domain.evidence.loss_text import found_text, lost_text, out_of_sight_text
from bot.domain.evidence.losses import Part
from bot.domain.model import TransitionRequest
from bot.domain.text import target_label, version_name
from bot.language import _, ngettext, sentences

LINES_SHOWN = 15
ACKNOWLEDGE = "countersign evidence acknowledge"


@dataclass(frozen=True)
class Told:
    """What happened to the evidence of one approval."""

    event: Event
    request: TransitionRequest


def losses_card(told: Sequence[Told]) -> Card:
    """Losses first."""
    lost = [one for one in told if isinstance(one.event, EvidenceLost)]
    unseen = [one for one in told if isinstance(one.event, EvidenceOutOfSight)]
    back = [one for one in told if isinstance(one.event, EvidenceFound)]
    ids = {one.request.id for one in told}
    title = _title(lost, unseen, back)
    lines = [_line(one) for one in (*lost, *unseen, *back)]
    first = told[0].request if len(ids) == 1 else None
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), _("{said}.", said=lines[0].removeprefix("• "))) if lines else title,
        mark=Mark.REFUSED if lost else Mark.CARE if unseen else Mark.DONE,
        facts=_link(first) if first else (),
        paragraphs=tuple(text for text in (_listed(lines), _advice(lost, unseen, first)) if text),
        footer=_("Countersign request {id}", id=first.short_id) if first else "",
    )


def _title(lost: Sequence[Told], unseen: Sequence[Told], back: Sequence[Told]) -> str:
    is_one = len({one.request.id for one in (lost or unseen or back)}) == 1
    if lost:
        return _("Evidence of an approval is gone") if is_one else _("Evidence of approvals is gone")
    if unseen:
        return (
            _("Evidence of an approval cannot be looked at")
            if is_one
            else _("Evidence of approvals cannot be looked at")
        )
    return _("Evidence of an approval is there again") if is_one else _("Evidence of approvals is there again")


def _line(told: Told) -> str:
    event, request = told.event, told.request
    if isinstance(event, EvidenceLost):
        said = lost_text(Part(event.part), event.names, event.count, request)
        seen = _("last seen on {when}", when=event.seen_at)
        said = f"{said} ({seen})"
    elif isinstance(event, EvidenceOutOfSight):
        said = out_of_sight_text(Part(event.part), event.reason)
    else:
        said = found_text(Part(event.part)) if isinstance(event, EvidenceFound) else ""
    return f"• {version_name(request.version)} → {target_label(request)}: {said}"


def _listed(lines: Sequence[str]) -> str:
    more = [_("• and {count} more", count=len(lines) - LINES_SHOWN)] if len(lines) > LINES_SHOWN else []
    return "\n".join([*lines[:LINES_SHOWN], *more])


def _advice(lost: Sequence[Told], unseen: Sequence[Told], only: TransitionRequest | None) -> str:
    if not lost and not unseen:
        return ""
    which = only.short_id if only else "ID"
    command = f"{ACKNOWLEDGE} {which} --reason TEXT"
    stays = _("No target moves because of it, and the decision stays as it is.")
    if not lost:
        fix = _(
            "Whether anything is gone is not known. Let the worker read it, or acknowledge it: {command}",
            command=command,
        )
        return sentences(stays, fix)
    many = ngettext(
        "Restore it, or acknowledge it: {command}",
        "Restore them, or acknowledge each: {command}",
        len(lost),
        command=command,
    )
    return sentences(stays, many)


def _link(request: TransitionRequest) -> tuple[Fact, ...]:
    return (Fact(_("Card"), Link(_("Open the card"), request.card.url)),) if request.card else ()
