"""What CI systems read of the gate's answer: JSON, JUnit, SARIF and GitHub's annotations, each as its readers demand it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bot.domain.attestation.gate import GateResult, Reason, ReasonCode
from bot.domain.model import Target
from bot.gate.reports import RENDER, Format
from tests.gate.approvals import Shelf, gate

CHAMPION = Target.parse("alias:champion")
NASTY = "it was <b>rejected</b> & 100% \x1b[31mwrong\n::error::see]]>"
ALLOWED = GateResult(True, (Reason(ReasonCode.APPROVED, "Approved by Cy."),), "models:/bike/7", CHAMPION, "sha256:ab")
DENIED = GateResult(
    False,
    (Reason(ReasonCode.REJECTED, NASTY), Reason(ReasonCode.OTHER_TARGET, "Another.")),
    "models:/bike,x/7",
    CHAMPION,
)
UNDECIDED = GateResult(
    False, (Reason(ReasonCode.CANNOT_TELL, "MLflow is down."),), "models:/bike@champion", CHAMPION, decided=False
)


def render(form: Format, result: GateResult) -> str:
    return RENDER[form](result)


def test_text_has_the_answer_and_a_line_for_each_reason() -> None:
    assert render(Format.TEXT, ALLOWED).splitlines() == [
        "allowed: models:/bike/7 for alias:champion",
        "  Approved by Cy.",
    ]
    assert len(render(Format.TEXT, DENIED).splitlines()) == 3
    assert "\x1b" not in render(Format.TEXT, DENIED)
    assert render(Format.TEXT, UNDECIDED).startswith("cannot tell: models:/bike@champion")


def test_json_says_all_there_is_to_say() -> None:
    assert json.loads(render(Format.JSON, ALLOWED)) == {
        "allowed": True,
        "decided": True,
        "version": "models:/bike/7",
        "target": "alias:champion",
        "artifacts": "sha256:ab",
        "reasons": [{"why": "approved", "sentence": "Approved by Cy."}],
    }
    assert json.loads(render(Format.JSON, UNDECIDED))["decided"] is False


@pytest.mark.parametrize(
    ("result", "failures", "errors"), [(ALLOWED, 0, 0), (DENIED, 1, 0), (UNDECIDED, 0, 1)], ids=["0", "1", "3"]
)
def test_junit_counts_what_it_holds(result: GateResult, failures: int, errors: int) -> None:
    whole = ElementTree.fromstring(render(Format.JUNIT, result))

    suite, case = whole.find("testsuite"), whole.find("testsuite/testcase")
    assert suite is not None
    assert case is not None
    assert (whole.tag, case.get("classname")) == ("testsuites", result.uri)
    assert (len(case.findall("failure")), len(case.findall("error"))) == (failures, errors)
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", str(failures), str(errors))
    for told in (*case.findall("failure"), *case.findall("error")):
        assert "\x1b" not in (told.get("message") or "")
        assert told.get("type") == result.reasons[0].why


@pytest.mark.parametrize("result", [ALLOWED, DENIED, UNDECIDED], ids=["allowed", "denied", "undecided"])
def test_sarif_has_what_its_schema_demands(result: GateResult) -> None:
    """https://docs.oasis-open.org/sarif/sarif/v2.1.0: the required parts, and that what refers to something finds it."""
    report = json.loads(render(Format.SARIF, result))

    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert [one["executionSuccessful"] for one in run["invocations"]] == [result.decided]
    assert len(run["results"]) == (0 if result.allowed else len(result.reasons))
    for found in run["results"]:
        assert driver["rules"][found["ruleIndex"]]["id"] == found["ruleId"]
        assert found["level"] in {"none", "note", "warning", "error"}
        assert found["message"]["text"]
        assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == result.uri


def test_github_gets_one_command_a_line_that_nothing_from_outside_can_forge() -> None:
    first, second = render(Format.GITHUB, DENIED).splitlines()

    assert first.startswith("::error title=denied%3A models%3A/bike%2Cx/7 for alias%3Achampion::it was <b>rejected</b>")
    assert "100%25" in first
    assert second.endswith("::Another.")
    assert render(Format.GITHUB, ALLOWED).startswith("::notice title=allowed%3A")


def test_a_report_goes_to_a_file_and_text_to_the_terminal(shelf: Shelf, key: str, tmp_path: Path) -> None:
    shelf.approved()
    file = tmp_path / "gate.xml"
    arguments = ("check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key, "--format", "junit")

    to_file = gate(shelf.url, *arguments, "--out", str(file))
    to_screen = gate(shelf.url, *arguments)

    assert (to_file.code, to_file.out) == (0, f"models:/{shelf.model}/1\n")
    assert ElementTree.parse(file).getroot().get("failures") == "0"
    assert ElementTree.fromstring(to_screen.out).tag == "testsuites"


def test_a_report_that_cannot_be_written_is_wrong_usage(shelf: Shelf, key: str, tmp_path: Path) -> None:
    shelf.approved()

    told = gate(
        shelf.url,
        "check",
        f"models:/{shelf.model}/1",
        "--target",
        "alias:champion",
        "--key",
        key,
        "--out",
        str(tmp_path),
    )

    assert told.code == 2
    assert "cannot be written" in told.err
