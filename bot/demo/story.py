"""What happened in the demo, as lines from the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.demo.world import World
from bot.domain.ledger.chain import Entry
from bot.domain.model import Ask, AskKind, DecidedBy
from bot.domain.request.fast_track import Outcome
from bot.domain.text import counted
from bot.services import Services

BY = {
    DecidedBy.PEOPLE: "people",
    DecidedBy.FAST_TRACK: "the fast track",
    DecidedBy.RULE: "the rule itself",
    DecidedBy.BREAK_GLASS: "break glass",
}


def story(world: World, services: Services) -> list[str]:
    """What happened, from the ledger, with the seconds since the demo began."""
    with services.store.transaction() as tx:
        entries = list(tx.ledger.entries())
        names: dict[str, str] = dict(tx.people.all_names())
    return [f"  {world.seconds(entry.at.timestamp())}  {line_of(entry, names)}" for entry in entries]


def line_of(entry: Entry, names: Mapping[str, str]) -> str:
    """One entry of the ledger as a line that a person reads."""
    body = json.loads(entry.body)
    details: Mapping[str, Callable[[], str]] = {
        "RequestOpened": lambda: (
            f"{_version(body['version'])} for {_target(body)}, asked {Ask(AskKind(body['ask']['kind']), body['ask']['name'])}"
        ),
        "EvidenceFrozen": lambda: (
            f"{len(body['evidence']['metrics'])} metrics of run {str(body['evidence']['run_id'])[:8]}"
        ),
        "FastTrackJudged": lambda: _judged(body["judgement"]),
        "FastTrackCompared": lambda: _compared(body["outcome"]),
        "RequestApproved": lambda: f"by {BY[DecidedBy(body['by'])]}",
        "RequestRejected": lambda: f"by {names.get(body['person'], BY[DecidedBy.RULE])}",
        "RequestExpired": lambda: str(body["reason"]),
        "RequestWithdrawn": lambda: str(body["reason"]),
        "RequestSuperseded": lambda: str(body["reason"]),
        "ApprovalStale": lambda: str(body["reason"]),
        "ApprovalCalledOff": lambda: f"by {names.get(body['person'], 'nobody')}: {body['reason']}",
        "AccountBound": lambda: f"{body['account']} is {names.get(body['person'], '?')}",
        "AccountUnbound": lambda: f"{body['account']} was {names.get(body['person'], '?')}",
        "TicketAccountBound": lambda: f"{body['account']} in tickets is {names.get(body['person'], '?')}",
        "TicketAccountUnbound": lambda: f"{body['account']} in tickets was {names.get(body['person'], '?')}",
        "PasskeyEnrolled": lambda: f"{names.get(body['person'], '?')} made a passkey for {body['rp_id']}",
        "PasskeyConfirmed": lambda: f"{names.get(body['person'], '?')}'s, by {names.get(body['by'], '?')}",
        "TicketOpened": lambda: f"{body['ticket']['key']}  {body['ticket']['url']}",
        "CardPosted": lambda: str(body["card"]["url"]),
        "VoteCast": lambda: _vote(body["vote"], names),
        "PlotUploaded": lambda: str(body["plot"]["alt"]).partition(": ")[0],
        "TargetMoved": lambda: f"{_target(body)} is {_version(body['version'])}",
        "TicketClosed": lambda: f"{body['ticket']['key']} is {body['status']}",
        "BaselineTaken": lambda: (
            f"{counted(int(body['models']), 'model')} watched, {counted(int(body['held']), 'target')} held without an approval"
        ),
        "PolicyActivated": lambda: str(body["digest"])[:19],
        "FastTrackSwitched": lambda: f"{'on' if body['on'] else 'off'} by {names.get(body['person'], '?')}",
        "AwayDeclared": lambda: f"{names.get(body['person'], '?')}; {names.get(body['delegate'], '?')} stands in",
        "DigestClosed": lambda: f"{body['week']}, with the clock put forward to its end",
        "DigestSignedOff": lambda: f"{body['week']} by {names.get(body['person'], '?')}",
        "DigestDelivered": lambda: f"{body['week']} to {body['to']}",
    }
    return f"{entry.kind:<17}  {details.get(entry.kind, str)()}".rstrip()


def _vote(vote: Mapping[str, Any], names: Mapping[str, str]) -> str:
    said = f"{names.get(vote['person'], '?')}: {vote['verdict']}{' with a passkey' if vote.get('passkey') else ''}"
    return f"{said}, {vote['reason']}" if vote["reason"] else said


def _compared(outcome: str) -> str:
    """The fast track's result beside what people decided."""
    line_of = {
        Outcome.AGREED: "the fast track would have decided the same",
        Outcome.FALSE_PASS: "the fast track would have let it pass",
        Outcome.FALSE_HOLD: "the fast track had left it to people, and they approved it",
    }
    return line_of[Outcome(outcome)]


def _judged(judgement: Mapping[str, Any]) -> str:
    said = "; ".join(check["sentence"] for check in judgement["checks"] if not check["passed"])
    return f"held: {said}" if said else "passes: " + "; ".join(check["sentence"] for check in judgement["checks"])


def _version(body: Mapping[str, object]) -> str:
    return f"{body['model']} v{body['version']}"


def _target(body: Mapping[str, Mapping[str, str]]) -> str:
    return f"{body['target']['kind']}:{body['target']['name']}"
