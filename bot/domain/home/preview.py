"""What is shown of a link to a model version below the message that has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.card.card import Fact, Link
from bot.domain.card.metrics_table import figure
from bot.domain.card.titles import title_of
from bot.domain.home.rows import card_link
from bot.domain.model import Target, TransitionRequest, VersionId
from bot.domain.text import target_label, version_name
from bot.language import _

METRICS = 4


@dataclass(frozen=True)
class Preview:
    """`card` is the newest request's, where one is posted."""

    title: str
    facts: tuple[Fact, ...]
    card: Link | None = None


def preview_of(
    version: VersionId,
    holds: Sequence[Target],
    request: TransitionRequest | None,
    decided_by: str,
    *,
    is_rolled_back: bool,
) -> Preview:
    """`request` is the newest one for the version, and `decided_by` says who decided it, empty while undecided."""
    facts = [Fact(_("Holds"), ", ".join(map(str, holds)))] if holds else []
    if request is not None:
        said = _(
            "{title}: {target}", title=title_of(request, is_rolled_back=is_rolled_back), target=target_label(request)
        )
        facts.append(Fact(_("Request"), said))
    if decided_by:
        facts.append(Fact(_("Decided by"), decided_by))
    metrics = request.evidence.metrics[:METRICS] if request and request.evidence else ()
    if metrics:
        facts.append(Fact(_("Metrics"), " · ".join(f"{one.name} {figure(one.value)}" for one in metrics)))
    return Preview(version_name(version), tuple(facts), card_link(request) if request else None)
