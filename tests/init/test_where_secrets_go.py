"""Secrets stay out of git, and nothing is written through a link that leads out of the directory."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.errors import InvalidSettings
from bot.init import git
from bot.init.folder import NewFile, check_stays
from tests.init.conftest import Team


def run_git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    run_git(folder, "init", "--quiet")
    return folder


@pytest.mark.parametrize("again", ["!countersign.env", "!*.env", "!/countersign.env", "!c*"])
def test_a_line_that_includes_the_settings_again_is_refused_at_once(team: Team, again: str) -> None:
    run_git(team.folder, "init", "--quiet")
    (team.folder / ".gitignore").write_text(f"*.env\n*.pem\nvar/\n{again}\n")

    with pytest.raises(InvalidSettings, match=r"git does not ignore .*countersign\.env.*\.gitignore"):
        team.plan()

    assert outside_of_git(team) == [".gitignore"]


@pytest.mark.parametrize(
    ("home", "lines"), [("var", "*.env\n*.pem\nvar/\n!var/\n"), ("state", "*.log\n"), ("state", None)]
)
def test_keys_that_git_would_take_are_refused_and_nothing_is_left(team: Team, home: str, lines: str | None) -> None:
    run_git(team.folder, "init", "--quiet")
    team.values["COUNTERSIGN_HOME"] = home
    if lines is not None:
        (team.folder / ".gitignore").write_text(lines)

    with pytest.raises(InvalidSettings, match=r"git does not ignore .*link\.key.*No secret was written"):
        team.plan().write(team.folder)

    assert outside_of_git(team) == ([] if lines is None else [".gitignore"])
    assert lines is None or (team.folder / ".gitignore").read_text() == lines


@pytest.mark.parametrize("place", ["deploy/prod.conf", "other.env", "deploy/deep/.env"])
def test_a_link_to_a_file_in_git_is_a_file_in_git(repository: Path, place: str) -> None:
    tracked, env = repository / place, repository / "countersign.env"
    tracked.parent.mkdir(parents=True, exist_ok=True)
    tracked.write_text("# mine\n")
    run_git(repository, "add", place)
    env.symlink_to(place)

    with pytest.raises(InvalidSettings, match="is in git"):
        git.check_not_tracked([env])


def another_owner(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(repository.parent / "none"))


def broken_settings(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / ".git" / "config").write_text("[core\n")


def a_repository_that_moved(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / ".git").rename(repository / "moved")
    (repository / ".git").write_text("gitdir: /no/such/place\n")


@pytest.mark.parametrize("trouble", [another_owner, broken_settings, a_repository_that_moved])
def test_a_git_that_refuses_is_no_missing_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    trouble(repository, monkeypatch)

    for check in (git.check_not_tracked, git.check_ignored):
        with pytest.raises(InvalidSettings, match="git failed: "):
            check([repository / "countersign.env"])


def test_without_a_repository_git_asks_for_nothing(tmp_path: Path) -> None:
    git.check_not_tracked([tmp_path / "countersign.env"])
    git.check_ignored([tmp_path / "countersign.env"])

    assert not git.is_inside(tmp_path)


@pytest.mark.parametrize("name", ["countersign.env", "prod.conf", "noending", ".hidden"])
def test_the_temporary_file_of_a_secret_is_ignored_too(repository: Path, name: str) -> None:
    (repository / ".gitignore").write_text("*.env\n")
    _, temporary = NewFile(repository / name, "S=1\n", is_secret=True).secret_paths

    git.check_ignored([temporary])

    assert temporary.parent == repository
    with pytest.raises(InvalidSettings, match="git does not ignore"):
        git.check_ignored([repository / f"{name}.abcd1234"])


@pytest.mark.parametrize(
    "name", ["countersign.env", "policy.yaml", "policy.schema.json", "countersign.pub", ".gitignore", "var"]
)
def test_nothing_is_written_through_a_link_out_of_the_directory(team: Team, name: str) -> None:
    victim = team.folder.parent / "victim"
    if name == "var":
        victim.mkdir()
    else:
        victim.write_text("")
    (team.folder / name).symlink_to(victim)

    with pytest.raises(InvalidSettings, match="by a symbolic link"):
        team.plan()

    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text() == ""
    assert [path.name for path in team.folder.iterdir()] == [name]


@pytest.mark.parametrize("link", ["here.env", "deep/here.env", "./deep/../here.env"])
def test_a_link_inside_the_directory_is_followed(tmp_path: Path, link: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "countersign.env").symlink_to(link)

    check_stays(tmp_path, [tmp_path / "countersign.env", tmp_path.parent / "named" / "policy.yaml"])


@pytest.mark.parametrize("link", ["../out.env", "/etc/out.env", "deep/out.env", "countersign.env"])
def test_a_link_that_leads_out_by_any_way_is_refused(tmp_path: Path, link: str) -> None:
    (tmp_path / "deep").symlink_to(tmp_path.parent)
    (tmp_path / "countersign.env").symlink_to(link)

    with pytest.raises(InvalidSettings, match="leads out of"):
        check_stays(tmp_path, [tmp_path / "countersign.env"])


def outside_of_git(team: Team) -> list[str]:
    return [name for name in team.written if not name.startswith(".git/")]
