"""The gate's answer as text for people, and as JSON, JUnit, SARIF and GitHub annotations for CI systems."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from xml.etree import ElementTree  # nosec B405

from bot.domain.attestation.gate import GateResult
from bot.domain.attestation.sealed_places import place_as_plain

SUITE = "countersign gate"
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"


def as_text(result: GateResult) -> str:
    """The answer, then a line for each reason."""
    head = f"{_answer(result)}: {result.uri} for {result.target}"
    sealed = [f"  Sealed at {printable(result.sealed.uri)}."] if result.allowed and result.sealed else []
    return "\n".join([head, *(f"  {printable(reason.sentence)}" for reason in result.reasons), *sealed])


def as_json(result: GateResult) -> str:
    """`version` is the resolved one; `decided` is false when there was no answer."""
    return json.dumps(
        {
            "allowed": result.allowed,
            "decided": result.decided,
            "version": result.uri,
            "target": str(result.target),
            "artifacts": result.artifacts or None,
            **({"sealed": place_as_plain(result.sealed)} if result.sealed else {}),
            "reasons": [{"why": str(reason.why), "sentence": reason.sentence} for reason in result.reasons],
        },
        indent=2,
    )


def as_junit(result: GateResult) -> str:
    """One test case. Denied is a failure, and cannot tell is an error."""
    suite = ElementTree.Element("testsuite", name=SUITE, tests="1", failures="0", errors="0", skipped="0")
    case = ElementTree.SubElement(
        suite, "testcase", classname=printable(result.uri), name=printable(f"may ship to {result.target}")
    )
    sentences = "\n".join(printable(reason.sentence) for reason in result.reasons)
    if result.allowed:
        ElementTree.SubElement(case, "system-out").text = sentences
    else:
        kind, counter = ("failure", "failures") if result.decided else ("error", "errors")
        suite.set(counter, "1")
        first = result.reasons[0]
        ElementTree.SubElement(case, kind, message=printable(first.sentence), type=str(first.why)).text = sentences
    whole = ElementTree.Element("testsuites", {key: suite.get(key, "") for key in ("tests", "failures", "errors")})
    whole.append(suite)
    ElementTree.indent(whole)
    return ElementTree.tostring(whole, encoding="unicode", xml_declaration=True)


def as_sarif(result: GateResult) -> str:
    """SARIF 2.1.0: one result for each reason against the version; none when it is allowed."""
    against = () if result.allowed else result.reasons
    location = {
        "physicalLocation": {"artifactLocation": {"uri": result.uri}},
        "logicalLocations": [{"fullyQualifiedName": f"{result.uri} for {result.target}", "kind": "resource"}],
    }
    rules = sorted({str(reason.why) for reason in against})
    run = {
        "tool": {"driver": {"name": SUITE, "rules": [{"id": rule, "name": rule} for rule in rules]}},
        "invocations": [{"executionSuccessful": result.decided}],
        "results": [
            {
                "ruleId": str(reason.why),
                "ruleIndex": rules.index(str(reason.why)),
                "level": "error",
                "message": {"text": printable(reason.sentence)},
                "locations": [location],
            }
            for reason in against
        ],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def as_github(result: GateResult) -> str:
    """Workflow commands, one line per reason, which GitHub shows as annotations of the run.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    level = "notice" if result.allowed else "error"
    title = _property(f"{_answer(result)}: {result.uri} for {result.target}")
    return "\n".join(f"::{level} title={title}::{_message(reason.sentence)}" for reason in result.reasons)


RENDER: Mapping[Format, Callable[[GateResult], str]] = {
    Format.TEXT: as_text,
    Format.JSON: as_json,
    Format.JUNIT: as_junit,
    Format.SARIF: as_sarif,
    Format.GITHUB: as_github,
}


def _answer(result: GateResult) -> str:
    if not result.decided:
        return "cannot tell"
    return "allowed" if result.allowed else "denied"


def printable(text: str) -> str:
    """Only printable characters: names and reasons are untrusted and could control a terminal or break a line."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _message(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
