"""What an approver sees in five seconds: few words, the risk first, and who is called."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.domain.card.card import Called, Card, Fact, Lead, Link, Mark, Mention, Weight
from bot.domain.card.context import CardContext
from bot.domain.card.details import details_card
from bot.domain.card.needs import needs_text
from bot.domain.card.reasons import NOT_GIVEN, reason_of
from bot.domain.card.request_card import mentions_of, request_card
from bot.domain.card.risk import approval_text, risk_of
from bot.domain.evidence.directions import greater_is_better
from bot.domain.evidence.lineage import NO_LOCK
from bot.domain.model import (
    Artifacts,
    Check,
    Evidence,
    FastTrackMode,
    Judgement,
    Kind,
    LineageCheck,
    State,
    TransitionRequest,
)
from bot.domain.policy.rules import FastTrack, Group, LineageDemand, Threshold, UnknownRequester
from bot.domain.references import PostedCard
from tests.builders import (
    RULE_HASH,
    a_champion,
    a_metric,
    a_request,
    a_rule,
    a_version,
    a_vote,
    an_evidence,
    an_observed,
)
from tests.builders.usual import USUAL, usual_request

MOST_WORDS = 100
LOW, MEDIUM, HIGH = Weight.LOW, Weight.MEDIUM, Weight.HIGH


def words_of(card: Card) -> list[str]:
    """Everything that is printed, the labels of the buttons included."""
    values = [fact.value.text if isinstance(fact.value, Link) else fact.value for fact in card.facts]
    cells = [cell for table in card.tables for row in (table.columns, *table.rows) for cell in row]
    texts = [
        card.title,
        card.lead.text if card.lead else "",
        *(fact.label for fact in card.facts),
        *values,
        *cells,
        *card.paragraphs,
        *(mention.name for mention in card.mentions),
        *(link.text for link in card.links),
        card.footer,
        *(button.label for button in card.buttons),
    ]
    return re.findall(r"\S*\w\S*", " ".join(texts))


# Few words


def test_a_usual_request_takes_at_most_a_hundred_words_with_whom_it_calls() -> None:
    card = request_card(usual_request(), USUAL, "https://countersign.example.com/v/1", calls=True)

    assert len(words_of(card)) <= MOST_WORDS
    assert card.lead == Lead("MAE 49.5605 vs champion 24.5055: 102 % worse, above the limit of 40", HIGH)
    assert [row[0] for table in card.tables for row in table.rows] == ["mae"]
    assert card.title.endswith("promote bike-demand v7 to champion (replaces v2)")
    assert card.paragraphs == ()
    assert (card.waits_for, [mention.name for mention in card.mentions]) == (
        "Needs 2 approvals, 1 of each:",
        ["ml-leads", "risk"],
    )
    assert card.summary.endswith("Needs 2 approvals: 1 of ml-leads, 1 of risk.")


@pytest.mark.parametrize("number", [1, 40])
def test_only_the_metrics_that_the_rule_names_are_on_the_card_and_all_are_in_its_thread(number: int) -> None:
    others = tuple(a_metric(f"other_{n:02}", float(n)) for n in range(number))
    evidence = replace(usual_request().evidence or an_evidence(), metrics=(a_metric("mae", 39.0), *others))
    request = replace(usual_request(), evidence=evidence)

    card, details = request_card(request, USUAL), details_card(request, USUAL)

    assert [row[0] for row in card.tables[0].rows] == ["mae"]
    assert len(details.tables[0].rows) == min(number + 1, 20)


def test_without_thresholds_a_few_metrics_of_known_direction_are_shown() -> None:
    metrics = tuple(a_metric(name, 1.0) for name in ("a", "b", "mae", "r2", "test_f1", "val_loss"))

    card = request_card(a_request(evidence=an_evidence(metrics=metrics)), CardContext({}, a_rule(), RULE_HASH))

    assert [row[0] for row in card.tables[0].rows] == ["mae", "r2", "test_f1"]


# The risk


def judged(value: float, champion: float | None, *failed: str, threshold: Threshold | None = None) -> TransitionRequest:
    beside = a_champion(a_metric("mae", champion), number=2) if champion is not None else None
    checks = tuple(Check(False, sentence, "mae") for sentence in failed) or (Check(True, "it is", "mae"),)
    return a_request(
        evidence=an_evidence(metrics=(a_metric("mae", value),), champion=beside),
        judgement=Judgement(FastTrackMode.ON, checks),
    )


@pytest.mark.parametrize(
    ("request_", "lead"),
    [
        (
            judged(49.5605, 24.5055, "above"),
            Lead("MAE 49.5605 vs champion 24.5055: 102 % worse, above the limit of 40", HIGH),
        ),
        (judged(24.0, 24.5055), Lead("All thresholds met: MAE 24 vs champion 24.5055: 2.06 % better", LOW)),
        (
            judged(24.4, 24.5055, "too small"),
            Lead("MAE 24.4 vs champion 24.5055: 0.431 % better, the rule asks for 1 %", MEDIUM),
        ),
        (judged(30.0, 24.0, "worse"), Lead("MAE 30 vs champion 24: 25 % worse", HIGH)),
        (
            judged(31.5, None, "there is no champion to compare mae with, so a person decides"),
            Lead("No approved version to compare with: MAE 31.5 is within the limit of 40", MEDIUM),
        ),
        (judged(float("nan"), 24.0, "is not a number"), Lead("MAE nan vs champion 24: not comparable", HIGH)),
        (
            judged(20.0, 24.0, "mae was logged after the request was opened"),
            Lead("Not auto-approved: mae was logged after the request was opened", MEDIUM),
        ),
        (judged(1.0, 0.0, "worse"), Lead("MAE 1 vs champion 0: 1 worse", HIGH)),
    ],
)
def test_the_risk_is_one_line_in_the_weight_that_it_deserves(request_: TransitionRequest, lead: Lead) -> None:
    assert risk_of(request_, USUAL) == lead


def test_a_move_by_hand_says_first_that_it_is_in_use_and_is_compared_with_the_version_before() -> None:
    moved = replace(judged(30.0, 24.0, "worse"), kind=Kind.OBSERVED)

    lead = risk_of(moved, USUAL)

    assert lead is not None
    assert lead.text == "In use as champion now, without an approval. MAE 30 vs 24 for v2: 25 % worse"


def test_a_metric_that_the_rule_names_and_was_not_logged_is_a_high_risk() -> None:
    assert risk_of(a_request(evidence=an_evidence(metrics=())), USUAL) == Lead("MAE was not logged", HIGH)


@pytest.mark.parametrize(("value", "is_first"), [(49.5605, True), (30.0, True), (24.4, False)])
def test_a_warning_does_not_hide_that_the_version_is_worse(value: float, is_first: bool) -> None:
    worse = judged(value, 24.5055, "worse")
    stranger = replace(USUAL, stranger="mallory@evil.example")

    lead = risk_of(worse, stranger)
    dialog = approval_text(worse, stranger)

    assert lead is not None
    assert lead.weight is HIGH
    assert lead.text.startswith("MAE" if is_first else "Careful: mallory@evil.example")
    assert f"MAE {value:.6g} vs champion 24.5055" in dialog
    assert "mallory@evil.example" in dialog


def test_of_several_missed_thresholds_the_worst_leads_and_the_others_are_counted() -> None:
    track = FastTrack(FastTrackMode.ON, tuple(Threshold(name, False, 1.0) for name in ("mae", "rmse", "mape")))
    metrics = (a_metric("mae", 2.0), a_metric("rmse", 9.0), a_metric("mape", 3.0))
    champion = a_champion(a_metric("mae", 1.0), a_metric("rmse", 1.0), a_metric("mape", 1.0), number=2)
    request = a_request(evidence=an_evidence(metrics=metrics, champion=champion))

    risk = risk_of(request, replace(USUAL, rule=a_rule(fast_track=track)))

    assert risk == Lead("RMSE 9 vs champion 1: 800 % worse, above the limit of 1; 2 more miss their thresholds", HIGH)


@pytest.mark.parametrize(
    "warned",
    [
        {"evidence": an_evidence(outside=("MLmodel",))},
        {"evidence": an_evidence(artifacts=None, artifacts_unread="they are in s3://elsewhere")},
        {"failed_before": "rolled back from champion on 2026-03-01 12:00 UTC: drift"},
    ],
)
def test_what_speaks_against_it_whatever_the_metrics_say_leads_and_the_metrics_follow(
    warned: dict[str, object],
) -> None:
    card = request_card(a_request(**warned), CardContext({}, a_rule(), RULE_HASH))

    assert card.lead is not None
    assert card.lead.weight is HIGH
    assert card.lead.text.startswith("Careful")
    assert card.paragraphs[0] == "No approved version to compare with."


def test_the_question_before_an_approval_repeats_the_risk() -> None:
    approve, *_ = request_card(usual_request(), USUAL).buttons

    assert approve.confirm is not None
    assert (approve.confirm.title, approve.confirm.no) == ("Approve bike-demand v7 for champion?", "Cancel")
    assert (
        approve.confirm.text
        == "MAE 49.5605 vs champion 24.5055: 102 % worse, above the limit of 40. If you approve: champion moves from v2 to v7."
    )


@pytest.mark.parametrize(
    ("name", "upwards"),
    [
        ("mae", False), ("RMSE", False), ("train_mae", False), ("val/log_loss", False), ("test-brier-score", False),
        ("r2", True), ("R2_score", True), ("f1_macro", True), ("validation_roc_auc", True), ("accuracy", True),
        ("explained", None), ("revenue", None), ("", None), ("mae_of_maps_and_more", None),
    ],
)  # fmt: skip
def test_a_direction_is_known_from_a_usual_name_on_any_split(name: str, upwards: bool | None) -> None:
    assert greater_is_better(name) is upwards


# What cannot be approved

UNPUSHED = LineageCheck("L03", False, "the commit 13b0afd is on no branch that was pushed; push it, then ask again")
DEMANDING = replace(USUAL, rule=a_rule({"ml-leads": 1, "risk": 1}, lineage=LineageDemand(block=("L03",))))
UNREAD = replace(USUAL, unread="the run 5d3c9f21aa was deleted")


def unpushed() -> TransitionRequest:
    request = usual_request()
    return replace(request, evidence=replace(request.evidence or an_evidence(), lineage=(UNPUSHED,)))


def test_a_card_whose_evidence_cannot_be_read_says_that_it_cannot_be_approved_and_offers_no_approve() -> None:
    card = request_card(usual_request(), UNREAD, calls=True)

    assert card.title == "Cannot be approved now: bike-demand v7 → champion"
    assert card.lead == Lead(
        "Its evidence cannot be read now, so an approval could not be applied: the run 5d3c9f21aa was deleted", HIGH
    )
    assert card.paragraphs == (
        "Countersign looks again every ten minutes; once it can be read, Approve is back on this card.",
    )
    assert ([button.action for button in card.buttons], card.mentions, card.mark) == (
        ["reject", "ask", "reassign"],
        (),
        Mark.CARE,
    )


def test_a_card_that_its_lineage_blocks_says_why_and_what_to_do_and_whose_decision_it_waits_for() -> None:
    card = request_card(unpushed(), DEMANDING, calls=True)

    assert card.title == "Cannot be approved: bike-demand v7 → champion"
    assert card.lead == Lead(
        "The commit check did not pass, so it cannot be approved: the commit 13b0afd is on no branch that was pushed; "
        "push it, then ask again",
        HIGH,
    )
    assert card.paragraphs == ("Only Reject is possible. Once that is fixed, it can be requested again.",)
    assert (card.waits_for, len(card.mentions)) == ("Waiting for a decision of:", 2)
    assert [button.action for button in card.buttons] == ["reject", "ask", "reassign"]


def test_a_move_by_hand_that_cannot_be_ratified_keeps_its_title_and_can_be_put_back() -> None:
    moved = an_observed(evidence=unpushed().evidence)

    card = request_card(moved, DEMANDING)

    assert card.title.startswith("Moved without an approval")
    assert card.paragraphs == (
        "If put back: champion goes back to bike-demand v5. Without a decision it stays, without an approval.",
        "Only Put back is possible. Once that is fixed, it can be requested again.",
    )
    assert [button.label for button in card.buttons] == ["Put back", "Ask", "Hand over"]


def test_a_move_by_hand_says_what_each_button_does_and_what_happens_without_a_decision() -> None:
    assert request_card(an_observed(), USUAL).paragraphs[-2:] == (
        "If ratified: bike-demand v7 stays champion. If put back: champion goes back to bike-demand v5. "
        "Without a decision it stays, without an approval.",
        "Needs 2 votes to ratify: 1 of ml-leads, 1 of risk.",
    )


@pytest.mark.parametrize(
    ("changes", "group", "said"),
    [
        ({}, Group("risk", "risk", ()), "Needs 2 approvals, 1 of each:"),
        ({"votes": (a_vote("cy", "risk"),)}, Group("risk", "risk", ()), "Needs 1 more approval, of:"),
        ({"kind": Kind.OBSERVED}, Group("risk", "risk", ()), "Needs 2 votes to ratify, 1 of each:"),
        ({}, Group("risk", None, ("cy@example.com",)), ""),
    ],
)
def test_who_is_called_and_what_is_needed_are_one_line_where_each_vote_is_of_one_group(
    changes: dict[str, object], group: Group, said: str
) -> None:
    groups = (Group("ml-leads", "ml-leads", ()), group)

    card = request_card(replace(usual_request(), **changes), replace(USUAL, groups=groups), calls=True)  # type: ignore[arg-type]

    assert card.waits_for == said
    assert any(paragraph.startswith("Needs") for paragraph in card.paragraphs) is not bool(said)


# Who asks and why


@pytest.mark.parametrize(
    ("description", "why"),
    [
        ("Train with depth=6. mae 31.5, r2 0.5.", ""),
        ("mae: 31.5", ""),
        ("Weather features. mae 31.5.", "Weather features."),
        (
            "With mae 31.5 it is at last good enough for the holidays.",
            "With mae 31.5 it is at last good enough for the holidays.",
        ),
        ("", ""),
        ("For spring, depth unchanged", "For spring, depth unchanged"),
    ],
)
def test_why_is_a_persons_reason_and_not_a_list_of_figures(description: str, why: str) -> None:
    metrics = (a_metric("mae", 31.5), a_metric("r2", 0.5))
    request = a_request(evidence=an_evidence(description=description, metrics=metrics, params={"depth": "6"}))

    card = request_card(request, USUAL)

    assert reason_of(request) == why
    assert Fact("Why", why or NOT_GIVEN) in card.facts
    assert any(description in paragraph for paragraph in details_card(request, USUAL).paragraphs) or not description


def test_one_more_approval_says_because_of_whom() -> None:
    rule = a_rule({"ml-leads": 1, "risk": 1}, unknown_requester=UnknownRequester.ONE_MORE)
    context = CardContext({}, rule, RULE_HASH)
    unknown = a_request(author=None)

    assert (
        needs_text(unknown, context)
        == "Needs 3 approvals: 1 of ml-leads, 1 of risk, 1 more because the author is unknown."
    )
    assert needs_text(replace(unknown, votes=(a_vote("cy", "risk"),)), context) == (
        "Needs 2 more approvals: 1 of ml-leads, 1 more because the author is unknown."
    )


# Without DVC


def test_without_dvc_the_lineage_is_said_to_be_optional_and_nothing_is_listed() -> None:
    failed = tuple(
        LineageCheck(f"L{n:02}", False, f"{NO_LOCK}. Without it" if n == 5 else "not checked: it", False)
        for n in range(1, 20)
    )
    without = an_evidence(lineage=failed, commit=None)
    unread = replace(without, lineage=(LineageCheck("L05", False, f"{NO_LOCK} (Timeout). Without it", False),))

    def facts(evidence: Evidence) -> dict[str, str | Link]:
        return {fact.label: fact.value for fact in details_card(a_request(evidence=evidence), USUAL).facts}

    assert facts(without)["Lineage"] == "No DVC lineage recorded (optional)"
    assert "Missing" not in facts(without)
    assert str(facts(unread)["Lineage"]).startswith("0 of 1 lineage check passed, 1 failed")


# Who is called


def test_whoever_may_not_vote_is_never_called_by_name() -> None:
    people = ("ana@example.com", "Bea@Example.com", "cy@example.com")
    groups = (Group("ml-leads", None, people), Group("risk", "risk", ()))
    context = replace(USUAL, groups=groups, addresses=frozenset({"ana@example.com", "bea@example.com"}))

    called = mentions_of(usual_request(), context)

    assert called == (
        Mention(Called.PERSON, "cy@example.com", "cy@example.com"),
        Mention(Called.GROUP, "risk", "risk"),
    )


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
def test_nobody_is_called_to_what_is_not_open_for_votes(state: State) -> None:
    assert request_card(a_request(state), USUAL, calls=True).mentions == ()


# To the end

SEEN = PostedCard("T1", "A1", "C1", "1.1", "https://sandbox.slack.com/1")
ENDED = {State.REJECTED: Mark.REFUSED, State.STALE: Mark.CARE, State.APPLIED: Mark.DONE, State.APPROVED: Mark.UNDER_WAY}


@pytest.mark.parametrize("state", [state for state in State if not state.is_open])
def test_the_colour_follows_the_state_to_the_end(state: State) -> None:
    card = request_card(a_request(state), USUAL)

    assert card.mark is ENDED.get(state, Mark.OVER)
    assert card.lead is None


def test_a_version_that_was_rolled_back_and_a_move_by_hand_are_marked_for_care() -> None:
    back = request_card(
        a_request(State.APPLIED), replace(USUAL, rolled_back="rolled back on 2026-03-04 12:00 UTC: drift")
    )

    assert (back.mark, "rolled back since" in back.title) == (Mark.CARE, True)
    assert back.paragraphs[-1] == (
        "bike-demand v7 was champion from 2026-03-02 13:00 UTC until it was rolled back on 2026-03-04 12:00 UTC: drift."
    )
    assert request_card(an_observed(), USUAL).mark is Mark.CARE
    assert request_card(a_request(State.COLLECTING, unreadable=("gone",)), USUAL).mark is Mark.CARE


def test_the_cards_of_a_request_and_of_the_one_that_took_its_place_lead_to_each_other() -> None:
    card = request_card(
        usual_request(), replace(USUAL, earlier=SEEN, later=replace(SEEN, url="https://sandbox.slack.com/2"))
    )

    assert card.links[-2:] == (Link("The earlier card", SEEN.url), Link("The new card", "https://sandbox.slack.com/2"))


def test_of_a_long_name_the_title_keeps_the_number_and_the_target() -> None:
    long = replace(usual_request(), version=a_version(7, "x" * 255))

    card = request_card(long, USUAL)

    assert card.title.endswith("x v7 to champion")
    assert len(card.title) < 120
    assert "x" * 255 in str(details_card(long, USUAL).facts[0].value)


@pytest.mark.parametrize("kind", [Kind.PROMOTION, Kind.OBSERVED, Kind.ROLLBACK])
def test_a_ticket_and_the_thread_have_the_same_facts(kind: Kind) -> None:
    request = a_request(
        kind=kind, away_from=a_version(8), evidence=an_evidence(artifacts=Artifacts("sha256:1a", 2, 2_500))
    )

    assert Fact("Artifacts", "2 files, 2.5 kB, sha256 1a") in details_card(request, USUAL).facts
