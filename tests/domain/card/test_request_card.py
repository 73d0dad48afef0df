"""The card: its facts and buttons, and that every request can be shown. The sentences are tested in `test_sentences`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.card.card import Card, Confirm, Fact, Lead, Link, Mark, Table, Tone, Weight
from bot.domain.card.details import details_card
from bot.domain.card.request_card import outcome_card, reminder_card, request_card, ticket_card
from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket_comments import decision_text
from bot.domain.model import Ask, AskKind, Origin, State, Target, TargetKind, TransitionRequest
from bot.domain.policy.rules import ReasonDemand, Rule
from bot.domain.request.shown import vote_value
from bot.domain.text import target_label
from tests.builders import (
    RULE_HASH,
    TICKET,
    a_champion,
    a_metric,
    a_request,
    a_rule,
    a_vote,
    an_evidence,
    an_observed,
)
from tests.strategies import PEOPLE, requests, rules

NAMES = {"ana": "Ana Ruiz", "bea": "Bea Baker", "cy": "Cy Lindqvist", "dan": "Dan Achterberg"}
PRINTED = CardContext(NAMES, a_rule({"leads": 1, "risk": 1}), RULE_HASH)


def facts_of(card: Card) -> dict[str, str | Link]:
    return {fact.label: fact.value for fact in card.facts}


# The whole of one card


def test_a_pending_card_says_what_is_asked_why_and_how_risky_and_leaves_the_rest_to_its_thread() -> None:
    evidence = an_evidence(
        metrics=(a_metric("r2", 0.81234567), a_metric("mae", 31.5)),
        champion=a_champion(a_metric("mae", 34.0), a_metric("r2", 0.8)),
    )
    request = a_request(evidence=evidence, ticket=TICKET, comment="Better on rainy days.", votes=(a_vote("cy"),))

    card, details = request_card(request, PRINTED), details_card(request, PRINTED)

    assert card == Card(
        title="Approval needed: promote bike-demand v7 to champion (replaces v5)",
        summary="Approval needed: promote bike-demand v7 to champion (replaces v5). R2 0.812346 vs champion 0.8: 1.54 % better. "
        "Needs 1 more approval: 1 of risk.",
        mark=Mark.OPEN,
        lead=Lead("R2 0.812346 vs champion 0.8: 1.54 % better", Weight.LOW),
        facts=(
            Fact("Requested by", "Ana Ruiz"),
            Fact("Trained by", "Bea Baker"),
            Fact("Why", "Better on rainy days."),
            Fact("Decide by", "2026-03-05 12:00 UTC"),
        ),
        tables=(
            Table(
                "",
                ("Metric", "v7 (candidate)", "v5 (champion)", "Difference"),
                (("mae", "31.5", "34", "-2.5, better"), ("r2", "0.812346", "0.8", "+0.01235, better")),
            ),
        ),
        paragraphs=(
            "Cy Lindqvist approved (leads), 2026-03-02 13:00 UTC.",
            "Needs 1 more approval: 1 of risk.",
        ),
        links=(Link("GOV-7", TICKET.url), Link("In the registry", evidence.version_url)),
        buttons=card.buttons,
        footer="Countersign request 3f1c9a70",
    )
    assert details.facts == (
        Fact("Version", Link("bike-demand v7", evidence.version_url)),
        Fact("Target", "alias champion (currently bike-demand v5)"),
        Fact("Requested by", "Ana Ruiz, on the command line"),
        Fact("Trained by", "Bea Baker"),
        Fact("Run", Link("Run 5d3c9f21", "https://mlflow.example.com/#/runs/5d3c9f21aa")),
        Fact("Artifacts", "5 files, 914.5 kB, sha256 5f1c00000000"),
        Fact("Missing", "commit, training data set with a digest"),
        Fact("Opened", "2026-03-02 12:00 UTC"),
    )


def test_the_card_says_that_a_model_runs_files_of_another_place_and_what_the_approval_does_not_cover() -> None:
    evidence = an_evidence(outside=('MLmodel, code: "/opt/code" is an absolute path',), uncovered=("gpt2 of the hub",))

    card = request_card(a_request(evidence=evidence), PRINTED)

    assert card.lead is not None
    assert card.lead.weight is Weight.HIGH
    assert card.lead.text.startswith(
        "Careful, the gate denies this version: it runs files that are not its own. MLmodel"
    )
    assert facts_of(details_card(a_request(evidence=evidence), PRINTED))["Not covered"] == "gpt2 of the hub"


def test_its_buttons_carry_the_request_with_what_is_shown_and_ask_before_they_approve() -> None:
    approve, reject, *_ = request_card(a_request(), PRINTED).buttons

    assert (approve.action, approve.label, approve.value, approve.tone) == (
        "approve",
        "Approve",
        vote_value(a_request(), PRINTED.rule_hash),
        Tone.PRIMARY,
    )
    assert approve.confirm == Confirm(
        "Approve bike-demand v7 for champion?",
        "No approved version to compare with. If you approve: bike-demand v7 becomes champion.",
        "Approve",
        "Cancel",
    )
    assert (reject.action, reject.label, reject.value, reject.tone) == ("reject", "Reject", approve.value, Tone.DANGER)
    assert reject.confirm is None  # the form that asks why confirms as well


# Facts


@pytest.mark.parametrize(
    ("target", "words"),
    [("alias:champion", "champion"), ("stage:Production", "stage Production"), ("model:prod.x", "model prod.x")],
)
def test_a_target_is_said_as_people_say_it(target: str, words: str) -> None:
    assert target_label(a_request(target=Target.parse(target))) == words


@pytest.mark.parametrize(
    ("author", "claimed", "words"),
    [
        ("bea", "bea", "Bea Baker"),
        (None, "root", "root (not in the policy's people)"),
        (None, None, "unknown"),
        ("somebody who was erased", "eve", "unknown"),
    ],
)
def test_whoever_trained_it_is_named_as_far_as_known(author: str | None, claimed: str | None, words: str) -> None:
    request = a_request(author=author, evidence=an_evidence(author=claimed))

    assert facts_of(request_card(request, PRINTED))["Trained by"] == words


@pytest.mark.parametrize(("previous", "words"), [(a_champion().version, "bike-demand v5"), (None, "unassigned")])
def test_an_observed_transition_says_who_held_the_target_before(previous: object, words: str) -> None:
    card = details_card(an_observed(previous=previous), PRINTED)

    assert facts_of(card)["Target"] == f"alias champion (before: {words})"


def test_once_applied_a_champion_held_the_target_before() -> None:
    evidence = an_evidence(champion=a_champion())

    card = details_card(a_request(State.APPLIED, evidence=evidence), PRINTED)

    assert facts_of(card)["Target"] == "alias champion (before: bike-demand v5)"


@pytest.mark.parametrize("state", [state for state in State if not state.is_open])
def test_what_is_decided_has_no_deadline_any_more(state: State) -> None:
    assert "Decide by" not in facts_of(request_card(a_request(state), PRINTED))


def test_the_asker_s_own_words_come_before_the_version_s_description() -> None:
    described = request_card(a_request(), PRINTED)
    commented = request_card(a_request(comment="For spring."), PRINTED)

    assert facts_of(described)["Why"] == "Trained on the spring rides."
    assert facts_of(commented)["Why"] == "For spring."


# Buttons


@pytest.mark.parametrize(
    ("request_", "reject_confirms"),
    [
        (a_request(), "bike-demand v7 does not become champion."),
        (an_observed(), "champion goes back to bike-demand v5."),
        (an_observed(previous=None), "champion is removed from bike-demand v7 and is unassigned, as before."),
        (an_observed(ask=Ask(AskKind.ADOPTED)), "bike-demand v7 stays champion, without an approval."),
        (
            an_observed(target=Target.parse("model:prod.x")),
            "bike-demand v7 is put back: tagged countersign.denied and denied by the gate, "
            "or deleted if the rule deletes copies.",
        ),
    ],
)
def test_a_button_without_a_form_says_what_it_does_before_it_does_it(
    request_: TransitionRequest, reject_confirms: str
) -> None:
    rule = a_rule(reason=ReasonDemand.ON_APPROVE)

    approve, reject, *_ = request_card(request_, CardContext(NAMES, rule)).buttons

    assert approve.confirm is None
    assert reject.confirm is not None
    assert reject.confirm.text == reject_confirms


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("build", [a_request, an_observed])
def test_there_is_something_to_press_only_while_the_vote_is_open_or_its_approval_can_be_called_off(
    build: Callable[[State], TransitionRequest], state: State
) -> None:
    card = request_card(build(state), PRINTED)

    expected = {State.PENDING: ["approve", "reject", "ask", "reassign"], State.APPROVED: ["call_off"]}
    assert [button.action for button in card.buttons] == expected.get(state, [])


def test_an_observed_transition_is_ratified_or_put_back() -> None:
    approve, reject, *_ = request_card(an_observed(), PRINTED).buttons

    assert (approve.label, reject.label) == ("Ratify", "Put back")
    assert approve.confirm is not None
    assert approve.confirm.title == "Ratify bike-demand v7 for champion?"
    assert approve.confirm.text.endswith("bike-demand v7 stays champion.")


# Odd input


@given(requests(), st.none() | rules(), st.dictionaries(st.sampled_from(PEOPLE), st.text(max_size=9)))
def test_no_request_is_too_odd_for_a_card(
    request_: TransitionRequest, rule: Rule | None, names: dict[str, str]
) -> None:
    context = CardContext(names, rule, RULE_HASH)

    card = request_card(request_, context)

    assert bool(card.buttons) is (request_.state in (State.PENDING, State.APPROVED) and rule is not None)
    assert card.title in card.summary
    assert all(len(row) == len(table.columns) for table in card.tables for row in table.rows)
    assert all(table.rows for table in card.tables)
    assert ticket_card(request_, context).buttons == outcome_card(request_, context).buttons == ()
    assert reminder_card(request_, context).title.startswith("Still waiting")
    assert decision_text(request_, context)


@given(requests())
def test_a_card_says_nothing_of_people_who_have_no_printed_name(request_: TransitionRequest) -> None:
    """Ids are our own matter: where the printed name was erased the card says unknown."""
    marked = replace(
        request_,
        requester="id-of-the-requester",
        joined=("id-of-somebody",),
        author="id-of-the-author",
        commit_author="id-of-a-committer",
        votes=tuple(
            replace(vote, person="id-of-a-voter", reason="", standing_in_for=("id-of-somebody-away",))
            for vote in request_.votes
        ),
        ask=Ask(AskKind.COMMAND),
        target=Target(TargetKind.ALIAS, "champion"),
    )

    card = request_card(marked, CardContext({}, a_rule()))

    assert "id-of-" not in repr([card.facts, card.paragraphs, card.summary])


def test_who_trained_a_version_is_not_called_unknown_where_no_one_read_its_run() -> None:
    request = a_request(author=None, evidence=None)

    assert facts_of(request_card(request, PRINTED))["Trained by"] == "not read"


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin("bea", "bea", "run"), "Bea Baker (as the run says)"),
        (Origin(None, "root", "run"), "root (as the run says, not in the policy's people)"),
        (Origin(None, "root", "run", ("run",)), "root (as the run says, which the policy does not believe)"),
        (Origin(None, "", "run"), "unknown"),
        (Origin(unread="the run is gone"), "not read: the run is gone"),
    ],
)
def test_who_trained_a_version_that_was_put_back_at_once_is_shown_when_it_was_read(origin: Origin, words: str) -> None:
    request = a_request(State.REJECTED, author=None, evidence=None, origin=origin)

    assert facts_of(request_card(request, PRINTED))["Trained by"] == words
