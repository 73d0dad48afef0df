"""Who clicked: exactly one person, with the groups that they belong to at this moment. What is not certain is refused.

What a vote then does is in `approvals`; who has named which delegate is in `absences`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Group, Policy, Rule
from bot.domain.request.quorum import groups_with_a_say, under
from bot.errors import OutsideError, Permanent, Refused, Temporary
from bot.language import N_, _
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.notify.readers import NO_QUESTION_AFTER
from handlers.request.accounts import person_behind

Found = TypeVar("Found")

UNWELCOME = {
    AccountKind.GUEST: N_("guests of the workspace may not decide"),
    AccountKind.BOT: N_("a bot may not decide"),
    AccountKind.DEACTIVATED: N_("this account is deactivated"),
    AccountKind.FOREIGN: N_("people from other workspaces may not decide"),
    AccountKind.UNCONFIRMED: N_(
        "Slack has not confirmed your e-mail address. Follow the link in Slack's mail to you, then press again"
    ),
}
PRESS_AGAIN = N_("Slack did not answer in time when asked who you are. Nothing was recorded: press again")
POLICY_CHANGED = N_(
    "the policy has changed just now, and with it perhaps who may decide. Nothing was recorded: press again"
)
SOME_RULE = N_("only people who approve under some rule may do this: members of {groups}. Ask one of them")
RULE_ALONE = N_("only members of {groups} may do this. Ask one of them")
PASSKEY_RULE = N_(
    "only people who approve under a rule that wants passkeys may do this: members of {groups}. Ask one of them"
)


class VoterUnknown(Refused):
    """Slack was too slow. Its answers are cached for a minute, so the next try gets further."""

    def __init__(self) -> None:
        super().__init__(_(PRESS_AGAIN))


@dataclass(frozen=True)
class Voter:
    """A person with the rule's groups that they may vote for: their own, and those of absent people who delegated to them.

    `rule_hash` is the rule's with its groups, as they were when Slack was asked. `also` are the person's other ids.
    """

    person: Person
    groups: tuple[str, ...]
    standing_in_for: tuple[str, ...] = ()
    rule_hash: str = ""
    also: tuple[str, ...] = ()


def person_of(account_id: str, s: Services) -> Person:
    """The one member to whom the account belongs; from now on bound to it."""
    return person_behind(_member(account_id, _Questions(s)), s)


def voter_for(account_id: str, rule: Rule, request: TransitionRequest, s: Services) -> Voter:
    """The person who clicked, as a possible voter on the request under its rule. Raises Refused, VoterUnknown."""
    questions = _Questions(s)
    rule_hash = _hash_of(rule, s)
    account = _member(account_id, questions)
    person = person_behind(account, s)
    return _voter(person, account.id, account.email, rule, rule_hash, request, questions)


def voter_elsewhere(person: Person, email: str, rule: Rule, request: TransitionRequest, s: Services) -> Voter:
    """As `voter_for`, of a person whom another system has named; `email` is their present address there.

    Without an account of Slack a person is in no group of Slack. One whose account there is deactivated, or a guest's, may not vote here
    either.
    """
    questions = _Questions(s)
    rule_hash = _hash_of(rule, s)
    account = _known_account(person, questions)
    return _voter(person, account.id if account else "", email, rule, rule_hash, request, questions)


def _hash_of(rule: Rule, s: Services) -> str:
    policy = s.store.policy()
    if rule not in policy.rules:
        raise Refused(_(POLICY_CHANGED))
    return policy.rule_hash(rule)


def _known_account(person: Person, questions: _Questions) -> Account | None:
    account = _account_of(person, questions)
    if account is None and person.account:
        try:
            kind = questions.account(person.account).kind
        except Permanent:
            return None  # gone from Slack
        if kind is not AccountKind.MEMBER:
            raise Refused(_(UNWELCOME[kind]))
    return account


def _voter(
    person: Person,
    account: str,
    email: str,
    rule: Rule,
    rule_hash: str,
    request: TransitionRequest,
    questions: _Questions,
) -> Voter:
    s = questions.s
    wanted = s.store.policy().groups_of(rule)
    with s.store.transaction() as tx:
        ids = tx.people.ids_of(person.id) | _ids_at(email, tx)
    own = _own_groups(wanted, _Member(account, person.email), groups_with_a_say(request, rule), questions)

    lacking = [group for group in wanted if group.name not in own]
    lent = _lent_to(person, lacking, _spoken_for(request, rule_hash) | ids, questions) if lacking else {}
    groups = set(own).union(*lent.values())
    told = tuple(group.name for group in wanted if group.name in groups)
    return Voter(person, told, tuple(lent), rule_hash, tuple(sorted(ids - {person.id})))


def _ids_at(email: str, tx: Transaction) -> frozenset[str]:
    """Who asked with the account's present address is the same person, though the account was bound under another one."""
    known = tx.people.find(email) if email else None
    return frozenset(tx.people.ids_of(known.id)) if known else frozenset()


def any_approver(account_id: str, s: Services) -> Person:
    """A member of any group of any rule: such a person may change what concerns all rules."""
    policy = s.store.policy()
    return _approver_under(policy, policy.rules, SOME_RULE, account_id, s)


def approver_under(rule: Rule, account_id: str, s: Services) -> Person:
    """A member of one of the groups that the rule asks, who may take its target back. Raises Refused, VoterUnknown."""
    return _approver_under(s.store.policy(), (replace(rule, escalate=None),), RULE_ALONE, account_id, s)


def passkey_confirmer(account_id: str, s: Services) -> Person:
    """A member of a group of a rule that wants passkeys. While none does, any approver: the first passkeys come before the rule."""
    policy = s.store.policy()
    if not policy.rules_with_passkeys:
        return any_approver(account_id, s)
    return _approver_under(policy, policy.rules_with_passkeys, PASSKEY_RULE, account_id, s)


def member_of(account_id: str, group: Group, refusal: str, s: Services) -> Voter:
    """The person who clicked, in this group at this moment; raises Refused with `refusal` when they are not in it, and VoterUnknown."""
    questions = _Questions(s)
    account = _member(account_id, questions)
    person = person_behind(account, s)
    if not questions.belongs(_Member(account.id, person.email), group):
        raise Refused(refusal)
    with s.store.transaction() as tx:
        ids = tx.people.ids_of(person.id) | _ids_at(account.email, tx)
    return Voter(person, (group.name,), also=tuple(sorted(ids - {person.id})))


def is_member(person: Person, group: Group, s: Services) -> bool:
    """Whether a person whom a door has authenticated is in this group now. Raises VoterUnknown when Slack does not answer in time."""
    if group.slack_group is None:
        return person.email in group.people
    questions = _Questions(s)
    account = _account_of(person, questions)
    return account is not None and questions.belongs(_Member(account.id, person.email), group)


def _approver_under(policy: Policy, rules: tuple[Rule, ...], which: str, account_id: str, s: Services) -> Person:
    questions = _Questions(s)
    account = _member(account_id, questions)
    person = person_behind(account, s)
    groups = _groups_of(policy, rules)
    if not _is_in_any(groups, _Member(account.id, person.email), questions):
        names = ", ".join(group.name for group in groups)
        raise Refused(_(which, groups=names))
    return person


@dataclass(frozen=True)
class _Member:
    """Slack's groups name accounts; the policy's groups name people by their known address, also when Slack shows another one today."""

    account: str
    email: str


class _Questions:
    """The calls to Slack for one click. Together they must not take longer than Slack waits for our answer."""

    def __init__(self, s: Services) -> None:
        self.s = s
        self._ends = s.clock.now() + NO_QUESTION_AFTER

    def account(self, account_id: str) -> Account:
        return self._answer(lambda: self.s.notifier.account(account_id))

    def find_account(self, email: str) -> Account | None:
        return self._answer(lambda: self.s.notifier.find_account(email))

    def belongs(self, member: _Member, group: Group) -> bool:
        handle = group.slack_group
        if handle is None:
            return member.email in group.people
        return member.account in self._answer(lambda: self.s.notifier.members_of(handle))

    def _answer(self, ask: Callable[[], Found]) -> Found:
        if self.s.clock.now() >= self._ends:
            raise VoterUnknown
        try:
            return ask()
        except Temporary:
            raise VoterUnknown from None


def _member(account_id: str, questions: _Questions) -> Account:
    account = questions.account(account_id)
    if account.kind is not AccountKind.MEMBER:
        raise Refused(_(UNWELCOME[account.kind]))
    return account


def _own_groups(
    wanted: Iterable[Group], member: _Member, with_a_say: tuple[str, ...], questions: _Questions
) -> tuple[str, ...]:
    """A group without a say yet must not delay a vote: one that is gone from Slack counts as one without the person."""
    own = []
    for group in wanted:
        try:
            belongs = questions.belongs(member, group)
        except (VoterUnknown, OutsideError):
            if group.name in with_a_say:
                raise
            belongs = False
        if belongs:
            own.append(group.name)
    return tuple(own)


def _is_in_any(groups: Iterable[Group], member: _Member, questions: _Questions) -> bool:
    """A group that cannot be read, or is gone from Slack, does not shut out a person whom another group admits."""
    trouble: VoterUnknown | OutsideError | None = None
    for group in groups:
        try:
            if questions.belongs(member, group):
                return True
        except (VoterUnknown, OutsideError) as untold:
            trouble = untold
    if trouble is not None:
        raise trouble
    return False


def _groups_of(policy: Policy, rules: tuple[Rule, ...]) -> tuple[Group, ...]:
    """Those that list their people first: they cost no question."""
    groups = {group.name: group for rule in rules for group in policy.groups_of(rule)}
    return tuple(sorted(groups.values(), key=lambda group: group.slack_group is not None))


def _spoken_for(request: TransitionRequest, rule_hash: str) -> frozenset[str]:
    """People whose vote cannot be delegated: parties have none, and those who have voted, themselves or by delegate, have used it."""
    votes = under(request, rule_hash).votes
    used = {person for vote in votes for person in (*vote.ids, *vote.standing_in_for)}
    return request.parties | used


def _lent_to(
    delegate: Person, lacking: Iterable[Group], spoken_for: frozenset[str], questions: _Questions
) -> dict[str, frozenset[str]]:
    """The absent people who delegated to this person, each with the lacking groups that they are members of.

    Only their own votes: a vote that was delegated to them cannot be delegated again.
    """
    with questions.s.store.transaction() as tx:
        absences = tx.absences.absences_covered_by(delegate.id, questions.s.clock.now())
        free = [absence.person for absence in absences if not tx.people.ids_of(absence.person) & spoken_for]
        absentees = [tx.people.get(person) for person in free]
    lent = {}
    for absentee in absentees:
        account = _account_of(absentee, questions)
        if account is not None:
            member = _Member(account.id, absentee.email)
            lent[absentee.id] = frozenset(group.name for group in lacking if questions.belongs(member, group))
    return {person: groups for person, groups in lent.items() if groups}


def _account_of(person: Person, questions: _Questions) -> Account | None:
    """None unless it is an active member's. One that was bound to anybody before is this person's only while it is bound to them."""
    try:
        found = questions.account(person.account) if person.account else questions.find_account(person.email)
    except Permanent:
        return None  # gone from Slack, so it has no vote to delegate; the person who clicked was found
    if found is None or found.kind is not AccountKind.MEMBER:
        return None
    if person.account:
        return found
    with questions.s.store.transaction() as tx:
        bound_before = tx.people.accounts(account=found.id) or tx.people.accounts(person=person.id)
    return None if bound_before else found
