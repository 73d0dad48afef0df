"""What needs attention: the gravest first, and no flood of one matter hides another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.digest import findings as matters
from bot.domain.digest.figures import LISTED, Finding, FindingKind, Listed
from bot.domain.digest.periods import period_of
from bot.domain.model import Kind, State
from tests.builders import CARD, CHAMPION, LATER, NOON, TICKET, a_request, a_version, an_observed

PERIOD = period_of("2026-W10", "Europe/Madrid")


def many(concern: FindingKind, number: int) -> Listed[Finding]:
    return Listed(tuple(Finding(concern, f"{concern} {which}.") for which in range(min(number, LISTED))), number)


def test_the_gravest_come_first_whatever_order_they_were_found_in() -> None:
    found = matters.in_order([many(FindingKind.PARKED_JOBS, 2), Listed((), 0), many(FindingKind.LEDGER_BROKEN, 1)])

    assert [matter.concern for matter in found.shown] == [FindingKind.LEDGER_BROKEN, *[FindingKind.PARKED_JOBS] * 2]
    assert found.total == 3


def test_a_flood_of_one_matter_hides_no_other() -> None:
    found = matters.in_order([many(FindingKind.MOVED_WITHOUT_APPROVAL, 100_000), many(FindingKind.PARKED_JOBS, 3)])

    assert len(found.shown) == LISTED
    assert sum(matter.concern is FindingKind.PARKED_JOBS for matter in found.shown) == 3
    assert found.total == 100_003


def test_when_all_flood_each_has_its_share() -> None:
    found = matters.in_order([many(concern, LISTED) for concern in FindingKind])

    shown = [matter.concern for matter in found.shown]
    assert len(shown) == LISTED
    assert min(shown.count(concern) for concern in FindingKind) == LISTED // len(FindingKind)
    assert shown == sorted(shown, key=list(FindingKind).index)


def test_what_has_become_of_a_move_by_hand_is_told() -> None:
    ends = {
        State.PENDING: "It is still pending: approve or reject it.",
        State.APPLIED: "It was approved since.",
        State.REJECTED: "It was rejected, and the target goes back.",
        State.WITHDRAWN: f"Its request is withdrawn, so it is undecided. {matters.ADOPT}",
    }

    for state, said in ends.items():
        matter = matters.moved_without_approval(
            "bike-demand", CHAMPION, a_version(7), a_version(5), NOON, an_observed(state), PERIOD
        )
        assert matter.sentence.endswith(said)
        assert "bike-demand v5 held it before" in matter.sentence


def test_a_target_that_was_taken_away_is_told_as_such() -> None:
    matter = matters.moved_without_approval("bike-demand", CHAMPION, None, a_version(5), NOON, None, PERIOD)

    assert matter.sentence.startswith(
        "alias:champion of bike-demand was removed from bike-demand v5 on 2026-03-02 13:00 UTC+01:00 without an approval."
    )


def test_a_move_back_to_who_was_approved_needs_no_adopting() -> None:
    matter = matters.moved_back(
        "bike-demand", CHAMPION, a_version(7), a_version(8), NOON, "by Cy on 2026-03-01 10:00", PERIOD
    )

    assert matter.concern is FindingKind.MOVED_WITHOUT_APPROVAL
    assert matter.sentence == (
        "bike-demand v7 was put on alias:champion of bike-demand on 2026-03-02 13:00 UTC+01:00 without a request; "
        "bike-demand v8 held it before. "
        "By whom is unknown: MLflow does not record it. "
        "It was approved for this target before, by Cy on 2026-03-01 10:00, and that approval counts again. No action is needed."
    )


def test_a_holder_that_was_rejected_is_told_with_who_said_no() -> None:
    no = replace(a_request(), state=State.REJECTED, decided_at=NOON, ticket=TICKET)

    matter = matters.held_without_approval(a_version(), "bike-demand", CHAMPION, NOON, PERIOD, no, "Ana Ruiz")

    assert matter.sentence == (
        "bike-demand v7 has held alias:champion of bike-demand since 2026-03-02 13:00 UTC+01:00, although Ana Ruiz rejected it on "
        "2026-03-02 13:00 UTC+01:00 (GOV-7). Move the target back, or request approval again: countersign adopt"
    )


def test_a_holder_whose_request_waits_needs_no_other_one() -> None:
    asked = replace(a_request(), state=State.PENDING, ticket=TICKET, card=CARD)

    matter = matters.held_without_approval(a_version(), "bike-demand", CHAMPION, NOON, PERIOD, asked)

    assert matter.sentence.endswith(", without an approval. Its request is pending (GOV-7)")
    assert matter.link == CARD.url


def test_a_holder_that_came_back_is_told_with_the_approval_that_it_had() -> None:
    asked = replace(a_request(), state=State.PENDING, ticket=TICKET)

    matter = matters.held_without_approval(
        a_version(), "bike-demand", CHAMPION, NOON, PERIOD, asked, lapsed="by Ana Ruiz"
    )

    assert matter.sentence == (
        "bike-demand v7 has held alias:champion of bike-demand since 2026-03-02 13:00 UTC+01:00, without an approval: its earlier "
        "one, by Ana Ruiz, ended when another version replaced it. Its request is pending (GOV-7)"
    )


def test_where_no_rule_speaks_nobody_is_sent_to_adopt() -> None:
    move = "bike-demand", CHAMPION, a_version(7), None, NOON, None, PERIOD

    matter = matters.moved_without_approval(*move, is_ruled=False)

    assert matter.sentence.endswith("No rule covers it. Write a rule for it, or set default: ignore in the policy.")


def test_every_moment_is_that_of_the_wall_clock() -> None:
    target = a_version(), "bike-demand", CHAMPION
    told = [
        matters.held_without_approval(*target, NOON, PERIOD),
        matters.approval_too_old(*target, NOON, timedelta(days=9), timedelta(days=7), PERIOD),
        matters.given_back("bike-demand", CHAMPION, a_version(), NOON, NOON, PERIOD),
    ]

    assert all("2026-03-02 13:00 UTC+01:00" in matter.sentence for matter in told)


def test_weeks_left_out_can_be_looked_at() -> None:
    matter = matters.digests_left_out(["2026-W01", "2026-W02"], NOON)

    assert matter.sentence.endswith("Preview one with: countersign digest --week 2026-W01 --dry-run")


def test_more_gaps_than_can_be_read_are_counted() -> None:
    gaps = [f"there is no part {number}." for number in range(5)]

    matter = matters.lineage_incomplete(a_version(), "bike-demand", CHAMPION, gaps, "https://mlflow.example.com")

    assert matter.sentence.endswith("there is no part 0; there is no part 1; there is no part 2. And 2 more.")


def test_a_long_error_of_a_parked_job_is_cut_and_the_way_on_is_not() -> None:
    matter = matters.parked_job(7, "sync_ticket", "3f1c9a70", "no\n" * 1000, NOON)

    assert len(matter.sentence) < 500
    assert matter.sentence.endswith("Fix the cause, then run: countersign jobs replay 7")


def test_a_refused_self_approval_names_who_and_what() -> None:
    matter = matters.self_approval_refused("Ana Ruiz", a_request(kind=Kind.PROMOTION), NOON)

    assert matter.sentence.startswith("Ana Ruiz tried to approve bike-demand v7 for alias:champion, which they")


def test_a_vote_that_nothing_proves_says_whose_it_was_to_be_why_it_does_not_count_and_whom_to_ask() -> None:
    matter = matters.vote_refused(
        "Ben Okafor", a_request(card=CARD), NOON, "it was cast under another rule", LATER, PERIOD
    )

    assert matter.sentence == (
        "A vote of Ben Okafor on bike-demand v7 for alias:champion, on record since 2026-03-02 13:00 UTC+01:00, does not count: it was "
        "cast under another rule. Ask them whether they pressed, and find out who can write to the database."
    )
    assert (matter.concern, matter.link) == (FindingKind.VOTE_REFUSED, CARD.url)


def test_a_rollback_says_what_came_back_instead_of_what_who_asked_and_why() -> None:
    back = replace(a_request(kind=Kind.ROLLBACK), away_from=a_version(8), comment="MAE drifts.")

    matter = matters.rolled_back(back, "unknown", NOON, PERIOD)

    assert matter.sentence == (
        "alias:champion of bike-demand was rolled back from bike-demand v8 to bike-demand v7 on 2026-03-02 13:00 UTC+01:00, requested by "
        "unknown. Reason: MAE drifts."
    )


def test_a_digest_that_is_not_signed_off_says_which_and_who_can() -> None:
    matter = matters.not_signed_off("2026-W09", NOON, "compliance", PERIOD)

    assert matter.concern is FindingKind.NOT_SIGNED_OFF
    assert matter.sentence.startswith(
        "The digest of 2026-W09, closed on 2026-03-02 13:00 UTC+01:00, is not signed off."
    )
    assert "compliance" in matter.sentence
