"""Who pressed: exactly one person, with the groups that they belong to at this moment. What cannot be told is refused, never let through.

What a vote then does is in `approvals`; who has named whom to stand in is in `absences`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Group, PersonEntry, Policy, Rule
from bot.domain.request.quorum import under
from bot.errors import OutsideError, Refused, Temporary
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.people import Person

Found = TypeVar("Found")

UNWELCOME = {
    AccountKind.GUEST: "guests of the workspace may not decide",
    AccountKind.BOT: "a bot may not decide",
    AccountKind.DEACTIVATED: "this account is deactivated",
    AccountKind.FOREIGN: "people from other workspaces may not decide",
}
PRESS_AGAIN = "Slack did not answer in time when asked who you are. Nothing was recorded: press again"
POLICY_CHANGED = (
    "the policy has changed just now, and with it perhaps who may decide. Nothing was recorded: press again"
)
NO_QUESTION_AFTER = timedelta(seconds=1.25)  # a click is answered within 3 s, and the last question may itself take 1.5


class VoterUnknown(Refused):
    """Slack was too slow. What it did tell is remembered for a minute, so the next try gets further."""

    def __init__(self) -> None:
        super().__init__(PRESS_AGAIN)


@dataclass(frozen=True)
class Voter:
    """A person with those of the rule's groups that they have a say for: their own, and those of people away whom they stand in for.

    `rule_hash` is the rule's with its groups, as they stood when Slack was asked.
    """

    person: Person
    groups: tuple[str, ...]
    standing_in_for: tuple[str, ...] = ()
    rule_hash: str = ""


def person_of(account_id: str, s: Services) -> Person:
    """The one member to whom the account belongs; from now on bound to it."""
    return _bound(_member(account_id, _Questions(s)), s)


def voter_for(account_id: str, rule: Rule, request: TransitionRequest, s: Services) -> Voter:
    """Whoever pressed, as somebody who may have a say on the request under its rule."""
    questions = _Questions(s)
    policy = s.store.policy()
    rule_hash = policy.rule_hash(rule) if rule in policy.rules else ""
    if not rule_hash:
        raise Refused(POLICY_CHANGED)
    wanted = policy.groups_of(rule)
    account = _member(account_id, questions)
    own = tuple(group.name for group in wanted if questions.belongs(account, group))
    person = _bound(account, s)

    lacking = [group for group in wanted if group.name not in own]
    lent = _lent_to(person, lacking, _spoken_for(request, rule_hash), questions) if lacking else {}
    groups = set(own).union(*lent.values())
    return Voter(person, tuple(group.name for group in wanted if group.name in groups), tuple(lent), rule_hash)


def any_approver(account_id: str, s: Services) -> Person:
    """A member of any group of any rule: who may say something that concerns all rules."""
    questions = _Questions(s)
    policy = s.store.policy()
    account = _member(account_id, questions)
    groups = _groups_of_all(policy)
    if not _is_in_any(groups, account, questions):
        names = ", ".join(group.name for group in groups)
        raise Refused(f"only people who approve under some rule may do this: members of {names}. Ask one of them")
    return _bound(account, s)


class _Questions:
    """What Slack is asked for one click. Together they must not take longer than Slack waits for our answer."""

    def __init__(self, s: Services) -> None:
        self.s = s
        self._ends = s.clock.now() + NO_QUESTION_AFTER

    def account(self, account_id: str) -> Account:
        return self._answer(lambda: self.s.notifier.account(account_id))

    def find_account(self, email: str) -> Account | None:
        return self._answer(lambda: self.s.notifier.find_account(email))

    def belongs(self, account: Account, group: Group) -> bool:
        handle = group.slack_group
        if handle is None:
            return account.email.lower() in group.people
        return account.id in self._answer(lambda: self.s.notifier.members_of(handle))

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
        raise Refused(UNWELCOME[account.kind])
    if not account.email:
        raise Refused("Slack does not tell your e-mail address, so Countersign cannot know who you are")
    return account


def _bound(account: Account, s: Services) -> Person:
    with s.store.transaction() as tx:
        person = tx.people.get_or_add(account.email, account.name)
        if person.name == person.email and account.name:  # until now they were only an address in a group or an ask
            tx.people.enrol([PersonEntry(account.name, account.email)])
            person = tx.people.get(person.id)
        return tx.people.bind_account(person, account.id)


def _is_in_any(groups: Iterable[Group], account: Account, questions: _Questions) -> bool:
    """One group that cannot be told, or is gone from Slack, keeps nobody out whom another one lets in."""
    trouble: VoterUnknown | OutsideError | None = None
    for group in groups:
        try:
            if questions.belongs(account, group):
                return True
        except (VoterUnknown, OutsideError) as untold:
            trouble = untold
    if trouble is not None:
        raise trouble
    return False


def _groups_of_all(policy: Policy) -> tuple[Group, ...]:
    """Those that list their people first: they cost no question."""
    groups = {group.name: group for rule in policy.rules for group in policy.groups_of(rule)}
    return tuple(sorted(groups.values(), key=lambda group: group.slack_group is not None))


def _spoken_for(request: TransitionRequest, rule_hash: str) -> frozenset[str]:
    """In whose place nobody may vote: parties have no say to lend, and who has voted, or been stood in for, has used it."""
    votes = under(request, rule_hash).votes
    used = {person for vote in votes for person in (vote.person, *vote.standing_in_for)}
    return request.parties | used


def _lent_to(
    delegate: Person, lacking: Iterable[Group], spoken_for: frozenset[str], questions: _Questions
) -> dict[str, frozenset[str]]:
    """Who is away and has named this person, each with those of the lacking groups that they are in themselves.

    Only what is their own: a say that was lent to them is not lent on.
    """
    with questions.s.store.transaction() as tx:
        absences = tx.absences.absences_covered_by(delegate.id, questions.s.clock.now())
        absentees = [tx.people.get(absence.person) for absence in absences if absence.person not in spoken_for]
    lent = {}
    for absentee in absentees:
        account = _account_of(absentee, questions)
        if account is not None:
            lent[absentee.id] = frozenset(group.name for group in lacking if questions.belongs(account, group))
    return {person: groups for person, groups in lent.items() if groups}


def _account_of(person: Person, questions: _Questions) -> Account | None:
    """None unless it is an active member's and still that person's own."""
    found = questions.account(person.account) if person.account else questions.find_account(person.email)
    if found is None or found.kind is not AccountKind.MEMBER or found.email.lower() != person.email:
        return None
    return found
