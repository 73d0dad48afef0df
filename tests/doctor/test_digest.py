"""`countersign doctor` and the weekly digest: what is well, and one thing wrong at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.doctor.findings import Finding, Status
from tests.fixtures.doctor_world import Installation
from tests.fixtures.post_office import PostOffice, serving_mail

DIGEST = """
digest:
  timezone: Europe/Madrid
  notify: {slack: "#compliance"}
  ticket: {project: GOV, type: Task}
  email: [audit@example.com]
"""


@pytest.fixture
def post() -> PostOffice:
    return PostOffice()


@pytest.fixture
def planned(installed: Installation, post: PostOffice) -> Iterator[Installation]:
    installed.rewrite_policy("\nrules:", f"{DIGEST}rules:")
    with serving_mail(post) as port:
        installed.environ["SMTP_URL"] = f"smtp://127.0.0.1:{port}?from=countersign@example.com"
        yield installed


def found(planned: Installation) -> dict[str, Finding]:
    return {finding.what: finding for finding in planned.examine()}


def test_it_says_when_the_next_one_is_due_and_who_gets_it(planned: Installation, post: PostOffice) -> None:
    said = found(planned)

    assert said["digest"].status is Status.OK
    assert said["digest"].why.endswith("at 09:00 (Europe/Madrid), to #compliance, a ticket in GOV, audit@example.com")
    assert said["digest report"].status is said["digest mail"].status is Status.OK
    assert said["slack channel #compliance"].status is Status.OK
    assert said["jira permissions in GOV for the digest"].status is Status.OK
    assert post.mails == []


def test_without_a_plan_nothing_is_asked_of_anyone(installed: Installation) -> None:
    said = found(installed)

    assert said["digest"].why.startswith("not planned")
    assert not {"digest report", "digest mail"} & said.keys()


def test_a_channel_without_the_bot_is_a_failure(planned: Installation) -> None:
    planned.slack.workspace.channel("compliance").bot_is_member = False

    assert planned.troubles()["slack channel #compliance"].fix == "write `/invite @Countersign` there"


def test_a_project_that_takes_no_attachments_is_a_failure(planned: Installation) -> None:
    planned.jira.denied_permissions = frozenset({"CREATE_ATTACHMENTS"})

    why = planned.troubles()["jira permissions in GOV for the digest"].why

    assert why == "the account lacks CREATE_ATTACHMENTS (to attach the report and the records)"


def test_a_mail_server_that_is_down_is_a_failure(planned: Installation) -> None:
    planned.environ["SMTP_URL"] = "smtp://127.0.0.1:9?from=countersign@example.com"

    trouble = planned.troubles()["digest mail"]

    assert "127.0.0.1:9 cannot be reached" in trouble.why
    assert "tried again" not in trouble.why


@pytest.mark.parametrize(
    ("name", "template", "line"),
    [
        ("report.html", "<h1>\n{{ report.title }\n", 2),
        (
            "report.html",
            "{% for section in report.sections %}{% for table in section.tables %}\n"
            "{% for r in table.rows %}\n{{ r.nope }}\n{% endfor %}{% endfor %}{% endfor %}",
            3,
        ),
        (
            "report.typ",
            "#let report = json(bytes(sys.inputs.report))\n#for section in report.sections { for table in section.tables {\n"
            "for r in table.rows {\n[#r.nope]\n} } }",
            4,
        ),
        ("report.html", "{% if report.quiet %}\n{{ report.nope }}\n{% endif %}", 2),
        ("report.html", '{% extends "countersign/report.html" %}\n{% block foot %}{% endblock %}', 2),
    ],
    ids=["on every page", "in a row of the page", "in a row of the PDF", "in a quiet week", "in a block that is none"],
)
def test_a_broken_template_is_named_with_its_line(
    planned: Installation, tmp_path: Path, name: str, template: str, line: int
) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / name).write_text(template)
    planned.environ["COUNTERSIGN_TEMPLATES"] = str(templates)

    trouble = planned.troubles()["digest report"]

    assert f"{templates / name} line {line}" in trouble.why
    assert trouble.why.endswith("Mend the template.")
    assert trouble.fix == ""


def test_a_broken_logo_is_named(planned: Installation, tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text("<svg")
    planned.environ["COUNTERSIGN_TEMPLATES"] = str(tmp_path)

    trouble = planned.troubles()["digest report"]

    assert trouble.why.startswith(f"{tmp_path / 'logo.svg'}: failed to parse SVG")
    assert trouble.why.endswith("Mend the logo.")
