"""Installs MLflow servers of other releases, once, outside of the repository: into the cache folder or below the interpreter's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST, MIDDLE, NEWEST = "2.22.5", "3.8", "newest 3.x"
RELEASES = {
    OLDEST: ("mlflow==2.22.5", "sqlalchemy<2.1"),  # before 3.17, MLflow does not start with SQLAlchemy 2.1
    MIDDLE: ("mlflow[auth]==3.8.1", "sqlalchemy<2.1"),
    NEWEST: ("mlflow[auth]>=3.17,<4",),
}
GUARDED = (MIDDLE, NEWEST)
"""Releases that the guard knows."""
GUARD = Path(__file__).resolve().parents[2] / "plugins" / "mlflow-countersign-guard"
WITHOUT_THE_REST = ("mlflow==2.22.5", "mlflow-skinny==2.22.5", "sqlalchemy>=2,<2.1", "protobuf<7")
COMPLETE = ".complete"


def interpreter_of(release: str) -> Path:
    """The interpreter of a venv that has this release's MLflow, and all that it asks for. A minute for each, the first time.

    The newest is looked for each time: an installation of last month would be called the newest for ever. So is the guard: it is of this
    checkout, where the venvs are of all.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    venv = cache / "countersign-compat" / release.replace(" ", "-")
    python = venv / "bin" / "python"
    asked = " ".join(RELEASES[release])
    if not (venv / COMPLETE).exists() or (venv / COMPLETE).read_text() != asked:
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        _install(python, *RELEASES[release])
        (venv / COMPLETE).write_text(asked)
    elif release == NEWEST:
        _install(python, "--upgrade", *RELEASES[release])
    if release in GUARDED:
        _install_guard(python)
    return python


def oldest_beside_ours() -> Path:
    """A folder for PYTHONPATH with the oldest release alone: the rest of what it needs is ours. Some seconds, the first time.

    It lies beside the interpreter's packages, so that it goes with them.
    """
    folder = Path(sys.prefix) / f"mlflow-{OLDEST}"
    if not (folder / COMPLETE).exists():
        _install(Path(sys.executable), "--no-deps", "--upgrade", "--target", str(folder), *WITHOUT_THE_REST)
        (folder / COMPLETE).touch()
    return folder


def _install_guard(python: Path) -> None:
    """From a copy: setuptools builds in the folder, and would install next time what has been deleted there since."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(GUARD, Path(folder) / GUARD.name, ignore=shutil.ignore_patterns("build", "*.egg-info"))
        _install(python, "--no-deps", "--force-reinstall", str(copy))


def _install(python: Path, *words: str) -> None:
    quietly = ("--quiet", "--quiet", "--disable-pip-version-check", "--no-compile")  # errors alone
    subprocess.run([python, "-m", "pip", "install", *quietly, *words], check=True)
