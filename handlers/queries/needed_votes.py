"""Which requests wait for the vote of one person. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Group
from bot.domain.request.needed import is_needed_from
from bot.domain.request.quorum import groups_with_a_say, under
from bot.errors import Refused
from bot.services import Services
from bot.store.people import Person


class WaitingVotes:
    """What waits for one person: their own votes, and those that absent people have left to them. None while the person is away."""

    def __init__(self, person: Person, s: Services, *, asks_notifier: bool) -> None:
        now = s.clock.now()
        with s.store.transaction() as tx:
            self._is_away = tx.absences.find(person.id, now) is not None
            absent = [tx.people.get(one.person) for one in tx.absences.absences_covered_by(person.id, now)]
        self._own = NeededVotes(person, s, asks_notifier=asks_notifier)
        self._lent = [NeededVotes(one, s, asks_notifier=asks_notifier) for one in absent]

    def is_needed_for(self, request: TransitionRequest) -> bool:
        """A vote for somebody absent is the person's one vote as well. Raises as `NeededVotes.is_needed_for`."""
        if self._is_away:
            return False
        if self._own.is_needed_for(request):
            return True
        return self._own.is_free_for(request) and any(one.is_needed_for(request) for one in self._lent)


class NeededVotes:
    """Of one person alone. Slack is asked once for each of its groups; `asks_notifier` is False when there is none to ask."""

    def __init__(self, person: Person, s: Services, *, asks_notifier: bool) -> None:
        self._person, self._s, self._asks = person, s, asks_notifier
        self._policy = s.store.policy()
        with s.store.transaction() as tx:
            self._ids = tx.people.ids_of(person.id)
        self._known: dict[str, bool] = {}

    def is_needed_for(self, request: TransitionRequest) -> bool:
        """Raises Refused when a group's members are known to Slack alone and it cannot be asked, OutsideError when it does not answer."""
        version = request.version
        rule = self._policy.rule_for(version.workspace, version.model, request.target)
        if rule is None:
            return False
        with_a_say = groups_with_a_say(request, rule)
        mine = [group.name for group in self._policy.groups_of(rule) if group.name in with_a_say and self._is_in(group)]
        return is_needed_from(self._ids, mine, request, rule, self._policy.rule_hash(rule))

    def is_free_for(self, request: TransitionRequest) -> bool:
        """Whether the person is no party of the request and has not voted."""
        version = request.version
        rule = self._policy.rule_for(version.workspace, version.model, request.target)
        votes = under(request, self._policy.rule_hash(rule)).votes if rule else ()
        used = {person for vote in votes for person in (*vote.ids, *vote.standing_in_for)}
        return not self._ids & (request.parties | used)

    def _is_in(self, group: Group) -> bool:
        if group.name not in self._known:
            self._known[group.name] = self._looked_up(group)
        return self._known[group.name]

    def _looked_up(self, group: Group) -> bool:
        if group.slack_group is None:
            return self._person.email in group.people
        if not self._asks:
            raise Refused(
                f"only Slack knows who is in {group.name} (@{group.slack_group.removeprefix('@')}). "
                "Set SLACK_BOT_TOKEN, as the worker has it"
            )
        members = self._s.notifier.members_of(group.slack_group)
        if self._person.account:
            return self._person.account in members
        found = self._s.notifier.find_account(self._person.email)
        return found is not None and found.id in members


Page = Callable[[str], list[TransitionRequest]]


def each_request(page: Page) -> Iterator[TransitionRequest]:
    """All requests of a search, page by page; `page` returns those after the request with that id, and the first ones for ""."""
    last = ""
    while found := page(last):
        yield from found
        last = found[-1].id
