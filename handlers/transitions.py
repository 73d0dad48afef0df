"""Stories of the registry: somebody asks for a target, a target moved without asking, a model was renamed or is gone.

`look_at` is where both roads, webhook and poll, end: it reads the registered model anew and believes nothing else.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain import lifecycle
from bot.domain.events import Event, ModelGone, ModelRenamed, MoveObserved
from bot.domain.lifecycle import NewRequest
from bot.domain.model import (
    Ask,
    AskKind,
    Kind,
    ModelSeen,
    Refused,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    VersionId,
)
from bot.domain.policy import Observed, Policy, Unruled
from bot.domain.watching import Known, Move, News, StandingAsk, compare, fingerprint
from bot.placements import Intent, ModelRow
from bot.services import Services
from bot.store import LIVE, Transaction, new_request_id, registry_lane

OPEN = (State.COLLECTING, State.PENDING)
LOOK_AT = "look_at"
ASKED_IN_WORDS = (AskKind.COMMAND, AskKind.API)
UNRATIFIED = (State.COLLECTING, State.PENDING, State.REJECTED, State.EXPIRED, State.WITHDRAWN)


def defer_look(tx: Transaction, workspace: str, model: str) -> None:
    """Asks for a fresh look, once however many hints there are: what they hint at happened before this transaction."""
    tx.defer(LOOK_AT, f"{workspace}/{model}", registry_lane(workspace, model), once=True)


def look_at(subject: str, s: Services) -> None:
    """Something may be new about a registered model: read it and act on the difference."""
    workspace, _, name = subject.partition("/")
    seen = s.registry.find_model(workspace, name)
    renamed_from = _find_former_name(seen, s) if seen else None
    renamed_to = _find_new_name(workspace, name, s) if seen is None else None
    now = s.clock.now()

    with s.store.transaction() as tx:
        tx.lock_model(workspace, name)
        if renamed_to is not None:
            defer_look(tx, workspace, renamed_to)  # which finds what we know under the old name
            return
        if seen is None:
            _forget(workspace, name, "it was deleted or renamed", tx, now)
            return
        if renamed_from is not None:
            _rename(renamed_from, seen, tx, now)
        model = _known_model(seen, tx, now)
        if model is None:
            return  # the baseline has not been taken yet, and will include this model
        policy = tx.policy()
        known = tx.registry.known(model)
        _withdraw_what_is_gone(seen, tx, now)
        _act_on(compare(seen, known, policy), seen, policy, tx, now)
        tx.registry.put_model(row_of(seen, model.baseline, policy))


def request_transition(
    model: str, version: int, target: Target, requester_email: str, comment: str, ask: Ask, s: Services
) -> TransitionRequest:
    """Somebody asks in words: on the command line or through the API."""
    seen = s.registry.find_model("default", model)
    wanted = seen.version(version) if seen else None
    if seen is None or wanted is None:
        raise Refused(f"MLflow has no version {version} of {model}. Check the name and the number")
    if wanted.id in seen.holders(target):
        raise Refused(f"{wanted.id} holds {target} already; there is nothing to ask for")

    with s.store.transaction() as tx:
        requester = tx.people.get_or_add(requester_email, _printed_name(requester_email, tx.policy()))
        new = NewRequest(wanted.id, target, ask, requester=requester.id, comment=comment)
        return open_new(new, tx, s.clock.now())


def open_new(new: NewRequest, tx: Transaction, now: datetime) -> TransitionRequest:
    """Opens a request, or finds the live one for the same wish; whoever is newer takes an older one's place."""
    tx.lock_model(new.version.workspace, new.version.model)
    live = tx.find_requests(version=new.version, target=new.target, states=LIVE)
    if live:
        return live[0]
    policy = tx.policy()
    rule = policy.rule_for(new.version.workspace, new.version.model, new.target)
    if rule is None:
        raise Refused(f"no rule in the policy speaks of {new.target} for {new.version.model}. Add one to policy.yaml")

    opened = lifecycle.open_request(new, new_request_id(), rule, policy.rule_hash(rule), now)
    tx.record([opened])
    request = tx.get_request(opened.request_id)
    for other in tx.find_requests(
        workspace=new.version.workspace, model=new.version.model, target=new.target, states=OPEN, for_update=True
    ):
        tx.record(lifecycle.supersede(other, request, now))
        if new.ask.is_automatic:
            tx.record(lifecycle.supersede(request, other, now))
    return tx.get_request(request.id)


def adopt(s: Services) -> list[TransitionRequest]:
    """Turns targets that are held without an approval into requests to ratify them."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        policy = tx.policy()
        return [
            open_new(NewRequest(held.version, held.target, Ask(AskKind.ADOPTED), kind=Kind.OBSERVED), tx, now)
            for held in tx.registry.placements()
            if held.request_id is None and policy.rule_for(held.version.workspace, held.version.model, held.target)
        ]


def row_of(seen: ModelSeen, baseline: int, policy: Policy) -> ModelRow:
    newest = seen.versions[0].id if seen.versions else None
    number = max((version.id.version for version in seen.versions), default=0)
    created = next((version.id.created for version in seen.versions if version.id.version == number), None)
    mark = fingerprint(seen.aliases, seen.versions, policy.asking_tags(), number)
    return ModelRow(seen.workspace, seen.name, seen.created, baseline, number, created if newest else None, mark)


def _known_model(seen: ModelSeen, tx: Transaction, now: datetime) -> ModelRow | None:
    """What we knew of the model; a new one starts at nothing, one of before the baseline starts with all it has."""
    model = tx.registry.find_model(seen.workspace, seen.name, for_update=True)
    if model is not None and model.created != seen.created:
        _forget(seen.workspace, seen.name, "it was deleted and created again", tx, now)
        model = None
    if model is not None:
        return model
    sweep = tx.registry.find_sweep("models", seen.workspace)
    if sweep is None or sweep.baseline_until is None:
        return None
    if seen.created <= sweep.baseline_until:
        take_baseline(seen, tx, now)
        return tx.registry.find_model(seen.workspace, seen.name)
    return ModelRow(seen.workspace, seen.name, seen.created, 0, 0, None, "")


def take_baseline(seen: ModelSeen, tx: Transaction, now: datetime) -> int:
    """Records who holds what and what asks already, and asks nothing. Returns how many targets are held."""
    policy = tx.policy()
    newest = max((version.id.version for version in seen.versions), default=0)
    news = compare(seen, Known(newest, newest), policy)
    tx.registry.put_asks([*news.asked, *news.muted])
    for target, holders in news.holders.items():
        tx.registry.put_placements(seen.workspace, seen.name, target, holders, now)
    tx.registry.put_model(row_of(seen, newest, policy))
    return sum(1 for holders in news.holders.values() if holders)


def _act_on(news: News, seen: ModelSeen, policy: Policy, tx: Transaction, now: datetime) -> None:
    for move in news.moves:
        _judge(move, seen, policy, tx, now)
    for target, holders in {**dict.fromkeys((move.target for move in news.moves), ()), **news.holders}.items():
        tx.registry.put_placements(seen.workspace, seen.name, target, holders, now)
    tx.registry.put_asks(news.muted)
    for ask in news.no_longer_asked:
        if not _is_overtaken(ask, news.asked):
            _take_away(ask, tx, now)
    for ask in news.asked:
        request = open_new(NewRequest(ask.version, ask.target, ask.ask), tx, now)
        tx.registry.put_asks([ask], request.id)
    for ask in news.no_longer_asked:
        _take_away(ask, tx, now)


def _is_overtaken(ask: StandingAsk, asked: tuple[StandingAsk, ...]) -> bool:
    """An asking alias that went on to a newer version supersedes; one that went back to an older version takes the ask away."""
    return any(new.target == ask.target and new.version.version > ask.version.version for new in asked)


def _take_away(ask: StandingAsk, tx: Transaction, now: datetime) -> None:
    request_id = tx.registry.take_ask(ask)
    if request_id is None or tx.registry.still_asked(request_id):
        return
    request = tx.get_request(request_id, for_update=True)
    if request.ask.kind not in ASKED_IN_WORDS:  # who asked in words as well still wants it
        tx.record(lifecycle.withdraw(request, f"{ask.version} no longer asks {ask.ask}", now))


def _judge(move: Move, seen: ModelSeen, policy: Policy, tx: Transaction, now: datetime) -> None:
    """A target moved. It is ours if it equals an intent; else the rule says what to make of it."""
    intent = _find_intent_of(move, seen, tx)
    if intent is not None:
        tx.defer("sync_target", intent.request_id, registry_lane(seen.workspace, seen.name))
        return
    if move.version and tx.find_requests(version=move.version, target=move.target, states=(State.APPROVED,)):
        return  # by hand, but approved: `sync_target` is on its way and will find it done
    rule = policy.rule_for(seen.workspace, seen.name, move.target)
    if rule is None and policy.default is Unruled.IGNORE:
        return
    handling = rule.observed if rule else Observed.REPORT
    tx.record([MoveObserved(now, seen.workspace, move.target, seen.name, move.version, move.previous, handling)])
    _end_overtaken(_overtaken_by(move, seen, tx), move, tx, now)
    if rule is None or move.version is None or handling is Observed.REPORT:
        return
    lawful = _last_lawful(move.previous, move.target, tx)
    if lawful == move.version:
        return  # somebody put it back by hand
    new = NewRequest(move.version, move.target, Ask(AskKind.OBSERVED), kind=Kind.OBSERVED, previous=lawful)
    request = open_new(new, tx, now)
    if handling is Observed.REVERT:
        reason = "the rule puts back what was moved without an approval"
        tx.record(lifecycle.reject_by_rule(request, reason, request.rule_hash, now))


def _find_intent_of(move: Move, seen: ModelSeen, tx: Transaction) -> Intent | None:
    is_copy = move.target.kind is TargetKind.MODEL
    number = move.version.version if move.version and not is_copy else None
    intent = tx.registry.find_open_intent(seen.workspace, seen.name, move.target, number)
    if intent is None or not is_copy or move.version is None:
        return intent
    # A copy gets whatever number comes next, so the intent cannot name it; its source does.
    original, arrived = tx.get_request(intent.request_id).version, seen.version(move.version.version)
    is_ours = arrived is not None and arrived.source == f"models:/{original.model}/{original.version}"
    return intent if is_ours else None


def _last_lawful(version: VersionId | None, target: Target, tx: Transaction) -> VersionId | None:
    """Where a target goes back to: past every holder that was moved there without asking and has not been ratified."""
    while version is not None:
        requests = tx.find_requests(version=version, target=target)
        last = requests[-1] if requests else None
        if last is None or last.kind is not Kind.OBSERVED or last.state not in UNRATIFIED:
            return version
        if last.ask.kind is AskKind.ADOPTED and last.state is not State.REJECTED:
            return version  # it was there before the baseline, and nobody has objected
        version = last.previous
    return None


def _overtaken_by(move: Move, seen: ModelSeen, tx: Transaction) -> list[TransitionRequest]:
    """Open requests that this move leaves without an object: earlier moves of the target, and a wish it has fulfilled."""
    here = tx.find_requests(workspace=seen.workspace, model=seen.name, target=move.target, states=OPEN, for_update=True)
    stay = seen.holders(move.target)
    return [
        request
        for request in here
        if request.version == move.version or (request.kind is Kind.OBSERVED and request.version not in stay)
    ]


def _end_overtaken(overtaken: list[TransitionRequest], move: Move, tx: Transaction, now: datetime) -> None:
    where = f"{move.version} was put there" if move.version else "nobody holds it now"
    for request in overtaken:
        tx.record(lifecycle.withdraw(request, f"{move.target} was moved again without asking: {where}", now))


def _withdraw_what_is_gone(seen: ModelSeen, tx: Transaction, now: datetime) -> None:
    there = {version.id for version in seen.versions}
    for request in tx.find_requests(workspace=seen.workspace, model=seen.name, states=OPEN, for_update=True):
        if request.version not in there:
            tx.record(lifecycle.withdraw(request, f"{request.version} was deleted from the registry", now))


def _forget(workspace: str, name: str, why: str, tx: Transaction, now: datetime) -> None:
    if tx.registry.find_model(workspace, name, for_update=True) is None:
        return
    tx.registry.forget_model(workspace, name)
    events: list[Event] = [ModelGone(now, workspace, name, why)]
    for request in tx.find_requests(workspace=workspace, model=name, states=OPEN, for_update=True):
        events += lifecycle.withdraw(request, f"{name} is gone: {why}", now)
    tx.record(events)


def _find_former_name(seen: ModelSeen, s: Services) -> str | None:
    """A model that we do not know may be a known one under a new name: same creation time, same newest version, old name gone."""
    with s.store.transaction() as tx:
        if tx.registry.find_model(seen.workspace, seen.name) is not None:
            return None
        namesakes = tx.registry.models_created_at(seen.workspace, seen.created)
    for model in namesakes:
        newest = seen.version(model.newest)
        same_newest = (newest.id.created if newest else None) == model.newest_created
        if same_newest and s.registry.find_model(seen.workspace, model.name) is None:
            return model.name
    return None


def _find_new_name(workspace: str, name: str, s: Services) -> str | None:
    """A model that is gone may only be called otherwise: one that we do not know yet, of the very same creation time."""
    with s.store.transaction() as tx:
        gone = tx.registry.find_model(workspace, name)
        known = {model.name for model in tx.registry.models(workspace)}
    if gone is None:
        return None
    glances = s.registry.glance_at_models()
    return next((one.name for one in glances if one.created == gone.created and one.name not in known), None)


def _rename(before: str, seen: ModelSeen, tx: Transaction, now: datetime) -> None:
    tx.registry.rename_model(seen.workspace, before, seen.name)
    events: list[Event] = [ModelRenamed(now, seen.workspace, before, seen.name)]
    for request in tx.find_requests(workspace=seen.workspace, model=before, states=OPEN, for_update=True):
        events += lifecycle.withdraw(request, f"{before} is called {seen.name} now. Ask again under that name", now)
    tx.record(events)


def _printed_name(email: str, policy: Policy) -> str:
    entry = policy.person_by_email(email)
    return entry.name if entry else email
