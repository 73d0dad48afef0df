"""Why a version is requested, in a person's words: what was filled in with metrics and parameters is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.domain.model import Evidence, Kind, TransitionRequest
from bot.domain.names import in_one_line
from bot.language import N_, from_record

NOT_GIVEN = N_("no reason given")
SENTENCES = re.compile(r"(?<=[.;!?])\s+|\n+")
FIGURE = r"\s*[:=]?\s*[-+]?(\d[\d.e+-]*|nan\b|inf\b)"
FILLERS = 2  # words, as in "Train with depth=6"


def reason_of(request: TransitionRequest) -> str:
    """The requester's comment, else what a person wrote into the version's description; empty when there is neither."""
    if request.comment:
        return comment_of(request)
    return human_words(request.evidence) if request.evidence else ""


def comment_of(request: TransitionRequest) -> str:
    """The requester's own words; where nobody asked, why the bot asks."""
    said = in_one_line(request.comment)
    return from_record(said) if request.kind is Kind.OBSERVED and request.requester is None else said


def human_words(evidence: Evidence) -> str:
    """The description without the sentences that only repeat metrics and parameters."""
    names = [metric.name for metric in evidence.metrics]
    kept = [one for one in SENTENCES.split(evidence.description) if one.strip() and not _repeats(one, names, evidence)]
    return in_one_line(" ".join(kept))


def _repeats(sentence: str, names: Iterable[str], evidence: Evidence) -> bool:
    """Nothing, or hardly anything, is left of it without each metric with its figure and each parameter with its value."""
    found = [rf"(?<!\w){re.escape(name)}{FIGURE}" for name in names if name]
    found += [
        rf"(?<!\w){re.escape(name)}\s*[:=]\s*{re.escape(value)}(?!\w)"
        for name, value in evidence.params.items()
        if name and value
    ]
    left, count = sentence, 0
    for pattern in found:
        left, times = re.subn(pattern, " ", left, flags=re.IGNORECASE)
        count += times
    return count > 0 and len(re.findall(r"[^\W\d_]{2,}", left)) <= FILLERS
