"""Which target a version must be approved for in a namespace, and what happens to what is not. Read by `config.admission`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from bot.domain.model import Target
from bot.domain.workspaces import same_server


class Mode(StrEnum):
    ENFORCE = "enforce"
    AUDIT = "audit"  # allows everything, with a warning that says what would be refused


@dataclass(frozen=True)
class NamespaceRule:
    """`namespace` is a pattern such as prod-*. `require`: a pod that names no model is refused too."""

    namespace: str
    target: Target
    mode: Mode = Mode.ENFORCE
    require: bool = False


@dataclass(frozen=True)
class Plan:
    """`registries` are further addresses of the registry at MLFLOW_TRACKING_URI, such as the one inside the cluster."""

    rules: tuple[NamespaceRule, ...]
    registries: frozenset[str] = frozenset()

    def rule_for(self, namespace: str) -> NamespaceRule | None:
        """The first that matches; what none matches is not looked at."""
        return next((rule for rule in self.rules if fnmatchcase(namespace, rule.namespace)), None)

    def foreign(self, addresses: Iterable[str], own: str) -> list[str]:
        """Those of `addresses` that are not the registry whose approvals count here."""
        ours = {same_server(own), *map(same_server, self.registries)}
        return sorted({one for one in addresses if same_server(one) not in ours})
