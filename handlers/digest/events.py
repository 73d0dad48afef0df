"""What happened in the week, read from its entries: how transitions ended, moves by hand, refusals, changes of the policy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from bot.domain import events as e
from bot.domain.card.sentences import WAS_APPROVED
from bot.domain.digest import findings
from bot.domain.digest.figures import LISTED, EarlierApproval, Finding, Listed, PolicyChange, Transition
from bot.domain.digest.glass_findings import glass_broken, review_overdue
from bot.domain.digest.own_asks import own_ask_approved
from bot.domain.digest.periods import Period
from bot.domain.digest.policy_changes import CHANGES, Reader, change_text
from bot.domain.digest.sentences import NOBODY, decider, local_moment
from bot.domain.model import DecidedBy, State, TransitionRequest, VersionId
from bot.domain.policy.rules import Policy
from bot.domain.registry.holders import Where
from bot.domain.request.askers import is_stranger
from bot.domain.text import person_name
from bot.domain.workspaces import in_workspace
from bot.errors import ChainBroken
from bot.language import _
from bot.store.digest_figures import ENDINGS, DigestFigures, KindCounts, Told
from bot.store.ledger import read_event
from bot.store.people import PeopleRows
from bot.store.requests import RequestRows
from handlers.digest.holders import put_back_by_hand, read_request
from handlers.digest.inventory import as_of, author_of, behind, claimed_author, deciders, last_approval, roles_of

Names = Mapping[str, str]


def transition_of(told: Told, policy: Policy | None, figures: DigestFigures) -> Transition:
    request = _request_of(told)
    outcome = ENDINGS[told.kind]
    decided, by = deciders(request, policy) if outcome in (*WAS_APPROVED, State.REJECTED) else (NOBODY, ())
    return Transition(
        request_id=request.id,
        kind=request.kind,
        version=request.version,
        target=request.target,
        outcome=outcome,
        at=told.at,
        decided=decided,
        by=by,
        requester=request.requester,
        reason=_why(request, policy),
        ticket=request.ticket.key if request.ticket else "",
        ticket_url=request.ticket.url if request.ticket else "",
        evidence_url=request.evidence.version_url if request.evidence else "",
        roles=roles_of(request, by, policy),
        author=author_of(request),
        claimed_author=claimed_author(request),
        previous=_previous(told),
        earlier=_earlier_approval(request, policy, figures) if outcome in WAS_APPROVED else None,
    )


def _earlier_approval(
    request: TransitionRequest, policy: Policy | None, figures: DigestFigures
) -> EarlierApproval | None:
    """None for what was decided for itself."""
    found = behind(request, figures).request
    if found.id == request.id:
        return None
    decided, by = deciders(found, policy)
    ticket = found.ticket.key if found.ticket else ""
    return EarlierApproval(decided, by, roles_of(found, by, policy), found.decided_at, ticket)


def _previous(told: Told) -> VersionId | None:
    event = read_event(told.kind, told.body) if told.kind == e.TargetMoved.__name__ else None
    return event.previous if isinstance(event, e.TargetMoved) and event.previous != event.version else None


def _why(request: TransitionRequest, policy: Policy | None) -> str:
    """What ended it, or why it was decided so: the reasons of those people, or what the thresholds said. Else what was said when asking."""
    _, by = deciders(request, policy)
    reasons = "; ".join(vote.reason for vote in request.votes if vote.person in by and vote.reason)
    if request.decided_by is DecidedBy.FAST_TRACK and request.judgement is not None:
        reasons = "; ".join(check.sentence for check in request.judgement.checks)
    return request.outcome or reasons or request.comment


def changes_of_the_week(
    period: Period, figures: DigestFigures, kinds: KindCounts, names: Names
) -> Listed[PolicyChange]:
    reader = Reader(names, period)
    told = figures.told(period, list(CHANGES), LISTED) if kinds.of(*CHANGES) else []
    return Listed(
        tuple(change_text(one.kind, one.at, json.loads(one.body), reader) for one in told), kinds.of(*CHANGES)
    )


def findings_of_the_week(
    period: Period, figures: DigestFigures, kinds: KindCounts, names: Names, policy: Policy | None
) -> Iterator[Listed[Finding]]:
    """What the week's entries tell of, each kind with its number."""
    moved, refused = e.MoveObserved.__name__, e.SelfApprovalRefused.__name__
    yield Listed(tuple(_moves(period, figures, names, policy)) if kinds.of(moved) else (), kinds.of(moved))
    refusals = figures.told(period, [refused], LISTED) if kinds.of(refused) else []
    yield Listed(tuple(_self_approval(told, names) for told in refusals), kinds.of(refused))
    own = e.OwnAskApproved.__name__
    known_since = figures.told(period, [own], LISTED) if kinds.of(own) else []
    yield Listed(tuple(_own_ask(told, names) for told in known_since), kinds.of(own))
    unproven = e.VoteRefused.__name__
    votes = figures.told(period, [unproven], LISTED) if kinds.of(unproven) else []
    yield Listed(tuple(_vote_refused(told, names, period) for told in votes), kinds.of(unproven))
    yield _glass_broken(period, figures, kinds, names)
    yield _reviews_overdue(period, figures, names)
    yield _by_strangers(period, figures, kinds, policy)
    yield _rollbacks(period, figures, kinds, names)
    left_out = figures.left_out(period)
    told = [findings.digests_left_out(json.loads(one.body)["weeks"], one.at) for one in left_out]
    yield Listed(tuple(told[:LISTED]), len(told))


def _glass_broken(period: Period, figures: DigestFigures, kinds: KindCounts, names: Names) -> Listed[Finding]:
    broken = e.GlassBroken.__name__
    told = figures.told(period, [broken], LISTED) if kinds.of(broken) else []
    found = (glass_broken(_request_of(one), one.at, names, period) for one in told)
    return Listed(tuple(one for one in found if one is not None), kinds.of(broken))


def _reviews_overdue(period: Period, figures: DigestFigures, names: Names) -> Listed[Finding]:
    """Of any week, until somebody has done them."""
    waiting = RequestRows(figures.connection).to_review()
    found = [one for one in (review_overdue(request, names, period) for request in waiting) if one is not None]
    return Listed(tuple(found[:LISTED]), len(found))


def _by_strangers(period: Period, figures: DigestFigures, kinds: KindCounts, policy: Policy | None) -> Listed[Finding]:
    """Rollbacks move production at once, so who asked for one without being known is looked at."""
    if policy is None or not kinds.of(e.RequestOpened.__name__):
        return Listed((), 0)
    people = PeopleRows(figures.connection).everybody()
    strangers = {one.id: one.email for one in people if is_stranger(one.email, one.account, policy)}
    asked, total = figures.rollbacks_asked_by(period, list(strangers), LISTED)
    return Listed(tuple(_by_stranger(told, strangers, period) for told in asked), total)


def _rollbacks(period: Period, figures: DigestFigures, kinds: KindCounts, names: Names) -> Listed[Finding]:
    if not kinds.of(e.TargetMoved.__name__):
        return Listed((), 0)
    moved, total = figures.rollbacks_applied(period, LISTED)
    found = []
    for told in moved:
        request = _request_of(told)
        who = person_name(request.requester, names) if request.requester else person_name("", names)
        found.append(findings.rolled_back(request, who, told.at, period))
    return Listed(tuple(found), total)


def _by_stranger(told: Told, strangers: Mapping[str, str], period: Period) -> Finding:
    if told.request is None:
        raise ChainBroken(f"entry {told.seq} speaks of a request that has no row any more")
    request = read_request(told.request)
    return findings.unknown_requester(strangers[request.requester or ""], request, told.at, period)


def _moves(period: Period, figures: DigestFigures, names: Names, policy: Policy | None) -> Iterator[Finding]:
    seen = figures.told(period, [e.MoveObserved.__name__], LISTED)
    asked = [as_of(read_request(body), period.ends) for body in figures.observed([told.at for told in seen])]
    led_to = {(request.version, request.target, request.opened_at): request for request in asked}
    given_back = _given_back(seen, period, figures)
    for told in seen:
        event = read_event(told.kind, told.body)
        if not isinstance(event, e.MoveObserved):
            continue
        model = f"{event.model}{in_workspace(event.workspace)}"
        request = led_to.get((event.version, event.target, event.at)) if event.version else None
        approval = _approved_before(event, figures) if request is None else None
        if told.seq in given_back:
            back = given_back[told.seq]
            yield findings.given_back(model, event.target, back.to, event.at, back.at, period)
        elif event.version is not None and approval is not None:
            whose = _approval_text(approval, period, names, policy)
            yield findings.moved_back(model, event.target, event.version, event.previous, event.at, whose, period)
        else:
            where = model, event.target, event.version, event.previous
            is_ruled = policy is None or policy.rule_for(event.workspace, event.model, event.target) is not None
            yield findings.moved_without_approval(*where, event.at, request, period, is_ruled=is_ruled)


def _given_back(seen: Sequence[Told], period: Period, figures: DigestFigures) -> Mapping[int, e.MoveReverted]:
    """By the number of the entry that emptied the target: where the rule's answer was the next that happened to it."""
    emptied: dict[Where, int] = {}
    found = {}
    given = figures.told(period, [e.MoveReverted.__name__], LISTED) if seen else []
    for told in sorted((*seen, *given), key=lambda one: one.seq):
        event = read_event(told.kind, told.body)
        if isinstance(event, e.MoveReverted):
            before = emptied.pop((event.workspace, event.model, event.target), None)
            if before is not None:
                found[before] = event
        elif isinstance(event, e.MoveObserved):
            emptied.pop((event.workspace, event.model, event.target), None)
            if event.version is None:
                emptied[event.workspace, event.model, event.target] = told.seq
    return found


def _approved_before(move: e.MoveObserved, figures: DigestFigures) -> TransitionRequest | None:
    if move.version is None or not put_back_by_hand(move, figures):
        return None
    return last_approval(figures, move.version, move.target, move.at)


def _approval_text(approval: TransitionRequest, period: Period, names: Names, policy: Policy | None) -> str:
    by = _("by {who}", who=decider(*deciders(approval, policy), names))
    if approval.decided_at is None:
        return by
    return _("{by_whom} on {when}", by_whom=by, when=local_moment(approval.decided_at, period))


def _self_approval(told: Told, names: Names) -> Finding:
    name = person_name(json.loads(told.body)["person"], names)
    return findings.self_approval_refused(name, _request_of(told), told.at)


def _own_ask(told: Told, names: Names) -> Finding:
    name = person_name(json.loads(told.body)["person"], names)
    return own_ask_approved(name, _request_of(told), told.at)


def _vote_refused(told: Told, names: Names, period: Period) -> Finding:
    event = read_event(told.kind, told.body)
    if not isinstance(event, e.VoteRefused):
        raise ChainBroken(f"entry {told.seq} is no refused vote")
    name = person_name(event.person, names)
    return findings.vote_refused(name, _request_of(told), event.cast_at, event.reason, told.at, period)


def _request_of(told: Told) -> TransitionRequest:
    if told.request is None:
        raise ChainBroken(f"entry {told.seq} speaks of a request that has no row any more")
    return read_request(told.request)
