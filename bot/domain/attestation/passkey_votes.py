"""What a signed decision says about passkeys: which of its votes their voters have signed themselves. `gate` demands those signatures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bot.domain.attestation import in_toto
from bot.errors import InvalidStatement

REQUIRED = "passkeysRequired"


@dataclass(frozen=True)
class ByPasskey:
    """A vote of a person (`id`) who signed the statement with this digest with this passkey of theirs. A decision rests on some."""

    id: str
    credential: str
    statement: str


@dataclass(frozen=True)
class Demand:
    """What a decision says of passkeys: its rule took so many votes by passkey, and these were counted. `names` are of people, by id."""

    required: int
    votes: tuple[ByPasskey, ...]
    names: Mapping[str, str]


NO_DEMAND = Demand(0, (), {})


def demand_in(predicate: Mapping[str, object]) -> Demand:
    """Decisions of releases without passkeys have none. Raises InvalidStatement."""
    approvers = predicate.get("approvers")
    found = (
        [one for one in approvers if isinstance(one, Mapping) and "passkey" in one]
        if isinstance(approvers, list)
        else []
    )
    required = predicate.get(REQUIRED, 0)
    if not isinstance(required, int) or isinstance(required, bool):
        raise InvalidStatement(f'has no number in its "{REQUIRED}"')
    names = {in_toto.text(one, "id"): in_toto.text(one, "name") for one in found}
    return Demand(required, tuple(_vote_in(one) for one in found), names)


def _vote_in(approver: Mapping[str, object]) -> ByPasskey:
    said = in_toto.mapping(approver, "passkey")
    return ByPasskey(in_toto.text(approver, "id"), in_toto.text(said, "credential"), in_toto.text(said, "statement"))


def signed_vote(predicate: Mapping[str, object], digest: str) -> ByPasskey | None:
    """The vote whose passkey was verified to have signed the statement with this digest; None without one. Raises InvalidStatement."""
    if not digest:
        return None
    said, person = in_toto.mapping(predicate, "passkey"), in_toto.mapping(predicate, "person")
    return ByPasskey(in_toto.text(person, "id"), in_toto.text(said, "credential"), digest)


def unmet(where: str, demand: Demand, found: Collection[ByPasskey]) -> list[str]:
    """Sentences about the demanded signatures that are not among those found; empty when all are. `where` is where the decision is."""
    people = {vote.id for vote in demand.votes}
    lacking = [
        f"{where} counts the vote of {demand.names[vote.id]} as signed with a passkey, and no vote that was found has that signature. "
        "Let the bot write the version's tags again, or ask the bot with --bot."
        for vote in demand.votes
        if vote not in found
    ]
    if len(people) < demand.required:
        lacking.append(
            f"The rule of {where[:1].lower()}{where[1:]} needs approvals with a passkey: {demand.required}. "
            f"The decision names {len(people)}. "
            "Have the version approved again, and run `countersign audit verify`: the bot signs no such decision."
        )
    return lacking
