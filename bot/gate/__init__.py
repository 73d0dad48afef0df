"""The gate for CI and serving: may this version ship? Imports neither MLflow nor Flask, so that it starts quickly.

In Python: `load_model("models:/bike-demand@champion", keys=["countersign.pub"])`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.domain.attestation.gate import CannotTell, Denied, NotAllowed

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

__all__ = ["CannotTell", "Denied", "NotAllowed", "load_model"]


def load_model(
    uri: str,
    *,
    target: str | None = None,
    keys: str | Path | Iterable[str | Path] = (),
    bot: str | None = None,
    max_age: timedelta | None = None,
    folder: str | Path | None = None,
    passkeys: str | Path | None = None,
) -> PyFuncModel:
    """The approved version as a pyfunc model, loaded from a folder whose files were compared with those approved.

    `uri`, `target`, `keys` (one or more PEM files), `bot` (its address), `max_age` and `passkeys` (a file) are the options of
    `countersign gate check`.
    `folder` is where a new folder for the files is created, by default the temporary directory. Raises Denied or CannotTell, each with
    `reasons`, and Refused for invalid arguments.
    """
    from bot.gate.checks import check, proof_of
    from bot.gate.keys import read_keys
    from bot.gate.passkeys import read_passkeys
    from bot.gate.serving import checked_folder

    files = [keys] if isinstance(keys, str | Path) else keys
    pinned = read_passkeys(Path(passkeys)) if passkeys is not None else None
    proof = proof_of(os.environ, read_keys(map(Path, files)), bot, max_age, pinned)
    result = check(uri, target, proof, os.environ, datetime.now(UTC))
    place = checked_folder(result, Path(folder) if folder is not None else None)

    import mlflow.pyfunc

    model: PyFuncModel = mlflow.pyfunc.load_model(str(place))
    return model
