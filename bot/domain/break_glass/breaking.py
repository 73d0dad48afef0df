"""Breaking the glass: who may, what it must say, and what it decides once the evidence is frozen.

The person may have asked for the version or trained it: one person is enough, so the review is by others (`reviewing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bot.domain.break_glass.offer import despite_of
from bot.domain.events import Event, GlassBroken, GlassHeld, GlassPassed, RequestApproved
from bot.domain.evidence import lineage
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.names import in_one_line
from bot.domain.policy.freezes import FreezeNow
from bot.domain.policy.rules import BreakGlass, Rule
from bot.errors import Refused
from bot.language import _, recorded

VIA = "break_glass"
REASONS_KEPT = 20
OTHER_RULE = recorded("outcome", "the rule has changed since the glass was broken")


def check_rule_allows(rule: Rule) -> BreakGlass:
    if rule.break_glass is None:
        raise Refused(
            _(
                "the rule for {target} has no break_glass, so it takes its votes. Ask for them, or ask who keeps the policy",
                target=str(rule.target),
            )
        )
    return rule.break_glass


def break_glass(request: TransitionRequest, deed: Vote, rule: Rule, despite: str, at: datetime) -> list[Event]:
    """Records the deed. `deed` is signed like an approval with a reason, and counts for no quorum. Raises Refused."""
    may = check_rule_allows(rule)
    if request.glass is not None:
        raise Refused(_("the glass is broken already for {version}", version=str(request.version)))
    if not request.state.is_open or request.kind is not Kind.PROMOTION:
        raise Refused(
            _("request {id} is {state}, so there is no glass to break", id=request.short_id, state=request.state)
        )
    if deed.verdict is not Verdict.APPROVE or not deed.reason.strip():
        raise Refused(_("say in a sentence why: everyone will read it"))
    if may.group not in deed.groups:
        raise Refused(only_members(may))
    return [GlassBroken(at, request.id, deed, may.group, may.reviewers, at + may.review_within, despite)]


def only_members(may: BreakGlass) -> str:
    return _(
        "only members of {group} may break the glass here. Ask one of them, or wait for the votes", group=may.group
    )


def decide_by_glass(
    request: TransitionRequest, rule: Rule, rule_hash: str, freeze: FreezeNow | None, at: datetime
) -> list[Event]:
    """Approves what the glass was broken for, once its evidence is frozen. `freeze` is the one that it passes.

    A content that people have rejected needs a person who was shown that: otherwise the deed decides nothing, and votes do.
    """
    glass = request.glass
    if request.state is not State.PENDING or glass is None or glass.held_by:
        return []
    if rule.break_glass is None or glass.rule_hash != rule_hash:
        return [GlassHeld(at, request.id, OTHER_RULE)]
    said_no = despite_of(request.objections, request.failed_before)
    if said_no and said_no != glass.despite:
        return [GlassHeld(at, request.id, _not_shown(request))]
    passed = tuple(_passed(request, rule, freeze))
    approved = RequestApproved(at, request.id, (), rule_hash, DecidedBy.BREAK_GLASS)
    return [GlassPassed(at, request.id, passed), approved]


def _not_shown(request: TransitionRequest) -> str:
    return recorded(
        "outcome",
        "people have said no to this content before ({count}), which was not known when the glass was broken. Read it on the card; "
        "to promote it in spite of that, break the glass again there",
        count=str(len(request.objections) or 1),
    )


def _passed(request: TransitionRequest, rule: Rule, freeze: FreezeNow | None) -> Iterator[str]:
    wanted = " + ".join(f"{one.quorum} {one.group}" for one in rule.approve.all_of)
    yield recorded("outcome", "the votes that the rule asks for ({wanted})", wanted=wanted)
    if freeze is not None:
        yield recorded("outcome", "the freeze {freeze}", freeze=freeze.name)
    for one in request.objections[:REASONS_KEPT]:
        reason = in_one_line(one.reason).rstrip(".")
        yield recorded(
            "outcome", "an earlier no to this content ({version}: {reason})", version=one.version, reason=reason
        )
    if len(request.objections) > REASONS_KEPT:
        yield recorded("outcome", "{count} more earlier rejections", count=str(len(request.objections) - REASONS_KEPT))
    if request.failed_before:
        yield recorded("outcome", "that it was {failed}", failed=request.failed_before)
    blocked = lineage.in_the_way(request, rule)
    if blocked:
        yield recorded("outcome", "lineage checks that block ({checks})", checks=", ".join(one.code for one in blocked))
    if rule.approve.wants_passkeys:
        yield recorded("outcome", "the passkey that an approval takes")
    if request.evidence is None or request.evidence.artifacts is None:
        yield recorded("outcome", "that its files could not be read: no digest names the bytes")
    glass, trained = request.glass, {request.author, request.commit_author}
    if glass is not None and glass.ids & trained:
        yield recorded("outcome", "the separation of duties: who broke the glass has trained the version")
