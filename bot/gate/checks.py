"""One check from end to end: resolves the version once, then asks the bot, verifies signatures, or both. Printing is in `reports`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from bot.domain.attestation.gate import GateQuery, GateResult, Reason, ReasonCode
from bot.domain.model import Target
from bot.domain.registry.snapshot import VersionSnapshot
from bot.errors import NoAnswer, Refused
from bot.gate.asking import Down, Server, is_http
from bot.gate.offline import approvals_in, judge_tags, judge_verdicts
from bot.gate.online import bot_at, judge_online
from bot.gate.passkeys import Pinned, demand_pinned
from bot.gate.places import Asker, asker_of
from bot.gate.registry import Registry, registry_of
from bot.gate.uris import Wanted
from bot.mlflow_addresses import NOT_SET, looks_elsewhere, mistake_in
from bot.signatures import TrustedKey

NOT_LOADED = " countersign.env is here and not loaded. Load it with: set -a && . ./countersign.env && set +a"


@dataclass(frozen=True)
class Proof:
    """What the answer rests on: the bot, signatures by a key of the ring, or both; `passkeys` are demanded besides, unless None."""

    ring: Mapping[str, TrustedKey] = field(default_factory=dict)
    bot: Server | None = None
    max_age: timedelta | None = None
    passkeys: Pinned | None = None


def proof_of(
    environ: Mapping[str, str],
    ring: Mapping[str, TrustedKey],
    bot: str | None,
    max_age: timedelta | None,
    passkeys: Pinned | None = None,
) -> Proof:
    """`bot` is an address; the default is COUNTERSIGN_URL when its token is set too. Raises Refused."""
    token = environ.get("COUNTERSIGN_API_TOKEN", "").strip()
    address = bot or (environ.get("COUNTERSIGN_URL", "").strip() if token else "")
    if bot and not token:
        raise Refused(
            "the bot answers only to its token. Set COUNTERSIGN_API_TOKEN, or leave --bot out and give --key."
        )
    if address and not is_http(address):
        raise Refused(
            f'"{address[:200]}" is not the address of a bot. Give one such as https://countersign.example.com.'
        )
    if not address and not ring:
        raise Refused(
            "there is nothing to check the approval with. Give --key countersign.pub, the bot's public key, or --bot URL to ask the bot."
        )
    if passkeys is not None and not ring:
        raise Refused("--passkeys needs --key FILE with the bot's public key: the votes are in what that key signs.")
    return Proof(ring, bot_at(address, token) if address else None, max_age, passkeys)


def check(uri: str, target: str | None, proof: Proof, environ: Mapping[str, str], now: datetime) -> GateResult:
    """Raises Refused for invalid arguments. When the answer cannot be found, the result allows nothing."""
    wanted = Wanted.parse(uri)
    wished = wanted.target(target)
    server = registry_of(environ)
    check_can_ask(environ)
    asker = asker_of(environ)
    registry = Registry(server, asker.place)
    try:
        seen = registry.find(wanted)
        if seen is None:
            return _nothing_there(wanted, wished, server)
        return _judged(registry.question(seen, wished), seen, proof, asker, now)
    except NoAnswer as trouble:
        return GateResult(False, (Reason(ReasonCode.CANNOT_TELL, str(trouble)),), str(wanted), wished, decided=False)


def check_can_ask(environ: Mapping[str, str]) -> None:
    """What MLflow's client loads must come from the registry that is asked here. Raises Refused."""
    asker_of(environ)
    address = environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not address:
        raise Refused(f"MLFLOW_TRACKING_URI {NOT_SET}{NOT_LOADED if Path('countersign.env').is_file() else ''}")
    mistake = mistake_in(address)
    if mistake:
        raise Refused(f"MLFLOW_TRACKING_URI {mistake}")
    for elsewhere in looks_elsewhere(environ):
        raise Refused(elsewhere)


def _judged(question: GateQuery, seen: VersionSnapshot, proof: Proof, asker: Asker, now: datetime) -> GateResult:
    if proof.bot is None:
        judged = judge_tags(question, seen.tags, proof.ring, now, proof.max_age)
        return demand_pinned(proof.passkeys, question, judged, approvals_in(seen.tags), proof.ring)
    try:
        return judge_online(question, proof.bot, proof.ring, now, asker, proof.passkeys)
    except Down as trouble:
        return _while_the_bot_is_down(question, seen, proof, now, str(trouble))
    except NoAnswer as trouble:  # something answers at that address, so no verdict replaces the bot
        return _undecided(question, Reason(ReasonCode.CANNOT_TELL, str(trouble)))


def _while_the_bot_is_down(
    question: GateQuery, seen: VersionSnapshot, proof: Proof, now: datetime, trouble: str
) -> GateResult:
    """Uses a recent verdict that the bot signed, and says so in the answer."""
    down = Reason(ReasonCode.CANNOT_TELL, trouble)
    if not proof.ring:
        without = Reason(
            ReasonCode.CANNOT_TELL, "With --key, a verdict that the bot has signed before would still count."
        )
        return _undecided(question, down, without)
    vouched = judge_verdicts(question, seen.tags, proof.ring, now, proof.max_age)
    vouched = demand_pinned(proof.passkeys, question, vouched, approvals_in(seen.tags), proof.ring)
    if vouched.allowed:
        return replace(vouched, reasons=(*vouched.reasons, down))
    return _undecided(question, down, *vouched.reasons)


def _undecided(question: GateQuery, *reasons: Reason) -> GateResult:
    uri = f"models:/{question.version.model}/{question.version.version}"
    return GateResult(False, reasons, uri, question.target, decided=False)


def _nothing_there(wanted: Wanted, target: Target, server: Server) -> GateResult:
    where = f" in its workspace {server.workspace}" if server.workspace else ""
    sentence = (
        f"{wanted} leads to no version in the registry at {server.shown}{where}. Check the name, or register it first."
    )
    return GateResult(False, (Reason(ReasonCode.NO_SUCH_VERSION, sentence),), str(wanted), target)
