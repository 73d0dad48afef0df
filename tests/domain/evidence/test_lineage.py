"""What a complete lineage has, what is said of one that has gaps, and what the nineteen checks find."""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5, sha256
from typing import Any

import pytest

from bot.domain.card.changes import change_facts
from bot.domain.card.sentences import CardContext
from bot.domain.evidence.dvc_lock import differences
from bot.domain.evidence.lineage import (
    GIT_MIRROR,
    PARTS,
    TITLES,
    TRAINER,
    LoggedFiles,
    Mirrored,
    Provenance,
    RunSeen,
    missing,
    who_vouches,
)
from bot.domain.evidence.lineage_checks import check_lineage
from bot.domain.model import DataSet, Kind, LineageCheck
from bot.domain.policy.rules import LINEAGE_CODES, MIRRORED_CODES, LineageDemand
from bot.domain.request.lifecycle import cast_vote
from bot.dvc.files import read_lock
from bot.errors import Refused
from tests.builders import a_rejection, a_request, a_rule, a_vote, an_evidence

TRAINED_ON = DataSet("rides", "1a2b3c4d", "training")
COMPLETE = an_evidence(datasets=(TRAINED_ON,), commit="4f1d2c9")


def test_nothing_is_missing_from_a_complete_lineage() -> None:
    assert missing(COMPLETE) == ()


@pytest.mark.parametrize(
    ("gap", "sentence"),
    [
        ({"run_id": None}, "there is no run: register the version from the run that trained it"),
        ({"commit": None}, "there is no commit: train from a git checkout, so that the run is tagged with its commit"),
        ({"commit": ""}, "there is no commit: train from a git checkout, so that the run is tagged with its commit"),
        (
            {"datasets": ()},
            "there is no training data set with a digest: "
            "log what the version was trained on as an input of the run, with the context training",
        ),
        ({"author": None}, "there is no author: train under a user name that the run is tagged with"),
        ({"params": {}}, "there is no parameter: log the parameters of the training on the run"),
    ],
)
def test_each_gap_is_said_with_its_mend(gap: dict[str, Any], sentence: str) -> None:
    evidence = an_evidence(**({"datasets": COMPLETE.datasets, "commit": COMPLETE.commit} | gap))

    assert missing(evidence) == (sentence,)


@pytest.mark.parametrize("context", ["eval", "evaluation", "test", "validation", "holdout", "Evaluation", " test "])
def test_data_that_the_version_was_evaluated_on_is_no_training_data(context: str) -> None:
    evidence = an_evidence(datasets=(DataSet("rides", "1a2b3c4d", context),), commit="4f1d2c9")

    assert len(missing(evidence)) == 1


@pytest.mark.parametrize("context", ["training", "train", "", "features"])
def test_data_in_any_other_context_is(context: str) -> None:
    evidence = an_evidence(datasets=(DataSet("rides", "1a2b3c4d", context),), commit="4f1d2c9")

    assert missing(evidence) == ()


def test_a_training_data_set_without_a_digest_could_be_any() -> None:
    evidence = an_evidence(datasets=(DataSet("rides", "", "training"),), commit="4f1d2c9")

    assert len(missing(evidence)) == 1


def test_a_version_of_which_nothing_is_known_lacks_everything() -> None:
    evidence = an_evidence(run_id=None, author=None, params={})

    assert len(missing(evidence)) == len(PARTS)


# The checks

RUN_FILE = '{"run_id": "124d754c0000"}\n'
LOCK = f"""\
stages:
  train:
    cmd: python train.py
    deps:
    - {{path: data/raw.csv, hash: md5, md5: {"a" * 32}, size: 46}}
    params:
      params.yaml: {{train: {{learning_rate: 0.05, seed: 7}}}}
    outs:
    - {{path: mlflow_run.json, hash: md5, md5: {md5(RUN_FILE.encode(), usedforsecurity=False).hexdigest()}}}
"""
COMMIT = "239a8ffd" + "0" * 32
ENVIRONMENT = "e" * 64
GIT = "https://git.example.com/bikes.git"
TAGS = {
    "git_dirty": "false",
    "dvc_lock_sha256": sha256(LOCK.encode()).hexdigest(),
    "data_md5": f"{'a' * 32}  data/raw.csv",
    "environment_sha256": ENVIRONMENT,
}
RUN = RunSeen(
    id="124d754c0000",
    status="FINISHED",
    is_deleted=False,
    tags=TAGS,
    params={"train.learning_rate": "0.05", "seed": "7"},
    metrics=("mae",),
    datasets=(TRAINED_ON,),
)
MIRRORED = Mirrored(
    GIT, is_there=True, branches=("main",), on_main=True, lock=LOCK, author="bea@example.com", changed=()
)
WHOLE = Provenance(
    run=RUN,
    commit=COMMIT,
    code="c0dec0de" * 5,
    files=LoggedFiles(LOCK, RUN_FILE),
    lock=read_lock(LOCK),
    environment=ENVIRONMENT,
    mirrored=MIRRORED,
)


def failures(provenance: Provenance) -> dict[str, str]:
    return {check.code: check.sentence for check in check_lineage(provenance, None) if not check.passed}


def with_run(**changes: Any) -> Provenance:
    return replace(WHOLE, run=replace(RUN, **changes))


def with_tags(**changes: str) -> Provenance:
    return with_run(tags={**TAGS, **changes})


def with_lock(text: str, **tags: str) -> Provenance:
    """A lock that is logged, tagged and committed alike."""
    provenance = with_tags(dvc_lock_sha256=sha256(text.encode()).hexdigest(), **tags)
    mirrored = replace(MIRRORED, lock=text)
    return replace(provenance, files=LoggedFiles(text, RUN_FILE), lock=read_lock(text), mirrored=mirrored)


def with_mirror(**changes: Any) -> Provenance:
    return replace(WHOLE, mirrored=replace(MIRRORED, **changes))


def test_a_whole_trail_passes_every_check_and_the_mirror_vouches_for_it() -> None:
    checks = check_lineage(WHOLE, LineageDemand(git=GIT, block=("L01", "L09")))

    assert [check.code for check in checks] == list(LINEAGE_CODES) == list(TITLES)
    assert all(check.passed for check in checks)
    assert {check.code for check in checks if check.blocks} == {"L01", "L09"}
    assert who_vouches(checks) == GIT_MIRROR


@pytest.mark.parametrize(
    ("provenance", "code", "sentence"),
    [
        (with_run(status="FAILED"), "L02", "run 124d754c is FAILED. "),
        (with_run(is_deleted=True), "L02", "run 124d754c is deleted. "),
        (with_tags(git_dirty="true"), "L04", 'was trained with uncommitted changes (git_dirty is "true"). '),
        (with_tags(git_dirty=""), "L04", "not known: run 124d754c does not say whether all was committed (git_dirty tag is missing). "),
        (with_tags(git_dirty="maybe"), "L04", 'does not say whether all was committed (git_dirty is "maybe"). '),
        (with_mirror(changed=("train.py",)), "L04", "commit 239a8ffd holds other code than the run was trained with: train.py. "),
        (with_mirror(changed=("train.py", "1 more than the first 1000")), "L04", "train.py, 1 more than the first 1000. "),
        (with_mirror(changed=None), "L04", f"the remote {GIT} does not hold the code's commit c0dec0de beside commit 239a8ffd. "),
        (with_tags(dvc_lock_sha256="0" * 64), "L06", "the tag dvc_lock_sha256 says 000000000000, and the logged dvc.lock has "),
        (with_tags(dvc_lock_sha256=""), "L06", "the tag dvc_lock_sha256 is missing, "),
        (with_tags(data_md5=""), "L08", "does not name its source data (tag data_md5). "),
        (with_tags(data_md5=f"{'b' * 32}  data/raw.csv"), "L08", "of the tag data_md5 is no source in dvc.lock. "),
        (with_tags(data_md5=f"{'a' * 32}  data/other.csv"), "L08", "of the tag data_md5 is no source in dvc.lock. "),
        (
            replace(WHOLE, files=LoggedFiles(LOCK, '{"run_id": "another"}')),
            "L09",
            "no lineage/mlflow_run.json names run 124d754c. ",
        ),
        (
            replace(WHOLE, files=LoggedFiles(LOCK, '{"run_id": "124d754c0000", "x": 1}')),
            "L09",
            "dvc.lock does not pin run 124d754c: mlflow_run.json in the lock belongs to another run. ",
        ),
        (
            with_run(params={"train.learning_rate": "0.3", "seed": "7"}),
            "L10",
            "hyperparameters differ between the run and dvc.lock: train.learning_rate: run 0.3 / lock 0.05. ",
        ),
        (with_run(params={"model__seed": "1"}), "L10", "the run and dvc.lock have no parameter in common. "),
        (with_run(metrics=()), "L11", "run 124d754c has no metrics. "),
        (replace(WHOLE, same_run=("bike v2",)), "L12", "run 124d754c already produced bike v2. "),
        (replace(WHOLE, same_commit=("bike v2",)), "L13", "commit 239a8ffd already produced bike v2. "),
        (with_mirror(branches=()), "L14", f"commit 239a8ffd is in no branch of {GIT}. "),
        (with_mirror(lock=LOCK + "\n"), "L15", "dvc.lock at commit 239a8ffd is another one than the run keeps. "),
        (with_mirror(lock=None), "L15", f"commit 239a8ffd of {GIT} holds no dvc.lock. "),
        (with_mirror(on_main=False), "L16", f"commit 239a8ffd is not on main of {GIT}. "),
        (with_tags(environment_sha256=""), "L17", "the environment has no digest (tag environment_sha256). "),
        (replace(WHOLE, environment="f" * 64), "L17", "says eeeeeeeeeeee, and the logged model has ffffffffffff. "),
        (with_run(params={"train.learning_rate": "0.05"}), "L18", "no parameter is a seed (seed, random_state, random_seed). "),
        (with_run(datasets=()), "L19", "the run names no training data set with a digest. "),
    ],
)  # fmt: skip
def test_each_alteration_is_found_by_the_check_that_names_it(provenance: Provenance, code: str, sentence: str) -> None:
    found = failures(provenance)

    assert list(found) == [code]
    assert sentence in found[code]
    assert ". Fix: " in found[code]


@pytest.mark.parametrize(("kept", "committed"), [("\r\n", "\n"), ("\n", "\r\n"), ("\r\n", "\r\n")])
def test_a_lock_with_the_line_ends_of_windows_is_the_one_that_was_committed(kept: str, committed: str) -> None:
    provenance = with_lock(LOCK.replace("\n", kept))

    assert failures(replace(provenance, mirrored=replace(MIRRORED, lock=LOCK.replace("\n", committed)))) == {}


def test_a_file_without_a_hash_is_found() -> None:
    found = failures(with_lock(LOCK.replace("a" * 32, "''"), data_md5=""))

    assert list(found) == ["L07", "L08"]
    assert "dvc.lock has no md5 for data/raw.csv. " in found["L07"]


def test_without_a_lock_what_needs_it_is_not_checked_and_nothing_else_fails() -> None:
    found = failures(replace(WHOLE, files=LoggedFiles(unread="The store is closed."), lock=None))

    assert list(found) == ["L05", "L06", "L07", "L08", "L09", "L10", "L15"]
    assert "the run keeps no lineage/dvc.lock (The store is closed). " in found["L05"]
    assert found["L07"] == "not checked: the hashes of what was read and written, because there is no dvc.lock."


def test_a_lock_that_cannot_be_read_says_so() -> None:
    found = failures(replace(WHOLE, lock=None, lock_trouble="has no stages"))

    assert "lineage/dvc.lock has no stages. " in found["L05"]


@pytest.mark.parametrize("commit", ["", "HEAD", "239a8ffd", "239A8FFD" + "0" * 32])
def test_a_commit_that_is_none_is_found(commit: str) -> None:
    found = failures(replace(WHOLE, commit=commit, mirrored=Mirrored(GIT, is_there=False)))

    assert list(found) == ["L03", "L04", "L13", "L14", "L15", "L16"]


def test_a_version_without_a_run_fails_what_the_run_would_tell() -> None:
    found = failures(Provenance(run=None))

    assert "the version leads to no run. " in found["L01"]
    assert list(found) == list(LINEAGE_CODES)


def test_without_a_mirror_everything_is_the_trainers_own_word() -> None:
    checks = check_lineage(replace(WHOLE, mirrored=None), LineageDemand())

    left = [check for check in checks if not check.passed]
    assert [check.code for check in left] == list(MIRRORED_CODES)
    assert all(check.sentence.startswith("not checked: no git remote is configured. ") for check in left)
    assert not any(check.blocks for check in left)
    assert who_vouches(checks) == TRAINER


@pytest.mark.parametrize("code", ["L14", "L15"])
def test_the_mirror_vouches_for_nothing_that_it_contradicts(code: str) -> None:
    provenance = with_mirror(branches=()) if code == "L14" else with_mirror(lock="another")

    assert who_vouches(check_lineage(provenance, None)) == TRAINER


@pytest.mark.parametrize(
    ("run", "lock", "equal"),
    [
        ("0.05", "5e-2", True),
        ("True", "true", True),
        ("None", "null", True),
        ("[1, 'a']", "[1, a]", True),
        ("100", "100.0", True),
        ("relu", "relu", True),
        ("0.05", "0.051", False),
        ("relu", "Relu", False),
        ("False", "0", False),
    ],
)
def test_a_value_is_the_same_in_whatever_way_it_is_written(run: str, lock: str, equal: bool) -> None:
    same, other = differences({"x": run}, {"train.x": lock})

    assert (same, len(other)) == ((1, 0) if equal else (0, 1))


def test_a_short_name_that_could_mean_two_locked_parameters_is_compared_with_neither() -> None:
    assert differences({"x": "1"}, {"train.x": "2", "prepare.x": "1"}) == (0, ())


# What blocks

FAILED = LineageCheck("L09", False, "dvc.lock does not pin the run. Why. Fix: it.", blocks=True)
NOTED = LineageCheck("L18", False, "no seed. Why. Fix: it.")
BLOCKED = an_evidence(datasets=(TRAINED_ON,), commit=COMMIT, lineage=(FAILED, NOTED), vouched_by=TRAINER)
STRICT = a_rule(lineage=LineageDemand(block=("L09",)))


def test_nobody_may_approve_what_a_blocking_check_stands_against_but_they_may_reject_it() -> None:
    request = a_request(evidence=BLOCKED)

    with pytest.raises(Refused, match=r"so it can only be rejected\. L09 failed: dvc\.lock does not pin the run"):
        cast_vote(request, a_vote("cy"), STRICT, "sha256:1")
    assert cast_vote(request, a_rejection("cy"), STRICT, "sha256:1")


def test_the_rule_as_it_stands_now_says_what_blocks() -> None:
    assert cast_vote(a_request(evidence=BLOCKED), a_vote("cy"), a_rule(), "sha256:1")


def test_the_way_back_to_what_was_approved_once_stays_open() -> None:
    request = a_request(evidence=BLOCKED, kind=Kind.ROLLBACK)

    assert cast_vote(request, a_vote("cy"), STRICT, "sha256:1")


def test_the_fast_track_misses_what_the_rule_insists_on() -> None:
    assert missing(BLOCKED) == (f"L09 failed: {FAILED.sentence}",)


def test_the_card_says_in_one_line_on_whose_word_and_what_is_wrong() -> None:
    lines = {
        "none": an_evidence(),
        "blocked": BLOCKED,
        "noted": replace(BLOCKED, lineage=(NOTED,)),
        "whole": replace(BLOCKED, lineage=(replace(NOTED, passed=True),), vouched_by=GIT_MIRROR),
    }

    told = {
        name: [
            fact.value
            for fact in change_facts(a_request(evidence=evidence), CardContext({}, None))
            if fact.label == "Lineage"
        ]
        for name, evidence in lines.items()
    }

    assert told == {
        "none": [],
        "blocked": [
            "cannot be approved without: lock pins the run (failed); 0 of 2 lineage checks passed, 2 failed; failed: seed; "
            "self-reported by the trainer",
        ],
        "noted": ["0 of 1 lineage check passed, 1 failed; failed: seed; self-reported by the trainer"],
        "whole": ["1 of 1 lineage check passed; confirmed by the git mirror"],
    }
