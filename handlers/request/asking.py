"""Opening requests: on the command line or through the API, or by an alias or tag in the registry; and taking them away again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.model import (
    DEFAULT_WORKSPACE,
    OPEN,
    Ask,
    AskKind,
    Kind,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    VersionId,
)
from bot.domain.policy.rules import Policy, Rule
from bot.domain.registry.diff import OpenAsk
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.registry.taken_away import is_taken_away, why_ended
from bot.domain.registry.writes import asks, since_the_last
from bot.domain.request import lifecycle
from bot.domain.request.askers import asked_in_words, asks_by_the_registry_alone, everyone_who_asked
from bot.domain.request.lifecycle import NewRequest
from bot.domain.request.opening import asked_again
from bot.domain.request.rollback import failure_of
from bot.domain.workspaces import in_workspace
from bot.engine.lanes import FollowUp, Lane
from bot.errors import Refused
from bot.language import _
from bot.services import Services
from bot.store.people import Person
from bot.store.requests import LIVE, new_request_id
from bot.store.transaction import Transaction
from handlers.custody.facts import Place, decided_at, is_newest_copy
from handlers.custody.on_record import get_locked
from handlers.request.accounts import defer_binding
from handlers.request.calling_off import end_approval, end_dropped
from handlers.request.memory import with_memory

COMMENT_LIMIT = 2_000  # characters
EMAIL_LIMIT = 320
EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")


class How(StrEnum):
    """What asking has done."""

    OPENED = "opened"
    JOINED = "joined"  # what somebody else asked for, or moved by hand
    ASKED_BEFORE = "asked before"


@dataclass(frozen=True)
class Asked:
    request: TransitionRequest
    how: How


class AskedBefore(Refused):
    """The same form was sent before, and this is what it asked for."""

    def __init__(self, request: TransitionRequest) -> None:
        super().__init__(f"{request.version} was asked for {request.target} with this form before")
        self.request = request


def request_transition(
    model: str,
    version: int,
    target: Target,
    requester_email: str,
    comment: str,
    ask: Ask,
    s: Services,
    workspace: str = DEFAULT_WORKSPACE,
    *,
    once: str = "",
) -> TransitionRequest:
    """As `ask_for`, for those who do not tell what asking has done."""
    return ask_for(model, version, target, requester_email, comment, ask, s, workspace, once=once).request


def ask_for(
    model: str,
    version: int,
    target: Target,
    requester_email: str,
    comment: str,
    ask: Ask,
    s: Services,
    workspace: str = DEFAULT_WORKSPACE,
    *,
    once: str = "",
) -> Asked:
    """Somebody asks on the command line, through the API or with a form. Raises Refused.

    `once` names the form: sent twice, it asks once, also when the first request has ended meanwhile. Raises AskedBefore then.
    """
    email = checked_email(requester_email)
    if len(comment) > COMMENT_LIMIT:
        raise Refused(
            _(
                "the comment has {count} characters; {most} fit on a card. Shorten it",
                count=len(comment),
                most=COMMENT_LIMIT,
            )
        )
    seen = s.registry_at(workspace).find_model(workspace, model)
    wanted = seen.version(version) if seen else None
    named = f"{model}{in_workspace(workspace)}"
    if seen is None or wanted is None:
        raise Refused(
            _(
                "MLflow has no version {version} of {model}. Check the name and the number",
                version=str(version),
                model=named,
            )
        )
    with s.store.transaction() as tx:
        _check_is_first(once, wanted.id, target, tx, s.clock.now())
        if is_newest_copy(wanted.id, target, tx):
            raise Refused(
                _(
                    "the newest version of {model} is a copy of {version} already; there is nothing to ask for",
                    model=target.name,
                    version=str(wanted.id),
                )
            )
        requester = person_with(email, tx)
        new = NewRequest(wanted.id, target, ask, requester=requester.id, comment=comment)
        tx.requests.lock_model(wanted.id.workspace, wanted.id.model)
        before = {one.id: one for one in tx.requests.find(version=wanted.id, target=target, states=LIVE)}
        take = _own_up if wanted.id in seen.holders(target) else open_new
        request = take(new, tx, s.clock.now())
        if request.id not in before:
            return Asked(request, How.OPENED)
        is_theirs = tx.people.ids_of(requester.id) & set(everyone_who_asked(before[request.id]))
        return Asked(request, How.ASKED_BEFORE if is_theirs else How.JOINED)


def _check_is_first(once: str, version: VersionId, target: Target, tx: Transaction, now: datetime) -> None:
    """A refusal after it rolls this back, so that the form can be sent again."""
    if not once or tx.outbox.is_new_delivery("form", once, now):
        return
    asked = tx.requests.find(version=version, target=target)
    if asked:
        raise AskedBefore(asked[-1])


def _own_up(new: NewRequest, tx: Transaction, now: datetime) -> TransitionRequest:
    """Somebody claims a move by hand: they become its requester, and may not vote on it."""
    tx.requests.lock_model(new.version.workspace, new.version.model)
    live = tx.requests.find(version=new.version, target=new.target, states=OPEN, for_update=True)
    if not live:
        raise Refused(
            _(
                "{version} holds {target} already; there is nothing to ask for",
                version=str(new.version),
                target=str(new.target),
            )
        )
    return join(live[0], new, tx, now)


def open_new(new: NewRequest, tx: Transaction, now: datetime) -> TransitionRequest:
    """Opens a request, or returns the live one for the same version and target; a newer version supersedes an older one's request."""
    tx.requests.lock_model(new.version.workspace, new.version.model)
    live = tx.requests.find(version=new.version, target=new.target, states=LIVE, for_update=True)
    if live and not end_dropped(live[0], tx, now):
        return join(live[0], new, tx, now)
    request = opened(new, tx.requests.new_id(), tx, now)
    others = tx.requests.find(
        workspace=new.version.workspace, model=new.version.model, target=new.target, states=OPEN, for_update=True
    )
    newest = max((o for o in others if o.kind is new.kind), key=lambda other: other.version.version)
    overtaken = lifecycle.supersede(request, newest, now) if new.ask.is_automatic else []
    if not overtaken:
        overtaken = [event for other in others for event in lifecycle.supersede(other, request, now)]
    tx.record(overtaken)
    return tx.requests.get(request.id)


def open_in_place_of(older: TransitionRequest, why: str, tx: Transaction, now: datetime) -> None:
    """Ends an open request whose comparison is outdated, and opens a fresh one for the same, beside the others for the target."""
    fresh_id = new_request_id()
    ended = lifecycle.renew(older, fresh_id, why, now)
    if ended:
        tx.record(ended)
        opened(lifecycle.continued(older, now), fresh_id, tx, now)
        tx.registry.hand_over_asks(older.id, fresh_id)


def opened(new: NewRequest, request_id: str, tx: Transaction, now: datetime) -> TransitionRequest:
    policy = tx.policy()
    rule = rule_for_new(new.version.workspace, new.version.model, new.target, policy)
    new = named_by_guard(new, tx)
    to = new.target.name if new.target.kind is TargetKind.MODEL else new.version.model
    decided = decided_at(Place(new.version.workspace, to, new.target), new.version.model, tx, (new.version,))
    new = with_memory(replace(new, failed_before=failure_of(new.version, decided)), rule, tx)
    tx.record([lifecycle.open_request(new, request_id, rule, policy.rule_hash(rule), now)])
    return tx.requests.get(request_id)


def named_by_guard(new: NewRequest, tx: Transaction) -> NewRequest:
    """Where nobody has named themselves, the guard of the registry's server may have reported who asked, or moved the target."""
    if new.requester is not None or not (new.ask.is_automatic or new.kind is Kind.OBSERVED):
        return new
    writes = [one for one in tx.writes.about(new.version) if asks(one, new.version, new.target, new.ask, new.kind)]
    if not writes:
        return new
    earlier = tx.requests.find(version=new.version, target=new.target)
    since = since_the_last(earlier, new.kind)
    people = [person_of_user(one.user, tx) for one in writes if since is None or one.at > since]
    known = list(dict.fromkeys(person.id for person in people if person is not None))
    if not known:
        return new
    if (
        people[0] is None
    ):  # the one who asked last is unknown: those known before may not vote, and the rule for unknown requesters applies
        return replace(new, barred=(*new.barred, *known))
    return replace(new, requester=known[0], joined=(*new.joined, *known[1:]), vouched_by=writes[0].vouched_by)


def person_of_user(user: str, tx: Transaction) -> Person | None:
    """Whom the policy calls so in MLflow, or the person with this address; None for anyone else."""
    entry = tx.policy().person_by_mlflow_user(user)
    if entry is not None:
        return person_with(entry.email, tx)
    email = user.strip().lower()
    return person_with(email, tx) if len(email) <= EMAIL_LIMIT and EMAIL.fullmatch(email) else None


def rule_for_new(workspace: str, model: str, target: Target, policy: Policy) -> Rule:
    rule = policy.rule_for(workspace, model, target)
    if rule is None:
        named = f"{model}{in_workspace(workspace)}"
        if rules := policy.rules_for(workspace, model):
            raise Refused(
                _(
                    "the policy has no rule for {target} of {model}, but for {known}",
                    target=str(target),
                    model=named,
                    known=", ".join(str(one.target_for(model)) for one in rules),
                )
            )
        raise Refused(
            _("the policy has no rule for {target} of {model}. Add one to policy.yaml", target=str(target), model=named)
        )
    return rule


def join(live: TransitionRequest, new: NewRequest, tx: Transaction, now: datetime) -> TransitionRequest:
    """Votes that are enough since decide at once, or when it was looked up whose account the address belongs to: it may be a voter's."""
    if new.requester is not None:
        policy = tx.policy()
        rule = policy.rule_for(live.version.workspace, live.version.model, live.target)
        also = tuple(sorted(tx.people.ids_of(new.requester) - {new.requester}))
        is_known = bool(tx.people.accounts(person=new.requester))
        in_force = (rule, policy.rule_hash(rule)) if rule is not None and is_known else None
        joined = lifecycle.join(
            live,
            new.requester,
            new.ask,
            new.comment,
            now,
            also=also,
            under_rule=in_force,
            vouched_by=new.vouched_by,
        )
        tx.record(joined)
    if live.card is not None:
        tx.defer_for(FollowUp("look_at_card", Lane.SLACK), live)  # perhaps they ask again because they miss it
    return tx.requests.get(live.id)


def take_away(ask: OpenAsk, seen: ModelSnapshot, tx: Transaction, now: datetime, *, overtaken: bool = False) -> None:
    """An open request ends with its ask. So does an approval that is not applied yet, unless its ask went on to a newer version."""
    request_id = tx.registry.take_ask(ask)
    if request_id is None or tx.registry.still_asked(request_id):
        return
    request = get_locked(request_id, tx)
    if not asks_by_the_registry_alone(request):
        return
    why = why_ended(ask, seen, tx.policy())
    tx.record(lifecycle.withdraw(request, why, now))
    intent = tx.registry.find_intent(request.id)
    is_moving = intent is not None and intent.done_at is None
    if request.state is State.APPROVED and not overtaken and is_taken_away(ask, seen, is_moving=is_moving):
        end_approval(request, "", why, tx, now)


def ask_again(request_id: str, s: Services) -> None:
    """A request ended without being applied: an older version that was only superseded, and still asks, gets a new request."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        ended = tx.requests.get(request_id)
        workspace, model, target = ended.version.workspace, ended.version.model, ended.target
        tx.requests.lock_model(workspace, model)
        if tx.trust.find(workspace).backup_of is not None:
            return  # after a restore nothing is asked for by itself: what ended may have been approved since
        if tx.requests.find(workspace=workspace, model=model, target=target, states=LIVE):
            return
        waiting = _still_asking(ended, tx)
        if not waiting or tx.policy().rule_for(workspace, model, target) is None:
            return
        ask, older = max(waiting, key=lambda found: found[0].version.version)
        in_words = asked_in_words(older)  # still wants it, also when the alias or tag is removed
        fresh = open_new(asked_again(older, Ask(AskKind.REOPENED) if in_words else ask.ask, now), tx, now)
        tx.registry.hand_over_asks(older.id, fresh.id)


def _still_asking(ended: TransitionRequest, tx: Transaction) -> list[tuple[OpenAsk, TransitionRequest]]:
    """What still asks in the registry, of the requests that were superseded by one that was never applied."""
    version, target = ended.version, ended.target
    superseded = tx.requests.find(
        workspace=version.workspace, model=version.model, target=target, states=(State.SUPERSEDED,)
    )
    by_id = {request.id: request for request in superseded}
    asks = tx.registry.asks_with_requests(version.workspace, version.model)
    found = [(ask, by_id[request_id]) for ask, request_id in asks if request_id in by_id]
    return [(ask, request) for ask, request in found if _gave_way_for_nothing(request, tx)]


def _gave_way_for_nothing(request: TransitionRequest, tx: Transaction) -> bool:
    """Whether the newer request, or the last of those that took each other's place, ended without being applied."""
    while request.state is State.SUPERSEDED:
        if not request.superseded_by:
            return False  # from before this was kept
        request = tx.requests.get(request.superseded_by)
    return request.state is not State.APPLIED


def checked_email(text: str) -> str:
    """One spelling for each person: separation of duties depends on it."""
    email = text.strip().lower()
    if len(email) > EMAIL_LIMIT or not EMAIL.fullmatch(email):
        raise Refused(f'"{text[:80]}" is no e-mail address. Name the one who asks by the address that Slack knows')
    return email


def person_with(email: str, tx: Transaction) -> Person:
    """The person with that address, by the name in the policy; `email` has gone through `checked_email`."""
    entry = tx.policy().person_by_email(email)
    return defer_binding(tx.people.get_or_add(email, entry.name if entry else email), tx)
