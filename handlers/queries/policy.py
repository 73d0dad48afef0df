"""What `policy explain` and `policy replay` ask of the registry, the notifier and the store. Reads only; nothing is written anywhere.

What `policy check` asks of the registry is in `logged_metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.card.needs import nobody_left
from bot.domain.model import (
    Ask,
    AskKind,
    Evidence,
    FastTrackMode,
    Judgement,
    Kind,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    VersionId,
)
from bot.domain.policy.freezes import freeze_on
from bot.domain.policy.rules import Group, PersonEntry, Policy, Rule
from bot.domain.queries import policy_explanation
from bot.domain.queries.policy_explanation import Approvals, Explanation, GroupSeen, Held, Member
from bot.domain.queries.policy_replay import Replayed, replay
from bot.domain.registry.facts import is_unconfirmed
from bot.domain.registry.model_uri import ModelUri
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request import fast_track
from bot.domain.request.needed import Away, Electorate
from bot.domain.request.rollback import failure_of
from bot.domain.text import format_utc
from bot.domain.workspaces import in_workspace
from bot.errors import NotFound, OutsideError
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.custody.baselines import is_champion_off_record
from handlers.custody.facts import Place, decided_at, is_champion_unconfirmed
from handlers.request.memory import who_had_part
from handlers.request.voters import UNWELCOME

REPLAYED_AT_ONCE = 200  # requests read in one transaction
NAMED = 30  # people of a Slack group; each name costs a call
WHOEVER_ASKS = "whoever asks"
NOT_ASKED = "Slack is not asked, because SLACK_BOT_TOKEN is not set"


@dataclass(frozen=True)
class Explained:
    """`author` and `commit_author` are as MLflow's clients claim; `unmapped` are those whom the policy names nowhere.

    `not_believed` are names from sources that the policy does not believe.
    """

    version: VersionId
    author: str | None
    commit_author: str | None
    unmapped: tuple[str, ...]
    targets: tuple[Explanation, ...]
    not_believed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What every answer about one version needs. `asks_notifier` is False when there is none to ask.

    `away` are by e-mail those who are away; `names` are theirs and their delegates'.
    """

    policy: Policy
    model: ModelSnapshot
    version: VersionId
    is_switched_on: bool
    asks_notifier: bool
    now: datetime
    s: Services
    away: Mapping[str, Away]
    names: Mapping[str, str]


def explain(uri: ModelUri, target: Target | None, policy: Policy, s: Services, *, asks_notifier: bool) -> Explained:
    """For that target, or for each target of a rule: what the policy means for the version as MLflow shows it now."""
    model = s.registry_at(uri.workspace).find_model(uri.workspace, uri.model)
    if model is None:
        raise NotFound(f'MLflow has no registered model "{uri.model}"{in_workspace(uri.workspace)}. Check the name')
    version = _version_of(uri, model)
    now = s.clock.now()
    with s.store.transaction() as tx:
        is_switched_on, (away, names) = tx.switches.fast_track_is_on(), _away(tx, now)
    question = Question(policy, model, version, is_switched_on, asks_notifier, now, s, away, names)

    targets = [target] if target else policy_explanation.targets_of(policy, model.workspace, model.name)
    read: dict[VersionId | None, Evidence] = {}
    answers = tuple(_explain_target(question, one, read) for one in targets)
    evidence = next(iter(read.values()), None) or s.registry_at(version.workspace).read_evidence(version, None, ())
    claimed = tuple(dict.fromkeys(who for who in (evidence.author, evidence.commit_author) if who))
    unmapped = tuple(who for who in claimed if policy.person_by_mlflow_user(who) is None)
    ignored = tuple(
        who
        for who, source in (
            (evidence.author, evidence.author_from),
            (evidence.commit_author, evidence.commit_author_from),
        )
        if who and source not in policy.authors_from
    )
    return Explained(version, evidence.author, evidence.commit_author, unmapped, answers, tuple(dict.fromkeys(ignored)))


def replay_since(since: datetime, policy: Policy, s: Services) -> Iterator[Replayed]:
    """Every request opened since then whose evidence was frozen, the oldest first, as it would have fared under the policy."""
    last: TransitionRequest | None = None
    while True:
        with s.store.transaction() as tx:
            page = tx.requests.opened_since(since, REPLAYED_AT_ONCE, last)
            came = _first_came(tx.requests.applied(page))
        for one in page:
            if one.evidence is not None:
                before = came.get((one.version, one.target))
                yield replay(one, policy, was_approved_before=before is not None and before < one.opened_at)
        if len(page) < REPLAYED_AT_ONCE:
            return
        last = page[-1]


def _first_came(moved: Iterable[TransitionRequest]) -> Mapping[tuple[VersionId, Target], datetime]:
    """When each version first reached a target by these requests, for good."""
    came: dict[tuple[VersionId, Target], datetime] = {}
    for one in moved:
        if one.settled_at is not None and not is_unconfirmed(one):
            where = (one.version, one.target)
            came[where] = min(came.get(where, one.settled_at), one.settled_at)
    return came


def _version_of(uri: ModelUri, model: ModelSnapshot) -> VersionId:
    """An alias is resolved once, here: what it says a moment later is another question."""
    if uri.alias is not None and uri.alias not in model.aliases:
        known = ", ".join(sorted(model.aliases)) or "none"
        raise NotFound(f'{model.name} has no alias "{uri.alias}"; its aliases are: {known}')
    number = uri.version if uri.alias is None else model.aliases[uri.alias]
    seen = model.version(number) if number is not None else None
    if seen is None:
        newest = f"The newest is {model.versions[0].id.version}" if model.versions else "It has none"
        raise NotFound(f"MLflow has no version {number} of {model.name}. {newest}")
    return seen.id


def _explain_target(question: Question, target: Target, read: dict[VersionId | None, Evidence]) -> Explanation:
    policy, version = question.policy, question.version
    passed_over = policy_explanation.passed_over(policy, version.workspace, version.model, target)
    rule = policy.rule_for(version.workspace, version.model, target)
    champion = _champion(question, target)
    if rule is None:
        return Explanation(target, champion, passed_over, None)
    if champion not in read:
        other = champion if champion != version else None  # a version is not compared with itself
        read[champion] = question.s.registry_at(version.workspace).read_evidence(version, other, policy.artifact_stores)
    request = _as_if_asked(question, target, read[champion], rule)
    seen = [_seen(group, rule, request, question) for group in policy.groups_of(rule)]
    known = tuple(group for _, group in seen)
    held = Held(
        place=policy_explanation.place_of(rule, policy),
        rule=rule,
        rule_hash=policy.rule_hash(rule),
        groups=tuple(group for group, _ in seen),
        requester_known=_approvals(request, rule, WHOEVER_ASKS, known, question),
        requester_unknown=_approvals(request, rule, None, known, question),
        judgement=_judged(request, rule, question),
        freeze=freeze_on(request, policy, question.now),
        failed_before=request.failed_before,
    )
    return Explanation(target, champion, passed_over, held)


def _approvals(
    request: TransitionRequest, rule: Rule, requester: str | None, groups: tuple[Group, ...], question: Question
) -> Approvals:
    """`groups` list those whose members are known. Everybody's id is their address here."""
    wanted = policy_explanation.approvals(request, rule, requester)
    emails = {party: party for party in request.parties}
    asked = replace(request, requester=requester)
    known = Electorate(groups, emails, question.away)
    stuck = nobody_left(
        asked, rule, "", known, lambda email: question.names.get(email) or _name(email, question.policy)
    )
    return replace(wanted, nobody_left="" if wanted.refused else stuck)


def _champion(question: Question, target: Target) -> VersionId | None:
    """Who holds the target now; a version that was copied into its own model is its own target and has none to beat."""
    if target.kind is not TargetKind.MODEL:
        model: ModelSnapshot | None = question.model
    elif target.name == question.model.name:
        return None
    else:
        model = question.s.registry_at(question.model.workspace).find_model(question.model.workspace, target.name)
    return next(iter(model.holders(target)), None) if model else None


def _as_if_asked(question: Question, target: Target, evidence: Evidence, rule: Rule) -> TransitionRequest:
    """The request that would be opened if someone asked now. People are in it by their e-mail addresses."""
    version, policy = question.version, question.policy
    is_copy = target == Target(TargetKind.MODEL, version.model)
    kind = Kind.OBSERVED if is_copy else Kind.PROMOTION
    with question.s.store.transaction() as tx:
        had_part = who_had_part(version, target, evidence, rule, kind, tx)
        barred = tuple(sorted(tx.people.emails(had_part).values()))
    return TransitionRequest(
        id="",
        kind=kind,
        state=State.PENDING,
        version=version,
        target=target,
        ask=Ask(AskKind.OBSERVED if is_copy else AskKind.COMMAND),
        requester=None,
        author=_email(policy.author_named(evidence.author, evidence.author_from)),
        commit_author=_email(policy.author_named(evidence.commit_author, evidence.commit_author_from)),
        comment="",
        opened_at=question.now,
        expires_at=None,
        rule_hash="",
        evidence=evidence,
        failed_before=_failed_before(version, target, question.s),
        barred=barred,
    )


def _failed_before(version: VersionId, target: Target, s: Services) -> str:
    with s.store.transaction() as tx:
        to = target.name if target.kind is TargetKind.MODEL else version.model
        return failure_of(version, decided_at(Place(version.workspace, to, target), version.model, tx, (version,)))


def _email(entry: PersonEntry | None) -> str | None:
    return entry.email if entry else None


def _judged(request: TransitionRequest, rule: Rule, question: Question) -> Judgement | None:
    """Whether this request would be sampled is unknown before it has an id, so nothing is drawn here."""
    track = rule.fast_track
    if track is None or track.mode is FastTrackMode.OFF or request.evidence is None:
        return None
    undrawn = replace(track, sample_to_people=0.0)
    with question.s.store.transaction() as tx:
        is_unconfirmed_there = is_champion_unconfirmed(request, tx, question.now)
        is_off_record = is_champion_off_record(request, tx, question.now)
    return fast_track.judge(
        request,
        request.evidence,
        undrawn,
        is_switched_on=question.is_switched_on,
        is_champion_unconfirmed=is_unconfirmed_there,
        is_champion_off_record=is_off_record,
    )


def _seen(group: Group, rule: Rule, request: TransitionRequest, question: Question) -> tuple[GroupSeen, Group]:
    """And the group with the people who may vote in it, where all of them are known."""
    quorum = next((one.quorum for one in rule.approve.all_of if one.group == group.name), 0)
    shut_out = {**{email: _away_text(one, question) for email, one in question.away.items()}, **_parties(request)}
    handle = group.slack_group
    if handle is None:
        members = [Member(_name(email, question.policy), shut_out.get(email, "")) for email in group.people]
        return GroupSeen(group.name, quorum, None, tuple(members)), group
    if not question.asks_notifier:
        return GroupSeen(group.name, quorum, handle, (), unknown=NOT_ASKED), group
    try:
        ids = sorted(question.s.notifier.members_of(handle))
        accounts = [question.s.notifier.account(account) for account in ids[:NAMED]]
    except OutsideError as trouble:
        return GroupSeen(group.name, quorum, handle, (), unknown=str(trouble).removesuffix(".")), group
    members = [_member(account, shut_out, question.policy) for account in accounts]
    named = tuple(sorted(members, key=lambda member: member.name))
    voters = tuple(one.email.lower() or one.id for one in accounts if one.kind is AccountKind.MEMBER)
    listed = Group(group.name, None, voters) if len(ids) == len(accounts) else group
    return GroupSeen(group.name, quorum, handle, named, more=len(ids) - len(named)), listed


def _member(account: Account, parties: Mapping[str, str], policy: Policy) -> Member:
    email = account.email.lower()
    why = UNWELCOME[account.kind] if account.kind is not AccountKind.MEMBER else parties.get(email, "")
    entry = policy.person_by_email(email)
    return Member(entry.name if entry else account.name, why)


def _away(tx: Transaction, now: datetime) -> tuple[Mapping[str, Away], Mapping[str, str]]:
    """And the names of those in it."""
    away: dict[str, Away] = {}
    names: dict[str, str] = {}
    for absence in tx.absences.everybody(now):
        person, delegate = tx.people.get(absence.person), tx.people.get(absence.delegate)
        away[person.email] = Away(absence.until, delegate.email)
        names |= {one.email: one.name for one in (person, delegate)}
    return away, names


def _away_text(absence: Away, question: Question) -> str:
    return f"away until {format_utc(absence.until)}, {question.names[absence.delegate]} decides for them"


def _parties(request: TransitionRequest) -> Mapping[str, str]:
    """By e-mail, why a known person may not decide."""
    parties = dict.fromkeys(request.barred, "asked for it or trained it before")
    if request.commit_author:
        parties[request.commit_author] = "made its commit"
    if request.author:
        parties[request.author] = "trained it"
    return parties


def _name(email: str, policy: Policy) -> str:
    entry = policy.person_by_email(email)
    return entry.name if entry else email
