"""The week in a few lines, for the digest's card and mail: which models moved, by whom approved, and what needs attention. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.digest import sentences as words
from bot.domain.digest.figures import Digest, FindingKind, Transition, Waiting, WeekOfTrend
from bot.domain.digest.sentences import Names
from bot.domain.model import State, Target

MOVES_NAMED = 4
MODELS_NAMED = 2
LETTERS_OF_A_MOVE = 160
CHANGE_SHOWN = 0.1  # a smaller relative change of the median says nothing


def overview(digest: Digest) -> tuple[tuple[str, str], ...]:
    """Label and sentence, in reading order. A ledger that does not verify comes first."""
    ledger = ("Ledger", words.ledger_text(digest.ledger, so_far=not words.is_over(digest)))
    lines = (
        ("Needs attention", attention(digest)),
        *_moved(digest),
        *([("Pending", _pending(digest))] if words.is_counted(digest) else []),
        *_time_to_decision(digest),
    )
    return (ledger, *lines) if digest.ledger.fault else (*lines, ledger)


def attention(digest: Digest) -> str:
    """Each kind of finding with its models, the most serious first."""
    if not digest.attention.total:
        return words.ALL_IN_ORDER
    kinds = [_kind(one, digest) for one in FindingKind if digest.concerns.get(one)]
    return f"{words.attention_count(digest)}: {'; '.join(kinds)}"


def _kind(concern: FindingKind, digest: Digest) -> str:
    models = dict.fromkeys(one.model for one in digest.attention.shown if one.concern is concern and one.model)
    named = ", ".join(list(models)[:MODELS_NAMED])
    more = f" and {len(models) - MODELS_NAMED:,} more" if len(models) > MODELS_NAMED else ""
    said = words.concern_text(concern, digest.concerns[concern])
    return f"{said}: {named}{more}" if named else said


def _moved(digest: Digest) -> Iterator[tuple[str, str]]:
    """One line for each of the first moves, then how all transitions ended."""
    applied = [one for one in digest.transitions.shown if one.outcome == State.APPLIED]
    for one in applied[:MOVES_NAMED]:
        yield "Moved", shortened(f"{one.version} to {target_words(one.target)}, {_by_whom(one, digest.names)}")
    others = digest.outcomes.get(State.APPLIED, 0) - min(len(applied), MOVES_NAMED)
    total = digest.transitions.total
    if others or total != len(applied):
        yield (
            "Transitions",
            words.transitions_text(digest) + (f"; {others:,} more moved than named here" if others else ""),
        )
    elif not total:
        yield "Moved", words.transitions_text(digest) if not words.is_counted(digest) else "nothing"


def _by_whom(one: Transition, names: Names) -> str:
    if one.earlier is not None:
        return (
            f"restored by rollback ({words.previously(words.decider(one.earlier.decided, one.earlier.by, names), '')})"
        )
    if one.decided == words.RULE:
        return "restored by rollback, as the rule allows"
    return f"approved by {words.decider(one.decided, one.by, names)}"


def _pending(digest: Digest) -> str:
    said = words.waiting_count(digest)
    oldest = max(digest.waiting.shown, key=lambda one: one.age, default=None)
    return f"{said}: {_request(oldest)}" if oldest else said


def _request(one: Waiting) -> str:
    return shortened(f"{one.version} to {target_words(one.target)} (missing: {one.missing})")


def _time_to_decision(digest: Digest) -> Iterator[tuple[str, str]]:
    overall = next((one for one in digest.latency if not one.rule and one.decided), None)
    if overall is not None:
        yield "Time to decision", words.latency_text(overall)


def target_words(target: Target) -> str:
    """The target for people: alias champion, stage Production, model prod.x."""
    return f"{target.kind} {target.name}"


def shortened(text: str) -> str:
    return text if len(text) <= LETTERS_OF_A_MOVE else f"{text[: LETTERS_OF_A_MOVE - 1].rstrip()}…"


def shows_a_trend(weeks: tuple[WeekOfTrend, ...]) -> bool:
    """Whether a chart says something: at least two weeks with decisions, and a change between them."""
    medians = [week.median for week in weeks if week.median is not None]
    return len(medians) > 1 and max(medians) - min(medians) > CHANGE_SHOWN * max(medians)
