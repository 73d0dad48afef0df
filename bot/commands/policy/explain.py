"""`policy explain`: prints what the policy means for one version. The answer comes from `handlers.queries.policy`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands.context import as_json, in_place, place_named, services_for, settings_for, telling_mistakes
from bot.commands.output.printing import print_json, say
from bot.domain.model import Target
from bot.domain.policy.rules import Unruled
from bot.domain.queries.policy_explanation import Approvals, Explanation, GroupSeen, Held, coming_to, passkey_groups
from bot.domain.registry.model_uri import ModelUri
from bot.domain.text import AS_OPTION, duration_text
from bot.domain.workspaces import in_workspace
from bot.errors import Refused
from config.policy import policy_text_of, read_policy
from config.settings import Need

if TYPE_CHECKING:
    from bot.domain.policy.rules import Policy
    from bot.services import Services
    from handlers.queries.policy import Explained

NOT_RECORDED = "(not recorded)"
MOVED_BY_HAND = {
    Unruled.REPORT: "A move of its aliases and stages is reported in Slack.",
    Unruled.IGNORE: "A move of its aliases and stages is ignored.",
}
IN_FORCE = "the policy in force"
HASH_SHOWN = 19  # characters: "sha256:" and twelve digits

file_option = click.option(
    "--file", type=click.Path(path_type=Path), help="Under this file, which need not be in force."
)


@click.command("explain")
@click.argument("uri", metavar="models:/NAME/VERSION")
@click.option(
    "--to", "target", help="Only for this target, such as alias:champion. Default: all that a rule speaks of."
)
@file_option
@in_place
@as_json
@telling_mistakes
def explain(uri: str, target: str | None, file: Path | None, as_json: bool, workspace: str) -> None:
    """Say which rule applies to a version, who may decide, and what the fast track says about it now.

    models:/NAME@ALIAS works too. Reads MLflow, and Slack's groups where SLACK_BOT_TOKEN is set; writes nothing.
    """
    from handlers.queries import policy as policy_questions

    wanted, wanted_target = _read(f"{uri}{in_workspace(place_named(workspace))}", target)
    asks_notifier = bool(settings_for(Need.REGISTRY).slack_bot_token.get_secret_value())
    with services_for(Need.REGISTRY) as services:
        policy = policy_under(file, services)
        said = policy_questions.explain(wanted, wanted_target, policy, services, asks_notifier=asks_notifier)
    source = str(file) if file else IN_FORCE
    if as_json:
        print_json(_as_plain(said, source))
        return
    for line in _lines(said, policy, source):
        say(line)


def policy_under(file: Path | None, s: Services) -> Policy:
    """The policy in the file, or the one in force."""
    return read_policy(policy_text_of(file), str(file)) if file else s.store.policy()


def _read(uri: str, target: str | None) -> tuple[ModelUri, Target | None]:
    try:
        return ModelUri.parse(uri), Target.parse(target) if target else None
    except Refused as refusal:
        raise click.UsageError(str(refusal)) from None


def _lines(said: Explained, policy: Policy, source: str) -> Iterator[str]:
    yield f"{said.version} under {source}"
    yield f"trained by {said.author or NOT_RECORDED}; commit by {said.commit_author or NOT_RECORDED}"
    for who in said.unmapped:
        yield f'The policy names nobody called "{who}", so they count as unknown. Add an mlflow_user to people.'
    for who in said.not_believed:
        yield f'The name "{who}" comes from a source that authors_from does not have, so the author counts as unknown.'
    if not said.targets:
        yield f"No rule of the policy covers {said.version.model}, so nobody is asked. {MOVED_BY_HAND[policy.default]}"
    for explanation in said.targets:
        yield ""
        yield from _target_lines(explanation, said, policy)


def _target_lines(explanation: Explanation, said: Explained, policy: Policy) -> Iterator[str]:
    champion = explanation.champion
    now = "this very version" if champion == said.version else champion or "nobody"
    yield f"{explanation.target}, held now by {now}"
    held = explanation.held
    if held is None:
        yield f"  rule        none, so nobody is asked; moves: {policy.default}"
    else:
        count = len(policy.rules)
        yield f"  rule        {held.rule.label}, number {held.place} of {count}, {held.rule_hash[:HASH_SHOWN]}"
    for one in explanation.passed_over:
        yield f"              not number {one.place}, {one.rule.label}: {one.why}"
    if held is not None:
        yield from _held_lines(held)


def _held_lines(held: Held) -> Iterator[str]:
    for group in held.groups:
        yield f"  who         {_who(group)}"
    yield "              besides, whoever asks may not decide"
    yield from _approvals(held)
    yield from _passkeys(held)
    yield from _in_tickets(held)
    if held.failed_before:
        yield f"  careful     it was {held.failed_before}; whoever approves says why"
    yield from _times(held)
    yield from _seal(held)
    yield from _fast_track(held)


def _approvals(held: Held) -> Iterator[str]:
    known, unknown = held.requester_known, held.requester_unknown
    yield f"  approvals   {_needed(known)}"
    if known.nobody_left:
        yield f"              {known.nobody_left}"
    if (unknown.of, unknown.refused) != (known.of, known.refused):
        yield f"              {_needed(unknown)}, when nobody knows who asked, as with an alias or a tag"
    if unknown.nobody_left and unknown.nobody_left != known.nobody_left:
        yield f"              {unknown.nobody_left}"


def _who(group: GroupSeen) -> str:
    source = f"@{group.handle.removeprefix('@')} in Slack" if group.handle else "people of the policy"
    needed = f"{group.quorum} of {group.name}" if group.quorum else f"{group.name}, once it was escalated"
    if group.unknown:
        return f"{needed} ({source}): not known who that is. {group.unknown}."
    names = [f"{member.name} (not: {member.shut_out})" if member.shut_out else member.name for member in group.members]
    more = f" and {group.more} more" if group.more else ""
    return f"{needed} ({source}): {', '.join(names) or 'nobody'}{more}"


def _needed(approvals: Approvals) -> str:
    if approvals.refused:
        return "nobody may approve"
    said = " and ".join(f"{count} of {group}" for group, count in Counter(approvals.of).items())
    return f"{len(approvals.of)}: {said}"


def _in_tickets(held: Held) -> Iterator[str]:
    ticket = held.rule.ticket
    if ticket is not None and ticket.decides:
        answers = ", and by its approvers' answers" if ticket.approvals else ""
        yield f'  in tickets  by a move to "{ticket.decide_approve}" or "{ticket.decide_reject}" in {ticket.project}{answers}'


def _passkeys(held: Held) -> Iterator[str]:
    groups = passkey_groups(held)
    if groups:
        yield f"  passkey     needed to approve for {', '.join(groups)}; to reject never takes one"


def _times(held: Held) -> Iterator[str]:
    rule, freeze = held.rule, held.freeze
    if freeze is not None:
        yield f"  freeze      {freeze.name} is on: an approval is applied after {freeze.until:%Y-%m-%d %H:%M} UTC"
    elif rule.freezes:
        yield f"  freeze      none is on now; the rule has {', '.join(rule.freezes)}"
    if rule.group_above:
        yield f"  cards       one by one; more than {rule.group_above} at once share one"
    else:
        yield "  cards       always one by one"
    if rule.remind_after:
        yield f"  reminders   after each {duration_text(rule.remind_after, AS_OPTION)} of working time"
    if rule.break_glass:
        glass = rule.break_glass
        within = duration_text(glass.review_within, AS_OPTION)
        yield f"  break glass one of {glass.group}, reviewed by {glass.reviewers} within {within}"
    if rule.escalate:
        yield f"  escalation  after {duration_text(rule.escalate.after, AS_OPTION)} of working time, to {rule.escalate.group}"
    yield f"  expiry      {f'after {duration_text(rule.expire_after, AS_OPTION)}' if rule.expire_after else 'never'}"


def _seal(held: Held) -> Iterator[str]:
    plan = held.rule.seal
    if plan is not None:
        lock = f", locked for {duration_text(plan.lock_for, AS_OPTION)}" if plan.lock_for else ""
        yield f"  seal        its files are copied to {plan.to} before the target moves{lock}"


def _fast_track(held: Held) -> Iterator[str]:
    track, judgement = held.rule.fast_track, held.judgement
    yield f"  fast track  {f'{track.mode}: ' if track else ''}{coming_to(held)}"
    for check in judgement.checks if judgement else ():
        yield f"              {'✓' if check.passed else '✗'} {check.sentence}"
    if track and track.sample_to_people:
        yield f"              a sample of {track.sample_to_people:.6g} of those that pass goes to people all the same"


def _as_plain(said: Explained, source: str) -> dict[str, object]:
    return {
        "policy": source,
        "version": asdict(said.version),
        "author": said.author,
        "commit_author": said.commit_author,
        "not_in_the_policy": said.unmapped,
        "targets": [_target_as_plain(explanation) for explanation in said.targets],
    }


def _target_as_plain(explanation: Explanation) -> dict[str, object]:
    held = explanation.held
    return {
        "target": str(explanation.target),
        "champion": asdict(explanation.champion) if explanation.champion else None,
        "passed_over": [
            {"place": one.place, "rule": one.rule.label, "why": one.why} for one in explanation.passed_over
        ],
        "rule": _held_as_plain(held) if held else None,
    }


def _held_as_plain(held: Held) -> dict[str, object]:
    rule = held.rule
    return {
        "label": rule.label,
        "place": held.place,
        "hash": held.rule_hash,
        "groups": [asdict(group) for group in held.groups],
        "approvals": {
            "requester_known": asdict(held.requester_known),
            "requester_unknown": asdict(held.requester_unknown),
        },
        "passkey_needed_for": passkey_groups(held),
        "failed_before": held.failed_before,
        "freeze": asdict(held.freeze) if held.freeze else None,
        "group_above": rule.group_above or None,
        "remind_after": duration_text(rule.remind_after, AS_OPTION) if rule.remind_after else None,
        "escalate": {"after": duration_text(rule.escalate.after, AS_OPTION), "group": rule.escalate.group}
        if rule.escalate
        else None,
        "expire_after": duration_text(rule.expire_after, AS_OPTION) if rule.expire_after else None,
        "break_glass": asdict(rule.break_glass) if rule.break_glass else None,
        "seal": {
            "to": rule.seal.to,
            "lock_for": duration_text(rule.seal.lock_for, AS_OPTION) if rule.seal.lock_for else None,
        }
        if rule.seal
        else None,
        "fast_track": {
            "mode": rule.fast_track.mode if rule.fast_track else None,
            "checks": [asdict(check) for check in held.judgement.checks] if held.judgement else [],
            "passes": held.judgement.passes if held.judgement else None,
            "comes_to": coming_to(held),
        },
    }
