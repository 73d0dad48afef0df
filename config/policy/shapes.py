"""The shape of `policy.yaml`: which keys there are, and what they mean; also what editors know through the schema.

Single values are in `config.policy.values` and `config.policy.times`; calendars and freezes in `calendar_shapes`, the fast track in
`fast_track_shapes`. Checks across values are in `config.policy.checks`; `config.policy` turns all of it into a `Policy`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, Strict, model_validator

from bot.domain.model import Ask, AskKind, AuthorSource, Target, TargetKind
from bot.domain.policy.rules import (
    ARTIFACTS_FROM_MLFLOW,
    GROUP_ABOVE,
    Approve,
    Copies,
    Escalate,
    Group,
    Observed,
    PersonEntry,
    Poll,
    ReasonDemand,
    Requirement,
    RollbackBy,
    Rule,
    UnknownRequester,
    Unruled,
)
from bot.domain.workspaces import DEFAULT, pattern_of
from config.policy.break_glass_shapes import BreakGlassShape
from config.policy.calendar_shapes import CalendarShape, FreezeShape
from config.policy.digest_shapes import DigestShape
from config.policy.fast_track_shapes import FastTrackShape
from config.policy.grouping_values import GroupAbove
from config.policy.lineage_shapes import EvidenceWatchShape, LineageShape
from config.policy.registry_shapes import REGISTRIES_LIMIT, PlacePattern, RegistryName, RegistryShape
from config.policy.seal_shapes import Seal
from config.policy.ticket_shapes import TicketShape
from config.policy.times import Duration, Pause
from config.policy.values import (
    Alias,
    AskingTag,
    Channel,
    Email,
    FormatVersion,
    FreezeName,
    GroupHandle,
    GroupName,
    Language,
    OneOf,
    Shape,
    Stage,
    StorePrefix,
    TargetModel,
    Text,
    different,
)

QUORUM_LIMIT = 20
GROUPS_LIMIT = 8


class PollShape(Shape):
    """How often the registry is looked through, for what its webhooks do not say or did not deliver."""

    versions: Duration = Field(default=timedelta(seconds=30), json_schema_extra={"default": "30s"})
    """How often to look for new versions and stages; costs one call when nothing changed."""
    aliases: Duration = Field(default=timedelta(seconds=60), json_schema_extra={"default": "60s"})
    """How often to go through all models for aliases, tags and deletions."""

    def as_poll(self) -> Poll:
        return Poll(self.versions, self.aliases)


class PersonShape(Shape):
    """A person; Slack and Jira accounts are found by the e-mail address."""

    name: Text
    """The name to print on cards and tickets."""
    email: Email
    """The address that Slack and Jira know."""
    mlflow_user: Text | None = None
    """How MLflow's runs name this person, so that nobody approves what they trained."""

    def as_person(self) -> PersonEntry:
        return PersonEntry(self.name, self.email, self.mlflow_user)


class GroupShape(OneOf):
    """Who may approve: a Slack user group, or people by e-mail."""

    slack_group: GroupHandle | None = None
    """The handle of a Slack user group, without the @."""
    people: Annotated[tuple[Email, ...], Strict(False), Field(min_length=1), AfterValidator(different)] | None = None
    """E-mail addresses."""

    def as_group(self, name: str) -> Group:
        return Group(name, self.slack_group, self.people or ())


class TargetShape(OneOf):
    """Where a version wants to go."""

    alias: Alias | None = None
    """An alias, for example champion."""
    stage: Stage | None = None
    """A stage, for example Production."""
    model: TargetModel | None = None
    """Another registered model, for example prod.{name}."""

    def as_target(self) -> Target:
        kind = TargetKind(next(iter(self.model_fields_set)))
        return Target(kind, {TargetKind.ALIAS: self.alias, TargetKind.STAGE: self.stage}.get(kind, self.model) or "")


class AskShape(OneOf):
    """What makes a version ask for the target."""

    alias: Alias | None = None
    """Setting this alias asks."""
    tag: AskingTag | None = None
    """Setting this tag asks; a tag that came with a copied version never does."""
    stage: Stage | None = None
    """Moving to this stage asks."""
    new_version: Literal[True] | None = None
    """Creating a version asks."""

    def as_ask(self) -> Ask:
        return Ask(AskKind(next(iter(self.model_fields_set))), self.alias or self.tag or self.stage or "")


class NotifyShape(Shape):
    """Where the card is posted."""

    slack: Channel
    """A channel, for example "#model-approvals". Keep the quotes: # begins a comment."""
    group_above: GroupAbove = GROUP_ABOVE
    """So many cards of the rule that are due within a minute are posted one by one; more share one card with a line for each, and their own
    cards are in its thread. `never`: always one by one."""

    @property
    def grouped_above(self) -> int:
        return self.group_above if isinstance(self.group_above, int) else 0


class RequirementShape(Shape):
    """So many different members of that group."""

    group: Text
    """A group from `groups`."""
    quorum: Annotated[int, Field(ge=1, le=QUORUM_LIMIT)]
    """How many different people of it must approve."""
    passkey: Literal["required"] | None = None
    """Each of them signs the approval with their own passkey, on a page of the bot; without it, pressing Approve is enough."""

    def as_requirement(self) -> Requirement:
        return Requirement(self.group, self.quorum, self.passkey is not None)


class ApproveShape(Shape):
    """Who must approve, and what they must say."""

    all_of: Annotated[tuple[RequirementShape, ...], Strict(False), Field(min_length=1, max_length=GROUPS_LIMIT)]
    """Each of these must be met, by different people."""
    reason: Annotated[ReasonDemand, Strict(False)] = ReasonDemand.ON_REJECT
    """When a reason must be given."""
    unknown_requester: Annotated[UnknownRequester, Strict(False)] = UnknownRequester.ONE_MORE
    """When nobody knows who asked: refuse, demand one more approver, or shut out only the author."""
    passkey: Literal["required"] | None = None
    """Everyone who approves signs with their own passkey, on a page of the bot; to reject never takes one."""

    def as_approve(self) -> Approve:
        requirements = tuple(one.as_requirement() for one in self.all_of)
        return Approve(requirements, self.reason, self.unknown_requester, self.passkey is not None)


class EscalateShape(Shape):
    """Who may stand in when nobody has decided for a while."""

    after: Duration
    """How much working time must have passed, by the calendar; in it 1d is 24 hours at work, which are several days."""
    group: Text
    """A group from `groups` whose members may then vote in the place of whoever is missing."""

    def as_escalate(self) -> Escalate:
        return Escalate(self.after, self.group)


class RevertShape(Shape):
    """How a move that no one approved is put back, by the rule or by people."""

    copies: Annotated[Copies, Strict(False)] = Copies.TAG
    """A version that came into a target model: tag it so that the gate denies it, or delete it. Only what came while the place was watched
    and was never approved is deleted."""


class RuleShape(Shape):
    """For these models and this target: who asks, who approves, who is told."""

    models: Text
    """A shell pattern for names of registered models, for example "bike-*"."""
    registry: PlacePattern = DEFAULT
    """A registry from `registries`, or a shell pattern for several; `default` is the one of MLFLOW_TRACKING_URI."""
    workspace: PlacePattern = DEFAULT
    """A workspace of it, or a shell pattern for several."""
    workspaces: (
        Annotated[tuple[PlacePattern, ...], Strict(False), Field(min_length=1), AfterValidator(different)] | None
    ) = None
    """Several workspaces of it, or shell patterns, in place of `workspace`."""
    target: TargetShape
    ask_on: Annotated[tuple[AskShape, ...], Strict(False)] = ()
    """What makes a version ask by itself; without it, only the command line and the API ask."""
    observed: Annotated[Observed, Strict(False)] = Observed.ASK
    """When somebody moved the target without asking: ask for it afterwards, put it back, or only report it."""
    revert: RevertShape = RevertShape()
    """What putting back does with copies: tag or delete them; without it, they are tagged."""
    notify: NotifyShape
    ticket: TicketShape | None = None
    approve: ApproveShape
    remind_after: Pause | None = None
    """After how much working time the approvers are reminded, again and again; without it, never."""
    escalate: EscalateShape | None = None
    """When a second group may stand in; without it, never."""
    expire_after: Duration | None = None
    """How long a request waits for its decision; without it, for ever."""
    freezes: Annotated[tuple[Text, ...], Strict(False), AfterValidator(different)] = ()
    """The freezes from `freezes` in which an approval waits before it is applied."""
    rollback: Annotated[RollbackBy, Strict(False)] = RollbackBy.RULE
    """How a target goes back to a version that was approved before: at_once, or by the same votes."""
    fast_track: FastTrackShape | None = None
    """Which figures approve a version without a person; without it, people always decide."""
    lineage: LineageShape | None = None
    """What is demanded of where a version comes from; without it, the checks are shown and block nothing."""
    approval_valid_for: Duration | None = None
    """How old an approval may get before the digest asks for a new one; without it, any age."""
    break_glass: BreakGlassShape | None = None
    """Who may promote at once in an emergency; without it, nobody."""
    seal: Seal | None = None
    """Where the approved files are copied to before the target moves; without it, they stay only where MLflow has them."""

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.workspaces is not None and "workspace" in self.model_fields_set:
            raise ValueError("has both workspace and workspaces. Keep one of them")
        return self

    @property
    def named_workspaces(self) -> tuple[str, ...]:
        return self.workspaces or (self.workspace,)

    @property
    def place(self) -> str:
        """The workspaces that the rule is for, as `bot.domain.workspaces` writes them."""
        return pattern_of(self.registry, self.named_workspaces)

    def as_rule(self) -> Rule:
        return Rule(
            models=self.models,
            workspace=self.place,
            target=self.target.as_target(),
            ask_on=tuple(ask.as_ask() for ask in self.ask_on),
            observed=self.observed,
            channel=self.notify.slack,
            ticket=None if self.ticket is None else self.ticket.as_ticket_plan(),
            approve=self.approve.as_approve(),
            expire_after=self.expire_after,
            remind_after=self.remind_after,
            escalate=None if self.escalate is None else self.escalate.as_escalate(),
            freezes=self.freezes,
            fast_track=None if self.fast_track is None else self.fast_track.as_fast_track(),
            rollback=self.rollback,
            lineage=None if self.lineage is None else self.lineage.as_demand(),
            approval_valid_for=self.approval_valid_for,
            copies=self.revert.copies,
            break_glass=None if self.break_glass is None else self.break_glass.as_break_glass(),
            group_above=self.notify.grouped_above,
            seal=None if self.seal is None else self.seal.as_plan(),
        )


class PolicyShape(Shape):
    """Countersign's policy: who must approve which model promotion."""

    version: FormatVersion
    """The version of this format: 1."""
    poll: PollShape = PollShape()
    people: Annotated[tuple[PersonShape, ...], Strict(False)] = ()
    """The people that MLflow, Slack and Jira know by different names."""
    authors_from: Annotated[
        tuple[Annotated[AuthorSource, Strict(False)], ...], Strict(False), AfterValidator(different)
    ] = Field(default=(), json_schema_extra={"default": []})
    """Whose word counts on who trained a version and made its commit: git (the mirror of `lineage`), run (the user that MLflow has on the
    run or version), commit_tag (the run's tag countersign.commit_author). Others bar no one, and the author then counts as unknown."""
    groups: Annotated[dict[GroupName, GroupShape], Field(min_length=1)]
    """Who may approve, by the names that the rules use."""
    registries: dict[RegistryName, RegistryShape] = Field(default_factory=dict, max_length=REGISTRIES_LIMIT)
    """Other MLflow servers and workspaces to watch; without it, the default workspace of MLFLOW_TRACKING_URI alone."""
    rules: Annotated[tuple[RuleShape, ...], Strict(False), Field(min_length=1)]
    """The first rule that matches workspace, model and target holds."""
    calendar: CalendarShape = Field(default_factory=CalendarShape)
    freezes: dict[FreezeName, FreezeShape] = Field(default_factory=dict)
    """When approvals wait before they are applied, by the names that the rules use."""
    artifact_stores: Annotated[
        tuple[StorePrefix, ...], Strict(False), Field(min_length=1), AfterValidator(different)
    ] = ARTIFACTS_FROM_MLFLOW
    """How the locations begin that evidence is read from, for example s3://models/; nothing is read from any other."""
    evidence_watch: EvidenceWatchShape = EvidenceWatchShape()
    readers: Annotated[tuple[Text, ...], Strict(False), Field(min_length=1), AfterValidator(different)] | None = None
    """The groups from `groups` whose people may read the pages in a browser; without it, the people of all groups."""
    default: Annotated[Unruled, Strict(False)] = Unruled.REPORT
    """What becomes of moved targets that no rule speaks of."""
    language: Language = "en"
    """The language of what a channel or a ticket shows: en or es. What only one person sees is in the language of their Slack."""
    digest: DigestShape | None = None
    """The weekly digest; without it, there is none."""
