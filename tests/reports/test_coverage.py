"""The report's sections about what it covers: sign-off, rules, people, scope and glossary, from figures that were frozen."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from bot.domain.digest.control import FORM, Control, Earlier
from bot.domain.digest.figures import EarlierApproval, FindingKind, LedgerFigures, Listed, blank
from bot.domain.digest.findings import ledger_broken
from bot.domain.digest.json_form import as_json, read_digest
from bot.domain.digest.overview import overview
from bot.domain.digest.sign_off import SignOff
from bot.reports.document import document_of
from bot.reports.html import html_of
from bot.reports.shape import Section
from tests.builders.digest import ODD_NAMES, PERIOD, a_control, a_digest, a_quiet_digest, a_transition, at, listed

SIGNED = "Signed off by Ana Ruiz on 2026-11-23 12:00 UTC+01:00, without remarks"


def section(id_: str, **changes: object) -> Section:
    return next(one for one in document_of(a_digest(**changes)).sections if one.id == id_)


def cells(shown: Section, table: int = 0) -> list[list[str]]:
    return [[cell.text for cell in row] for row in shown.tables[table].rows]


def test_each_rule_is_there_in_words_with_its_hash_and_since_when() -> None:
    first, before = cells(section("rules"))

    assert first == [
        "bike-* → alias:champion",
        "Approval by 1 of ml-leads.",
        "2026-11-17 00:00 UTC+01:00",
        "–",
        "sha256:5c5c5c5c5c5c",
    ]
    assert before[1:4] == ["Approval by 2 of ml-leads.", "2026-08-18 01:00 UTC+02:00", "2026-11-17 00:00 UTC+01:00"]


def test_people_have_their_addresses_and_one_without_says_so() -> None:
    assert cells(section("people")) == [
        ["Ana Ruiz", "ana@example.com", "approver"],
        ["Ben Okafor", "ben@example.com", "trainer, requester"],
        ["Cy Lindqvist", "no address on record", "approver, rejected"],
    ]


def test_the_scope_says_what_was_watched_by_which_release_and_which_gaps_there_were() -> None:
    shown = section("scope")

    assert shown.sentences[0].startswith("Closed by Countersign 0.2.0.")
    assert "1 job was parked when the week was closed." in shown.sentences[1]
    assert cells(shown)[0][:4] == ["default", "12", "2", "3"]
    assert cells(shown, 1) == [
        ["fraud could not be read: MLflow answered 403", "2026-11-18 00:00 UTC+01:00", "2026-11-18 02:24 UTC+01:00"]
    ]


def test_a_gap_that_lasts_and_a_registry_that_was_never_read_say_so() -> None:
    control = a_control(gaps=(replace(a_control().gaps[0], until=None),), gaps_total=7)
    unread = replace(control, places=(replace(control.places[0], since=None, swept_at=None),))

    shown = section("scope", control=unread)

    assert cells(shown)[0][4:6] == ["not yet", "not yet"]
    assert cells(shown, 1)[0][2] == "still so"
    assert shown.tables[1].note.startswith("And 6 more")


def test_without_a_gap_that_is_said() -> None:
    shown = section("scope", control=a_control(gaps=(), gaps_total=0))

    assert shown.sentences[1].startswith("No gap is known. ")
    assert len(shown.tables) == 1


def test_without_a_group_nothing_about_a_sign_off_is_shown() -> None:
    assert "sign-off" not in [one.id for one in document_of(a_digest()).sections]
    assert "Sign-off" not in html_of(a_quiet_digest())


def test_a_wanted_sign_off_says_by_whom_and_how_it_was_with_the_digests_before() -> None:
    earlier = (
        Earlier("2026-W45", at(-13), SignOff("2026-W45", "5c", 9, "p-ana", at(-12), "one late ticket")),
        Earlier("2026-W46", at(-6), None),
    )

    shown = section("sign-off", control=a_control(sign_off="compliance", earlier=earlier))

    assert "a member of compliance" in shown.sentences[0]
    assert [row[2] for row in cells(shown)] == [
        "Signed off by Ana Ruiz on 2026-11-04 00:00 UTC+01:00, with a remark: one late ticket",
        "not signed off",
    ]


def test_a_signed_page_is_the_same_page_with_the_sign_off() -> None:
    digest = a_digest(control=a_control(sign_off="compliance"))

    frozen, signed = html_of(digest), html_of(digest, signed=SIGNED)

    again = html_of(read_digest(as_json(digest)), signed=SIGNED)
    assert again == signed
    assert SIGNED in signed
    assert [line for line in frozen.splitlines() if line not in signed.splitlines()] == [
        "<p>To be signed off by a member of compliance, with the button on the digest&#39;s card in Slack. The ledger records it.</p>"
    ]


def test_a_rollback_says_whose_approval_counts_again_and_since_when() -> None:
    back = a_transition(
        decided="the rule",
        by=(),
        roles=(),
        earlier=EarlierApproval("people", ("p-ana", "p-cy"), ("ml-leads", "risk"), at(-9), "GOV-1"),
    )

    row = cells(section("transitions", transitions=listed(back)))[0]

    assert row[4] == (
        "restored by rollback (previously approved by Ana Ruiz (ml-leads) and Cy Lindqvist (risk), GOV-1, on 2026-11-07 00:00 UTC+01:00)"
    )


def test_names_from_outside_stay_text_here_too() -> None:
    odd = a_control(
        gaps=tuple(replace(a_control().gaps[0], sentence=name) for name in ODD_NAMES),
        rules=tuple(replace(a_control().rules[0], label=name, words=name) for name in ODD_NAMES),
        places=(replace(a_control().places[0], names=ODD_NAMES),),
    )

    page = html_of(a_digest(control=odd, emails={"p-ana": ODD_NAMES[1]}))

    assert "<script" not in page
    assert "\u202e" not in page


def test_figures_of_an_older_release_still_make_a_report() -> None:
    old = json.loads(as_json(a_digest()))
    for added in ("control", "emails", "form"):
        del old[added]
    for moved in old["transitions"]["shown"]:
        del moved["earlier"]

    digest = read_digest(json.dumps(old))

    assert (digest.form, a_digest().form, digest.control) == (1, FORM, Control())
    assert "No rule was in force, or the release that closed this week did not record them." in html_of(digest)


def test_every_key_of_the_frozen_figures_is_in_snake_case() -> None:
    ids = {"names", "emails"}

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            inner = [keys(one) for name, one in value.items() if name not in ids]
            return {*value, *(key for found in inner for key in found)}
        return {key for one in value for key in keys(one)} if isinstance(value, list) else set()

    found = keys(json.loads(as_json(a_digest())))

    assert {key for key in found if not re.fullmatch(r"[a-z][a-z0-9_]*", key)} == set()


def test_every_table_of_the_page_has_headings_with_a_scope_and_the_page_its_language() -> None:
    page = html_of(a_digest())

    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert re.findall(r"<th(?![^>]*scope=)[^>]*>", page.replace("<thead>", "")) == []
    assert "prefers-color-scheme: dark" in page
    assert PERIOD.week in page


def test_a_week_that_could_not_be_counted_claims_nothing_and_says_first_that_the_ledger_does_not_verify() -> None:
    broken = Listed((ledger_broken("entry 7 was changed"),), 1)
    lost = replace(
        blank(PERIOD, at(7.4)),
        attention=broken,
        concerns={FindingKind.LEDGER_BROKEN: 1},
        ledger=LedgerFigures(0, 0, 9, "", "entry 7 was changed", 0),
        control=Control(release="0.2.0", sign_off="compliance"),
    )

    report = document_of(lost)

    assert [one.id for one in report.sections] == ["attention", "sign-off", "rules", "scope", "ledger", "glossary"]
    assert (report.quiet, [one.label for one in report.headlines]) == ("", ["item needs attention"])
    assert "Gaps are not known" in report.sections[3].sentences[1]
    assert [name for name, _ in overview(lost)] == ["Ledger", "Needs attention", "Moved"]
