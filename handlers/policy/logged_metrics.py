"""What `policy check` asks of the registry: which metrics of a fast track no version ever logged, and which models no rule matches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.policy.rules import Policy, Rule, Unruled
from bot.domain.registry.lookalikes import Lookalike, lookalikes
from bot.domain.workspaces import in_workspace
from bot.ports import ModelSummary
from bot.ports.registry import ModelRegistries

MODELS_LOOKED_AT = 20  # of those that a rule matches, the latest to have changed
VERSIONS_LOOKED_AT = 20  # of each, the newest
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class NeverLogged:
    """`place` is the rule's in the policy, from 0; `logged` are all metrics that the versions looked at do have."""

    place: int
    rule: Rule
    metric: str
    logged: frozenset[str]
    models: int
    versions: int


@dataclass(frozen=True)
class RegistryKnows:
    """`unmatched` are the rules with a fast track for which there is no version to look at."""

    models: int
    never_logged: tuple[NeverLogged, ...]
    unmatched: tuple[Rule, ...]
    unruled: tuple[str, ...]
    lookalikes: tuple[tuple[str, Lookalike], ...] = ()


def ask_registry(policy: Policy, registry: ModelRegistries) -> RegistryKnows:
    """Of all watched workspaces. Raises what the registry raises; half an answer would look like a whole one."""
    models = tuple(model for place in policy.places for model in registry.at(place).list_models())
    never_logged: list[NeverLogged] = []
    unmatched: list[Rule] = []
    versions = _Versions(registry)
    for place, rule in enumerate(policy.rules):
        if rule.fast_track is None:
            continue
        wanted = [threshold.metric for threshold in rule.fast_track.metrics]
        look = versions.look(_latest(model for model in models if rule.matches(model.workspace, model.name)), wanted)
        if not look.versions:
            unmatched.append(rule)
            continue
        missing = [metric for metric in wanted if metric not in look.logged]
        never_logged += [NeverLogged(place, rule, one, look.logged, look.models, look.versions) for one in missing]
    return RegistryKnows(
        len(models), tuple(never_logged), tuple(unmatched), _unruled(policy, models), _lookalikes(policy, models)
    )


def _lookalikes(policy: Policy, models: Iterable[ModelSummary]) -> tuple[tuple[str, Lookalike], ...]:
    """Each with the model's name. Tags are looked at on the versions that the list of models shows: the latest of each stage."""
    return tuple(
        (f"{model.name}{in_workspace(model.workspace)}", one)
        for model in models
        for one in lookalikes(model.workspace, model.name, model.aliases, model.latest, policy)
    )


@dataclass(frozen=True)
class _Look:
    logged: frozenset[str]
    models: int
    versions: int


class _Versions:
    """Each version's metrics are read once, however many rules match its model."""

    def __init__(self, registry: ModelRegistries) -> None:
        self._registry = registry
        self._read: dict[tuple[str, str], list[frozenset[str]]] = {}

    def look(self, models: Iterable[ModelSummary], wanted: Iterable[str]) -> _Look:
        """Stops as soon as every metric that is wanted was met."""
        sought, logged, seen, versions = set(wanted), set[str](), 0, 0
        for model in models:
            seen += 1
            for metrics in self._metrics_of(model):
                versions += 1
                logged |= metrics
                if sought <= logged:
                    return _Look(frozenset(logged), seen, versions)
        return _Look(frozenset(logged), seen, versions)

    def _metrics_of(self, model: ModelSummary) -> Iterator[frozenset[str]]:
        known = self._read.setdefault((model.workspace, model.name), [])
        yield from known
        there = self._registry.at(model.workspace)
        found = there.find_model(model.workspace, model.name)
        for version in found.versions[len(known) : VERSIONS_LOOKED_AT] if found else ():
            metrics = frozenset(metric.name for metric in there.read_metrics(version.id))
            known.append(metrics)
            yield metrics


def _latest(models: Iterable[ModelSummary]) -> list[ModelSummary]:
    def changed(model: ModelSummary) -> datetime:
        return max((version.updated for version in model.latest), default=LONG_AGO)

    return sorted(models, key=changed, reverse=True)[:MODELS_LOOKED_AT]


def _unruled(policy: Policy, models: Iterable[ModelSummary]) -> tuple[str, ...]:
    """Empty when the policy ignores models without a rule."""
    if policy.default is Unruled.IGNORE:
        return ()
    return tuple(
        sorted(f"{model.name}{in_workspace(model.workspace)}" for model in models if not _is_ruled(policy, model))
    )


def _is_ruled(policy: Policy, model: ModelSummary) -> bool:
    return any(
        rule.matches(model.workspace, model.name) or rule.covers_copies_into(model.workspace, model.name)
        for rule in policy.rules
    )
