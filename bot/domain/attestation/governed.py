"""What is governed in one registry, as a statement for the guard of its server (plugins/mlflow-countersign-guard). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from bot.domain.attestation.decision import TAG_PREFIX
from bot.domain.attestation.in_toto import CLOCKS_DIFFER, STATEMENT_TYPE
from bot.domain.model import VersionId
from bot.domain.policy.rules import Rule
from bot.domain.registry.names import Renamed, under_present_name
from bot.domain.request.content import Content
from bot.domain.workspaces import Workspace, patterns_in

if TYPE_CHECKING:
    from bot.domain.ledger.chain import Plain

GOVERNED_TYPE = "urn:countersign:governed:v1"
VALID_FOR = timedelta(hours=24)  # a list that is older still applies, and its guard says that it is old
LOGGED_MODEL = "models:/m-"
MOMENTS = frozenset({"issued", "expires"})
OWN_TAGS = (
    TAG_PREFIX,
    "countersign.verdict.",
    "countersign.decision",
    "countersign.request_id",
    "countersign.ticket",
    "countersign.denied",
    "countersign.failed",
)
"""What the names of the tags that the bot writes begin with."""


@dataclass(frozen=True)
class GovernedVersion:
    """One that is approved, waits for its approval, or had its target before that was watched, with what it was made by: `run_id` and
    `source` are empty where it has none.
    """

    workspace: str
    model: str
    number: int
    run_id: str = ""
    source: str = ""


@dataclass(frozen=True)
class GovernedRequest:
    """What the list needs of a request: its version under the name that the model had then, and the origin of its content."""

    version: VersionId
    opened_at: datetime
    origin: str

    def version_now(self, renames: Sequence[Renamed]) -> VersionId:
        return under_present_name(self.version, self.opened_at, renames)


def issued_after(earlier: datetime | None, now: datetime) -> datetime:
    """A guard takes no list for newer that was issued before the one that it has. So after the clock was set back a little, the next one
    comes right after the earlier; after more than that, the guard knows that its own list is from the future."""
    if earlier is None or not now <= earlier < now + CLOCKS_DIFFER:
        return now
    return earlier + timedelta(milliseconds=1)


def listed(version: VersionId, origin: str) -> GovernedVersion:
    content = Content("", origin)
    return GovernedVersion(version.workspace, version.model, version.version, content.run_id, content.source)


def says_the_same(one: Plain, other: Plain) -> bool:
    """But for the moment at which it was said."""
    return _without_moments(one) == _without_moments(other)


def _without_moments(statement: Plain) -> Plain:
    said = statement.get("predicate") if isinstance(statement, dict) else None
    return {name: value for name, value in said.items() if name not in MOMENTS} if isinstance(said, dict) else None


def statement_for(
    registry: str, rules: Iterable[Rule], versions: Iterable[GovernedVersion], webhook: str, at: datetime
) -> Plain:
    """`webhook` is the address that MLflow reports changes to; empty when it is not known."""
    in_order = sorted(set(versions), key=lambda one: (one.workspace, one.model, one.number, one.run_id, one.source))
    return {
        "_type": STATEMENT_TYPE,
        "subject": [],
        "predicateType": GOVERNED_TYPE,
        "predicate": {
            "registry": registry,
            "issued": at.isoformat(),
            "expires": (at + VALID_FOR).isoformat(),
            "rules": [_of_rule(rule, names) for rule in rules if (names := list(_workspaces(rule, registry)))],
            "versions": [_of_version(one) for one in in_order if Workspace.parse(one.workspace).registry == registry],
            "tags": list(OWN_TAGS),
            "webhook": webhook,
        },
    }


def _of_rule(rule: Rule, workspaces: list[str]) -> Plain:
    return {
        "workspaces": [*workspaces],
        "models": rule.models,
        "kind": str(rule.target.kind),
        "name": rule.target.name,
    }


def _workspaces(rule: Rule, registry: str) -> Iterator[str]:
    """Patterns for the names that the registry's own server has for its workspaces."""
    return (name for pattern, name in patterns_in(rule.workspace) if fnmatchcase(registry, pattern))


def _of_version(version: GovernedVersion) -> Plain:
    is_logged = version.source.startswith(LOGGED_MODEL)
    return {
        "workspace": Workspace.parse(version.workspace).name,
        "model": version.model,
        "number": str(version.number),
        "run": version.run_id,
        "logged_model": version.source.removeprefix("models:/") if is_logged else "",
        "source": "" if is_logged else version.source,
    }
