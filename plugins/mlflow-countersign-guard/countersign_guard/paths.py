"""Where files are: the parts of a path of MLflow's artifact server, and where a version's files are. Pure."""

from __future__ import annotations

from countersign_guard.names import plain

Parts = tuple[str, ...]


def parts_of(path: str) -> Parts:
    """As compared with others; a server with workspaces puts `workspaces/NAME` before a path that lacks it.

    A backslash separates too, as it does on a server that runs on Windows.
    """
    return without_workspace(tuple(plain(part) for part in path.replace("\\", "/").split("/") if part not in ("", ".")))


def without_workspace(parts: Parts) -> Parts:
    return parts[2:] if parts[:1] == ("workspaces",) else parts


def address_parts(address: str) -> Parts:
    """Of an artifact's address of any kind, without its host."""
    _, _, path = address.partition(":")
    return parts_of(path[2:].partition("/")[2] if path.startswith("//") else path)


def is_served(address: str) -> bool:
    """Whether MLflow's server knows the place, rather than the store itself."""
    return address.partition(":")[0] in ("mlflow-artifacts", "models", "runs", "http", "https")


def served_parts(address: str) -> Parts:
    """The same for an address that MLflow's artifact server serves; () for another."""
    return address_parts(address) if address.partition(":")[0] == "mlflow-artifacts" else ()


def in_folder(run: str, address: str) -> Parts | None:
    """Where an address lies in a run's own folder; None when it lies elsewhere. `runs:/` leaves `artifacts` out."""
    parts = address_parts(address)
    places = [place for place, part in enumerate(parts) if part == plain(run)]
    return below(parts[places[-1] + 1 :]) if places else None


def below(parts: Parts) -> Parts:
    """A run's files are in its folder's `artifacts`."""
    return parts[1:] if parts[:1] == ("artifacts",) else parts


def overlap(one: Parts, other: Parts) -> bool:
    """Whether one path is the other or leads to it."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def is_id(part: str) -> bool:
    """Of a run (32 hexadecimal digits) or of a logged model (the same after `m-`)."""
    digits = part.removeprefix("m-")
    return len(digits) == 32 and all(digit in "0123456789abcdef" for digit in digits)
