"""`countersign policy check` as CI calls it."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.command_line import countersign

LATE = """
version: 1
groups: {leads: {people: [ana@example.com, ben@example.com]}}
rules:
  - models: "bike-*"
    target: {alias: champion}
    ask_on: [{alias: candidate}]
    observed: report
    notify: {slack: "#model-approvals"}
    approve: {all_of: [{group: leads, quorum: 1}]}
    remind_after: 4d
    expire_after: 3d
"""


def test_with_strict_a_notice_fails_as_a_mistake_does(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(LATE)

    usual = countersign("policy", "check", "--offline", str(file))
    strict = countersign("policy", "check", "--strict", "--offline", str(file))

    assert (usual.returncode, strict.returncode) == (0, 1)
    assert "remind_after" in strict.stdout + strict.stderr
