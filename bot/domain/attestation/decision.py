"""The statements that are signed about votes and decisions: in-toto Statements v1 with our own predicate, as plain values.

Signing is in `bot.clients.signers`, verifying in `bot.signatures`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bot.domain.attestation.evidence_part import evidence_digest as evidence_digest
from bot.domain.attestation.evidence_part import evidence_part, identity_part, shortened
from bot.domain.attestation.evidence_part import payload_of as payload_of
from bot.domain.attestation.glass_statement import glass_of, glass_part, who_broke_it
from bot.domain.attestation.in_toto import APPROVAL_TYPE, STATEMENT_TYPE, subjects_of
from bot.domain.ledger.chain import Plain, as_plain
from bot.domain.model import (
    DECISION,
    VOTE,
    DecidedBy,
    Evidence,
    SignedBy,
    State,
    Target,
    TransitionRequest,
    Verdict,
    Vote,
)
from bot.domain.policy.rules import Rule
from bot.domain.references import PostedCard
from bot.domain.request.quorum import groups_with_a_say, places, tally, under

PREDICATE_TYPE = APPROVAL_TYPE
TAG_PREFIX = "countersign.attestation."
STATEMENT_LIMIT = 60_000  # bytes; in base64 it must fit into a tag of MLflow, which has 100,000
LONGEST_IN_TAG = 150  # characters of a target's name; MLflow's tag names have at most 250
NOT_IN_TAG = re.compile(r"[^\w.\- ]")  # MLflow refuses these in a tag's name, but allows some of them in a model's

Names = Mapping[str, str]
NONE: Names = MappingProxyType({})

# What the person's signature on paper would mean; it is signed with each vote.
MEANINGS = {
    Verdict.APPROVE: "I approve that {version} takes {target}, on the evidence named here and under this rule.",
    Verdict.REJECT: "I reject that {version} takes {target}, on the evidence named here and under this rule.",
}
UNSIGNED_BY_NOTIFIER = "The notifier signs nothing over a socket: the bot itself sealed the request that it received."

UNSIGNED_BY_TICKETS = (
    "The vote was cast in the ticket. The ticket system signs nothing: its history vouches for who moved the ticket. The bot sealed the "
    "entry that it read there, and reads it again before it signs and moves, if the ticket system answers then."
)


@dataclass(frozen=True)
class People:
    """Printed names and e-mail addresses, by id."""

    names: Names
    emails: Names

    def of(self, person: str | None) -> Plain:
        return as_plain(_known(person, self)) if person else None


def of_vote(request: TransitionRequest, vote: Vote, rule: Rule, names: Names, emails: Names = NONE) -> Plain:
    """The statement about one person's vote. `names` and `emails` are of people, by id."""
    people = People(names, emails)
    return _statement(
        request,
        {
            "about": VOTE,
            "verdict": str(vote.verdict),
            "person": people.of(vote.person),
            "account": _account(vote),
            "meaning": meaning_of(vote, request),
            "groups": list(vote.groups),
            **_standing_in(vote, people),
            "signedRequest": _signed_request(vote),
            "reason": vote.reason,
            "at": vote.at.isoformat(),
            "message": _message(request.card),
            "rule": {"label": rule.label, "hash": vote.rule_hash},
        },
        people,
    )


def of_decision(request: TransitionRequest, rule: Rule, names: Names, emails: Names = NONE) -> Plain:
    """The statement about the decision: approved, rejected or called off, by whom, on which evidence."""
    people = People(names, emails)
    if request.state is State.CALLED_OFF:
        return _of_calling_off(request, rule, people)
    decided_by = request.decided_by or DecidedBy.PEOPLE
    judged = request.judgement.checks if request.judgement and decided_by is DecidedBy.FAST_TRACK else ()
    return _statement(
        request,
        {
            "about": DECISION,
            "verdict": str(verdict_of(request)),
            "decidedBy": str(decided_by),
            "approvers": _deciders(request, rule, people, decided_by),
            "reason": request.outcome if request.state is State.REJECTED else "",
            "at": request.decided_at.isoformat() if request.decided_at else "",
            "message": _message(request.card if decided_by is DecidedBy.PEOPLE else None),
            "rule": {"label": rule.label, "hash": request.rule_hash},
            "checks": [check.sentence for check in judged],
            **_passkeys_required(request, rule),
            **({"seal": {"to": rule.seal.to}} if rule.seal else {}),
            **glass_part(request),
        },
        people,
    )


def _of_calling_off(request: TransitionRequest, rule: Rule, people: People) -> Plain:
    """Newer than the approval, and against it: offline as well, the version may not ship on an approval that was taken back."""
    at = as_plain(request.ended_at)
    person = {**_known(request.ended_by, people), "for": ""}
    said: dict[str, Plain] = {
        "about": DECISION,
        "verdict": str(Verdict.REJECT),
        "decidedBy": str(DecidedBy.PEOPLE if request.ended_by else DecidedBy.RULE),
        "approvers": [{**person, "reason": request.outcome, "at": at}] if request.ended_by else [],
        "reason": request.outcome,
        "at": at,
        "message": None,
        "rule": {"label": rule.label, "hash": request.rule_hash},
        "checks": [],
    }
    return _statement(request, said, people)


def verdict_of(request: TransitionRequest) -> Verdict | None:
    """The decision; None while there is none. A stale approval still counts as one; an approval that was called off is a rejection."""
    if request.state in (State.APPROVED, State.APPLIED, State.STALE):
        return Verdict.APPROVE
    return Verdict.REJECT if request.state in (State.REJECTED, State.CALLED_OFF) else None


def tag_prefix(target: Target) -> str:
    """The start of the names of the tags with one target's envelopes. A name that MLflow refuses in a tag is cut and gets a digest."""
    name = NOT_IN_TAG.sub("_", target.name)
    if name != target.name or len(name) > LONGEST_IN_TAG:
        name = f"{name[:LONGEST_IN_TAG]}-{hashlib.sha256(target.name.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return f"{TAG_PREFIX}{target.kind}.{name}."


def tag_of(target: Target, about: str, person: str) -> str:
    """The tag of one envelope; `person` is the voter's id."""
    return tag_prefix(target) + (DECISION if about == DECISION else person[:12])


def _statement(request: TransitionRequest, predicate: dict[str, Plain], people: People) -> Plain:
    """Leaves out metrics and params when the envelope would be too large, and says so; the digest still covers them."""
    whole = _about(request, predicate, evidence_part(request.evidence), people)
    if request.evidence is None or len(payload_of(whole)) <= STATEMENT_LIMIT:
        return whole
    return _about(request, predicate, shortened(request.evidence), people)


def _about(request: TransitionRequest, predicate: dict[str, Plain], evidence: Plain, people: People) -> Plain:
    known: dict[str, Plain] = {
        "request": request.id,
        "kind": str(request.kind),
        "version": identity_part(request.version),
        "target": str(request.target),
        "evidence": evidence,
        "requester": people.of(request.requester),
        "author": people.of(request.author),
        "ticket": request.ticket.key if request.ticket else None,
        "follows": request.follows,
    }
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects_of(request.version, _artifacts_digest(request.evidence)),
        "predicateType": PREDICATE_TYPE,
        "predicate": as_plain({**known, **predicate}),
    }


def _artifacts_digest(evidence: Evidence | None) -> str:
    return evidence.artifacts.digest if evidence and evidence.artifacts else ""


def _approvers(request: TransitionRequest, rule: Rule, people: People) -> Plain:
    """The people whose votes met the rule's requirements, or who rejected, with the reasons and times of their votes."""
    counted = under(request, request.rule_hash)
    if verdict_of(request) is Verdict.REJECT:
        seated = [(vote, _say_of(vote, request, rule)) for vote in counted.votes if vote.verdict is Verdict.REJECT]
    else:
        votes = {vote.person: vote for vote in counted.votes}
        seated = [(votes[person], group) for person, group in tally(counted, rule).met]
    return [
        {
            **_known(vote.person, people),
            "for": group,
            "reason": vote.reason,
            "at": as_plain(vote.at),
            "account": _account(vote),
            "meaning": meaning_of(vote, request),
            **_passkey(vote),
        }
        for vote, group in seated
    ]


def _deciders(request: TransitionRequest, rule: Rule, people: People, decided_by: DecidedBy) -> Plain:
    """Empty where no person decided."""
    if (glass := glass_of(request)) is not None:
        return who_broke_it(glass, request, _known(glass.person, people))
    return _approvers(request, rule, people) if decided_by is DecidedBy.PEOPLE else []


def _say_of(vote: Vote, request: TransitionRequest, rule: Rule) -> str:
    """The first of the rule's groups for which this person may vote."""
    return next((group for group in groups_with_a_say(request, rule) if group in vote.groups), "")


def _known(person: str, people: People) -> dict[str, Plain]:
    return {"id": person, "name": people.names.get(person, ""), "email": people.emails.get(person, "")}


def _standing_in(vote: Vote, people: People) -> dict[str, Plain]:
    """Whom the voter stood in for; left out when there are none, as in statements of older releases."""
    return {"standingInFor": [people.of(one) for one in vote.standing_in_for]} if vote.standing_in_for else {}


def _account(vote: Vote) -> Plain:
    """The notifier's account that pressed; None in votes of older releases."""
    return {"team": vote.team, "id": vote.account} if vote.account else None


def meaning_of(vote: Vote, request: TransitionRequest) -> str:
    """What the person's signature means (21 CFR 11.50)."""
    return MEANINGS[vote.verdict].format(version=request.version, target=request.target)


def _passkey(vote: Vote) -> dict[str, Plain]:
    """So that a gate demands the person's own signature: which passkey made it, and the digest of the statement that it is over."""
    if vote.passkey is None:
        return {}
    return {"passkey": {"credential": vote.passkey.credential, "statement": vote.passkey.statement}}


def _passkeys_required(request: TransitionRequest, rule: Rule) -> dict[str, Plain]:
    """How many of the places that people took for an approval need a passkey, so that a gate refuses a decision with fewer."""
    by_people = request.decided_by in (None, DecidedBy.PEOPLE) and verdict_of(request) is Verdict.APPROVE
    needed = [place for place in places(request, rule) if by_people and rule.approve.wants_passkey_for(place)]
    return {"passkeysRequired": len(needed)} if needed else {}


def with_passkey(statement: Plain, passkey: Mapping[str, str]) -> Plain:
    """A vote's statement with the assertion over it; without it, it has the bytes that were signed again."""
    if not isinstance(statement, dict) or not isinstance(statement["predicate"], dict):
        raise TypeError("a statement has a predicate")
    return {**statement, "predicate": {**statement["predicate"], "passkey": dict(passkey)}}


def ids_named_in(request: TransitionRequest) -> frozenset[str]:
    """The people whose names and addresses its statements have."""
    voters = (person for vote in request.votes for person in (vote.person, *vote.standing_in_for))
    return frozenset({*voters, *request.parties, request.ended_by})


def pressed_with(vote: Vote) -> tuple[Plain, Plain]:
    """The account that pressed and the kept request, as a vote's statement has them."""
    return _account(vote), _signed_request(vote)


def _signed_request(vote: Vote) -> Plain:
    """What the vote came in, which the bot keeps; None in votes of older releases."""
    if not vote.signed_request:
        return None
    kept: dict[str, Plain] = {"digest": vote.signed_request, "by": vote.signed_by}
    if vote.signed_by == SignedBy.NOTIFIER:
        return kept
    return {**kept, "missing": UNSIGNED_BY_TICKETS if vote.signed_by == SignedBy.TICKETS else UNSIGNED_BY_NOTIFIER}


def _message(card: PostedCard | None) -> Plain:
    """The message whose button was pressed."""
    return {"team": card.team, "channel": card.channel, "ts": card.message, "url": card.url} if card else None
