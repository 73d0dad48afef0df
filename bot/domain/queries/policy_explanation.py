"""What a policy means for one version and target: which rule applies and why, who may decide, what would happen now. Plain values.

`handlers.queries.policy` gathers them; `bot.commands.policy.explain` prints them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from bot.domain.model import FastTrackMode, Judgement, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.freezes import FreezeNow
from bot.domain.policy.rules import Policy, Rule, UnknownRequester
from bot.domain.request.quorum import places, requester_is_unknown
from bot.domain.workspaces import is_covered, pattern_text


@dataclass(frozen=True)
class PassedOver:
    """A rule before the one that applies, its place counted from 1, and why it does not apply."""

    place: int
    rule: Rule
    why: str


@dataclass(frozen=True)
class Member:
    """`shut_out` says why this person may not decide; empty when they may."""

    name: str
    shut_out: str = ""


@dataclass(frozen=True)
class GroupSeen:
    """`handle` is Slack's, None for people listed in the policy. `unknown` says why the members are unknown; empty when they are not.

    `quorum` is 0 for the group that a request only escalates to.
    """

    name: str
    quorum: int
    handle: str | None
    members: tuple[Member, ...]
    more: int = 0
    unknown: str = ""


@dataclass(frozen=True)
class Approvals:
    """The groups that must each give one approval; `refused` when no one may approve under the rule.

    `nobody_left` says when some of them could not be given; empty when they could, or when it is not known who is in a group.
    """

    of: tuple[str, ...]
    refused: bool = False
    nobody_left: str = ""


@dataclass(frozen=True)
class Held:
    """The rule that applies, its place in the policy, and its result for the version now.

    `judgement` is None without a fast track that is on or in shadow; `failed_before` says when and why the version was rolled back.
    """

    place: int
    rule: Rule
    rule_hash: str
    groups: tuple[GroupSeen, ...]
    requester_known: Approvals
    requester_unknown: Approvals
    judgement: Judgement | None
    freeze: FreezeNow | None
    failed_before: str


@dataclass(frozen=True)
class Explanation:
    """`champion` is the target's current holder; `held` is None when no rule matches."""

    target: Target
    champion: VersionId | None
    passed_over: tuple[PassedOver, ...]
    held: Held | None


def targets_of(policy: Policy, workspace: str, model: str) -> tuple[Target, ...]:
    """All targets in rules for the model, and the model itself when versions are copied into it."""
    targets = [rule.target_for(model) for rule in policy.rules_for(workspace, model)]
    if policy.rule_for_copies_into(workspace, model) is not None:
        targets.append(Target(TargetKind.MODEL, model))
    return tuple(targets)


def passed_over(policy: Policy, workspace: str, model: str, target: Target) -> tuple[PassedOver, ...]:
    """The rules before the one that applies, or all rules when none applies."""
    held = policy.rule_for(workspace, model, target)
    before = policy.rules[: place_of(held, policy) - 1] if held else policy.rules
    return tuple(
        PassedOver(place, rule, _why_not(rule, workspace, model, target)) for place, rule in enumerate(before, start=1)
    )


def place_of(rule: Rule, policy: Policy) -> int:
    """Counted from 1."""
    return policy.rules.index(rule) + 1


def _why_not(rule: Rule, workspace: str, model: str, target: Target) -> str:
    if not is_covered(workspace, rule.workspace):
        return f'it is for the workspace "{pattern_text(rule.workspace)}"'
    if target == Target(TargetKind.MODEL, model):
        return f"it speaks of no copies into {model}"
    if not fnmatchcase(model, rule.models):
        return f'"{rule.models}" does not match {model}'
    return f"it speaks of {rule.target_for(model)}"


def approvals(hypothetical: TransitionRequest, rule: Rule, requester: str | None) -> Approvals:
    """The approvals that the rule would require from this requester; None for an unknown requester."""
    request = replace(hypothetical, requester=requester)
    refused = rule.approve.unknown_requester is UnknownRequester.REFUSE and requester_is_unknown(request)
    return Approvals(() if refused else places(request, rule), refused)


def passkey_groups(held: Held) -> tuple[str, ...]:
    """The groups for which an approval takes the approver's passkey. Who stands in for one of them needs theirs too."""
    approve = held.rule.approve
    stands_in = held.rule.escalate.group if held.rule.escalate and approve.wants_passkeys else ""
    return tuple(
        group.name for group in held.groups if approve.wants_passkey_for(group.name) or group.name == stands_in
    )


def coming_to(held: Held) -> str:
    """What the fast track's result leads to."""
    track, judgement = held.rule.fast_track, held.judgement
    if track is None:
        return "the rule has no fast track, so people decide"
    if judgement is None or track.mode is FastTrackMode.OFF:
        return "it is off, so people decide"
    if track.mode is FastTrackMode.SHADOW:
        return f"people decide; beside them it records that it would {'let this through' if judgement.passes else 'hold this'}"
    if judgement.decides:
        return "this is let through at once, without a person"
    return f"people decide: {judgement.held_back}" if judgement.passes else "this is held, so people decide"
