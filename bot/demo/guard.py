"""The guard of the demo's MLflow server, if its plugin is installed: what server and bot have to know of each other."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "mlflow-countersign-guard"
HOW = f'pip install "{PLUGIN}"'
OPTIONS = ("--app-name", "countersign")
EVERY = "1"  # seconds between two questions to the bot, so that people at the demo need not wait


@dataclass(frozen=True)
class Guard:
    """`keys` is the file with the public key that signs approvals; `secret` is what the bot shows to be let through."""

    folder: Path
    keys: Path
    token: str  # of the bot's API
    secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def settings(self, bot: str) -> Mapping[str, str]:
        """The variables of `mlflow server`; `bot` is the bot's address."""
        return {
            "COUNTERSIGN_URL": bot,
            "COUNTERSIGN_API_TOKEN": self.token,
            "COUNTERSIGN_GUARD_SECRET": self.secret,
            "COUNTERSIGN_GUARD_KEYS": str(self.keys),
            "COUNTERSIGN_GUARD_DIR": str(self.folder),
            "COUNTERSIGN_GUARD_EVERY": EVERY,
        }

    def has_list(self) -> bool:
        """Before its first list it refuses every alias."""
        return (self.folder / "governed-default.json").exists()


def is_installed() -> bool:
    return bool(entry_points(group="mlflow.app", name="countersign"))
