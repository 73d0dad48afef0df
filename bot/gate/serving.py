"""From an allowed answer to a folder with exactly the files that were approved: fetched, hashed, compared, and only then handed on."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.domain.gate import CannotTell, Denied, GateResult, Reason, Why
from bot.domain.model import Refused
from bot.gate.asking import NoAnswer
from bot.gate.fetching import download
from bot.gate.manifests import UnsafePath, digest_of, manifest_in

OURS = ("-m", "--model-uri")


def checked_folder(result: GateResult, folder: Path | None) -> Path:
    """The folder with the version's files, equal to those approved. Raises Denied, CannotTell and Refused."""
    if not result.decided:
        raise CannotTell(result)
    if not result.allowed:
        raise Denied(result)
    if not result.artifacts:
        sentence = (
            "The approval names no digest of the files, because the bot did not read them, so there is nothing to compare with. "
            "Add their store to the policy's artifact_stores, and ask for an approval anew."
        )
        raise _denied(result, Why.FILES_UNKNOWN, sentence)
    place = _empty_folder(folder)
    try:
        download(result.uri, place)
        found = digest_of(manifest_in(place))
    except UnsafePath as trouble:
        raise _denied(result, Why.UNSAFE_PATH, f"{trouble}. Log the model again with plain file names.") from None
    except (NoAnswer, OSError) as trouble:
        raise CannotTell(
            replace(result, allowed=False, decided=False, reasons=(Reason(Why.CANNOT_TELL, str(trouble)),))
        ) from None
    if found != result.artifacts:
        sentence = f"The files of {result.uri} are not those that were approved: {found} instead of {result.artifacts}."
        raise _denied(result, Why.OTHER_FILES, sentence)
    return place


def serve(folder: Path, arguments: Sequence[str]) -> None:
    """Becomes `mlflow models serve`; returns only by raising."""
    command = [sys.executable, "-P", "-m", "mlflow", "models", "serve", "-m", str(folder), *arguments]
    os.execv(sys.executable, command)  # nosec B606


def check_arguments(arguments: Sequence[str]) -> None:
    """Nothing may lead `mlflow models serve` away from the checked folder. Raises Refused."""
    for argument in arguments:
        if argument == "--" or argument.startswith(OURS):
            raise Refused(f'"{argument}" would serve something else than what is checked here. Leave it out.')


def _empty_folder(folder: Path | None) -> Path:
    """Whatever lay there before would be served, or denied, with the rest."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="countersign-gate-"))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_empty = not any(folder.iterdir())
    except OSError as trouble:
        raise Refused(f"--dir {folder} cannot be used: {trouble.strerror}. Name a new or empty directory.") from None
    if not is_empty:
        raise Refused(f"--dir {folder} is not empty. Name a new or empty directory.")
    return folder


def _denied(result: GateResult, why: Why, sentence: str) -> Denied:
    return Denied(replace(result, allowed=False, reasons=(Reason(why, sentence),)))
