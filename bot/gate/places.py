"""Where the asking job is: the workspace of the registry that its MLflow client loads from, by MLFLOW_TRACKING_URI and MLFLOW_WORKSPACE.

An approval counts in its own place only, because a model of the same name in another is another model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.attestation.gate import GateQuery
from bot.domain.workspaces import DEFAULT, REGISTRY_NAME, WORKSPACE_NAME, Workspace, same_server
from bot.errors import NoAnswer, Refused


@dataclass(frozen=True)
class Asker:
    """`registry` is the name that COUNTERSIGN_REGISTRY gives, and None where it is not set: then only a bot can tell by the address."""

    workspace: str = DEFAULT
    registry: str | None = None
    tracking_uri: str = ""

    @property
    def place(self) -> str:
        """Without a name it is the default registry, whose approvals count nowhere else."""
        return str(Workspace(self.registry or DEFAULT, self.workspace))

    @property
    def parameters(self) -> dict[str, str]:
        """What the bot is asked with."""
        said = {
            "workspace": "" if self.workspace == DEFAULT else self.workspace,
            "registry": self.registry or "",
            "tracking_uri": self.tracking_uri,
        }
        return {name: text for name, text in said.items() if text}

    def question_in(self, place: str, question: GateQuery) -> GateQuery:
        """The question about the place that the bot found for our address. Raises NoAnswer when it cannot be ours."""
        if place == question.version.workspace:
            return question
        try:
            there = Workspace.parse(place)
        except Refused:
            raise NoAnswer(
                f'the bot answers about a place that cannot be, "{place[:100]}". Check COUNTERSIGN_URL.'
            ) from None
        if there.name != self.workspace or self.registry not in (None, there.registry):
            raise NoAnswer(
                f"the bot answers about {place}, and this job asks about {self.place}. Check MLFLOW_TRACKING_URI and MLFLOW_WORKSPACE."
            )
        source = question.source and replace(question.source, workspace=str(there))
        return replace(question, version=replace(question.version, workspace=str(there)), source=source)


def asker_of(environ: Mapping[str, str]) -> Asker:
    """Raises Refused."""
    workspace = environ.get("MLFLOW_WORKSPACE", "").strip() or DEFAULT
    registry = environ.get("COUNTERSIGN_REGISTRY", "").strip()
    if not WORKSPACE_NAME.fullmatch(workspace):
        raise Refused(f'MLFLOW_WORKSPACE is "{workspace[:100]}", which is no workspace of MLflow. Correct or unset it.')
    if registry and not REGISTRY_NAME.fullmatch(registry):
        raise Refused(
            f'COUNTERSIGN_REGISTRY is "{registry[:100]}", which is no name of a registry. Set it to the one in the bot\'s policy, or unset '
            "it for the default registry."
        )
    return Asker(workspace, registry or None, same_server(environ.get("MLFLOW_TRACKING_URI", "")))
