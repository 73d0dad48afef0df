"""Chooses what the policy says: what was said on the command line, else a proposal, which a person on a terminal may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bot.clients.slack.checkup import ChannelSeen
from bot.domain.names import shown
from bot.domain.text import counted
from bot.errors import InvalidSettings, OutsideError
from bot.init.connecting import World, environment, for_a_person
from bot.init.draft import GroupDraft, MeasuresDraft, PersonDraft, PolicyDraft
from bot.init.given import PolicyAnswers
from bot.init.proposals import (
    as_pattern,
    ask_among,
    group_name,
    near_name,
    patterns_for,
    people_for,
    person_draft,
    prefixes_of,
    stores_for,
    target_among,
    thresholds_for,
)
from bot.init.questions import Questions, some
from bot.init.survey import Measured, channels_in, matching, measured, people_in
from bot.init.tickets import choose_ticket
from bot.ports import ModelSummary
from config.policy.values import EMAIL, alias_name

ASKED_USERS, ASKED_METRICS = 10, 5
DIRECTIONS: Mapping[str, bool] = {"higher": True, "lower": False}


@dataclass(frozen=True)
class Chosen:
    """`notices` are sentences about what is allowed but worth knowing; `lacks` are Jira's permissions that the account has not."""

    draft: PolicyDraft
    notices: tuple[str, ...]
    lacks: Mapping[str, str]


class Choosing:
    def __init__(self, world: World, given: PolicyAnswers, ask: Questions, kept: Sequence[str] = ()) -> None:
        """`kept` are the models of the policy that is there, of which nobody asks whether they are meant."""
        self._world, self._given, self._ask, self._kept = world, given, ask, kept
        self._notices: list[str] = []
        self._channels = world.slack.channels

    def choose(self) -> Chosen:
        """Raises InvalidSettings for what cannot be, and OutsideError when a system goes away meanwhile."""
        patterns = self._models()
        models = matching(self._world.registry.models, patterns)
        aliases = [alias for model in models for alias in model.aliases]
        target = self._given.target or self._ask.text(
            "--target",
            "Alias that serving loads",
            target_among(aliases),
            check=lambda text: _check_alias("--target", text),
        )
        ask = self._given.ask or self._ask.text(
            "--ask", "Alias that asks for it", ask_among(aliases), check=lambda text: _check_asks(text, target)
        )
        _check_alias("--target", target)
        _check_asks(ask, target)
        channel = self._channel()
        groups = self._groups()
        people, unknown = self._people(groups)
        first, *others = self._measures(patterns, target) or [MeasuresDraft((), (), "")]
        ticket, lacks = choose_ticket(self._world, self._given, self._ask)
        stores = stores_for(self._world.registry.training.locations)
        draft = PolicyDraft(
            patterns,
            target,
            ask,
            channel,
            groups,
            people,
            unknown,
            first.thresholds,
            first.undirected,
            first.measured_on,
            stores,
            ticket,
            dict(zip(patterns[1:], others, strict=True)),
        )
        return Chosen(draft, tuple(self._notices), lacks)

    def _models(self) -> tuple[str, ...]:
        names = self._world.registry.names
        said = self._given.models or self._asked_models(self._writable(names))
        meant = [one if one in self._kept else self._meant(one, names) for one in said]
        patterns = tuple(dict.fromkeys(meant))
        for pattern in patterns:
            if not matching(self._world.registry.models, (pattern,)):
                self._notices.append(
                    f"No registered model is called {shown(pattern)} yet. Of {counted(len(names), 'model')}: {some(sorted(names))}."
                )
        return patterns

    def _meant(self, pattern: str, names: Sequence[str]) -> str:
        """A model may be registered later, and a typo looks like one. Raises InvalidSettings for what is nearly a model's name."""
        near = near_name(pattern, names)
        if not near:
            return pattern
        if self._ask.is_terminal:
            question = f"No registered model is called {shown(pattern)}. Did you mean {shown(near)}?"
            return as_pattern(near) if self._ask.agreed(question) else pattern
        fix = f'Write its name, or "{shown(pattern)}*" for a model that is still to come.'
        raise InvalidSettings(
            (f"--models: no registered model is called {shown(pattern)}. Did you mean {shown(near)}? {fix}",)
        )

    def _writable(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names that a policy can hold; the others are left out of the proposal with a sentence."""
        odd = [name for name in names if not name.isprintable()]
        if odd:
            self._notices.append(
                f"Left out of the proposal: {some(odd)}. Such a name holds a line break or a character that cannot be seen, and a policy "
                "holds none. Rename it, or cover it by a pattern such as ? for that character."
            )
        return tuple(name for name in names if name.isprintable())

    def _asked_models(self, names: Sequence[str]) -> tuple[str, ...]:
        is_chosen = self._ask.is_terminal or len(names) == 1  # a script says itself which of several it is for
        proposal = ", ".join(patterns_for(names)) if is_chosen else ""
        if not is_chosen and names:
            what = f"which of {counted(len(names), 'registered model')}? There are {some(sorted(names))}. Give names, or a pattern"
        elif not names:
            what = "The registry has no models yet (or the account may read none). The name, or a pattern, of those to come"
        elif not proposal:
            begins = [f"{prefix} ({count})" for prefix, count in prefixes_of(names)]
            what = f"{counted(len(names), 'registered model')}: which ones? Names, or a pattern such as {some(begins, none='team-*')}"
        else:
            what = f"Models whose promotions need approval, of {counted(len(names), 'model')}"
        return _words(self._ask.text("--models", what, proposal))

    def _channel(self) -> str:
        joined = [one.name for one in self._world.slack.channels if one.joined]
        proposal = joined[0] if (self._ask.is_terminal and joined) or len(joined) == 1 else ""
        what = f"Slack channel for approvals; the bot is in {some([f'#{name}' for name in joined])}"
        channel = self._given.channel or self._ask.text("--channel", what, proposal, check=self._channel_named)
        if not channel:  # what is missing ends it
            return channel
        known = self._channel_named(channel)
        if not known.joined:
            self._notices.append(f"The bot is not in #{shown(known.name)}. Write `/invite @Countersign` there.")
        return channel if known.id == channel else f"#{known.name}"

    def _channel_named(self, text: str) -> ChannelSeen:
        """Looks once more in Slack, where it may have been created meanwhile. Raises InvalidSettings for one that the bot cannot see."""
        name = text.removeprefix("#")
        found = _named(name, self._channels)
        if found is None:
            self._channels = channels_in(self._world.settings)
            found = _named(name, self._channels)
        if found is not None:
            return found
        names = [one.name for one in self._channels]
        near = get_close_matches(name, names, n=3) or [one.name for one in self._channels if one.joined] or names
        listed = some([f"#{one}" for one in near])
        fix = "Create it, or, if it is private, write `/invite @Countersign` there; then name it again."
        raise InvalidSettings((f"--channel: the bot sees no channel #{shown(name)}. The nearest: {listed}. {fix}",))

    def _groups(self) -> tuple[GroupDraft, ...]:
        groups = self._groups_in(self._given.approvers or _words(self._asked_approvers(), ";"))
        if groups and (why := _too_few(groups)):
            self._notices.append(
                f"{why}. Add people to the groups, or ask with `countersign request-transition`, which names the requester."
            )
        return groups

    def _groups_in(self, words: Sequence[str]) -> tuple[GroupDraft, ...]:
        """Raises InvalidSettings for groups that Slack has not, and where no vote could ever decide. A group of Slack may grow."""
        groups = tuple(self._group(word) for word in words if word)
        twice = {group.name for group in groups if [one.name for one in groups].count(group.name) > 1}
        if twice:
            raise InvalidSettings(
                (f"--approvers: two groups are called {some(sorted(twice))}. Write NAME=... to name them.",)
            )
        if groups and not any(group.slack_group for group in groups) and (why := _too_few(groups)):
            raise InvalidSettings((f"--approvers: {why}. Name more people.",))
        return groups

    def _asked_approvers(self) -> str:
        groups = self._world.slack.groups
        if groups:
            known = [f"@{one.handle} ({one.members})" for one in groups]
            what = f"Approvers: @GROUP or e-mail addresses; a semicolon between several groups. Slack has {some(known)}"
        else:
            what = "Approvers: their e-mail addresses, with commas (Slack has no user groups here)"
        proposal = f"@{groups[0].handle}" if groups and self._ask.is_terminal else ""
        return self._ask.text("--approvers", what, proposal, check=lambda text: self._groups_in(_words(text, ";")))

    def _group(self, word: str) -> GroupDraft:
        """Raises InvalidSettings."""
        first, *others = _words(word)
        if others and (any("=" in one or one.startswith("@") for one in others) or first.rpartition("=")[2][:1] == "@"):
            fix = "A comma is between the addresses of one group. Separate groups with a semicolon, or repeat --approvers."
            raise InvalidSettings((f"--approvers {shown(word)}: that is more than one group. {fix}",))
        named, separator, members = word.rpartition("=")
        if members.startswith("@"):
            handle = members.removeprefix("@")
            known = {one.handle: one.members for one in self._world.slack.groups or ()}
            if handle not in known:
                listed = some([f"@{one}" for one in known], none="none, or its plan has none")
                raise InvalidSettings((f"--approvers {members}: Slack has no such user group. There are: {listed}.",))
            return GroupDraft(named if separator else group_name(handle), slack_group=handle, size=known[handle])
        emails = _words(members)
        missing = [email for email, member in people_in(self._world.slack, emails).items() if member is None]
        if missing and any(member.email for member in self._world.slack.members):
            raise InvalidSettings(
                (
                    f"--approvers: no full member of Slack has the address {some(missing)}. Write the address of their Slack account.",
                )
            )
        return GroupDraft(named if separator else "approvers", people=emails, size=len(set(emails)))

    def _people(self, groups: Sequence[GroupDraft]) -> tuple[tuple[PersonDraft, ...], tuple[str, ...]]:
        said = self._given.people
        users = [user for user in self._world.registry.training.users if user not in said]
        members = self._world.slack.members
        found, unknown = people_for(users, members)
        if found and self._ask.is_terminal:
            listed = ", ".join(f"{one.mlflow_user} is {one.name} <{one.email}>" for one in found)
            if not self._ask.agreed(f"Users of MLflow and their people: {shown(listed)}. Is that right?"):
                unknown, found = [*unknown, *(one.mlflow_user for one in found)], []
        known = {one.email: one for one in found}
        answers = {**said, **self._asked_people(unknown)}
        for user, email in answers.items():
            known[email] = person_draft(email, members, user)
        for email in (email for group in groups for email in group.people):
            known.setdefault(email, person_draft(email, members))
        return tuple(known.values()), tuple(user for user in unknown if user not in answers)

    def _asked_people(self, users: Sequence[str]) -> dict[str, str]:
        if not self._ask.is_terminal:
            return {}
        asked = {
            user: self._ask.text(
                "--person",
                f"E-mail address of {shown(user)}, who trains (empty: skip)",
                may_be_empty=True,
                check=check_address,
            )
            for user in users[:ASKED_USERS]
        }
        return {user: email for user, email in asked.items() if email}

    def _measures(self, patterns: Sequence[str], target: str) -> list[MeasuresDraft]:
        """For each rule, of a model that the rule is for."""
        registered = self._world.registry.models
        found = [self._measured(matching(registered, (pattern,)), target) for pattern in patterns]
        directions = self._directions(found)
        return [MeasuresDraft(*thresholds_for(one.metrics, directions), one.version) for one in found]

    def _measured(self, models: Sequence[ModelSummary], target: str) -> Measured:
        try:
            with environment(self._world.values):
                return measured(self._world.settings, models, target)
        except OutsideError as trouble:
            self._notices.append(f"No thresholds are proposed: {for_a_person(str(trouble))}")
            return Measured("", ())

    def _directions(self, found: Sequence[Measured]) -> Mapping[str, bool]:
        said = dict(self._given.directions)
        logged = tuple({metric.name: metric for one in found for metric in one.metrics})
        versions = " and ".join(one.version for one in found if one.version)
        for name in sorted(said.keys() - set(logged)):
            known = some(logged)
            self._notices.append(
                f"No threshold for {shown(name)}: {shown(versions) or 'the registry'} has no such metric. It has {known}."
            )
        if said or not self._ask.is_terminal:
            return said
        proposed = [thresholds_for(one.metrics) for one in found]
        undirected = tuple(dict.fromkeys(name for _, names in proposed for name in names))
        for name in undirected[:ASKED_METRICS]:
            answer = self._ask.text(
                "--metric",
                f"Is {shown(name)} better higher or lower (empty: no threshold)",
                may_be_empty=True,
                check=_check_direction,
            )
            if answer:
                said[name] = DIRECTIONS[answer]
        known_ways = {one.metric: one.greater_is_better for thresholds, _ in proposed for one in thresholds}
        return {**known_ways, **said} if said else {}


def _named(name: str, channels: Sequence[ChannelSeen]) -> ChannelSeen | None:
    return next((one for one in channels if name in (one.name, one.id)), None)


def _check_alias(option: str, text: str) -> None:
    """Now, because a policy that refuses it at the end would cost all answers. Raises InvalidSettings."""
    try:
        alias_name(text)
    except ValueError as mistake:
        raise InvalidSettings((f"{option} {mistake}.",)) from None


def _check_asks(ask: str, target: str) -> None:
    """Raises InvalidSettings."""
    _check_alias("--ask", ask)
    if ask == target:
        raise InvalidSettings((f"--target and --ask are both {target}. An alias cannot ask for itself: name another.",))


def _check_direction(text: str) -> None:
    """Raises InvalidSettings."""
    if text not in DIRECTIONS:
        raise InvalidSettings((f'"{shown(text)}" is neither higher nor lower. Write one of them, or leave it empty.',))


def _too_few(groups: Sequence[GroupDraft]) -> str:
    """Why these people cannot decide what an alias asks for; empty when they can."""
    needed, have = len(groups) + 1, sum(group.size for group in groups)
    if have >= needed:
        return ""
    can = "there is 1 person who" if have == 1 else f"there are {have} people who"
    return f"An alias or a tag does not say who asks, so it takes {needed} approvals, and {can} can give them"


def _words(text: str, separator: str = ",") -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(separator) if word.strip()))


def check_address(text: str) -> None:
    """Now, because a policy that refuses it at the end would cost all answers. Raises InvalidSettings."""
    if not EMAIL.fullmatch(text):
        raise InvalidSettings((f'"{shown(text)}" is no e-mail address. Write one, or leave it empty.',))
