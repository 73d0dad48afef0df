"""The week in a few lines, for the digest's card and mail: which models moved, by whom approved, and what needs attention. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.digest import sentences as words
from bot.domain.digest.figures import Digest, FindingKind, Transition, Waiting, WeekOfTrend
from bot.domain.digest.sentences import Names
from bot.domain.model import State, Target, TargetKind
from bot.language import _, ngettext

MOVES_NAMED = 4
MODELS_NAMED = 2
LETTERS_OF_A_MOVE = 160
CHANGE_SHOWN = 0.1  # a smaller relative change of the median says nothing


def overview(digest: Digest) -> tuple[tuple[str, str], ...]:
    """Label and sentence, in reading order. A ledger that does not verify comes first."""
    ledger = (_("Ledger"), words.ledger_text(digest.ledger, so_far=not words.is_over(digest)))
    lines = (
        (_("Needs attention"), attention(digest)),
        *_moved(digest),
        *([(_("Pending"), _pending(digest))] if words.is_counted(digest) else []),
        *_time_to_decision(digest),
    )
    return (ledger, *lines) if digest.ledger.fault else (*lines, ledger)


def attention(digest: Digest) -> str:
    """Each kind of finding with its models, the most serious first."""
    if not digest.attention.total:
        return _(words.ALL_IN_ORDER)
    kinds = [_kind(one, digest) for one in FindingKind if digest.concerns.get(one)]
    return f"{words.attention_count(digest)}: {'; '.join(kinds)}"


def _kind(concern: FindingKind, digest: Digest) -> str:
    models = dict.fromkeys(one.model for one in digest.attention.shown if one.concern is concern and one.model)
    named = ", ".join(list(models)[:MODELS_NAMED])
    if len(models) > MODELS_NAMED:
        named = _("{items} and {count} more", items=named, count=len(models) - MODELS_NAMED)
    said = words.concern_text(concern, digest.concerns[concern])
    return f"{said}: {named}" if named else said


def _moved(digest: Digest) -> Iterator[tuple[str, str]]:
    """One line for each of the first moves, then how all transitions ended."""
    applied = [one for one in digest.transitions.shown if one.outcome == State.APPLIED]
    for one in applied[:MOVES_NAMED]:
        moved = _(
            "{version} to {target}, {by_whom}",
            version=str(one.version),
            target=target_words(one.target),
            by_whom=_by_whom(one, digest.names),
        )
        yield _("Moved"), shortened(moved)
    others = digest.outcomes.get(State.APPLIED, 0) - min(len(applied), MOVES_NAMED)
    total = digest.transitions.total
    if others or total != len(applied):
        more = ngettext("{count} more moved than named here", "{count} more moved than named here", others)
        yield _("Transitions"), words.transitions_text(digest) + (f"; {more}" if others else "")
    elif not total:
        yield _("Moved"), words.transitions_text(digest) if not words.is_counted(digest) else _("nothing")


def _by_whom(one: Transition, names: Names) -> str:
    if one.earlier is not None:
        before = words.previously(words.decider(one.earlier.decided, one.earlier.by, names), "")
        return _("restored by rollback ({before})", before=before)
    if one.decided == words.RULE:
        return _("restored by rollback, as the rule allows")
    return _("approved by {people}", people=words.decider(one.decided, one.by, names))


def _pending(digest: Digest) -> str:
    said = words.waiting_count(digest)
    oldest = max(digest.waiting.shown, key=lambda one: one.age, default=None)
    return f"{said}: {_request(oldest)}" if oldest else said


def _request(one: Waiting) -> str:
    return shortened(
        _(
            "{version} to {target} (missing: {missing})",
            version=str(one.version),
            target=target_words(one.target),
            missing=one.missing,
        )
    )


def _time_to_decision(digest: Digest) -> Iterator[tuple[str, str]]:
    overall = next((one for one in digest.latency if not one.rule and one.decided), None)
    if overall is not None:
        yield _("Time to decision"), words.latency_text(overall)


def target_words(target: Target) -> str:
    """The target for people: alias champion, stage Production, model prod.x."""
    match target.kind:
        case TargetKind.ALIAS:
            return _("alias {name}", name=target.name)
        case TargetKind.STAGE:
            return _("stage {name}", name=target.name)
        case TargetKind.MODEL:
            return _("model {name}", name=target.name)


def shortened(text: str) -> str:
    return text if len(text) <= LETTERS_OF_A_MOVE else f"{text[: LETTERS_OF_A_MOVE - 1].rstrip()}…"


def shows_a_trend(weeks: tuple[WeekOfTrend, ...]) -> bool:
    """Whether a chart says something: at least two weeks with decisions, and a change between them."""
    medians = [week.median for week in weeks if week.median is not None]
    return len(medians) > 1 and max(medians) - min(medians) > CHANGE_SHOWN * max(medians)
