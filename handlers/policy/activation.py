"""Puts a policy in force, for all replicas at once. A broken policy never replaces a good one.

The ledger keeps ids and no addresses, so people are recorded here as `person:` and their id; `handlers.notify.announcements` prints names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from bot.domain.events import PolicyActivated, PolicyRefused
from bot.domain.model import OPEN, State
from bot.domain.policy.changes import addresses_in, changes, digest_of, with_people_as
from bot.domain.policy.rules import Group, Policy
from bot.domain.request import lifecycle
from bot.engine.lanes import FollowUp, Lane
from bot.errors import InvalidPolicy, InvalidSettings, Refused
from bot.services import Services
from bot.store.policies import ActivePolicy
from bot.store.requests import LIVE
from bot.store.transaction import Transaction
from handlers.request.calling_off import end_dropped

MISTAKES_KEPT = 30  # the author of the file sees all of them; the ledger need not
MISTAKE_LIMIT = 500  # characters
ADDRESS = re.compile(r"[^\s@<>,;:\"'()\[\]{}]+@[^\s@<>,;:\"'()\[\]{}]*[^\s@<>,;:\"'()\[\]{}.?]")
SOMEBODY = "an e-mail address"
ONLY_THE_FIRST = (
    "COUNTERSIGN_POLICY is not set, and the example that comes with Countersign would replace the policy that is in force ({}). "
    "That one stays in force. Set COUNTERSIGN_POLICY to the file of your policy."
)
UNREADABLE = "what has changed is not known: this release of Countersign cannot read the policy before"


def activate_policy(text: str, source: str, s: Services, *, is_example: bool = False) -> ActivePolicy | None:
    """Puts the text in force and enrols its people; None when it is in force already. Raises InvalidPolicy, which is announced.

    `is_example`: the text that comes with Countersign, and nobody has named it. It never replaces another file's: raises InvalidSettings.
    """
    digest = digest_of(text)
    try:
        policy = s.store.parse_policy(text)
    except InvalidPolicy as broken:
        broken.source = source  # the message names the file that was meant
        _refuse(broken, digest, s)
        raise
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.people.enrol(policy.people)  # first: their row locks make a second release step wait for this one
        before = _in_force(tx)
        _rebind_votes(before, tx, now)
        if tx.policies.digest() == digest:
            return None
        if is_example and tx.policies.source() not in (None, source):
            raise InvalidSettings((ONLY_THE_FIRST.format(tx.policies.source()),))
        changed = _changes_to(policy, tx)
        policy_id = tx.policies.add(text, digest, source, now)
        tx.record([PolicyActivated(now, policy_id, digest, source, changed)])
        _void_stand_ins(before, policy, tx, now)
        _end_watches(before, policy, tx)
        _look_again(tx, now)
        return ActivePolicy(policy_id, digest, policy)


def _look_again(tx: Transaction, now: datetime) -> None:
    """Votes under a changed rule no longer count, an approval may have nothing left to wait for, and the rules may cover other places:
    the next sweep looks at every model."""
    tx.registry.forget_fingerprints()
    for request in tx.requests.find(states=OPEN):
        tx.defer_for(FollowUp("sync_card", Lane.SLACK), request)
        if request.ticket is not None:  # its text, where people decide in it
            tx.defer_for(FollowUp("sync_ticket", Lane.JIRA), request)
    for request in tx.requests.find(states=(State.APPROVED,), for_update=True):
        if not end_dropped(request, tx, now):
            tx.defer_for(FollowUp("sync_target", Lane.MOVES), request)


def _rebind_votes(policy: Policy | None, tx: Transaction, now: datetime) -> None:
    """Runs once after an upgrade: earlier releases hashed a rule differently, and votes and approvals under that hash must still count."""
    for request in tx.requests.find(states=LIVE, for_update=True) if policy else ():
        rule = policy.rule_for(request.version.workspace, request.version.model, request.target) if policy else None
        if policy is not None and rule is not None:
            tx.record(lifecycle.rebind(request, policy.former_hash(rule), policy.rule_hash(rule), now))


def _void_stand_ins(before: Policy | None, policy: Policy, tx: Transaction, now: datetime) -> None:
    """The escalation group is not in the rule's hash. When its members change, only votes that they cast in place of others are void."""
    for request in tx.requests.find(states=(State.PENDING,), for_update=True) if before else ():
        rule = before.rule_for(request.version.workspace, request.version.model, request.target) if before else None
        if before is None or rule is None or rule.escalate is None:
            continue
        name = rule.escalate.group
        if _made_of(before.group(name)) not in map(_made_of, policy.groups):
            tx.record(lifecycle.void_stand_ins(request, name, now))


def _end_watches(before: Policy | None, policy: Policy, tx: Transaction) -> None:
    """Whoever moves something in a workspace that is not watched does nothing wrong, also if it is watched again later."""
    for place in set(before.places if before else ()) - set(policy.places):
        tx.custody.end_watches(place)


def _made_of(group: Group) -> tuple[str, str | None, frozenset[str]]:
    return group.name, group.slack_group, frozenset(group.people)


def _refuse(broken: InvalidPolicy, digest: str, s: Services) -> None:
    """Recorded once for each text, however often somebody tries. Before the first policy there is no channel to announce it in."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        if tx.policies.digest() is None or not tx.outbox.is_new_tick("policy_refused", digest, now):
            return
        ids = _ids_of(_in_force(tx), tx)
        said = [_without_addresses(sentence, ids)[:MISTAKE_LIMIT] for sentence in str(broken).splitlines()]
        more = [f"and {len(said) - MISTAKES_KEPT} more"] if len(said) > MISTAKES_KEPT else []
        tx.record([PolicyRefused(now, digest, broken.source, (*said[:MISTAKES_KEPT], *more))])


def _changes_to(policy: Policy, tx: Transaction) -> tuple[str, ...]:
    if tx.policies.digest() is None:
        return ()
    before = _in_force(tx)
    if before is None:
        return (UNREADABLE,)
    ids = _ids_of(before, tx) | _ids_of(policy, tx)
    return changes(with_people_as(before, ids), with_people_as(policy, ids))


def _in_force(tx: Transaction) -> Policy | None:
    """None when there is none, or when this release cannot read it because it was written for another one."""
    try:
        return tx.policy()
    except (Refused, InvalidPolicy):
        return None


def _ids_of(policy: Policy | None, tx: Transaction) -> dict[str, str]:
    if policy is None:
        return {}
    named: Iterable[str] = addresses_in(policy)
    return {email: f"person:{tx.people.get_or_add(email, email).id}" for email in named}


def _without_addresses(sentence: str, ids: Mapping[str, str]) -> str:
    """A mistake may name an address that belongs to no person, or to none yet."""
    return ADDRESS.sub(lambda found: ids.get(found[0].lower(), SOMEBODY), sentence)
