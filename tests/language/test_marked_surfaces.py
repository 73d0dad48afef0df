"""On the surfaces that are translated, no literal reaches a person without a mark."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.language.marked import ROOT

SURFACES = (
    "bot/clients/slack/blocks.py",
    *sorted(
        f"bot/domain/card/{path.name}"
        for path in (ROOT / "bot" / "domain" / "card").glob("*.py")
        if path.name != "sample.py"  # its values are those of a request that was never made
    ),
    "bot/domain/digest/card.py",
    "bot/domain/digest/chart.py",
    "bot/domain/digest/control.py",
    "bot/domain/break_glass/breaking.py",
    "bot/domain/break_glass/offer.py",
    "bot/domain/break_glass/reviewing.py",
    "bot/domain/card/break_glass/messages.py",
    "bot/domain/card/break_glass/sentences.py",
    "bot/domain/digest/glass_findings.py",
    "bot/domain/digest/findings.py",
    "bot/domain/digest/mail.py",
    "bot/domain/digest/overview.py",
    "bot/domain/digest/policy_changes.py",
    "bot/domain/digest/sentences.py",
    "bot/domain/digest/sign_off.py",
    "bot/domain/digest/thread.py",
    "bot/domain/queries/description.py",
    "bot/domain/queries/history.py",
    "bot/domain/queries/metric_line.py",
    "bot/domain/evidence/caps.py",
    "bot/domain/evidence/changes.py",
    "bot/domain/evidence/check_results.py",
    "bot/domain/evidence/lineage.py",
    "bot/domain/evidence/lineage_checks.py",
    "bot/domain/evidence/lock_checks.py",
    "bot/domain/evidence/mirror_checks.py",
    "bot/domain/evidence/training_commands.py",
    "bot/domain/grounds.py",
    "bot/domain/registry/comparisons.py",
    "bot/domain/registry/decided.py",
    "bot/domain/request/fast_track.py",
    "bot/domain/request/fast_track_metrics.py",
    "bot/domain/request/lifecycle.py",
    "bot/domain/request/rollback.py",
    "bot/domain/request/voting.py",
    "bot/links.py",
    "bot/passkeys.py",
    "bot/reports/chart.py",
    "bot/reports/coverage.py",
    "bot/reports/document.py",
    "bot/reports/figures.py",
    "bot/reports/tables.py",
    "bot/reports/values.py",
    "handlers/digest/closing.py",
    "handlers/digest/coverage.py",
    "handlers/digest/delivery.py",
    "handlers/digest/events.py",
    "handlers/digest/files.py",
    "handlers/digest/gathering.py",
    "handlers/digest/inventory.py",
    "handlers/digest/ledger.py",
    "handlers/digest/sign_off.py",
    "handlers/doors/errors.py",
    "handlers/doors/front_pages.py",
    "handlers/doors/page_language.py",
    "handlers/doors/pages.py",
    "handlers/doors/passkey_pages.py",
    "handlers/doors/readers.py",
    "handlers/doors/record_pages.py",
    "handlers/doors/sign_in.py",
    "bot/reports/metric_plot.py",
    "handlers/break_glass/deeds.py",
    "handlers/break_glass/offering.py",
    "handlers/break_glass/reviews.py",
    "handlers/doors/commands/asked.py",
    "handlers/doors/commands/deciding.py",
    "handlers/doors/commands/people.py",
    "handlers/doors/commands/records.py",
    "handlers/doors/commands/table.py",
    "handlers/doors/commands/waiting.py",
    "handlers/doors/slack_commands.py",
    "handlers/doors/web_frame.py",
    "handlers/ledger/checkpoints.py",
    "handlers/notify/announcements.py",
    "handlers/notify/card_and_ticket.py",
    "handlers/notify/details.py",
    "handlers/notify/plots.py",
    "handlers/notify/registry_notes.py",
    "handlers/notify/render_context.py",
    "handlers/notify/ticket_writes.py",
    "handlers/policy/kill_switch.py",
    "handlers/queries/describe.py",
    "handlers/queries/ledger_page.py",
    "handlers/queries/overview.py",
    "handlers/queries/request_rows.py",
    "handlers/queries/past_holders.py",
    "handlers/request/absences.py",
    "handlers/request/approvals.py",
    "handlers/request/askers.py",
    "handlers/request/buttons/call_off.py",
    "handlers/request/buttons/passkeys.py",
    "handlers/request/buttons/roll_back.py",
    "handlers/request/casting.py",
    "handlers/request/confirming.py",
    "handlers/request/passkeys.py",
    "handlers/request/voters.py",
)
MARKS = {"_", "N_", "ngettext", "pgettext", "recorded"}
# Their texts are for administrators, logs and programs: English.
UNREAD = {"Rejected", "Permanent", "TypeError", "warning", "info", "compile"}
SHOWN = {"Card", "Fact", "Link", "Button", "Confirm", "Reply", "Refused", "as_sentence", "sentences"}
READ = {"title", "summary", "facts", "paragraphs", "footer", "label", "value", "text", "yes", "no"}
ALLOWED = {
    ("bot/domain/card/card.py", "under way"),  # a colour
    ("bot/domain/card/fast_track_sentences.py", ", so a person decides"),  # is taken off a recorded sentence
    ("bot/domain/card/fast_track_sentences.py", ": a person decides"),
    ("bot/domain/card/metrics_table.py", "logged model"),  # as evidence has it
    *(
        ("bot/domain/card/request_card.py", action)
        for action in ("call_off", "roll_back", "reject", "approve", "ask", "reassign")
    ),
    ("bot/domain/card/titles.py", "Put back"),  # a key; its text is marked with a context
    ("bot/domain/evidence/caps.py", "data sets"),  # as `WHAT` marks them
    ("bot/domain/evidence/caps.py", "values of "),
    ("bot/domain/evidence/caps.py", "too long: "),  # in a signature that is too long for the record
    ("bot/domain/evidence/changes.py", "data sets"),
    ("bot/domain/evidence/lineage.py", "not checked: "),  # how recorded sentences begin
    ("bot/domain/evidence/lineage.py", "not known: "),
    ("bot/domain/evidence/lineage.py", "the run keeps no lineage/dvc.lock"),
    ("bot/domain/evidence/lineage.py", "git mirror"),  # who vouches, as evidence has it
    ("bot/domain/evidence/training_commands.py", "`countersign register"),
    ("bot/domain/grounds.py", "rolled back"),
    ("bot/domain/grounds.py", "called off"),
    *(("bot/domain/registry/decided.py", text) for text in ("settled already", "it is ")),  # for logs
    ("bot/domain/registry/decided.py", " cannot go back to "),  # of a parked job, for administrators
    ("bot/domain/registry/decided.py", ", which is no longer in the registry. Request another version for it"),
    ("bot/reports/metric_plot.py", "outside lower left"),
    ("handlers/notify/announcements.py", "countersign request-transition --name"),
    ("handlers/notify/registry_notes.py", "countersign registry accept --reason TEXT"),
    ("handlers/ledger/checkpoints.py", "its columns do not say what was signed"),  # for `audit verify`
    ("handlers/ledger/checkpoints.py", "no key of this ledger has signed it"),
    ("handlers/doors/commands/deciding.py", "/countersign"),
    ("handlers/doors/commands/records.py", "/countersign"),
    ("handlers/doors/commands/table.py", "Countersign"),
    ("handlers/doors/commands/table.py", "/countersign"),
    ("bot/domain/digest/findings.py", "countersign digest --week "),
    ("bot/domain/digest/mail.py", "<!doctype html>"),
    ("bot/domain/digest/mail.py", '"><head>'),
    ("bot/domain/digest/mail.py", "</title></head>"),
    ("bot/domain/digest/mail.py", "<tr><th "),
    ("bot/domain/digest/chart.py", "<"),
    ("bot/reports/chart.py", "lower right"),
    (
        "handlers/digest/closing.py",
        " is not closed",
    ),  # the next ones are for whoever runs the bot, in jobs and on the command line
    ("handlers/digest/delivery.py", " Ask whether it came"),
    ("handlers/digest/delivery.py", "It is not known whether the mail"),
    ("handlers/digest/delivery.py", " UTC was delivered."),
    ("handlers/digest/events.py", " speaks of a request that has no row"),
    ("handlers/digest/events.py", " is no refused vote"),
    ("handlers/digest/ledger.py", "\n    select seq, fault"),
    ("handlers/queries/describe.py", " has no alias "),
    ("handlers/queries/describe.py", ". See what is held with"),
    ("handlers/request/passkeys.py", "say why, with --reason"),
    ("handlers/doors/errors.py", "a text or number in it"),  # the next two answer programs
    ("handlers/doors/errors.py", "a text in it is not UTF-8"),
    ("handlers/doors/page_language.py", "<time datetime"),
    ("handlers/doors/passkey_pages.py", "default-src"),
    ("bot/domain/request/voting.py", " is already "),  # for logs; a person reads `who_decided`
}
WORDS = re.compile(r"[a-z]{2,} [a-z]{2,}")
LETTERS = re.compile(r"[A-Za-z]{2,}")


def unmarked(source: str) -> Iterator[str]:
    """Sentences outside of a mark, and single words that are given to what people see."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    yield from _in(tree, docstrings, is_shown=False)


def _in(node: ast.AST, docstrings: set[int], *, is_shown: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        name = _name(child.func) if isinstance(child, ast.Call) else ""
        if name in MARKS | UNREAD or id(child) in docstrings:
            continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            if WORDS.search(child.value) or (is_shown and LETTERS.search(child.value)):
                yield child.value
        elif not isinstance(child, ast.JoinedStr) or is_shown or _says_something(child):
            yield from _in(child, docstrings, is_shown=name in SHOWN if name else is_shown and _keeps(child))


def _says_something(text: ast.JoinedStr) -> bool:
    return any(isinstance(part, ast.Constant) and WORDS.search(str(part.value)) for part in text.values)


def _keeps(node: ast.AST) -> bool:
    """What is shown is the value of these, and not, for example, what a comparison is with."""
    if isinstance(node, ast.keyword):
        return node.arg in READ
    return isinstance(node, ast.JoinedStr | ast.IfExp | ast.Tuple | ast.Starred | ast.BoolOp)


def _name(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")


@pytest.mark.parametrize("surface", SURFACES)
def test_a_text_on_a_translated_surface_is_marked(surface: str) -> None:
    found = unmarked((ROOT / surface).read_text())

    allowed = tuple(text for where, text in ALLOWED if where == surface)
    assert [text for text in found if not (allowed and text.startswith(allowed))] == []


@pytest.mark.parametrize(
    "source",
    [
        'raise Refused("you may not")',
        'raise Refused(f"only {names} may do this")',
        'said = "nobody has voted"',
        'Card("Title", _("marked"))',
        'Fact(_("Label"), "value" if yes else _("no"))',
        'Button(CONFIRM, f"Confirm {name}", key)',
        'return sentences(_("One thing."), "Another")',
        'SENTENCES = {State.OPEN: "still open now"}',
    ],
)
def test_a_text_without_a_mark_is_found(source: str) -> None:
    assert list(unmarked(f"def f():\n    {source}\n"))


def test_marks_docstrings_names_and_logs_are_no_findings() -> None:
    source = '"""A module of texts."""\nlog.warning("not sent at all", why=why)\nCard(_("Title here"), said, key=f"card:{id}")\n'

    assert list(unmarked(source)) == []


def in_templates(source: str) -> list[str]:
    """The texts that are marked inside of an f-string, where `make messages` does not see them."""
    templates = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr)]
    calls = [node for one in templates for node in ast.walk(one) if isinstance(node, ast.Call)]
    marked = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in MARKS and call.args]
    return [call.args[0].value for call in marked if isinstance(call.args[0], ast.Constant)]


def test_no_text_is_marked_where_it_is_not_taken_out() -> None:
    assert in_templates("f\"{_('one')} and {other}\"") == ["one"]
    sources = [path for package in ("bot", "handlers", "config") for path in (ROOT / package).rglob("*.py")]

    assert {path.name: found for path in sources if (found := in_templates(path.read_text()))} == {}
