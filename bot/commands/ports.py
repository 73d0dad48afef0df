"""Whether the ports that the settings name can be listened on, asked before anything starts."""

from __future__ import annotations

import socket as network
import time
from collections.abc import Sequence
from contextlib import ExitStack

from bot.commands.context import Mistake
from config.settings import Settings


def check_ports(host: str, settings: Settings, patience: float = 0) -> None:
    """Waits up to `patience` seconds for what a killed `serve` left: its processes end by themselves. Raises Mistake."""
    asked = [("PORT", host, settings.port)]
    if settings.metrics_address:
        asked.append(("METRICS_PORT", *settings.metrics_address))
    until = time.monotonic() + patience
    with ExitStack() as held:  # each until all are there, so that two settings with one port are noticed
        for name, address, port in asked:
            while trouble := _trouble_with(address, port, held):
                if (same := _same_port(name, port, asked)) or time.monotonic() >= until:
                    raise Mistake(same or _taken(name, address, port, trouble, was_killed=bool(patience)))
                time.sleep(0.2)


def _same_port(name: str, port: int, asked: Sequence[tuple[str, str, int]]) -> str:
    first, _, other = asked[0]
    return (
        f"{first} and {name} are both {port}. Set one of them to another port"
        if name != first and port == other
        else ""
    )


def _taken(name: str, host: str, port: int, trouble: str, *, was_killed: bool) -> str:
    said = f"{name} {port} cannot be used on {host} ({trouble})"
    if was_killed:
        said += f". The `countersign serve` before was killed, and what it left does not end: `lsof -ti tcp:{port}` names it"
    return f"{said}. End what listens there, or set {name}"


def _trouble_with(host: str, port: int, held: ExitStack) -> str:
    """Empty when a server can listen there; then the port is ours until `held` ends."""
    family = network.AF_INET6 if ":" in host else network.AF_INET
    with ExitStack() as tried:
        probe = tried.enter_context(network.socket(family))
        probe.setsockopt(network.SOL_SOCKET, network.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)  # two that only bind share a port
        except OSError as trouble:
            return trouble.strerror or str(trouble)
        held.push(tried.pop_all())
    return ""
