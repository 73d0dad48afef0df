"""Everything on record about one request: votes, refused votes, ledger entries, and the jobs that wait for it. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.card.needs import nobody_left
from bot.domain.model import State, TransitionRequest
from bot.domain.queries.description import Loss, Told
from bot.domain.request.needed import Electorate
from bot.domain.request.quorum import place_name, tally, under
from bot.domain.text import person_name
from bot.engine.rows import Job
from bot.services import Services
from bot.store.evidence_watch import EvidenceWatchRows
from bot.store.transaction import Transaction
from handlers.notify.render_context import people_of
from handlers.queries.describe import loss_of, outcome_of


@dataclass(frozen=True)
class Refusal:
    """A vote that does not count; `person` is a printed name."""

    person: str
    cast_at: datetime
    reason: str


@dataclass(frozen=True)
class LedgerLine:
    """An entry about the request: its number, time, and the kind of event."""

    seq: int
    at: datetime
    event: str


@dataclass(frozen=True)
class RequestRecord:
    """`missing` are the approvals that a pending request still needs, one each, in words, and `nobody_left` says when some of them cannot
    be given any more; empty otherwise. `rule` is the rule in force, if one applies.

    `losses` are what is known to be gone of its evidence.
    """

    request: TransitionRequest
    outcome: Told
    rule: str
    missing: tuple[str, ...]
    refused: tuple[Refusal, ...]
    ledger: tuple[LedgerLine, ...]
    jobs: tuple[Job, ...]
    losses: tuple[Loss, ...] = ()
    nobody_left: str = ""


def record_of(beginning: str, s: Services) -> RequestRecord:
    """`beginning` are the first letters of its id, as many as tell it apart. Raises NotFound, Refused."""
    with s.store.transaction() as tx:
        request = tx.requests.get(tx.requests.full_id(beginning))
        names = tx.people.all_names()
        rule, missing = _needs(request, tx)
        stuck = _nobody_left(request, names, tx, s.clock.now())
        ledger = tuple(LedgerLine(one.seq, one.at, one.kind) for one in tx.ledger.about(request.id))
        outcome = outcome_of(request, names, tx)
        kept = EvidenceWatchRows(tx.connection).of_requests([request.id]).get(request.id, [])
        losses = tuple(loss for loss in (loss_of(one, request, names) for one in kept) if loss is not None)
    jobs = tuple(s.store.jobs.unfinished_of(request.id))
    return RequestRecord(request, outcome, rule, missing, _refused(request, names), ledger, jobs, losses, stuck)


def _needs(request: TransitionRequest, tx: Transaction) -> tuple[str, tuple[str, ...]]:
    policy = tx.policy()
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        return "", ()
    if request.state is not State.PENDING:
        return rule.label, ()
    missing = tally(under(request, policy.rule_hash(rule)), rule).missing
    return rule.label, tuple(place_name(place, rule) for place in missing)


def _nobody_left(request: TransitionRequest, names: Mapping[str, str], tx: Transaction, now: datetime) -> str:
    policy = tx.policy()
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        return ""
    emails, away = people_of([request], policy, tx, now)
    known = Electorate(policy.groups_of(rule), emails, away)
    ids = {email: person for person, email in emails.items()}
    return nobody_left(request, rule, policy.rule_hash(rule), known, lambda email: person_name(ids[email], names))


def _refused(request: TransitionRequest, names: Mapping[str, str]) -> tuple[Refusal, ...]:
    return tuple(Refusal(names.get(one.person, one.person), one.cast_at, one.reason) for one in request.refused_votes)
