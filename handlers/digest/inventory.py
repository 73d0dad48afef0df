"""The inventory: who held each target when the week ended, on whose approval, and what is wrong with that.

Who held what comes from `holders`. All holdings go into a file; the digest keeps the first of them, and the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from bot.domain.card.sentences import WAS_APPROVED
from bot.domain.digest import findings
from bot.domain.digest.figures import LISTED, Finding, FindingKind, Holding, Listed
from bot.domain.digest.periods import Period
from bot.domain.digest.sentences import FAST_TRACK, NOBODY, PEOPLE, RULE, decider
from bot.domain.evidence.lineage import missing, was_trained_on
from bot.domain.model import (
    DataSet,
    DecidedBy,
    Evidence,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import Policy, Unruled
from bot.domain.request.approvals import Approval, approval_behind, restores
from bot.domain.request.counting import Worth, counted_votes, rule_of_decision, worth_of
from bot.domain.request.quorum import ANYONE
from bot.domain.workspaces import in_workspace
from bot.language import _
from bot.reports.lists import HoldingsAsCsv
from bot.store.digest_figures import DigestFigures
from handlers.digest.holders import Holder, holders_at, read_request

AT_ONCE = 200  # requests in memory
WITHOUT_PEOPLE = {DecidedBy.FAST_TRACK: FAST_TRACK, DecidedBy.RULE: RULE}


@dataclass(frozen=True)
class Held:
    """`model` is the registered model whose target it is; `approval` the request that approved it, None when no one has.

    `asked` is the newest request for it, decided or not; `lapsed` an approval that ended when another version took the target.
    `restored_by` is the rollback that brought it back on that approval.
    """

    model: str
    version: VersionId
    target: Target
    since: datetime | None
    approval: TransitionRequest | None
    asked: TransitionRequest | None
    lapsed: TransitionRequest | None
    restored_by: TransitionRequest | None = None


@dataclass
class Inventory:
    """`whole` is the list of all that is held; besides it only the first of the lists are kept, and the counts."""

    whole: HoldingsAsCsv
    shown: list[Holding] = field(default_factory=list)
    total: int = 0
    concerned: dict[FindingKind, list[Finding]] = field(default_factory=dict)
    counts: dict[FindingKind, int] = field(default_factory=dict)

    def add(self, holding: Holding, found: Sequence[Finding]) -> None:
        self.whole.add_holding(holding, [matter.concern for matter in found])
        self.total += 1
        if len(self.shown) < LISTED:
            self.shown.append(holding)
        for matter in found:
            self.counts[matter.concern] = self.counts.get(matter.concern, 0) + 1
            kept = self.concerned.setdefault(matter.concern, [])
            if len(kept) < LISTED:
                kept.append(matter)

    def listed(self) -> Listed[Holding]:
        return Listed(tuple(self.shown), self.total)

    def attention(self) -> list[Listed[Finding]]:
        return [Listed(tuple(kept), self.counts[concern]) for concern, kept in self.concerned.items()]


def take_inventory(
    figures: DigestFigures, policy: Policy | None, period: Period, ends: datetime, names: Mapping[str, str]
) -> Inventory:
    """`ends` is earlier than the period's own end when a week is looked at while it runs."""
    inventory = Inventory(HoldingsAsCsv(names))
    for held in _all_held(figures, ends):
        inventory.add(_holding(held, ends, policy), list(_findings(held, policy, period, ends, names)))
    return inventory


def deciders(request: TransitionRequest, policy: Policy | None) -> tuple[str, tuple[str, ...]]:
    """What decided a request, and the people who did, by their ids."""
    if request.state not in (*WAS_APPROVED, State.REJECTED):
        return NOBODY, ()
    if request.decided_by is DecidedBy.BREAK_GLASS and request.glass is not None:
        return PEOPLE, (request.glass.person,)
    if request.decided_by in WITHOUT_PEOPLE and request.decided_by is not None:
        return WITHOUT_PEOPLE[request.decided_by], ()
    wanted = Verdict.REJECT if request.state is State.REJECTED else Verdict.APPROVE
    counted = counted_votes(request, wanted, *rule_of_decision(request, policy))
    return PEOPLE, tuple(dict.fromkeys(vote.person for vote in counted))


def roles_of(request: TransitionRequest, people: Sequence[str], policy: Policy | None) -> tuple[str, ...]:
    """The group that each of these people's votes counts for; those that they voted for, where the rule has changed since."""
    in_force = rule_of_decision(request, policy)
    groups = {vote.person: _role(vote, worth_of(vote, request, *in_force)) for vote in request.votes}
    if request.decided_by is DecidedBy.BREAK_GLASS and request.glass is not None:
        groups[request.glass.person] = _("{group}, broke the glass", group=request.glass.group)
    return tuple(groups.get(person, "") for person in people)


def _role(vote: Vote, worth: Worth) -> str:
    return worth.place if worth.place and worth.place != ANYONE else ", ".join(vote.groups)


def claimed_author(request: TransitionRequest) -> str:
    """What the run says; of a version that was put back at once, what it said afterwards."""
    if request.evidence is None and request.origin is not None:
        return request.origin.claimed
    return (request.evidence.author or "") if request.evidence else ""


def author_of(request: TransitionRequest) -> str | None:
    """The id of the person who trained it; None where the policy does not name that person."""
    return request.author or (request.origin.author if request.origin else None)


def _all_held(figures: DigestFigures, ends: datetime) -> Iterator[Held]:
    """Some at a time."""
    places = iter(holders_at(figures, ends))
    while some := list(islice(places, AT_ONCE)):
        ids = [one.request_id for one in some if one.request_id]
        asked = {request.id: request for request in map(read_request, figures.requests(ids))}
        yield from (_approved(place, asked.get(place.request_id), figures, ends) for place in some)


def _approved(place: Holder, request: TransitionRequest | None, figures: DigestFigures, ends: datetime) -> Held:
    """A copy in a target model counts as the version that was copied."""
    version = place.version
    if request is not None and place.target.kind is TargetKind.MODEL:
        version = request.version
    approval = request if request and _is_approval(request, version, ends) else None
    if approval is None and (place.or_before or request is not None):
        approval = last_approval(figures, version, place.target, ends, None if place.or_before else place.since)
    asked = approval or _newest_request(figures, version, place.target, ends)
    lapsed = last_approval(figures, version, place.target, ends) if approval is None and asked else None
    counts = behind(approval, figures) if approval else None
    rollback = counts.restored_by if counts else None
    by = counts.request if counts else None
    return Held(place.model, version, place.target, place.since, by, by or asked, lapsed, rollback)


def behind(approval: TransitionRequest, figures: DigestFigures) -> Approval:
    """The approval that counts: of a rollback that the rule allowed at once, the one that it brought back."""
    version = approval.version
    if not restores(approval):
        return Approval(approval)
    rows = figures.about(version.workspace, version.model, version.version, str(approval.target))
    return approval_behind(approval, map(read_request, rows))


def _newest_request(
    figures: DigestFigures, version: VersionId, target: Target, ends: datetime
) -> TransitionRequest | None:
    rows = map(read_request, figures.about(version.workspace, version.model, version.version, str(target)))
    asked = [one for one in rows if one.version == version and one.opened_at < ends]
    return asked[-1] if asked else None


def last_approval(
    figures: DigestFigures, version: VersionId, target: Target, ends: datetime, settled_since: datetime | None = None
) -> TransitionRequest | None:
    """What was approved anew after the week was held by an approval that was settled `since` it came."""
    rows = map(read_request, figures.about(version.workspace, version.model, version.version, str(target)))
    before = [one for one in rows if one.state is State.APPLIED and _is_approval(one, version, ends)]
    if settled_since is not None:
        before = [one for one in before if one.settled_at is not None and one.settled_at >= settled_since]
    return max(before, key=lambda one: one.settled_at or one.opened_at, default=None)


def as_of(request: TransitionRequest, ends: datetime) -> TransitionRequest:
    """What was decided after the week was open still when it ended."""
    if request.decided_at is not None and request.decided_at >= ends:
        return replace(request, state=State.PENDING)
    return request


def _is_approval(request: TransitionRequest, version: VersionId, ends: datetime) -> bool:
    decided = request.decided_at is not None and request.decided_at < ends
    return decided and request.state in WAS_APPROVED and request.version == version


def _holding(held: Held, ends: datetime, policy: Policy | None) -> Holding:
    approval, asked = held.approval, held.asked
    evidence = asked.evidence if asked else None
    decided, by = deciders(approval, policy) if approval else (NOBODY, ())
    approved_at = approval.decided_at if approval else None
    return Holding(
        version=held.version,
        target=held.target,
        since=held.since,
        decided=decided,
        by=by,
        approved_at=approved_at,
        approval_age=_age(approved_at, ends) if approved_at else None,
        commit=(evidence.commit or "") if evidence else "",
        data=_data_of(evidence) if evidence else "",
        ticket=asked.ticket.key if asked and asked.ticket else "",
        ticket_url=asked.ticket.url if asked and asked.ticket else "",
        request_id=approval.id if approval else "",
        evidence_url=evidence.version_url if evidence else "",
        roles=roles_of(approval, by, policy) if approval else (),
        author=author_of(asked) if asked else None,
        claimed_author=claimed_author(asked) if asked else "",
        restored_at=held.restored_by.settled_at if held.restored_by else None,
        restored_by=held.restored_by.requester if held.restored_by else None,
    )


def _findings(
    held: Held, policy: Policy | None, period: Period, ends: datetime, names: Mapping[str, str]
) -> Iterator[Finding]:
    version, model, target = held.version, held.model, held.target
    rule = policy.rule_for(version.workspace, model, target) if policy else None
    model = f"{model}{in_workspace(version.workspace)}"
    if rule is None and policy is not None:  # without a rule there is nothing to approve
        if policy.default is Unruled.REPORT:
            yield findings.no_rule(version, model, target)
        return
    if held.approval is None:
        asked = as_of(held.asked, ends) if held.asked else None
        rejected_by = decider(*deciders(asked, policy), names) if asked and asked.state is State.REJECTED else ""
        lapsed = _("by {who}", who=decider(*deciders(held.lapsed, policy), names)) if held.lapsed else ""
        yield findings.held_without_approval(version, model, target, held.since, period, asked, rejected_by, lapsed)
        return
    approved_at, valid_for = held.approval.decided_at, rule.approval_valid_for if rule else None
    if approved_at is not None and valid_for is not None and ends - approved_at > valid_for:
        age = _age(approved_at, ends)
        yield findings.approval_too_old(version, model, target, approved_at, age, valid_for, period)
    evidence = held.approval.evidence
    gaps = missing(evidence) if evidence else (_("no evidence was frozen"),)
    if gaps:
        yield findings.lineage_incomplete(version, model, target, gaps, evidence.version_url if evidence else "")


def _data_of(evidence: Evidence) -> str:
    """MLflow's digests of what the version was trained on, with the versions of Delta tables."""
    return ", ".join(dict.fromkeys(_digest_and_table(one) for one in evidence.datasets if was_trained_on(one)))


def _digest_and_table(used: DataSet) -> str:
    if used.table is None:
        return used.digest
    if used.table.version is None:
        return _("{digest} (table version not known)", digest=used.digest)
    return _("{digest} (table version {version})", digest=used.digest, version=str(used.table.version))


def _age(approved_at: datetime, ends: datetime) -> timedelta:
    return timedelta(seconds=int((ends - approved_at).total_seconds()))
