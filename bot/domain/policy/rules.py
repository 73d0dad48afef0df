"""The policy: which rule matches a model and a target, who approves, how many it takes. Reading the YAML is `config.policy`'s work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from bot.domain.model import Ask, AskKind, FastTrackMode, Target, TargetKind
from bot.domain.policy.calendars import Freeze, WorkingHours
from bot.domain.references import TicketPlan

EVERY_DAY_AT_WORK = WorkingHours("UTC", days=(0, 1, 2, 3, 4), opens=9 * 60, closes=18 * 60, holidays=())
ARTIFACTS_FROM_MLFLOW = ("mlflow-artifacts:",)
NOT_BINDING = ("channel", "ticket", "remind_after", "escalate", "approval_valid_for")  # who is told, and when


class Observed(StrEnum):
    """What to do about a target that somebody moved without asking."""

    ASK = "ask"
    REVERT = "revert"
    REPORT = "report"


class Copies(StrEnum):
    """What putting back does with a version that came into a target model without an approval."""

    TAG = "tag"
    DELETE = "delete"


class ReasonDemand(StrEnum):
    ON_REJECT = "on_reject"
    ON_APPROVE = "on_approve"
    ALWAYS = "always"


class UnknownRequester(StrEnum):
    REFUSE = "refuse"
    ONE_MORE = "one_more"
    AUTHOR_ONLY = "author_only"


class Unruled(StrEnum):
    """What becomes of moves of targets that no rule speaks of."""

    REPORT = "report"
    IGNORE = "ignore"


@dataclass(frozen=True)
class PersonEntry:
    """A person as the policy names them; `mlflow_user` is how MLflow's runs name them."""

    name: str
    email: str
    mlflow_user: str | None = None


@dataclass(frozen=True)
class Group:
    """Either a Slack user group, named by its handle, or people named by e-mail."""

    name: str
    slack_group: str | None
    people: tuple[str, ...]


@dataclass(frozen=True)
class Requirement:
    """So many different members of that group."""

    group: str
    quorum: int


@dataclass(frozen=True)
class Approve:
    all_of: tuple[Requirement, ...]
    reason: ReasonDemand
    unknown_requester: UnknownRequester

    def wants_reason_to_approve(self) -> bool:
        return self.reason in (ReasonDemand.ON_APPROVE, ReasonDemand.ALWAYS)

    def wants_reason_to_reject(self) -> bool:
        return self.reason in (ReasonDemand.ON_REJECT, ReasonDemand.ALWAYS)


class Demand(StrEnum):
    """What the fast track may demand besides figures."""

    LINEAGE = "lineage"
    SIGNATURE = "signature"


class RollbackBy(StrEnum):
    """How a target goes back to a version that was approved for it before."""

    RULE = "at_once"
    VOTES = "by_votes"


@dataclass(frozen=True)
class Threshold:
    """What one metric must reach, in the words of `mlflow.models.MetricThreshold`; the changes are against the champion.

    `dataset` names the evaluation data set whose figure counts, where a metric was measured on several.
    """

    metric: str
    greater_is_better: bool
    threshold: float | None = None
    min_absolute_change: float | None = None
    min_relative_change: float | None = None
    dataset: str | None = None

    @property
    def compares(self) -> bool:
        return self.min_absolute_change is not None or self.min_relative_change is not None


@dataclass(frozen=True)
class FastTrack:
    """`sample_to_people` is the share, 0 to 1, of passing versions that people decide all the same; `undo_for` how long Undo stands."""

    mode: FastTrackMode
    metrics: tuple[Threshold, ...]
    require: tuple[Demand, ...] = ()
    sample_to_people: float = 0.0
    undo_for: timedelta = timedelta(days=1)


LINEAGE_CODES = tuple(f"L{number:02}" for number in range(1, 20))
MIRRORED_CODES = ("L14", "L15", "L16")  # which only a git mirror can answer


@dataclass(frozen=True)
class LineageDemand:
    """`git` is the remote that is mirrored, by address or path; `main` its branch of record; `block` the checks that must pass."""

    git: str | None = None
    main: str = "main"
    block: tuple[str, ...] = ()


@dataclass(frozen=True)
class Escalate:
    """After so much working time the members of `group` may stand in for whoever is missing."""

    after: timedelta
    group: str


@dataclass(frozen=True)
class DigestPlan:
    """When the digest of the week before is due, and who gets it: a channel, a ticket, addresses; each may be left out but not all.

    `cron` has five fields. `ticket` is project and type.
    """

    cron: str
    timezone: str
    channel: str | None = None
    ticket: tuple[str, str] | None = None
    email: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """`models` is a shell pattern; `{name}` in a model target stands for the model's own name."""

    models: str
    workspace: str
    target: Target
    ask_on: tuple[Ask, ...]
    observed: Observed
    channel: str
    ticket: TicketPlan | None
    approve: Approve
    expire_after: timedelta | None
    remind_after: timedelta | None = None
    escalate: Escalate | None = None
    freezes: tuple[str, ...] = ()
    fast_track: FastTrack | None = None
    rollback: RollbackBy = RollbackBy.RULE
    lineage: LineageDemand | None = None
    approval_valid_for: timedelta | None = None
    copies: Copies = Copies.TAG

    @property
    def label(self) -> str:
        """How people tell it from the others: what it matches."""
        return f"{self.models} → {self.target}"

    def matches(self, workspace: str, model: str) -> bool:
        """Never the model that the rule's own copies go into, whatever its name: a rule must not feed on itself."""
        named = fnmatchcase(workspace, self.workspace) and fnmatchcase(model, self.models)
        return named and not self.covers_copies_into(workspace, model)

    def target_for(self, model: str) -> Target:
        return Target(self.target.kind, self.target.name.replace("{name}", model))

    def covers_copies_into(self, workspace: str, target_model: str) -> bool:
        """Whether versions of `target_model` are what this rule's model target speaks of."""
        if self.target.kind is not TargetKind.MODEL or not fnmatchcase(workspace, self.workspace):
            return False
        before, placeholder, after = self.target.name.partition("{name}")
        if not placeholder:
            return target_model == self.target.name
        name = target_model[len(before) : len(target_model) - len(after)]
        return f"{before}{name}{after}" == target_model and name != "" and fnmatchcase(name, self.models)


@dataclass(frozen=True)
class Poll:
    versions: timedelta
    aliases: timedelta


@dataclass(frozen=True)
class Policy:
    poll: Poll
    people: tuple[PersonEntry, ...]
    groups: tuple[Group, ...]
    rules: tuple[Rule, ...]
    default: Unruled
    calendar: WorkingHours = EVERY_DAY_AT_WORK
    freezes: tuple[Freeze, ...] = ()
    artifact_stores: tuple[str, ...] = ARTIFACTS_FROM_MLFLOW
    digest: DigestPlan | None = None

    def rule_for(self, workspace: str, model: str, target: Target) -> Rule | None:
        """The first rule that matches workspace, model and target holds."""
        if target == Target(TargetKind.MODEL, model):
            return self.rule_for_copies_into(workspace, model)
        return next((r for r in self.rules if r.matches(workspace, model) and r.target_for(model) == target), None)

    def rule_for_copies_into(self, workspace: str, target_model: str) -> Rule | None:
        """The rule that speaks of a version which appeared in a target model by itself."""
        return next((rule for rule in self.rules if rule.covers_copies_into(workspace, target_model)), None)

    def rules_for(self, workspace: str, model: str) -> tuple[Rule, ...]:
        """The rules that hold for a model: for each target the first one."""
        held: dict[Target, Rule] = {}
        for rule in self.rules:
            if rule.matches(workspace, model):
                held.setdefault(rule.target_for(model), rule)
        return tuple(held.values())

    def group(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    def groups_of(self, rule: Rule) -> tuple[Group, ...]:
        """The groups that may have a say, the one that a request escalates to among them."""
        named = [requirement.group for requirement in rule.approve.all_of]
        if rule.escalate is not None:
            named.append(rule.escalate.group)
        return tuple(self.group(name) for name in dict.fromkeys(named))

    def freezes_of(self, rule: Rule) -> tuple[Freeze, ...]:
        return tuple(freeze for freeze in self.freezes if freeze.name in rule.freezes)

    def person_by_email(self, email: str) -> PersonEntry | None:
        return next((entry for entry in self.people if entry.email == email.lower()), None)

    def person_by_mlflow_user(self, user: str) -> PersonEntry | None:
        """MLflow's user names are the clients' own word; an e-mail address is understood as well."""
        return next((e for e in self.people if user == e.mlflow_user or user.lower() == e.email), None)

    def rule_hash(self, rule: Rule) -> str:
        """What binds a decision: the rule with the groups that decide; not its reminders, escalation, notices and tickets."""
        said = {name: value for name, value in _said(rule).items() if name not in NOT_BINDING}
        return _hash_of(said, [self.group(name) for name in dict.fromkeys(req.group for req in rule.approve.all_of)])

    def former_hash(self, rule: Rule) -> str:
        """How releases up to 0.1 named the same rule, its reminders and notices included: votes of that time carry it."""
        return _hash_of(_said(rule), self.groups_of(rule))

    def hashes(self, rule: Rule) -> tuple[str, str]:
        """Every name of the rule that may stand on a vote, the one of this release first."""
        return self.rule_hash(rule), self.former_hash(rule)

    def channels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.channel for rule in self.rules))

    def asking_tags(self) -> tuple[str, ...]:
        asks = (ask for rule in self.rules for ask in rule.ask_on if ask.kind is AskKind.TAG)
        return tuple(sorted({ask.name for ask in asks}))


def _hash_of(said: dict[str, object], groups: Iterable[Group]) -> str:
    bound = {"rule": said, "groups": [_bound(group) for group in groups]}
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _said(rule: Rule) -> dict[str, object]:
    """Without what is left at its default, so that a new release with a new key voids no vote."""
    whole = asdict(rule)
    return {field.name: whole[field.name] for field in fields(rule) if getattr(rule, field.name) != field.default}


def _bound(group: Group) -> dict[str, object]:
    """The order in which people stand in a group means nothing."""
    return {"name": group.name, "slack_group": group.slack_group, "people": sorted(group.people)}
