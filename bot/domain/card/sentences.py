"""The sentences about a request: its status, the meaning of a vote, the decision. `request_card` arranges them.

The fast track's are in `fast_track_sentences`, those about what to do after an outcome in `next_steps`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.card.titles import title_of as title_of
from bot.domain.evidence.lineage import in_the_way
from bot.domain.model import Kind, State, TargetKind, TransitionRequest, Verdict, Vote
from bot.domain.policy.freezes import FreezeNow
from bot.domain.policy.rules import Group, Rule
from bot.domain.references import PostedCard
from bot.domain.request.counting import worth_of, worth_text
from bot.domain.request.fast_track import Agreement
from bot.domain.request.quorum import place_name, tally, under
from bot.domain.text import format_utc, target_label

UNKNOWN = "unknown"
RENEWED = "The vote begins anew, with a new comparison, on a new card; votes on this one do not count."
TRIED_AGAIN = "It goes on being tried; `countersign jobs list` shows how."
WAS_APPROVED = (State.APPROVED, State.APPLIED, State.STALE)
VOTED = {
    (Verdict.APPROVE, Kind.PROMOTION): "approved",
    (Verdict.APPROVE, Kind.OBSERVED): "ratified",
    (Verdict.APPROVE, Kind.ROLLBACK): "approved",
}
MEANINGS = {
    (Verdict.APPROVE, Kind.PROMOTION): "the version may go to the target",
    (Verdict.REJECT, Kind.PROMOTION): "the version may not go to the target",
    (Verdict.APPROVE, Kind.OBSERVED): "the version may stay where it was put",
    (Verdict.REJECT, Kind.OBSERVED): "the target goes back to who held it before",
    (Verdict.APPROVE, Kind.ROLLBACK): "the target may go back to the version",
    (Verdict.REJECT, Kind.ROLLBACK): "the target does not go back to the version",
}


COUNTED = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}


@dataclass(frozen=True)
class CardContext:
    """What the sentences need besides the request.

    `names` are the names of its people. `rule` is None when no rule matches any more. `holds`: the version still has the target through
    this request. `may_go_back`: there is a version to go back to. `may_undo`: Undo is still possible. `rolled_back`: when and why it was
    taken back. `freeze`: the one in force for the rule. `agreement`: the fast track's record. `groups`: those that may vote. `progress`:
    how much of the files has been read. `earlier`, `later`: the cards of the requests before and after this one. `stranger`: the address
    that asked, when no one is known by it.
    """

    names: Mapping[str, str]
    rule: Rule | None
    rule_hash: str = ""
    holds: bool = False
    may_go_back: bool = False
    rolled_back: str = ""
    may_undo: bool = False
    freeze: FreezeNow | None = None
    agreement: Agreement | None = None
    groups: tuple[Group, ...] = ()
    progress: str = ""
    earlier: PostedCard | None = None
    later: PostedCard | None = None
    stranger: str = ""

    def name(self, person_id: str | None) -> str:
        return self.names.get(person_id, UNKNOWN) if person_id else UNKNOWN


def called_off(request: TransitionRequest, context: CardContext) -> str:
    """That an approval was taken back before it was applied, by whom, when and why."""
    by = f" by {context.name(request.ended_by)}" if request.ended_by else ""
    when = f" on {format_utc(request.ended_at)}" if request.ended_at else ""
    return f"Called off{by}{when}: {request.outcome.rstrip('.')}. {_left_alone(request)}"


def _left_alone(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        return f"{request.version} keeps {target_label(request)} without an approval."
    return f"Countersign does not move {target_label(request)}."


def button_labels(request: TransitionRequest) -> tuple[str, str]:
    """The labels of the two buttons."""
    if request.kind is not Kind.OBSERVED:
        return "Approve", "Reject"
    return "Ratify", "Reject" if request.is_adopted else "Put back"


def what_approve_does(request: TransitionRequest) -> str:
    if request.kind is Kind.ROLLBACK:
        away = f" from {request.away_from}" if request.away_from else ""
        return f"{target_label(request)} goes back{away} to {request.version}."
    happens = "stays" if request.kind is Kind.OBSERVED else "becomes"
    return f"{request.version} {happens} {target_label(request)}."


def what_reject_does(request: TransitionRequest) -> str:
    if request.kind is Kind.PROMOTION:
        return f"{request.version} does not become {target_label(request)}."
    if request.kind is Kind.ROLLBACK:
        stays = f" stays with {request.away_from}" if request.away_from else f" does not go back to {request.version}"
        return f"{target_label(request)}{stays}."
    if request.is_adopted:
        return f"{request.version} stays {target_label(request)}, without an approval."
    if request.target.kind is TargetKind.MODEL:
        return f"{request.version} is put back: tagged countersign.denied and denied by the gate, or deleted if the rule deletes copies."
    if request.previous is None:
        return f"{target_label(request)} is taken away from {request.version}; nobody held it before."
    return f"{target_label(request)} goes back to {request.previous}."


def vote_line(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """One vote: who, for whom, when, what, for which of the rule's requirements, and why."""
    absent = [context.name(person) for person in vote.standing_in_for]
    in_place = f", standing in for {' and '.join(absent)}," if absent else ""
    meaning = MEANINGS[vote.verdict, request.kind]
    if vote.verdict is Verdict.REJECT and request.is_adopted:
        meaning = "the version stays where it is, without an approval"
    how = f"{_requirement(vote, request, context)}{' with a passkey' if vote.passkey else ''}"
    voted = f"{VOTED.get((vote.verdict, request.kind), 'rejected')}{how}: {meaning}"
    because = f" Reason: {vote.reason}" if vote.reason else ""
    who = f"{context.name(vote.person)}{in_place}"
    return f"{who} on {format_utc(vote.at)} {voted}.{_lapsed(vote, request, context)}{because}"


def _requirement(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """For which requirement it counts; a rejection decides alone."""
    if vote.verdict is Verdict.REJECT:
        return ""
    said = worth_text(vote, worth_of(vote, request, context.rule, context.rule_hash))
    return f" {said}" if said and context.rule is not None else ""


def _lapsed(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """Says that a vote lapsed. After the decision, compares with the rule it was made under, because the rule may change again."""
    counted_under = context.rule_hash if request.state is State.PENDING else request.rule_hash
    no_longer = "no longer counts" if request.state is State.PENDING else "did not count any more"
    if vote.ids & request.parties:
        return f" They have asked for it themselves since, so this vote {no_longer}."
    if vote.rule_hash != counted_under:
        return f" The rule has changed since, so this vote {no_longer}."
    return ""


def status_sentence(request: TransitionRequest, context: CardContext) -> str:
    """The status and the next step, in a sentence or two."""
    if request.state is State.PENDING:
        return _waiting(request, context)
    if request.state is State.APPLIED:
        return _no_longer(request, context.rolled_back) if context.rolled_back else _applied(request)
    if request.state is State.REJECTED:
        return _rejected(request)
    if request.state is State.APPROVED:
        return _approved(request)
    if request.state is State.CALLED_OFF:
        return called_off(request, context)
    if request.state is State.COLLECTING and request.unreadable:
        return f"The vote cannot open, because the evidence cannot be read: {request.unreadable[-1]} {TRIED_AGAIN}"
    if request.state is State.COLLECTING:
        return f"The evidence is being collected; the vote opens after that. {context.progress}".rstrip()
    return f"{request.outcome}. {RENEWED}" if request.renewed else f"{request.outcome}."


def what_is_missing(request: TransitionRequest, context: CardContext) -> tuple[str, ...]:
    """The requirements that no vote has met, one per missing vote, named as in `tally`; empty without a rule."""
    if context.rule is None:
        return ()
    return tally(under(request, context.rule_hash), context.rule).missing


def may_stand_in(request: TransitionRequest, context: CardContext) -> str:
    """Who else may decide after the escalation; empty before."""
    if request.escalated_at is None or context.rule is None or context.rule.escalate is None:
        return ""
    return f"Members of {context.rule.escalate.group} may stand in since {format_utc(request.escalated_at)}."


def _waiting(request: TransitionRequest, context: CardContext) -> str:
    if context.rule is None:
        return "No rule in the policy speaks of this target any more, so nobody can decide it."
    approve, reject = button_labels(request)
    blocked = [check.code for check in in_the_way(request, context.rule)]
    if blocked:
        return f"The rule approves nothing that fails {' and '.join(blocked)}, so it can only be rejected: {reject}."
    counted = Counter(what_is_missing(request, context))
    missing = [
        f"{COUNTED.get(number, number)} of {place_name(group, context.rule)}" for group, number in counted.items()
    ]
    if not missing:  # an unknown requester needed one more vote, and is known now
        return "The votes that the rule demands are there; one more vote by anyone of its groups decides."
    waits = f"Waiting for {' and '.join(missing)}: {approve} or {reject}."
    return f"{waits} {may_stand_in(request, context)}".rstrip()


def _approved(request: TransitionRequest) -> str:
    if request.frozen_until is not None:
        return f"{target_label(request)} moves when the freeze ({request.frozen_by}) ends, on {format_utc(request.frozen_until)}."
    if request.unreadable:
        return f"{target_label(request)} does not move while {request.version} cannot be checked: {request.unreadable[-1]} {TRIED_AGAIN}"
    return f"{target_label(request)} moves as soon as the registry answers."


def _no_longer(request: TransitionRequest, rolled_back: str) -> str:
    when = f" since {format_utc(request.settled_at)}" if request.settled_at else ""
    return f"{request.version} was {target_label(request)}{when}, and was {rolled_back.rstrip('.')}."


def _applied(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        return f"{request.version} stays {target_label(request)}."
    when = f" since {format_utc(request.settled_at)}" if request.settled_at else ""
    if request.kind is Kind.ROLLBACK:
        away = f", away from {request.away_from}" if request.away_from else ""
        return f"{request.version} is {target_label(request)} again{when}{away}."
    before = f", {request.previous} held it before" if request.previous else ""
    return f"{request.version} is {target_label(request)}{when}{before}."


def _rejected(request: TransitionRequest) -> str:
    if request.kind is not Kind.OBSERVED or request.settled_at is None:
        return what_reject_does(request)
    because = f": {request.outcome}" if not request.votes and request.outcome else ""
    holder = str(request.settled_holder) if request.settled_holder else "nobody"
    if request.target.kind is TargetKind.MODEL and request.settled_by_us:
        return f"{request.version} was deleted from {target_label(request)}{because}."
    if request.target.kind is TargetKind.MODEL and request.settled_holder == request.version and not request.is_adopted:
        return f"{request.version} stays in {target_label(request)}, tagged countersign.denied, and the gate denies it{because}."
    if request.settled_by_us:
        return f"{target_label(request)} went back to {holder}{because}."
    return f"{target_label(request)} is held by {holder} now; Countersign did not move it."
