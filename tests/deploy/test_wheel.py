"""The wheel: every file that the code opens is in it, it is the same each time, and it runs with what it asks for alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import bot
from bot.__main__ import COMMANDS

ROOT = Path(bot.__file__).parents[1]
PACKAGES = ("bot", "handlers", "config")
PACKAGED = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
ONLY_WITH_EXTRAS = {"bot.demo": "demo", "bot.sandbox.slack": "demo", "bot.admission.server": "admission"}

IMPORT_ALL = """
import importlib, pkgutil, sys
for root in ("bot", "handlers", "config"):
    package = importlib.import_module(root)
    assert sys.prefix in package.__file__, package.__file__
    for module in pkgutil.walk_packages(package.__path__, root + ".", onerror=lambda name: None):
        if not module.name.startswith(tuple(sys.argv[1:])) and ".migrations" not in module.name and not module.name.endswith("_main__"):
            importlib.import_module(module.name)
from bot.gate import Denied, load_model
"""
HELP_OF_ALL = """
import sys
from bot.__main__ import main
for name in sys.argv[1:]:
    main([name, "--help"], prog_name="countersign", standalone_mode=False)
"""
TYPESET_AND_MIGRATE = """
from alembic.script import ScriptDirectory
from bot.database.connect import alembic_config
from bot.reports import theme
from bot.reports.typst_process import fonts
assert len(list(ScriptDirectory.from_config(alembic_config()).walk_revisions())) > 5
assert list(fonts().glob("*.ttf"))
assert {"report.html", "report.css", "report.typ"} <= {path.name for path in theme.OURS.iterdir()}
"""


def data_files() -> set[str]:
    """Everything in the packages that is no Python."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if path.suffix not in {".py", ".pyc"}}


def packaged() -> set[str]:
    """What pyproject.toml puts into the wheel beside the modules."""
    found = (path for package, globs in PACKAGED.items() for glob in globs for path in (ROOT / package).glob(glob))
    return {str(path.relative_to(ROOT)) for path in found if path.is_file()}


def test_every_file_that_is_no_module_is_packaged() -> None:
    assert data_files() - packaged() == set(), "add them to [tool.setuptools.package-data] in pyproject.toml"


@pytest.mark.parametrize("package", [name for name in PACKAGES if name in PACKAGED])
def test_no_glob_of_the_packaged_files_is_empty(package: str) -> None:
    empty = [glob for glob in PACKAGED[package] if not list((ROOT / package).glob(glob))]

    assert empty == []


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}

    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.fixture(scope="module")
def tree() -> str:
    """A commit of the files as they are now; new files have to be added to git first."""
    stash = subprocess.run(["git", "stash", "create"], cwd=ROOT, check=True, capture_output=True, text=True)
    return stash.stdout.strip() or "HEAD"


def make_wheel(tree: str, into: Path, umask: int, zone: str) -> Path:
    command = ["make", "--no-print-directory", "--old-file=.venv/.installed", "dist", f"TREE={tree}", f"DIST={into}"]
    environment = {**os.environ, "PYTHONHASHSEED": str(umask), "TZ": zone}
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, umask=umask, env=environment)
    (wheel,) = into.glob("*.whl")
    return wheel


def test_a_tree_that_is_no_commit_is_refused_and_the_wheel_that_is_there_stays(tmp_path: Path) -> None:
    there = tmp_path / "made-before.whl"
    there.touch()

    command = ["make", "--no-print-directory", "--old-file=.venv/.installed", "dist", "TREE=v0.0.0", f"DIST={tmp_path}"]
    refused = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert refused.returncode != 0
    assert "v0.0.0 is no commit here" in refused.stderr
    assert there.exists()


@pytest.fixture(scope="module")
def wheel(tree: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tree, tmp_path_factory.mktemp("dist"), 0o022, "UTC")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and what it depends on, and no extra."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(place)], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", str(place), "--constraint", "constraints.txt", str(wheel)]
    subprocess.run(install, cwd=ROOT, check=True)
    return place / "bin"


def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In an empty directory and with an empty environment, as a service starts."""
    empty = installed.parent / "empty"
    empty.mkdir(exist_ok=True)
    program, *arguments = words
    command = [str(installed / program), *arguments]
    return subprocess.run(command, cwd=empty, env={"HOME": str(empty)}, capture_output=True, text=True, check=False)


@pytest.mark.proof
def test_another_build_has_the_same_bytes(wheel: Path, tree: str, tmp_path: Path) -> None:
    again = make_wheel(tree, tmp_path, 0o077, "Pacific/Auckland")

    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.proof
def test_the_built_wheel_has_every_file_and_nothing_of_the_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert data_files() - names == set()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)


@pytest.mark.proof
def test_every_command_shows_its_help(installed: Path) -> None:
    everything = run(installed, "countersign", "--help")
    each = run(installed, "python", "-P", "-c", HELP_OF_ALL, *COMMANDS)

    assert everything.returncode == 0, everything.stderr
    assert each.stdout.count("Usage: countersign ") == len(COMMANDS), each.stderr


@pytest.mark.proof
def test_the_packaged_policy_is_checked(installed: Path) -> None:
    checked = run(installed, "countersign", "policy", "check", "--offline")

    assert (checked.returncode, checked.stderr) == (0, "")
    assert "No mistakes" in checked.stdout


@pytest.mark.proof
def test_every_module_but_those_of_an_extra_imports_without_one(installed: Path) -> None:
    imported = run(installed, "python", "-P", "-c", IMPORT_ALL, *ONLY_WITH_EXTRAS)

    assert imported.returncode == 0, imported.stderr


@pytest.mark.proof
def test_migrations_fonts_and_templates_are_found(installed: Path) -> None:
    found = run(installed, "python", "-P", "-c", TYPESET_AND_MIGRATE)

    assert found.returncode == 0, found.stderr


@pytest.mark.proof
def test_the_demo_says_which_extra_it_needs(installed: Path) -> None:
    refused = run(installed, "countersign", "demo")

    assert refused.returncode == 2
    assert 'pip install "mlflow-countersign[demo]"' in refused.stderr
