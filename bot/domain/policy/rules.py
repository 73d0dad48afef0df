"""The policy: which rule matches a model and a target, who approves, and how many approvals it needs. `config.policy` reads the YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property

from bot.domain.model import Ask, AskKind, AuthorSource, FastTrackMode, Target, TargetKind
from bot.domain.policy.break_glass import BreakGlass as BreakGlass
from bot.domain.policy.calendars import Freeze, WorkingHours
from bot.domain.policy.digest_plan import DigestPlan as DigestPlan
from bot.domain.policy.evidence_watch import EvidenceWatch as EvidenceWatch
from bot.domain.policy.rule_hashes import binding_hash, whole_hash
from bot.domain.references import TicketPlan
from bot.domain.seals.places import SealPlan
from bot.domain.workspaces import Registry, is_covered, watched

EVERY_DAY_AT_WORK = WorkingHours("UTC", days=(0, 1, 2, 3, 4), opens=9 * 60, closes=18 * 60, holidays=())
ARTIFACTS_FROM_MLFLOW = ("mlflow-artifacts:",)

GROUP_ABOVE = 5  # so many cards at once are posted one by one, more as one list; 0: always one by one


class Observed(StrEnum):
    """What to do about a target that was moved without a request."""

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
    """What to do about moves of targets that no rule matches."""

    REPORT = "report"
    IGNORE = "ignore"


@dataclass(frozen=True)
class PersonEntry:
    """A person in the policy; `mlflow_user` is their name in MLflow's runs."""

    name: str
    email: str
    mlflow_user: str | None = None


@dataclass(frozen=True)
class Group:
    """Either a Slack user group by its handle, or people by e-mail."""

    name: str
    slack_group: str | None
    people: tuple[str, ...]


@dataclass(frozen=True)
class Requirement:
    """A number of different members of a group. `passkey`: each of them signs with their own passkey."""

    group: str
    quorum: int
    passkey: bool = False


@dataclass(frozen=True)
class Approve:
    """`passkey`: everyone who approves signs with their own passkey, also for groups whose requirement does not say so."""

    all_of: tuple[Requirement, ...]
    reason: ReasonDemand
    unknown_requester: UnknownRequester
    passkey: bool = False

    @property
    def wants_passkeys(self) -> bool:
        """Whether any approval under the rule takes a passkey."""
        return self.passkey or any(requirement.passkey for requirement in self.all_of)

    def wants_passkey_for(self, group: str) -> bool:
        """Whether an approval counts for this group only with a passkey. `group` may also be the name of a place that any group takes."""
        return self.passkey or any(one.passkey for one in self.all_of if one.group == group)

    def wants_reason_to_approve(self) -> bool:
        return self.reason in (ReasonDemand.ON_APPROVE, ReasonDemand.ALWAYS)

    def wants_reason_to_reject(self) -> bool:
        return self.reason in (ReasonDemand.ON_REJECT, ReasonDemand.ALWAYS)


class Demand(StrEnum):
    """What the fast track may require in addition to metrics."""

    LINEAGE = "lineage"
    SIGNATURE = "signature"


class RollbackBy(StrEnum):
    """What allows taking a target back to an earlier approved version: the rule, at once, or votes."""

    RULE = "at_once"
    VOTES = "by_votes"


@dataclass(frozen=True)
class Threshold:
    """What one metric must reach, with the fields of `mlflow.models.MetricThreshold`; the changes are against the champion.

    `dataset` names the evaluation data set whose value counts when a metric was measured on several.
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
    """`sample_to_people` is the share, 0 to 1, of passing versions that people still decide; `undo_for` is how long Undo is possible."""

    mode: FastTrackMode
    metrics: tuple[Threshold, ...]
    require: tuple[Demand, ...] = ()
    sample_to_people: float = 0.0
    undo_for: timedelta = timedelta(days=1)


LINEAGE_CODES = tuple(f"L{number:02}" for number in range(1, 20))
MIRRORED_CODES = ("L14", "L15", "L16")  # the checks that need a git mirror


@dataclass(frozen=True)
class LineageDemand:
    """`git` is the address or path of the remote to mirror, `main` its main branch; `block` are the checks that must pass."""

    git: str | None = None
    main: str = "main"
    block: tuple[str, ...] = ()


@dataclass(frozen=True)
class Escalate:
    """After this much working time the members of `group` may vote in place of those who have not."""

    after: timedelta
    group: str


@dataclass(frozen=True)
class Rule:
    """`models` is a shell pattern, `workspace` what `pattern_of` writes; `{name}` in a model target is replaced by the model's name."""

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
    break_glass: BreakGlass | None = None
    group_above: int = GROUP_ABOVE
    seal: SealPlan | None = None

    @property
    def label(self) -> str:
        """The rule's name for people: what it matches."""
        return f"{self.models} → {self.target}"

    @property
    def group_names(self) -> tuple[str, ...]:
        """Of those that may vote, and of the one that a request escalates to."""
        return (*(one.group for one in self.approve.all_of), *((self.escalate.group,) if self.escalate else ()))

    def matches(self, workspace: str, model: str) -> bool:
        """Never the model that the rule's own copies go into, also when its name matches: a rule must not feed on itself."""
        named = is_covered(workspace, self.workspace) and fnmatchcase(model, self.models)
        return named and not self.covers_copies_into(workspace, model)

    def target_for(self, model: str) -> Target:
        return Target(self.target.kind, self.target.name.replace("{name}", model))

    def covers_copies_into(self, workspace: str, target_model: str) -> bool:
        """Whether this rule's model target includes versions of `target_model`."""
        if self.target.kind is not TargetKind.MODEL or not is_covered(workspace, self.workspace):
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
    authors_from: tuple[AuthorSource, ...] = ()
    registries: tuple[Registry, ...] = ()
    language: str = "en"
    readers: tuple[str, ...] = ()  # empty: all groups
    evidence_watch: EvidenceWatch = field(default_factory=EvidenceWatch)

    @property
    def places(self) -> tuple[str, ...]:
        """The workspaces that are watched."""
        return tuple(place for registry in watched(self.registries) for place in registry.places)

    @property
    def rules_with_passkeys(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.approve.wants_passkeys)

    def rule_for(self, workspace: str, model: str, target: Target) -> Rule | None:
        """The first rule that matches workspace, model and target; None when none does."""
        if target == Target(TargetKind.MODEL, model):
            return self.rule_for_copies_into(workspace, model)
        return next((r for r in self.rules if r.matches(workspace, model) and r.target_for(model) == target), None)

    def rule_for_copies_into(self, workspace: str, target_model: str) -> Rule | None:
        """The rule for a version that appeared in a target model without a request."""
        return next((rule for rule in self.rules if rule.covers_copies_into(workspace, target_model)), None)

    def rules_for(self, workspace: str, model: str) -> tuple[Rule, ...]:
        """The rules that apply to a model: for each target the first one that matches."""
        held: dict[Target, Rule] = {}
        for rule in self.rules:
            if rule.matches(workspace, model):
                held.setdefault(rule.target_for(model), rule)
        return tuple(held.values())

    def group(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    def groups_of(self, rule: Rule) -> tuple[Group, ...]:
        """The groups that may vote, including the one that a request escalates to."""
        return tuple(self.group(name) for name in dict.fromkeys(rule.group_names))

    def freezes_of(self, rule: Rule) -> tuple[Freeze, ...]:
        return tuple(freeze for freeze in self.freezes if freeze.name in rule.freezes)

    def person_by_email(self, email: str) -> PersonEntry | None:
        return next((entry for entry in self.people if entry.email == email.lower()), None)

    def person_by_mlflow_user(self, user: str) -> PersonEntry | None:
        """By the user name that an MLflow client claimed, or by e-mail address."""
        return next((e for e in self.people if user == e.mlflow_user or user.lower() == e.email), None)

    def author_named(self, claimed: str | None, source: str) -> PersonEntry | None:
        """The person behind an author's name; None when the policy does not believe where the name comes from."""
        return self.person_by_mlflow_user(claimed) if claimed and source in self.authors_from else None

    def rule_hash(self, rule: Rule) -> str:
        """What binds a decision: the rule with the groups that decide; not its reminders, escalation, notices and tickets."""
        return self._hash_of(rule, binding_hash, (one.group for one in rule.approve.all_of))

    def former_hash(self, rule: Rule) -> str:
        """How releases up to 0.1 named the same rule, its reminders and notices included: votes of that time carry it."""
        return self._hash_of(rule, whole_hash, rule.group_names)

    def hashes(self, rule: Rule) -> tuple[str, str]:
        """Every hash of the rule that votes may carry, the one of this release first."""
        return self.rule_hash(rule), self.former_hash(rule)

    def _hash_of(self, rule: Rule, hash_of: Callable[[Rule, Iterable[Group]], str], groups: Iterable[str]) -> str:
        """Worked out once for each rule of its own: a digest asks for each of thousands of decisions."""
        key = (id(rule), hash_of.__name__)
        if key in self._hashes:
            return self._hashes[key]
        found = hash_of(rule, [self.group(name) for name in dict.fromkeys(groups)])
        if any(one is rule for one in self.rules):  # it lives as long as the policy, so no other rule gets its id
            self._hashes[key] = found
        return found

    @cached_property
    def _hashes(self) -> dict[tuple[int, str], str]:
        return {}

    def channels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.channel for rule in self.rules))

    def asking_tags(self) -> tuple[str, ...]:
        return tuple(sorted({ask.name for rule in self.rules for ask in rule.ask_on if ask.kind is AskKind.TAG}))
