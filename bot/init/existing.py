"""What a policy that is there answers already, so that a change of one thing proposes no other."""

from __future__ import annotations

from dataclasses import fields, replace

from bot.domain.model import AskKind, TargetKind
from bot.domain.policy.rules import Group, Policy, Rule
from bot.init.given import PolicyAnswers


def completed(given: PolicyAnswers, policy: Policy) -> PolicyAnswers:
    """What was said on the command line, and for the rest what the policy's first rule says."""
    known = answers_in(policy)
    wanted = {field.name: getattr(given, field.name) or getattr(known, field.name) for field in fields(PolicyAnswers)}
    people, directions = {**known.people, **given.people}, {**known.directions, **given.directions}
    return replace(known, **{**wanted, "people": people, "directions": directions})


def answers_in(policy: Policy) -> PolicyAnswers:
    """A policy that was written by hand may say more than a starter policy can; the difference is shown before it is replaced."""
    rule = policy.rules[0]
    ticket = rule.ticket
    return PolicyAnswers(
        models=tuple(one.models for one in policy.rules),
        target=rule.target.name if rule.target.kind is TargetKind.ALIAS else "",
        ask=next((ask.name for ask in rule.ask_on if ask.kind is AskKind.ALIAS), ""),
        channel=rule.channel,
        approvers=tuple(_approvers(group) for group in policy.groups_of(rule) if _decides(group, rule)),
        people={person.mlflow_user: person.email for person in policy.people if person.mlflow_user},
        directions={one.metric: one.greater_is_better for one in rule.fast_track.metrics} if rule.fast_track else {},
        project=ticket.project if ticket else "",
        type=ticket.type if ticket else "",
        approved=ticket.approved if ticket else "",
        rejected=ticket.rejected if ticket else "",
    )


def _approvers(group: Group) -> str:
    members = f"@{group.slack_group}" if group.slack_group else ",".join(group.people)
    return f"{group.name}={members}"


def _decides(group: Group, rule: Rule) -> bool:
    return group.name in {one.group for one in rule.approve.all_of}
