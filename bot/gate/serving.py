"""Turns an allowed answer into a folder with exactly the approved files: downloads, hashes and compares them before they are used."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bot.domain.attestation.gate import CannotTell, Denied, GateResult, Reason, ReasonCode, leads_out, not_covered
from bot.errors import NoAnswer, OtherFiles, Refused, TooLarge, UnsafePath
from bot.gate.fetching import download
from bot.gate.manifests import digest_of, manifest_in
from bot.gate.references import references_in
from bot.gate.sealed import download_sealed

OURS = ("-m", "--model-uri")


def checked_folder(result: GateResult, folder: Path | None) -> Path:
    """A new folder with the version's files, equal to those approved; deleted when they differ. It is created below `folder`.

    Raises Denied, CannotTell and Refused.
    """
    if not result.decided:
        raise CannotTell(result)
    if not result.allowed:
        raise Denied(result)
    if not result.artifacts or result.size is None:
        sentence = (
            "The approval names no digest of the files and no size, because the bot did not read them, so there is nothing to "
            "compare with. Add their store to the policy's artifact_stores, and ask for a new approval."
        )
        raise _denied(result, ReasonCode.FILES_UNKNOWN, sentence)
    place = _new_folder(folder)
    with ExitStack() as unless_approved:
        unless_approved.callback(shutil.rmtree, place)
        _fetch_approved(result, result.size, place)
        unless_approved.pop_all()
    return place


def _fetch_approved(result: GateResult, size: int, place: Path) -> None:
    """Raises Denied and CannotTell."""
    try:
        if result.sealed is not None:
            download_sealed(result.sealed, result.artifacts, place, size)
        else:
            download(result.uri, place, size)
        found = digest_of(manifest_in(place))
        outside = references_in(place).outside
    except UnsafePath as trouble:
        raise _denied(
            result, ReasonCode.UNSAFE_PATH, f"{trouble}. Log the model again with plain file names."
        ) from None
    except TooLarge:
        sentence = (
            f"The files of {result.uri} are not those that were approved: they have more than those {size:,} bytes."
        )
        raise _denied(result, ReasonCode.OTHER_FILES, sentence) from None
    except OtherFiles as fault:
        where = result.sealed.uri if result.sealed else result.uri
        sentence = f"What is sealed at {where} is not what was approved: {fault}."
        raise _denied(result, ReasonCode.OTHER_FILES, sentence) from None
    except (NoAnswer, OSError) as trouble:
        raise CannotTell(
            replace(result, allowed=False, decided=False, reasons=(Reason(ReasonCode.CANNOT_TELL, str(trouble)),))
        ) from None
    if found != result.artifacts:
        sentence = f"The files of {result.uri} are not those that were approved: {found} instead of {result.artifacts}."
        raise _denied(result, ReasonCode.OTHER_FILES, sentence)
    if outside:
        raise Denied(replace(result, allowed=False, reasons=(leads_out(result.uri, outside),)))


def with_uncovered(result: GateResult, place: Path) -> GateResult:
    """The answer, with what the checked files in `place` need and do not contain; an older approval does not say it."""
    said = {reason.sentence for reason in result.reasons}
    more = (reason for reason in not_covered(references_in(place).uncovered) if reason.sentence not in said)
    return replace(result, reasons=(*result.reasons, *more))


def serve(folder: Path, arguments: Sequence[str]) -> None:
    """Replaces this process by `mlflow models serve`; returns only by raising."""
    command = [sys.executable, "-P", "-m", "mlflow", "models", "serve", "-m", str(folder), *arguments]
    os.execv(sys.executable, command)  # nosec B606


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuses options that would make `mlflow models serve` use another model. Raises Refused."""
    for argument in arguments:
        if argument == "--" or argument.startswith(OURS):
            raise Refused(f'"{argument}" would serve something else than what is checked here. Leave it out.')


def _new_folder(parent: Path | None) -> Path:
    """Always a new folder, so that files of an earlier attempt are not served or compared."""
    try:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Path(tempfile.mkdtemp(prefix="countersign-gate-", dir=parent))
    except OSError as trouble:
        raise Refused(f"--dir {parent} cannot be used: {trouble.strerror}. Name a directory to write in.") from None


def _denied(result: GateResult, why: ReasonCode, sentence: str) -> Denied:
    return Denied(replace(result, allowed=False, reasons=(Reason(why, sentence),)))
