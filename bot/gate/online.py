"""The gate with the bot, which also knows about retired keys and rollbacks. With a key, the bot's answer alone is not enough: the envelope
that it returns must allow the version too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from bot.domain.attestation.gate import GateQuery, GateResult, Reason, ReasonCode, denied, judge, newest_decision
from bot.domain.attestation.in_toto import identity_digest, uri_of
from bot.domain.attestation.sealed_places import place_from_plain, sealed_as_demanded
from bot.domain.seals.places import SealedAt
from bot.domain.workspaces import DEFAULT
from bot.errors import InvalidStatement, NoAnswer
from bot.gate.asking import Answer, Server, ask, fault_with
from bot.gate.offline import read_approval, read_each
from bot.gate.passkeys import Pinned, demand_pinned
from bot.gate.places import Asker
from bot.signatures import TrustedKey

NO_PLACE = Asker()
MOST_VOTES = 200  # that are read from one answer


@dataclass(frozen=True)
class BotSaid:
    allowed: bool
    reasons: tuple[str, ...]
    identity: str
    envelope: str
    votes: tuple[str, ...]
    artifacts: str
    size: int | None
    workspace: str
    sealed: SealedAt | None = None


def bot_at(address: str, token: str) -> Server:
    return Server("Countersign", "COUNTERSIGN_URL", address, f"Bearer {token}")


def judge_online(
    question: GateQuery,
    server: Server,
    ring: Mapping[str, TrustedKey],
    now: datetime,
    asker: Asker = NO_PLACE,
    pinned: Pinned | None = None,
) -> GateResult:
    """Raises Down while the bot is down, else NoAnswer. Without a ring, the bot's answer decides."""
    said = _said(server, question, asker)
    question = asker.question_in(said.workspace, question)
    if said.allowed and not said.identity:
        raise NoAnswer(f"{server.shown} does not say which version it allows. Check COUNTERSIGN_URL.")
    if said.identity and said.identity != identity_digest(question.version):
        sentence = f"{server.shown} knows another {question.version} than this registry does. Let both look at the same MLflow."
        return denied(question, Reason(ReasonCode.OTHER_VERSION, sentence))
    reasons = tuple(
        Reason(ReasonCode.APPROVED if said.allowed else ReasonCode.REFUSED_BY_BOT, one) for one in said.reasons
    )
    if not said.allowed:
        return denied(question, *reasons)
    if not ring:
        uri = uri_of(question.version)
        return GateResult(True, reasons, uri, question.target, said.artifacts, size=said.size, sealed=said.sealed)
    proven = _proven(question, said, ring, now, pinned)
    return replace(proven, reasons=reasons) if proven.allowed else proven


def _proven(
    question: GateQuery, said: BotSaid, ring: Mapping[str, TrustedKey], now: datetime, pinned: Pinned | None
) -> GateResult:
    where = "the envelope in the bot's answer"
    votes = {f"vote {number} in the bot's answer": vote for number, vote in enumerate(said.votes, start=1)}
    decision = {where: said.envelope} if said.envelope else {}
    claims, doubts = read_each(decision | votes, ring, read_approval)
    newest = newest_decision(question, claims)
    judged = sealed_as_demanded(
        question, judge(question, claims, doubts, now=now), newest.seal if newest else "", said.sealed
    )
    return demand_pinned(pinned, question, judged, decision | votes, ring)


def _said(server: Server, question: GateQuery, asker: Asker) -> BotSaid:
    version = question.version
    path = f"/gate/{quote(version.model, safe='')}/{version.version}"
    answer = ask(server, path, {"target": str(question.target), **asker.parameters})
    if answer.status == 401:
        raise NoAnswer(f"Countersign at {server.shown} does not know this COUNTERSIGN_API_TOKEN. Set the bot's own.")
    if answer.status not in (200, 404) or not isinstance(answer.body.get("allowed"), bool):
        why = str(answer.body.get("error", ""))[:300] or "Check COUNTERSIGN_URL."
        raise fault_with(answer.status)(f"Countersign at {server.shown} answered {answer.status}: {why}")
    return _read(answer)


def _read(answer: Answer) -> BotSaid:
    body, reasons, size = answer.body, answer.body.get("reasons"), answer.body.get("size")
    votes = body.get("votes")
    texts = tuple(str(one) for one in reasons) if isinstance(reasons, list) else ()
    return BotSaid(
        allowed=answer.status == 200 and body["allowed"] is True,
        reasons=texts or ("The bot gives no reason.",),
        identity=str(body.get("identity") or ""),
        envelope=str(body.get("envelope") or ""),
        votes=tuple(str(one) for one in votes[:MOST_VOTES]) if isinstance(votes, list) else (),
        artifacts=str(body.get("artifacts") or ""),
        size=size if isinstance(size, int) else None,
        workspace=str(body.get("workspace") or DEFAULT),
        sealed=_sealed_in(body),
    )


def _sealed_in(body: Mapping[str, object]) -> SealedAt | None:
    try:
        return place_from_plain(body.get("sealed"))
    except InvalidStatement as fault:
        raise NoAnswer(f"The bot's answer {fault}. Check COUNTERSIGN_URL, and that both are of one release.") from None
