"""What has changed in a policy's registries, in sentences for the ledger and for channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.workspaces import DEFAULT, Registry


def registry_changes(before: Sequence[Registry], after: Sequence[Registry]) -> Iterator[str]:
    """The default registry is there also where a policy does not name it."""
    was, now = ({DEFAULT: Registry(DEFAULT)} | {one.name: one for one in some} for some in (before, after))
    yield from (f"registry {name} was added: {_said(now[name])}" for name in now if name not in was)
    yield from (f"registry {name} was removed, and its models are watched no longer" for name in was if name not in now)
    for name in now:
        if name in was and was[name] != now[name]:
            yield f"registry {name}: {_said(now[name])}, was {_said(was[name])}"


def _said(registry: Registry) -> str:
    named = f"workspace{'s' if len(registry.workspaces) > 1 else ''} {', '.join(registry.workspaces)}"
    public = f", for people {registry.public_url}" if registry.public_url else ""
    return f"{registry.uri}{public}, {named}" if registry.uri else named
