"""Finds the models that a Kubernetes object names: anywhere in its spec, and in its annotations.

A process can put a name together where no one can see it, from a ConfigMap, a script or a download. `require` in the plan refuses pods
without a name; only `countersign gate serve` compares the bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.domain.seals.places import SCHEME

PREFIX = "countersign.io/"
MODEL = f"{PREFIX}model"  # the annotation in which a workload says what it serves
RUNS_PODS = ("Pod", "InferenceService", "InferenceGraph", "LLMInferenceService", "SeldonDeployment")
LOCATION_KEYS = ("storageUri", "modelUri")  # of KServe and Seldon
URIS_KEY = "storageUris"  # KServe's list of {uri, mountPath}
STORAGE_KEY = "storage"  # KServe's {key, path}
CONTAINER_KEYS = ("containers", "initContainers", "ephemeralContainers")
KSERVES_INITIALIZER = "storage-initializer"  # of the pods that KServe makes; its first argument is where the model is
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # what is in the object itself
UNSEEN = "(from elsewhere)"
REGISTRY_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
WORKSPACE_VARIABLE = "MLFLOW_WORKSPACE"
SCHEMES = "models|mlflow-artifacts|runs"
MENTION = re.compile(
    rf"(?:{SCHEMES}):/[^ \t\n]*", re.IGNORECASE
)  # anywhere: -mmodels:/x/1 is an option too. Up to where a shell ends a word: to it and to MLflow other spaces are letters
ARGUMENT = re.compile(
    rf"(?:--?[\w.-]+=|-\w)?(?P<name>(?:{SCHEMES}):/.*)", re.IGNORECASE | re.DOTALL
)  # a text that begins with a name is an argument or a value, and no script
ONE_NAME = re.compile(
    r"models:/+(?:[^/]+[/@])?[^/\s]+|(?:mlflow-artifacts|runs):/.*", re.IGNORECASE | re.DOTALL
)  # as MLflow's client reads it, which takes spaces in a model's name
WORD = re.compile(r"""(?:[^ \t\n"']|"[^"]*"|'[^']*')+""")  # a shell's, and what another language writes between quotes
LEFT_OUT, QUOTES = str.maketrans("", "", "\t\r\n"), str.maketrans("", "", "\"'\\")
LONGEST_WORD = 700  # characters; a model's name and an alias have at most 256 each
CLOSING = "\"'`)]},;.\r\v\f"  # what closes a sentence or a quotation around a name
SEALED_PLACE = re.compile(r"/v[1-9][0-9]{0,8}-[0-9a-f]{16}/[0-9a-f]{64}/model\b")  # in a sealed store
DEEPEST = 60  # levels; Kubernetes' own objects have about 15
LONGEST = 4_000  # characters of one mention; a longer one stays as it is, which is no name


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
    annotations = _texts(metadata, "annotations")
    said = {key: text for key, text in annotations.items() if key == MODEL or not key.startswith((PREFIX, APPLIED))}
    walk = _Walk()
    walk.value([said, _texts(metadata, "labels")], 0)  # a container can read both
    walk.value({key: value for key, value in content.items() if key not in ("metadata", "status")}, 0)
    provenance = {key: text for key, text in annotations.items() if key.startswith(PREFIX) and key != MODEL}
    return Named(
        kind,
        tuple(dict.fromkeys(walk.mentions)),
        tuple(dict.fromkeys(walk.locations)),
        tuple(dict.fromkeys(walk.registries)),
        walk.workspaces,
        provenance,
    )


def _texts(metadata: object, name: str) -> dict[str, str]:
    found = metadata.get(name) if isinstance(metadata, Mapping) else None
    return (
        {str(key): text for key, text in found.items() if isinstance(text, str)} if isinstance(found, Mapping) else {}
    )


class _Walk:
    """Goes through all texts of an object."""

    def __init__(self) -> None:
        self.mentions: list[str] = []
        self.locations: list[str] = []
        self.registries: list[str] = []
        self._containers: list[tuple[set[str], int]] = []  # the workspaces that each sets, and how many models it names

    @property
    def workspaces(self) -> tuple[str, ...]:
        """Those of the containers that name a model; of all, for a model that is named outside of them. Empty: none is set."""
        inside = {place for places, models in self._containers if models for place in places}
        if len(self.mentions) + len(self.locations) > sum(models for _, models in self._containers):
            inside |= {place for places, _ in self._containers for place in places if place} or {""}
        return tuple(sorted(inside - {""} if inside == {""} else inside))

    def value(self, value: object, depth: int) -> None:
        if depth > DEEPEST:
            raise TooDeep
        if isinstance(value, str):
            self._text(value, depth)
        elif isinstance(value, Mapping):
            if isinstance(value.get("env"), list):
                self._container(value, depth)
            else:
                self._entries(value, depth)
        elif isinstance(value, list):
            for inner in value:
                self.value(inner, depth + 1)

    def _entries(self, value: Mapping[str, object], depth: int) -> None:
        for key, inner in value.items():
            self._entry(str(key), inner, depth)

    def _entry(self, key: str, value: object, depth: int) -> None:
        if key == MODEL and isinstance(value, str):
            self.mentions.extend(re.split(r"[\s,]+", value.strip()))
        elif key in LOCATION_KEYS and isinstance(value, str):
            self._location(value)
        elif key == STORAGE_KEY and isinstance(value, Mapping) and isinstance(value.get("path"), str):
            self.locations.append(f"storage.path {value['path']}")  # below a bucket that only a Secret names
        elif key == URIS_KEY and isinstance(value, list):
            for one in value:
                self._location(
                    one if isinstance(one, str) else str(one.get("uri", "")) if isinstance(one, Mapping) else ""
                )
        elif key in CONTAINER_KEYS and isinstance(value, list):
            for one in value:
                self._container(one, depth + 1) if isinstance(one, Mapping) else self.value(one, depth + 1)
        else:
            self._text(key, depth)
            self.value(value, depth + 1)

    def _container(self, container: Mapping[str, object], depth: int) -> None:
        """A mapping with an `env`, or one of a pod's containers."""
        if depth > DEEPEST:
            raise TooDeep
        before, places = len(self.mentions) + len(self.locations), set[str]()
        env = container.get("env")
        for entry in env if isinstance(env, list) else ():
            if isinstance(entry, Mapping):
                places |= self._variable(entry)
        args = container.get("args")
        if container.get("name") == KSERVES_INITIALIZER and isinstance(args, list) and args:
            self._location(str(args[0]))
        self._entries(container, depth)
        self._containers.append((places or {""}, len(self.mentions) + len(self.locations) - before))

    def _variable(self, entry: Mapping[str, object]) -> set[str]:
        """The workspace that this entry of `env` sets, "" for the default one; UNSEEN where its value is elsewhere. An entry may come
        twice, and which of them counts is for the container's runtime to say.
        """
        name, value = entry.get("name"), entry.get("value")
        text = value.strip() if isinstance(value, str) else ""
        if name in REGISTRY_VARIABLES and text:
            self.registries.append(text)
        if name != WORKSPACE_VARIABLE:
            return set()
        return {text or (UNSEEN if "valueFrom" in entry else "")}

    def _location(self, address: str) -> None:
        found = address.strip()
        if MENTION.match(found):
            self.mentions.append(found)
        elif found:
            self.locations.append(found)

    def _text(self, text: str, depth: int) -> None:
        if text.lstrip()[:1] in ("{", "[", '"'):
            try:
                inner = json.loads(text, object_pairs_hook=_each)
            except (ValueError, RecursionError):
                inner = None
            if isinstance(inner, list | str):
                self.value(inner, depth + 1)
                return
        self.mentions.extend(_mentions(text))
        self.mentions.extend(_as_argument(text))


def _each(pairs: list[tuple[str, object]]) -> list[dict[str, object]]:
    """Every pair of a JSON object, also of two with one key: which of them counts, its reader knows."""
    return [{key: value} for key, value in pairs]


def _as_argument(text: str) -> Iterator[str]:
    """The name that MLflow's client reads when this text is what it is called with: its urlsplit leaves out tabs and line breaks, so that
    `models:/bike/7`, a line break and `1` are version 71, and `models:/bike@champion x/8` is version 8 of the model `bike@champion x`.
    """
    words, argument = text.split(), ARGUMENT.fullmatch(text.strip().translate(LEFT_OUT))
    if len(words) < 2 or argument is None or all(map(ARGUMENT.match, words)):
        return  # one word, no name, or several names
    if ONE_NAME.fullmatch(argument["name"]):
        yield argument["name"]


def _mentions(text: str) -> Iterator[str]:
    """Each word that has a model's name in it, up to its end: to a shell, `models:/bike/7"1"` is version 71, so it must not pass as 7.
    In `"models:/bike@champion x/8"` the word goes on up to the second quotation mark.
    """
    sealed = (word[word.find(SCHEME) :] for word in text.split() if SCHEME in word and SEALED_PLACE.search(word))
    yield from (word.rstrip(CLOSING) if len(word) <= LONGEST else word for word in sealed)
    for found in MENTION.finditer(text):
        word = found[0]
        yield word.rstrip(CLOSING) if len(word) <= LONGEST else word
        for quoted in _quoted(text, found.start(), found.end()):
            if ONE_NAME.fullmatch(quoted):
                yield quoted


def _quoted(text: str, start: int, end: int) -> Iterator[str]:
    """The whole of what is mentioned there, where quotation marks take spaces into it: as a shell reads the word, and, for a quotation in
    another one, from the mark before it to the next such mark.
    """
    latest = end + LONGEST_WORD
    first = max(text.rfind(space, max(0, start - LONGEST_WORD), start) for space in " \t\n") + 1
    word = WORD.match(text, max(first, start - LONGEST_WORD), latest)
    closed = text.find(text[start - 1], end, latest) if text[max(0, start - 1) : start] in ('"', "'") else -1
    for over in (word.end() if word else -1, closed):
        if over > end:
            yield text[start:over].translate(QUOTES).translate(LEFT_OUT).rstrip(CLOSING)
