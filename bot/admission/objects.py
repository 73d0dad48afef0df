"""Finds the models that a Kubernetes object names: anywhere in its spec, and in its annotations.

A process can put a name together where no one can see it, from a ConfigMap, a script or a download. `require` in the plan refuses pods
without a name; only `countersign gate serve` compares the bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PREFIX = "countersign.io/"
MODEL = f"{PREFIX}model"  # the annotation in which a workload says what it serves
RUNS_PODS = ("Pod", "InferenceService", "InferenceGraph", "LLMInferenceService", "SeldonDeployment")
LOCATION_KEYS = ("storageUri", "modelUri")  # of KServe and Seldon
URIS_KEY = "storageUris"  # KServe's list of {uri, mountPath}
REGISTRY_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
WORKSPACE_VARIABLE = "MLFLOW_WORKSPACE"
MENTION = re.compile(
    r"(?:models|mlflow-artifacts|runs):/[^\s]*", re.IGNORECASE
)  # anywhere: -mmodels:/x/1 is an option too
CLOSING = "\"'`)]},;."  # what closes a sentence or a quotation around a name
DEEPEST = 60  # levels; Kubernetes' own objects have about 15
LONGEST = 4_000  # characters of one mention


@dataclass(frozen=True)
class Named:
    """What an object says about models.

    `mentions` are texts such as models:/bike-demand/7, in the order found; `locations` are addresses of model files. `registries` and
    `workspaces` are what its containers set for MLflow's client. `provenance` are its annotations that we would write.
    """

    kind: str
    mentions: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    provenance: Mapping[str, str] | None = None

    @property
    def is_empty(self) -> bool:
        return not self.mentions and not self.locations

    @property
    def runs_pods(self) -> bool:
        return self.kind in RUNS_PODS


class TooDeep(ValueError):
    """The object is nested deeper than anything that Kubernetes stores."""


def named_in(kind: str, content: Mapping[str, object]) -> Named:
    """Raises TooDeep."""
    metadata = content.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    own = (
        {key: text for key, text in annotations.items() if isinstance(text, str)}
        if isinstance(annotations, Mapping)
        else {}
    )
    walk = _Walk()
    walk.value({MODEL: own[MODEL]} if MODEL in own else {}, 0)
    walk.value({key: value for key, value in content.items() if key not in ("metadata", "status")}, 0)
    provenance = {key: text for key, text in own.items() if key.startswith(PREFIX) and key != MODEL}
    return Named(
        kind,
        tuple(dict.fromkeys(walk.mentions)),
        tuple(dict.fromkeys(walk.locations)),
        tuple(dict.fromkeys(walk.registries)),
        tuple(dict.fromkeys(walk.workspaces)),
        provenance,
    )


class _Walk:
    """Goes through all texts of an object."""

    def __init__(self) -> None:
        self.mentions: list[str] = []
        self.locations: list[str] = []
        self.registries: list[str] = []
        self.workspaces: list[str] = []

    def value(self, value: object, depth: int) -> None:
        if depth > DEEPEST:
            raise TooDeep
        if isinstance(value, str):
            self._text(value, depth)
        elif isinstance(value, Mapping):
            self._variable(value)
            for key, inner in value.items():
                self._entry(str(key), inner, depth)
        elif isinstance(value, list):
            for inner in value:
                self.value(inner, depth + 1)

    def _entry(self, key: str, value: object, depth: int) -> None:
        if key == MODEL and isinstance(value, str):
            self.mentions.extend(re.split(r"[\s,]+", value.strip()))
        elif key in LOCATION_KEYS and isinstance(value, str):
            self._location(value)
        elif key == URIS_KEY and isinstance(value, list):
            for one in value:
                self._location(
                    one if isinstance(one, str) else str(one.get("uri", "")) if isinstance(one, Mapping) else ""
                )
        else:
            self._text(key, depth)
            self.value(value, depth + 1)

    def _variable(self, entry: Mapping[str, object]) -> None:
        """An entry of a container's `env`."""
        name, value = entry.get("name"), entry.get("value")
        if not isinstance(value, str) or not value.strip():
            return
        if name in REGISTRY_VARIABLES:
            self.registries.append(value.strip())
        elif name == WORKSPACE_VARIABLE:
            self.workspaces.append(value.strip())

    def _location(self, address: str) -> None:
        found = address.strip()
        if MENTION.match(found):
            self.mentions.append(found)
        elif found:
            self.locations.append(found)

    def _text(self, text: str, depth: int) -> None:
        if text.lstrip()[:1] in ("{", "["):
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                inner = None
            if isinstance(inner, dict | list):
                self.value(inner, depth + 1)
                return
        self.mentions.extend(_mentions(text))


def _mentions(text: str) -> Iterator[str]:
    """Each word that has a model's name in it, up to its end: to a shell, `models:/bike/7"1"` is version 71, so it must not pass as 7."""
    return (found[0][:LONGEST].rstrip(CLOSING) for found in MENTION.finditer(text))
