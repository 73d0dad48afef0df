"""A user's type checker sees the types of `bot.gate` in an installed copy (PEP 561), not only in this repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

import bot

ROOT = Path(bot.__file__).parents[1]
MYPY = Path(sys.executable).with_name("mypy")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES = ("bot", "handlers", "config")

# Without pyproject.toml in the current directory, so that any setuptools can run it.
BUILD = """
import sys
from setuptools import find_packages, setup
setup(
    name="a-copy",
    packages=find_packages(include={include!r}),
    package_data={data!r},
    script_args=["--quiet", "build_py", "--build-lib", sys.argv[1]],
)
"""


@pytest.fixture(scope="module")
def python_with_our_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the files of our wheel and nothing else."""
    home = tmp_path_factory.mktemp("installed")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, home / "source" / package, ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(home / "venv", with_pip=False)
    (site_packages,) = (home / "venv").glob("lib/*/site-packages")

    build = BUILD.format(include=SETUPTOOLS["packages"]["find"]["include"], data=SETUPTOOLS["package-data"])
    subprocess.run([sys.executable, "-c", build, str(site_packages)], cwd=home / "source", check=True)

    return home / "venv" / "bin" / "python"


def mypy(script: str, python: Path, directory: Path) -> str:
    (directory / "script.py").write_text(script)
    command = [str(MYPY), "--strict", "--cache-dir", str(directory / "cache"), "--python-executable", str(python)]
    done = subprocess.run([*command, "script.py"], cwd=directory, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_a_script_that_loads_an_approved_model_has_its_types(python_with_our_package: Path, tmp_path: Path) -> None:
    script = """
from bot.gate import Denied, load_model
model = load_model("models:/bike-demand@champion", keys=["countersign.pub"])
def reasons_of(denied: Denied) -> tuple[str, ...]:
    return denied.reasons
"""

    assert "Success: no issues found" in mypy(script, python_with_our_package, tmp_path)


def test_a_script_with_a_wrong_type_is_found(python_with_our_package: Path, tmp_path: Path) -> None:
    """Without the markers mypy takes everything for Any, and both mistakes would pass."""
    script = """
from bot.gate import Denied, load_model
load_model(7)
def number_of(denied: Denied) -> int:
    return denied.reasons
"""

    found = mypy(script, python_with_our_package, tmp_path)

    assert 'Argument 1 to "load_model" has incompatible type "int"' in found
    assert 'Incompatible return value type (got "tuple[str, ...]", expected "int")' in found
