"""The laws of docs/decisions/0002-one-law-for-a-target.md as the model can see them: of each step, and of each state at rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from bot.domain.events import EvidenceFrozen, MoveObserved, RequestApproved, TargetMoved
from bot.domain.model import DecidedBy, Kind, State, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.rules import Copies
from bot.domain.registry.custody import Basis, custody_of
from bot.domain.registry.facts import RESTORE, Handling, is_a_no, was_put_back_by_rule, when
from bot.domain.request.quorum import tally, under
from bot.domain.request.rollback import failing
from tests.model.steps import Happened, unsettled
from tests.model.world import LOOK_AT, World, facts_of
from tests.model.writing import Write

Broken = tuple[str, str]
ENDED = (
    State.CALLED_OFF,
    State.STALE,
)  # approvals that ended while they were being applied: what that leaves is judged as a move by hand

DELETES = "1 nothing is deleted that was not seen to arrive, or was ever approved"
BASELINE = "2 what was there when the watch began is never reverted"
STAYS = "3 what was approved stays approved"
GUARD = "4 every settling passes the guard"
TOLD = "4 a move by hand is recorded"
TRUE = "4 nothing else is recorded as a move by hand"
PARTIES = "5 who asked, joined or trained never decides"
VOTES = "6 a move by hand needs no fewer votes than asking"
NO_HOLDS = "7 what people rejected never passes the fast track"
NEWEST = "7 the newest approval wins"
CHAMPION = "8 the fast track compares with a lawful holder"
FREEZE = "9 a freeze holds moves, and never a way back"
TRACE = "9 a freeze leaves no trace when it ends"
ON_RECORD = "11 at rest, what holds the place is on record"
LAWFUL = "11 at rest, a holder is lawful or people know of it"
DECISION = "the bot moves only to what a decision in force, or the law, names"
ANNOUNCED = "the bot announces a change before it makes it"
LOST = "at rest, no decision is left undone"
REST = "the bot comes to rest"
ALL: tuple[str, ...] = (
    DELETES,
    BASELINE,
    STAYS,
    GUARD,
    TOLD,
    TRUE,
    PARTIES,
    VOTES,
    NO_HOLDS,
    NEWEST,
    CHAMPION,
    FREEZE,
    TRACE,
    ON_RECORD,
    LAWFUL,
    DECISION,
    ANNOUNCED,
    LOST,
    REST,
)


def broken_by(step: Happened) -> Iterator[Broken]:
    for write in step.writes:
        yield from _by_write(write, step)
    for event in step.events:
        if isinstance(event, RequestApproved):
            yield from _by_approval(event, step)
        elif isinstance(event, TargetMoved):
            yield from _by_settling(event, step)
        elif isinstance(event, MoveObserved):
            yield from _by_observation(event, step)
        elif isinstance(event, EvidenceFrozen):
            yield from _by_evidence(event, step)
    yield from _by_intent(step)
    yield from _by_look(step)
    if step.events:
        yield from _forgotten(step.after)


# Changes of the registry


def _by_write(write: Write, step: Happened) -> Iterator[Broken]:
    world, version = step.before, write.version
    request = next((one for one in world.requests if one.id == write.cause), None)
    is_announced = any(one.request_id == write.cause and one.done_at is None for one in world.intents)
    is_ended = (
        request is not None and request.state in ENDED
    )  # after it was announced, as the beginning of a move shows
    if is_ended:
        return
    if write.kind != "tag" and not is_announced:
        yield ANNOUNCED, f"it {write.kind}s {version} and no intent says so"
    if write.kind == "delete" and version is not None:
        yield from _by_delete(version, step, request)
    gone = frozenset(world.holders) - frozenset(step.after.holders)
    reverted = gone & world.truth.rooted
    if reverted and not (request and request.state is State.APPROVED):
        yield BASELINE, f"{_names(reverted)} was there when the watch began"
    if write.kind in ("set", "copy") and version is not None:
        yield from _by_move(version, request, step)


def _by_delete(version: VersionId, step: Happened, request: TransitionRequest | None) -> Iterator[Broken]:
    world = step.before
    if not _rule_deletes(step):
        yield DELETES, f"{version} is deleted, and no rule says so"
    if version in world.baseline or world.watch is None or version.created < world.watch.since:
        yield DELETES, f"{version} is deleted, and was not seen to arrive while the place was watched"
    if {version, world.sources.get(version)} & world.truth.approved:
        yield DELETES, f"{version} is deleted, and it or its source was approved once"


def _rule_deletes(step: Happened) -> bool:
    """The rule in force when the step was chosen: it may change while the call is under way."""
    job = step.job
    facts = job.memo[1] if job and len(job.memo) > 1 else None
    rule = step.before.rule
    return (facts is not None and facts.deletes_copies) or (rule is not None and rule.copies is Copies.DELETE)


def _by_move(version: VersionId, request: TransitionRequest | None, step: Happened) -> Iterator[Broken]:
    world = step.before
    if request is not None and request.version == version:
        if request.attested_at is None:  # that it was in force when the move began is looked at there
            yield DECISION, f"{request.id} is not signed, and {version} is set for it"
        newer = _decided_later(request, step)
        if newer is not None:
            yield NEWEST, f"{version} is set for {request.id}, and {newer.id} ({newer.version}) was approved later"
        return
    known = world.truth.approved | frozenset(world.baseline)
    if version not in known:
        yield DECISION, f"{version} is set as the way back, and it was never approved, nor there before"
    newest = _last_said(version, world)
    if newest is not None and is_a_no(newest):
        yield DECISION, f"{version} is set as the way back, and people rejected it by {newest.id}"
    if request is not None and request.state is State.REJECTED:
        read = step.job.memo[1].decisions if step.job else ()  # what comes later, no registry lets us see in time
        since = [one for one in read if one.version == request.version and _is_yes_after(one, request)]
        if since:
            yield NEWEST, f"{request.version} is put back for {request.id}, and {since[0].id} approved it later"


def _is_yes_after(one: TransitionRequest, no: TransitionRequest) -> bool:
    return one.state in (State.APPROVED, State.APPLIED) and when(one) > when(no)


def _decided_later(request: TransitionRequest, step: Happened) -> TransitionRequest | None:
    """Another request for the place that was approved when the facts were read, before our move was announced."""
    intent = next((one for one in step.before.intents if one.request_id == request.id), None)
    read: tuple[TransitionRequest, ...] = step.job.memo[1].decisions if step.job else ()
    for other in read:
        is_yes = other.state is State.APPROVED and other.kind is not Kind.OBSERVED
        is_later = intent is not None and when(request) < when(other) < intent.at
        if other.id != request.id and is_yes and is_later:
            return other
    return None


def _last_said(version: VersionId, world: World) -> TransitionRequest | None:
    about = [one for one in world.requests if version in (one.version, *one.copies)]
    return max((one for one in about if one.state is State.APPLIED or is_a_no(one)), key=when, default=None)


# Decisions


def _by_approval(event: RequestApproved, step: Happened) -> Iterator[Broken]:
    request, world = step.after.request(event.request_id), step.after
    barred = (_asked_for(request, world) | {world.setting.authors.get(_origin(request, world))}) & set(event.approvers)
    if barred:
        yield PARTIES, f"{', '.join(sorted(filter(None, barred)))} decided on {request.id}, and asked for or trained it"
    if event.by is DecidedBy.FAST_TRACK:
        yield from _by_fast_track(request, world)
    movers = {person for version, person in world.truth.movers if version == request.version}
    rule, is_asked_for = world.rule, request.requester is not None and request.requester not in movers
    if request.kind is Kind.OBSERVED and movers and rule and not request.is_adopted and not is_asked_for:
        asking = replace(request, kind=Kind.PROMOTION, requester=sorted(movers)[0])
        if not tally(under(asking, event.rule_hash), rule).is_complete:
            yield VOTES, f"{request.id} was moved by {asking.requester}, whose asking would have needed more votes"


def _asked_for(request: TransitionRequest, world: World) -> set[str | None]:
    """Who asked for the version, or for its content by an earlier request. To go back to what was applied is another matter.

    The content of a request is known once its evidence is frozen.
    """
    contents, asked = world.setting.contents, set[str | None]()
    frozen = request.pending_since or request.opened_at
    for version, person, request_id, at in world.truth.asked:
        by = world.request(request_id)
        is_same = contents[_origin(by, world)] == contents[_origin(request, world)]
        is_known = by.pending_since is not None and max(by.pending_since, at) < frozen
        is_earlier = version == request.version or is_known
        was_applied = by.state is State.APPLIED and by.kind is not Kind.ROLLBACK
        if is_same and is_earlier and not (request.kind is Kind.ROLLBACK and was_applied):
            asked.add(person)
    return asked


def _origin(request: TransitionRequest, world: World) -> int:
    """The number of the version whose files these are."""
    return int(world.sources.get(request.version, request.version).version)


def _by_fast_track(request: TransitionRequest, world: World) -> Iterator[Broken]:
    contents = world.setting.contents
    same = [one for one in world.requests if contents[_origin(one, world)] == contents[_origin(request, world)]]
    approved = [one.decided_at for one in same if one.decided_by is DecidedBy.PEOPLE and not _is_a_no(one)]
    last = max(filter(None, approved), default=None)
    said = [one for one in same if _is_a_no(one) and (last is None or _said_at(one) > last)]
    if said:
        yield NO_HOLDS, f"{request.version} passed, and people rejected its content by {said[-1].id}"
    applied = sorted((one for one in world.requests if one.state is State.APPLIED), key=when)
    back = [failing(one.version, applied) for one in same]
    if any(one is not None and (last is None or when(one) > last) for one in back):
        yield NO_HOLDS, f"{request.version} passed, and its content was rolled back before"


def _is_a_no(one: TransitionRequest) -> bool:
    """People rejected it, or called its approval off."""
    return (one.state is State.REJECTED and one.decided_by is DecidedBy.PEOPLE) or one.state is State.CALLED_OFF


def _said_at(one: TransitionRequest) -> datetime:
    return one.ended_at or one.decided_at or one.opened_at


def _by_settling(event: TargetMoved, step: Happened) -> Iterator[Broken]:
    request, before = step.after.request(event.request_id), step.before
    if not event.moved and request.rule_hash != before.rule_hash():
        yield GUARD, f"{request.id} is settled under another rule than it was decided under"
    guard = step.job.memo[2] if step.job and len(step.job.memo) > 2 else None
    if guard is None or guard.objection:
        yield GUARD, f"{request.id} is settled, and the guard was not read or objects"
    if request.attested_at is None:
        yield GUARD, f"{request.id} is settled before it was signed"
    on_record = {one.version for one in before.on_record}
    if (
        not event.moved
        and request.kind is not Kind.OBSERVED
        and not {request.version, *event.copies} & (on_record | step.after.truth.told)
    ):
        yield TOLD, f"{request.version} was found there, and nothing says that it came by hand"
    if request.version not in step.job.memo[1].holders and not event.copies:  # type: ignore[union-attr]
        yield GUARD, f"{request.id} is settled, and was not read back from the registry"


def _by_observation(event: MoveObserved, step: Happened) -> Iterator[Broken]:
    """What we moved for an approval that was ended meanwhile is there without one.

    That a dead worker's move is not recognised after a restore, or where no one was on record, is a gap that the decision record names.
    """
    world = step.after
    restored = {one.to_version for one in world.intents if event.previous is None or one.request_id.startswith(RESTORE)}
    ended = {one.version for one in world.requests if one.state in ENDED}
    version = event.version
    if version is not None and version not in world.truth.by_hand | ended and version.version not in restored:
        yield TRUE, f"{event.version} is said to have come by hand, and it did not"


def _by_evidence(event: EvidenceFrozen, step: Happened) -> Iterator[Broken]:
    champion, world = event.evidence.champion, step.before
    request = step.after.request(event.request_id)
    if champion is None or request.kind is Kind.OBSERVED:
        return
    if champion.version not in world.truth.approved | frozenset(world.baseline):
        yield CHAMPION, f"{request.version} is compared with {champion.version}, which was never approved"


def _by_intent(step: Happened) -> Iterator[Broken]:
    """A move that has not begun is not begun while a freeze is on; a short way back is not held."""
    world = step.after
    begun = {one.request_id for one in world.intents if one.done_at is None}
    before = {one.request_id for one in step.before.intents if one.done_at is None}
    for request in world.requests:
        is_short = request.kind is Kind.ROLLBACK and not request.people_decide
        if request.id in begun - before and not _may_begin(request):
            yield DECISION, f"{request.id} is {request.state}, and its move begins"
        if request.id in begun - before and request.kind is Kind.PROMOTION and world.frozen:
            yield FREEZE, f"the move of {request.id} begins in a freeze"
        if is_short and request.frozen_until is not None:
            yield FREEZE, f"{request.id} goes back, and is held by a freeze"


def _may_begin(request: TransitionRequest) -> bool:
    is_put_back = request.state is State.REJECTED and request.kind is Kind.OBSERVED
    return request.state is State.APPROVED or is_put_back


# Looks, and what is remembered


def _by_look(step: Happened) -> Iterator[Broken]:
    """A version that a look puts on record was announced, is ours, or was there when the watch began."""
    if step.job is None or step.job.effect != LOOK_AT or step.job.phase != "record":
        return
    world, known = step.after, {one.version for one in step.before.on_record}
    for one in world.placements:
        is_new = one.version not in known and step.before.watch is not None
        ours = any(intent.done_at is None for intent in step.before.intents)
        if is_new and one.version not in world.truth.told and not ours and world.watch is not None:
            yield TOLD, f"{one.version} arrived, and nothing says so"


def _forgotten(world: World) -> Iterator[Broken]:
    facts = facts_of(world)
    found = custody_of(facts)
    applied = [one for one in world.requests if one.state is State.APPLIED]
    last = max(applied, key=when, default=None)
    for version in world.holders if last else ():
        if last is None or version not in (last.version, *last.copies):
            continue
        said = _last_said(version, world)
        holding = found.of(version)
        if said is not None and not is_a_no(said) and holding and holding.basis not in (Basis.APPROVED, Basis.RATIFIED):
            yield STAYS, f"{version} was approved by {last.id} and now counts as {holding.basis}"


# At rest


def broken_at_rest(world: World) -> Iterator[Broken]:
    for request_id in unsettled(world):
        yield LOST, f"{request_id} is approved, and nothing applies it"
    parked = {subject for _, subject in world.parked}
    for one in world.requests:
        is_put_back = one.state is State.REJECTED and one.kind is Kind.OBSERVED
        if is_put_back and one.settled_at is None and one.id not in parked:
            yield LOST, f"{one.id} is rejected, and nothing puts it back"
        if one.state is State.COLLECTING and one.id not in parked:
            yield LOST, f"the evidence of {one.id} is never collected"
        if one.frozen_until is not None and not world.frozen:
            yield TRACE, f"{one.id} is still held, and no freeze is on"
    if any(one.done_at is None for one in world.intents) and not parked:
        yield LOST, "an intent is open, and nothing settles it"
    yield from _not_on_record(world)
    yield from _unlawful(world)


def _not_on_record(world: World) -> Iterator[Broken]:
    """A sweep lists the newest version of a target model alone, so that an older copy that is deleted shows at the next look."""
    on_record = tuple(one.version for one in world.on_record)
    is_model = world.setting.target.kind is TargetKind.MODEL
    if world.holders != (tuple(one for one in on_record if one in world.holders) if is_model else on_record):
        yield ON_RECORD, f"{_names(frozenset(world.holders))} holds it, and {_names(frozenset(on_record))} is on record"


def _unlawful(world: World) -> Iterator[Broken]:
    facts = facts_of(world)
    if facts.handling is Handling.IGNORE or world.watch is None:
        return
    for holding in custody_of(facts).holdings:
        if holding.basis is Basis.FOREIGN and not (
            holding.version in world.truth.told or _is_adopted(holding.version, world)
        ):
            yield LAWFUL, f"{holding.version} is foreign, and no one was told"
        is_denied = holding.version in world.denied
        asked = any(one.version == holding.version and _is_under_way(one) for one in world.requests)
        known = is_denied or asked or bool(world.parked) or _is_known(holding.version, world)
        if holding.basis is Basis.FOREIGN and facts.handling is Handling.REVERT and not known:
            yield LAWFUL, f"{holding.version} is foreign under revert, and nothing is done about it"


def _is_under_way(request: TransitionRequest) -> bool:
    """People are asked, or it is approved and a freeze holds it."""
    return request.state.is_open or request.state is State.APPROVED


def _is_known(version: VersionId, world: World) -> bool:
    """Gaps that the decision record names: adopted while it was being put back, or left because it was asked about."""
    return _is_adopted(version, world) or _was_left(version, world)


def _is_adopted(version: VersionId, world: World) -> bool:
    return any(one.version == version and one.is_adopted for one in world.requests)


def _was_left(version: VersionId, world: World) -> bool:
    """Its put-back found that it was asked about; that request has ended since."""
    about = [one for one in world.requests if one.version == version]
    left = [one for one in about if was_put_back_by_rule(one) and one.settled_at and not one.settled_by_us]
    return any(other.opened_at > one.opened_at for one in left for other in about)


def _names(versions: frozenset[VersionId]) -> str:
    return ", ".join(map(str, sorted(versions)))
