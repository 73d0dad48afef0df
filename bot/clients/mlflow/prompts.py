"""What MLflow takes for prompts. They are registered models underneath. Its searches leave out whatever has their tag, and its client
says that there is no such model; but anybody who may tag a version can set it, and what it hides keeps its alias or stage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from bot.domain.registry.snapshot import VersionSnapshot
from bot.errors import TooManyHidden

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

TAG = "mlflow.prompt.is_prompt"
TAGGED = f"tags.`{TAG}` = 'true'"
SOURCES = frozenset({"prompt-template", "dummy-source"})  # mlflow/prompt/constants.py; a source never changes
ONE_BY_ONE = 200  # versions, at 5 to 10 ms each; whoever may tag a version may also create thousands


def is_tagged(found: RegisteredModel) -> bool:
    return found._tags.get(TAG) == "true"  # MLflow hides it in `tags`


def is_prompts(sources: Iterable[str | None]) -> bool:
    """Of all versions that a model with the tag has: one with files makes it no prompt."""
    return all(source in SOURCES for source in sources)


def held_in(found: RegisteredModel) -> frozenset[int]:
    """The versions that aliases point to, and the newest of each stage, hidden ones as well."""
    latest = (int(version.version) for version in found.latest_versions)
    return frozenset({*map(int, found.aliases.values()), *latest})


def check_few(name: str, numbers: Collection[int]) -> None:
    """Raises TooManyHidden for more versions than are read one by one."""
    if len(numbers) > ONE_BY_ONE:
        raise TooManyHidden(why_too_many(name))


def why_too_many(name: str) -> str:
    return (
        f'MLflow\'s lists leave the versions of "{name}" out, as one of them has the tag of prompts, and they are too many to be read one '
        f"by one. Delete the tag {TAG} from the model's versions in MLflow."
    )


def elsewhere(found: RegisteredModel) -> frozenset[int]:
    """The versions that aliases point to beside the newest of each stage: an old one keeps its alias when a newer one comes."""
    return held_in(found) - {int(version.version) for version in found.latest_versions}


def models_among(tagged: Sequence[RegisteredModel], versions: Iterable[VersionSnapshot]) -> list[RegisteredModel]:
    """Those with the tag of which a version that holds a target is no prompt's. `versions`: those that have the tag themselves, as a
    prompt's have, where one that is not the newest has an alias.
    """
    of_prompts = frozenset((seen.id.model, seen.id.version) for seen in versions if seen.source in SOURCES)
    return [
        one
        for one in tagged
        if not is_prompts(version.source for version in one.latest_versions)
        or not all((one.name, number) in of_prompts for number in elsewhere(one))
    ]


def client_that_sees_all(tracking_uri: str) -> MlflowClient:
    """MLflow's client without the question whether a model is a prompt, which it asks before most calls."""
    import mlflow

    class Client(mlflow.MlflowClient):
        def get_registered_model(self, name: str) -> RegisteredModel:
            return self._get_registry_client().get_registered_model(name)  # type: ignore[no-untyped-call,no-any-return]

        def get_model_version(self, name: str, version: str) -> ModelVersion:
            return self._get_registry_client().get_model_version(name, version)  # type: ignore[no-untyped-call,no-any-return]

        def _raise_if_prompt(self, name: str) -> None:
            """Tags of prompts mean nothing here."""

    return Client(tracking_uri, registry_uri=tracking_uri)
