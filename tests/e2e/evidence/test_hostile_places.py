"""What a trainer writes into the lineage hides no loss, neither of the trainer's own evidence nor of others'."""

from __future__ import annotations

import json

import pytest

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
