"""The walk back: from a model version to its run, its data, the people who decided, and what vouches for it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from os.path import relpath
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.clients.delta.tables import DeltaTables
from bot.clients.dvc import DvcData, DvcRemote, remote_in
from bot.clients.git import GitMirrors
from bot.clients.placed_files import place_below
from bot.domain.evidence.lineage import Mirrored
from bot.domain.model import State
from bot.domain.queries.description import Description
from bot.domain.queries.description_text import in_words
from bot.errors import NotFetched, Refused
from bot.store import tables
from handlers.queries.describe import describe
from handlers.queries.fetch_data import Brought, Places, Sources, fetch_data
from handlers.queries.past_holders import held_at
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import Installation

RAW = b"hour,rides\r\n0,12\n1,\xff\n"
READY = {"train.csv": b"1,2\n", "below/test.csv": b"3,4\n"}
CODE = b"print('fit')\n"


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def told(installation: Installation, version: int = 1) -> Description:
    return describe(f"models:/{installation.model}/{version}", installation.s)


def command_line(installation: Installation, *words: str) -> Finished:
    database = installation.settings.database_url.get_secret_value()
    return countersign(
        "describe", *words, DATABASE_URL=database, MLFLOW_TRACKING_URI=installation.settings.mlflow_tracking_uri
    )


def push(remote: Path, content: bytes, *, folder: bool = False) -> str:
    """Into a remote as DVC 3 lays it out; returns what the lock calls it."""
    md5 = md5_of(content) + (".dir" if folder else "")
    place = remote / "files" / "md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return md5


def a_lock(remote: Path, *, raw_path: str = "data/raw.csv", wdir: str = ".") -> str:
    """Two stages: what the pipeline begins with is one data file and one of code, which git keeps. Both work in `wdir`."""
    raw_path, code_path, ready_path = (
        relpath(path, wdir) if wdir != "." else path for path in (raw_path, "src/prepare.py", "data/ready")
    )
    listed = [{"md5": push(remote, content), "relpath": path} for path, content in sorted(READY.items())]
    ready = push(remote, json.dumps(listed).encode(), folder=True)
    raw = push(remote, RAW)
    return f"""
schema: '2.0'
stages:
  prepare:
    cmd: python prepare.py
    deps:
    - {{path: {raw_path}, hash: md5, md5: {raw}, size: {len(RAW)}}}
    - {{path: {code_path}, hash: md5, md5: {md5_of(CODE)}, size: {len(CODE)}}}
    outs:
    - {{path: {ready_path}, hash: md5, md5: {ready}, size: 8, nfiles: 2}}
  train:
    cmd: python train.py
    deps:
    - {{path: {ready_path}, hash: md5, md5: {ready}, size: 8, nfiles: 2}}
"""


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return tmp_path / "remote"


def log_lock(installation: Installation, text: str, folder: str = "", wdir: str = ".") -> None:
    run = installation.mlflow.get_model_version(installation.model, "1").run_id
    installation.mlflow.log_text(run, text, "lineage/dvc.lock")
    if folder:
        stages = {name: {"cmd": "python x.py", "wdir": wdir} for name in ("prepare", "train")}
        installation.mlflow.log_text(run, json.dumps({"stages": stages}), "lineage/dvc.yaml")
        installation.mlflow.set_tag(run, "dvc_lock_path", f"{folder}/dvc.lock")


def brought(installation: Installation, into: Path, remote: Path) -> Brought:
    sources = Sources(DvcData(), DeltaTables(), NoMirror())
    return fetch_data(f"models:/{installation.model}/1", into, Places(str(remote)), sources, installation.s)


def a_repository(where: Path, remote: Path, folder: str = ".", config: str = ".dvc/config") -> str:
    """With the code in `folder`, and the DVC remote in its configuration; returns the commit."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=Bea", "-c", "user.email=bea@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", str(where), *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    for path, content in {
        config: f"['remote \"store\"']\n    url = {remote}\n".encode(),
        f"{folder}/src/prepare.py": CODE,
    }.items():
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        (where / path).write_bytes(content)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--quiet", "--message", "the pipeline")
    return git("rev-parse", "HEAD")


class NoMirror:
    """No rule of these tests names a git remote, so no mirror is asked."""

    def look(self, remote: str, commit: str, main: str, lock_path: str, code: str) -> Mirrored:
        raise AssertionError(f"nobody should be asked about {remote}")

    def read_files(self, remote: str, commit: str, paths: Collection[str]) -> Mapping[str, bytes]:
        raise AssertionError(f"nobody should be asked about {remote}")


# What is printed


def test_an_approved_version_is_told_with_its_run_its_figures_its_votes_and_their_signatures(
    installation: Installation,
) -> None:
    installation.use_policy(reason="on_approve")
    request = installation.asked()
    installation.click("ana", request, "approve")
    installation.slack.submit_view("ana", {"reason": "better by far"})
    installation.settle()

    found = told(installation)

    (decided,) = found.requests
    run = installation.mlflow.get_model_version(installation.model, "1").run_id
    assert [str(place.target) for place in found.holds] == ["alias:champion"]
    assert found.evidence is not None
    assert (found.evidence.run_id, found.evidence.author) == (run, "bea")
    assert {metric.name for metric in found.evidence.metrics} == {"mae", "r2"}
    assert (decided.decided_by, decided.votes[0].reason) == ("Ana Ruiz", "better by far")
    assert [(one.about, one.fault) for one in decided.signed] == [("vote", ""), ("decision", "")]
    assert decided.ticket == installation.reread(request).ticket.key  # type: ignore[union-attr]
    assert decided.now == "holds the target by this request"


def test_a_version_no_one_asked_for_is_told_from_mlflow_and_nothing_is_frozen(installation: Installation) -> None:
    version = installation.register(user="bea", tags={"mlflow.source.git.commit": "a" * 40})
    installation.sweep()

    said = "\n".join(in_words(told(installation, version)))

    assert installation.requests() == []
    assert "nothing was frozen: no one has asked for a target yet" in said
    for part in (
        installation.run_of(version),
        "a" * 40,
        "trained by         bea",
        "mae  ",
        "not read: they are read when",
    ):
        assert part in said


def test_a_version_no_one_asked_for_is_still_told_when_its_run_is_gone(installation: Installation) -> None:
    version = installation.register()
    installation.mlflow.delete_run(installation.run_of(version))

    found = told(installation, version)

    assert (found.version.version, found.is_frozen, found.requests) == (version, False, ())


def test_who_trained_or_committed_under_an_address_is_told_by_name(installation: Installation) -> None:
    committed = {"countersign.commit_author": "bea@example.com"}
    installation.asked(installation.register(user="zoe@example.com", tags=committed))

    evidence = told(installation).evidence

    assert evidence is not None
    assert (evidence.author, evidence.commit_author) == ("zoe@example.com", "Bea Baker")


def test_an_alias_leads_to_the_version_that_holds_it(installation: Installation) -> None:
    installation.approve(installation.asked())

    assert describe(f"models:/{installation.model}@champion", installation.s).version.version == 1
    with pytest.raises(Refused, match="has no alias nonsense"):
        describe(f"models:/{installation.model}@nonsense", installation.s)


@pytest.mark.proof
def test_all_requests_of_a_version_are_told_the_newest_first(installation: Installation) -> None:
    first = installation.asked()
    installation.reject(first, "not on holidays")
    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    installation.approve_with_reason(installation.asked(1), "the holidays are over")

    states = [told_request.state for told_request in told(installation).requests]

    assert states == [State.APPLIED, State.REJECTED]


@pytest.mark.proof
def test_a_version_that_was_rolled_back_says_when_by_whom_and_why(installation: Installation) -> None:
    installation.approve(installation.asked())
    second = installation.asked()
    installation.approve(second)
    installation.click("ben", second, "roll_back")
    installation.slack.submit_view("ben", {"reason": "predictions drifted"})
    installation.settle()

    now = told(installation, 2).requests[0].now

    assert now.startswith("rolled back on ")
    assert now.endswith(f"by Ben Okafor to {installation.model} v1: predictions drifted")
    assert told(installation, 2).holds == ()


def test_a_version_that_is_gone_is_told_from_what_was_recorded(installation: Installation) -> None:
    installation.approve(installation.asked())
    installation.mlflow.delete_model_version(installation.model, "1")

    found = told(installation)

    assert not found.is_registered
    assert found.requests[0].decided_by == "Ana Ruiz"


def test_a_version_that_nobody_has_heard_of_is_refused(installation: Installation) -> None:
    installation.register()

    assert told(installation).requests == ()
    with pytest.raises(Refused, match="there is no version 7"):
        told(installation, 7)
    with pytest.raises(Refused, match="names no model version"):
        describe(installation.model, installation.s)


# What was signed


def change_envelope(installation: Installation, text: str) -> None:
    with installation.s.store.engine.begin() as connection:
        connection.execute(sa.text("alter table attestations disable trigger all"))
        connection.execute(sa.update(tables.attestations).values(envelope=text))


def test_an_envelope_that_was_changed_in_the_database_is_found_out(installation: Installation) -> None:
    installation.approve(installation.asked())
    with installation.s.store.transaction() as tx:
        envelope = json.loads(tx.attestations.of(installation.request(1).id)[0].envelope)

    change_envelope(installation, json.dumps({**envelope, "payload": envelope["payload"][:-8] + "AAAAAAA="}))

    assert all(one.fault for one in told(installation).requests[0].signed)
    assert "NOT VERIFIED" in "\n".join(in_words(told(installation)))


@pytest.mark.proof
def test_a_good_envelope_of_another_request_proves_nothing(installation: Installation) -> None:
    installation.approve(installation.asked())
    installation.approve(installation.asked())
    with installation.s.store.transaction() as tx:
        other = tx.attestations.of(installation.request(2).id)[-1].envelope

    change_envelope(installation, other)

    assert "ledger entry" in told(installation, 1).requests[0].signed[0].fault


@pytest.mark.proof
@pytest.mark.parametrize(
    ("edit", "faults"),
    [
        (lambda row: row["votes"][0].update(reason="by the board"), ("another vote", "names other votes")),
        (
            lambda row: row["votes"].append({**row["votes"][0], "person": "mallory"}),
            ("", "votes now that are not signed"),
        ),
        (lambda row: row["evidence"].update(commit="f" * 40), ("other evidence", "other evidence")),
        (lambda row: row.update(decided_at="2026-01-01T00:00:00+00:00"), ("", "another decision")),
    ],
    ids=["a reason", "a vote more", "the evidence", "the time of the decision"],
)
def test_words_that_were_changed_in_the_row_are_not_shown_as_verified(
    installation: Installation, edit: Callable[[dict[str, Any]], object], faults: tuple[str, str]
) -> None:
    request = installation.asked()
    installation.approve(request)
    requests = tables.requests
    with installation.s.store.engine.begin() as connection:
        found = connection.execute(sa.select(requests.c.body).where(requests.c.id == request.id)).scalar_one()
        body = json.loads(found) if isinstance(found, str) else dict(found)
        edit(body)
        changed = json.dumps(body) if isinstance(found, str) else body
        connection.execute(sa.update(requests).where(requests.c.id == request.id).values(body=changed))

    vote, decision = told(installation).requests[0].signed

    assert [part in one.fault for part, one in zip(faults, (vote, decision), strict=True)] == [True, True]
    assert [one.is_verified for one in (vote, decision)] == [not part for part in faults]


# Who held what


def test_a_past_moment_is_answered_from_the_ledger_with_the_approval(installation: Installation) -> None:
    installation.approve(installation.asked())
    between = installation.clock.now()
    installation.clock.ahead = timedelta(hours=2)
    installation.approve(installation.asked(), "ben")
    at_the_end = installation.clock.now()

    then, now = (held_at(installation.model, at, installation.s).held for at in (between, at_the_end))

    assert [(one.version.version, one.approval) for one in then if one.version] == [(1, "approved by Ana Ruiz")]
    assert [(one.version.version, one.approval) for one in now if one.version] == [(2, "approved by Ben Okafor")]
    with pytest.raises(Refused, match="has not come yet"):
        held_at(installation.model, at_the_end + timedelta(days=1), installation.s)


def test_a_moment_before_anything_was_watched_says_so(installation: Installation) -> None:
    installation.approve(installation.asked())

    past = held_at(installation.model, installation.clock.now() - timedelta(days=30), installation.s)

    assert "Countersign began to watch on" in past.unknown
    assert [one.version for one in past.held] == [None]


def test_a_holder_from_before_the_baseline_is_told_without_an_approval(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    installation.register()
    installation.ask(1, "champion")
    installation.sweep()

    (held,) = held_at(installation.model, installation.clock.now(), installation.s).held

    assert (held.version.version, held.approval) == (1, "there since before the baseline")


# The data


def test_the_data_is_brought_back_and_every_byte_is_proven(
    installation: Installation, remote: Path, tmp_path: Path
) -> None:
    installation.approve(installation.asked())
    log_lock(installation, a_lock(remote))

    report = brought(installation, tmp_path / "out", remote)

    assert (tmp_path / "out/data/raw.csv").read_bytes() == RAW
    assert (tmp_path / "out/data/ready/below/test.csv").read_bytes() == READY["below/test.csv"]
    sha256 = {one.path: one.sha256 for one in report.fetched}
    assert sha256["data/raw.csv"] == hashlib.sha256(RAW).hexdigest()
    assert [(one.path, one.is_fault) for one in report.left] == [("src/prepare.py", False)]
    assert report.is_good


def test_a_byte_that_was_changed_on_the_remote_is_found_out_and_nothing_is_left(
    installation: Installation, remote: Path, tmp_path: Path
) -> None:
    installation.approve(installation.asked())
    log_lock(installation, a_lock(remote))
    for content in (RAW, READY["train.csv"]):
        place = remote / "files" / "md5" / md5_of(content)[:2] / md5_of(content)[2:]
        place.write_bytes(content.replace(b"1", b"7"))

    report = brought(installation, tmp_path / "out", remote)

    assert not report.is_good
    assert {one.path for one in report.left if one.is_fault} == {"data/raw.csv", "data/ready"}
    assert "other bytes than the lock names" in report.left[0].why
    assert not (tmp_path / "out/data/raw.csv").exists()
    assert not (tmp_path / "out/data/ready/train.csv").exists()


@pytest.mark.proof
def test_another_lock_than_the_frozen_one_is_told_and_nothing_is_brought_back_by_it(
    installation: Installation, remote: Path, tmp_path: Path
) -> None:
    installation.register()
    log_lock(installation, a_lock(remote))
    installation.approve(installation.asked(1))
    same = told(installation).pipeline

    log_lock(installation, a_lock(remote).replace("prepare.py", "other.py"))

    assert (same.lock_sha256, same.warning) == (hashlib.sha256(a_lock(remote).encode()).hexdigest(), "")
    assert "this is not the dvc.lock of the frozen evidence" in told(installation).pipeline.warning
    with pytest.raises(Refused, match=r"keeps another dvc\.lock now"):
        brought(installation, tmp_path / "out", remote)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["../out.csv", "/tmp/out.csv", "a/../../out.csv", "a\\b", ""])
def test_a_path_that_climbs_out_of_the_directory_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match="leads out of the directory"):
        place_below(tmp_path, path)


def test_a_lock_whose_path_climbs_out_writes_nothing_outside(
    installation: Installation, remote: Path, tmp_path: Path
) -> None:
    installation.approve(installation.asked())
    log_lock(installation, a_lock(remote, raw_path="../../escaped.csv"))

    report = brought(installation, tmp_path / "a" / "out", remote)

    assert not report.is_good
    assert not list(tmp_path.rglob("escaped.csv"))


def test_a_link_in_the_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/data").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotFetched, match="leads through the link 'data'"):
        place_below(tmp_path / "out", "data/raw.csv")


def test_a_file_that_is_there_with_other_bytes_is_not_overwritten(
    installation: Installation, remote: Path, tmp_path: Path
) -> None:
    installation.approve(installation.asked())
    log_lock(installation, a_lock(remote))
    mine = tmp_path / "out/data/raw.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")

    report = brought(installation, tmp_path / "out", remote)

    assert mine.read_text() == "mine"
    assert "is there already with other bytes" in report.left[0].why


def test_the_remote_is_the_one_that_the_repository_names() -> None:
    named = "[core]\n    remote = store\n['remote \"store\"']\n    url = s3://models/dvc\n['remote \"old\"']\n    url = /mnt/old\n"

    assert remote_in(named) == "s3://models/dvc"
    assert remote_in("['remote \"only\"']\n    url = /mnt/dvc\n") == "/mnt/dvc"
    with pytest.raises(NotFetched, match="names no default remote"):
        remote_in("[core]\n")
    with pytest.raises(NotFetched, match="in the trainer's own checkout"):
        remote_in("['remote \"near\"']\n    url = ../storage\n")
    with pytest.raises(NotFetched, match="cannot be read"):
        remote_in("no section")


def test_a_remote_of_an_unknown_kind_is_refused_with_its_address() -> None:
    with pytest.raises(NotFetched, match="Correct --remote"):
        DvcRemote("nonsense://bucket/path")


def test_without_the_extra_a_sentence_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "dvc.fs", None)  # as Python remembers what cannot be imported

    with pytest.raises(NotFetched, match="pip install 'mlflow-countersign\\[dvc\\]'"):
        DvcRemote(str(tmp_path))


@pytest.mark.parametrize(
    "config",
    [".dvc/config", pytest.param("teams/bikes/.dvc/config", marks=pytest.mark.proof)],  # dvc init --subdir
)
def test_the_data_of_a_pipeline_in_a_subfolder_is_placed_as_in_the_repository_whatever_its_stages_wdir_is(
    installation: Installation, remote: Path, tmp_path: Path, config: str
) -> None:
    folder, where = "teams/bikes", tmp_path / "repository"
    commit = a_repository(where, remote, folder, config)
    stores = f'artifact_stores: ["mlflow-artifacts:", "{remote}"]'
    installation.use_policy(extra=f"lineage: {{git: {where}}}", top=stores)
    installation.register()
    log_lock(installation, a_lock(remote, raw_path="../shared/raw.csv", wdir="src"), folder, "src")
    run = installation.mlflow.get_model_version(installation.model, "1").run_id
    installation.mlflow.set_tag(run, "mlflow.source.git.commit", commit)
    installation.asked(1)
    sources = Sources(DvcData(), DeltaTables(), GitMirrors(tmp_path / "mirrors"))

    report = fetch_data(f"models:/{installation.model}/1", tmp_path / "out", Places(), sources, installation.s)
    pipeline = told(installation).pipeline
    kept = describe(f"models:/{installation.model}/1", installation.s, reads_files=False).pipeline

    assert report.is_good
    assert (report.in_git, report.left) == ((f"{folder}/src/prepare.py",), ())
    assert (tmp_path / "out/teams/shared/raw.csv").read_bytes() == RAW
    assert (tmp_path / "out/teams/bikes/data/ready/below/test.csv").read_bytes() == READY["below/test.csv"]
    assert pipeline.edges == kept.edges
    assert set(pipeline.edges) == {
        (f"{folder}/src/prepare.py", "prepare"),
        ("teams/shared/raw.csv", "prepare"),
        ("prepare", "train"),
    }
    assert {file.path for file in pipeline.files} == {
        "teams/shared/raw.csv",
        f"{folder}/src/prepare.py",
        f"{folder}/data/ready",
    }


def test_the_git_remote_of_the_rule_names_the_dvc_remote_within_the_policys_stores_and_proves_the_code(
    installation: Installation, remote: Path, tmp_path: Path
) -> None:
    commit = a_repository(tmp_path / "repository", remote)
    lineage = f"lineage: {{git: {tmp_path / 'repository'}}}"
    installation.use_policy(extra=lineage)
    installation.register()
    log_lock(installation, a_lock(remote))
    run = installation.mlflow.get_model_version(installation.model, "1").run_id
    installation.mlflow.set_tag(run, "mlflow.source.git.commit", commit)
    installation.asked(1)
    named = (Places(), Sources(DvcData(), DeltaTables(), GitMirrors(tmp_path / "mirrors")), installation.s)

    with pytest.raises(Refused, match="which is in none of the policy's artifact_stores"):
        fetch_data(f"models:/{installation.model}/1", tmp_path / "out", *named)
    installation.use_policy(extra=lineage, top=f'artifact_stores: ["mlflow-artifacts:", "{remote}"]')
    report = fetch_data(f"models:/{installation.model}/1", tmp_path / "out", *named)

    assert report.is_good
    assert (report.in_git, report.left) == (("src/prepare.py",), ())
    assert (tmp_path / "out/data/raw.csv").read_bytes() == RAW


# The command


def test_the_command_tells_it_in_words_and_as_json(installation: Installation) -> None:
    installation.approve(installation.asked())

    words = command_line(installation, f"models:/{installation.model}/1")
    plain = command_line(installation, f"models:/{installation.model}@champion", "--json")

    assert (words.returncode, words.stderr) == (0, "")
    assert words.stdout.startswith(f"{installation.model} v1\n")
    assert "the decision, by key" in words.stdout
    assert json.loads(plain.stdout)["requests"][0]["decided_by"] == "Ana Ruiz"


def test_the_command_answers_for_a_moment_and_refuses_what_is_none(installation: Installation) -> None:
    installation.approve(installation.asked())
    uri = f"models:/{installation.model}/1"

    then = command_line(installation, uri, "--at", f"{installation.clock.now().isoformat()}")
    no_moment = command_line(installation, uri, "--at", "yesterday")
    unknown = command_line(installation, f"models:/{installation.model}/99")

    assert f"alias:champion: {installation.model} v1, since " in then.stdout
    assert no_moment.returncode == 2
    assert '"yesterday" is no moment' in no_moment.stderr
    assert unknown.returncode == 4
    assert "there is no version 99" in unknown.stderr


def test_the_command_brings_the_data_back(installation: Installation, remote: Path, tmp_path: Path) -> None:
    installation.approve(installation.asked())
    log_lock(installation, a_lock(remote))
    out = tmp_path / "out"

    done = command_line(installation, f"models:/{installation.model}/1", "--fetch", str(out), "--remote", str(remote))
    nowhere = command_line(installation, f"models:/{installation.model}/1", "--fetch", str(out))

    assert done.returncode == 0, done.stderr
    assert f"md5 {md5_of(RAW)}  sha256 {hashlib.sha256(RAW).hexdigest()}" in done.stdout
    assert "git keeps it, or it was never pushed" in done.stdout
    assert nowhere.returncode == 1
    assert "no rule names the git remote" in nowhere.stderr


@pytest.mark.proof
def test_it_says_by_what_right_a_version_holds_a_target_and_what_was_decided_under_a_former_name(
    installation: Installation,
) -> None:
    installation.promoted()
    installation.register()
    installation.move(2)
    moved = told(installation, 2).holds
    installation.move(1)
    renamed = f"{installation.model}-renamed"
    installation.mlflow.rename_registered_model(installation.model, renamed)
    installation.sweep()

    found = describe(f"models:/{renamed}/1", installation.s)

    assert [one.approval for one in moved] == ["without an approval (foreign)"]
    assert [one.approval for one in found.holds] == ["approved by Ana Ruiz"]
    assert [one.state for one in found.requests] == [State.APPLIED]
