"""How the list of sealed objects and the place where it is are written and read, and what a gate makes of a place.

The list (`index`) is an object itself: whoever knows its version id and its sha256 knows every object version, whatever is written to the
bucket later. Which approvals need a seal: `sealing`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import rfc8785

from bot.domain.attestation.answers import GateQuery, GateResult, Reason, ReasonCode, denied
from bot.domain.seals.places import MODEL_FOLDER, SCHEME, SealedAt, SealedObject, SealPlan
from bot.errors import InvalidStatement

if TYPE_CHECKING:
    from bot.domain.ledger.chain import Plain

FORMAT = "urn:countersign:seal:v1"
NAME_LENGTH = 16
NOWHERE = SealedAt("", "", "", "", "")


def index_of(files: str, objects: Iterable[SealedObject]) -> bytes:
    """The list of the objects, in canonical JSON: the same objects make the same bytes."""
    listed: list[Plain] = [
        {"path": one.path, "sha256": one.sha256, "size": one.size, "versionId": one.version}
        for one in sorted(objects, key=lambda one: one.path.encode())
    ]
    return rfc8785.dumps({"format": FORMAT, "files": files, "objects": listed})


def index_key(folder: str, index: bytes) -> str:
    """Named by its content: another list is another object."""
    return f"{folder}seal-{hashlib.sha256(index).hexdigest()[:NAME_LENGTH]}.json"


def read_index(text: bytes) -> tuple[SealedObject, ...]:
    """Raises InvalidStatement for a list that Countersign does not write."""
    try:
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise InvalidStatement("is a list of sealed objects in another format")
        return tuple(
            SealedObject(str(one["path"]), str(one["sha256"]), int(one["size"]), str(one["versionId"]))
            for one in said["objects"]
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidStatement("is no list of sealed objects") from None


def place_as_plain(place: SealedAt) -> dict[str, str]:
    """As verdicts, the gate's answers and reports say it."""
    return {
        "uri": place.uri,
        "index": f"{SCHEME}{place.bucket}/{place.index}",
        "versionId": place.index_version,
        "sha256": place.index_sha256,
    }


def sealed_as_demanded(question: GateQuery, result: GateResult, demand: str, found: SealedAt | None) -> GateResult:
    """The answer with the place where the files are sealed. `demand` is where the decision's rule seals to; empty: nowhere.

    What is approved and not sealed there is denied: other bytes could be served by then.
    """
    if not result.allowed:
        return result
    if not demand:
        return replace(result, sealed=found) if found else result
    if found is None or not found.is_in(SealPlan(demand)):
        return denied(question, not_sealed(question, demand))
    return replace(result, sealed=found)


def not_sealed(question: GateQuery, to: str, hindered: str = "") -> Reason:
    why = f" It cannot be sealed: {hindered.rstrip('.')}." if hindered else ""
    sentence = (
        f"{question.version} is approved for {question.target}, and nothing says that its files are sealed in {to}.{why} "
        "Wait until the bot has sealed them; `countersign jobs list` shows what keeps it."
    )
    return Reason(ReasonCode.NOT_SEALED, sentence)


def place_from_plain(said: object) -> SealedAt | None:
    """None when nothing is said. Raises InvalidStatement for what Countersign would not write."""
    if said is None:
        return None
    if not isinstance(said, Mapping) or not all(isinstance(said.get(key), str) for key in place_as_plain(NOWHERE)):
        raise InvalidStatement("names no sealed place as Countersign writes it")
    bucket, _, folder = str(said["uri"]).removeprefix(SCHEME).partition("/")
    of_index, _, index = str(said["index"]).removeprefix(SCHEME).partition("/")
    place = SealedAt(bucket, folder.removesuffix(MODEL_FOLDER), index, str(said["versionId"]), str(said["sha256"]))
    if place.uri != said["uri"] or of_index != bucket or not bucket or not index.startswith(place.folder):
        raise InvalidStatement("names no sealed place as Countersign writes it")
    return place
