"""What a trainer writes into the lineage hides no loss, neither of the trainer's own evidence nor of others'."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handlers.evidence.looking import MOST_DATA
from tests.clients.test_git import Remote
from tests.clients.test_git import remote as remote
from tests.e2e.evidence.test_losses import look, lost
from tests.fixtures.installation import Installation


@pytest.mark.parametrize("path", ["a\0b/c", "a/" * 50_000 + "b"], ids=["NUL", "deep"])
def test_a_path_that_git_cannot_be_asked_for_hides_no_loss(
    path: str, installation: Installation, remote: Remote
) -> None:
    lock = f"stages: {{train: {{cmd: x, outs: [{{path: {json.dumps(path)}, md5: {'0' * 32}, hash: md5}}]}}}}"
    commit = remote.commit("dvc.lock", lock)
    installation.use_policy(extra=f"lineage: {{git: {remote.path}}}", top='artifact_stores: ["mlflow-artifacts:"]\n')
    version = installation.register(tags={"git_commit": commit})
    installation.mlflow.log_text(installation.run_of(version), lock, "lineage/dvc.lock")
    installation.promoted(version)
    look(installation)

    installation.mlflow.delete_run(installation.run_of(version))
    look(installation)

    assert lost(installation) == [("run", ("deleted",))]


def test_data_is_looked_after_beside_however_much_code_the_lock_names(
    installation: Installation, remote: Remote, tmp_path: Path
) -> None:
    storage, md5 = tmp_path / "storage", "ab" + "0" * 30
    there = storage / "files/md5" / md5[:2] / md5[2:]
    there.parent.mkdir(parents=True)
    there.write_text("hour,rides")
    code = ", ".join(f"{{path: app/{n}.py, md5: {n:032x}, hash: md5}}" for n in range(MOST_DATA))
    lock = f"stages: {{train: {{cmd: x, deps: [{code}, {{path: data/raw.csv, md5: {md5}, hash: md5}}]}}}}"
    remote.commit(".dvc/config", f"['remote \"storage\"']\n    url = {storage}\n")
    commit = remote.commit("dvc.lock", lock)
    stores = f'artifact_stores: ["mlflow-artifacts:", "{storage}/"]\n'
    installation.use_policy(extra=f"lineage: {{git: {remote.path}}}", top=stores)
    version = installation.register(tags={"git_commit": commit, "data_md5": f"{md5}  data/raw.csv"})
    installation.mlflow.log_text(installation.run_of(version), lock, "lineage/dvc.lock")
    installation.promoted(version)
    look(installation)

    there.unlink()
    look(installation)

    assert lost(installation) == [("data", ("data/raw.csv",))]
