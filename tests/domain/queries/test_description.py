"""The description of a version: the decision and its grounds, who held what at a moment, the pipeline as a graph, the figures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import events as e
from bot.domain.card.card import Link
from bot.domain.card.request_card import request_card
from bot.domain.card.sentences import CardContext
from bot.domain.evidence.dvc_lock import Entry, Lock, Stage
from bot.domain.evidence.lineage import GIT_MIRROR
from bot.domain.evidence.pipeline_graph import MOST_NAMES, graph_of
from bot.domain.ledger.chain import as_plain
from bot.domain.model import DataSet, DecidedBy, LineageCheck, Metric, State, Target, TargetKind
from bot.domain.queries.description import (
    Checkpoint,
    Description,
    Held,
    Pipeline,
    Signed,
    Told,
    approval_text,
    decided_by,
    newest_decision,
    pipeline_of,
    told,
)
from bot.domain.queries.description_text import decision_text, holders_in_words, in_words
from bot.domain.registry.holders import Place, concerns, places_at
from bot.domain.request.approvals import Approval
from tests.builders import (
    CHAMPION,
    LATER,
    NOON,
    REQUEST_ID,
    TICKET,
    a_judgement,
    a_rejection,
    a_request,
    a_version,
    a_vote,
    an_evidence,
)

NAMES = {"ana": "Ana Ruiz", "bea": "Bea Baker", "cy": "Cy Lindqvist", "dan": "Dan Day"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GOOD = Signed("decision", "", "ab" * 32, 31, LATER, "sha256:1")
BAD = Signed("vote", "Cy Lindqvist", "cd" * 32, 30, LATER, "sha256:2", "it was signed by an unknown key")
LOCK = Lock(
    (
        Stage("prepare", "python prepare.py", (Entry("data/raw.csv", "a" * 32, 567588),), (Entry("data/ready", "b" * 32 + ".dir"),), {}),
        Stage("train", "python train.py", (Entry("data/ready/train.csv", "c" * 32),), (Entry("run.json", "d" * 32, 40),), {}),
    )
)  # fmt: skip


def a_description(*requests: object, **changes: object) -> Description:
    usual: dict[str, object] = {
        "version": a_version(),
        "is_registered": True,
        "holds": (Held(CHAMPION, a_version(), LATER, "approved by Cy Lindqvist", "GOV-7"),),
        "holders": (Held(CHAMPION, a_version(), LATER, "approved by Cy Lindqvist", "GOV-7"),),
        "evidence": an_evidence(commit="c0ffee" * 6 + "abcd", vouched_by=GIT_MIRROR),
        "pipeline": pipeline_of(LOCK, "f" * 64, an_evidence()),
        "requests": requests,
    }
    return Description(**(usual | changes))  # type: ignore[arg-type]


def text_of(found: Description) -> str:
    return "\n".join(in_words(found))


# The whole walk back, in words


def test_the_walk_back_tells_run_commit_pipeline_data_figures_votes_and_witnesses() -> None:
    request = a_request(State.APPLIED, votes=(a_vote(reason="better by far"),), ticket=TICKET, comment="for spring")
    known = told(request, NAMES, signed=(GOOD, BAD), entry=29, checkpoint=Checkpoint(40, LATER), now="holds the target")

    said = text_of(a_description(known))

    for part in (
        "bike-demand v7",
        "alias:champion, since 2026-03-02 13:00 UTC, approved by Cy Lindqvist",
        "5d3c9f21aa https://mlflow.example.com/#/runs/5d3c9f21aa",
        "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeeabcd",
        "evidence source    the git mirror, which has the commit",
        "  prepare\n    train",
        f"data/raw.csv  md5 {'a' * 32}, 567,588 bytes",
        f"run.json  md5 {'d' * 32}, 40 bytes, made by train",
        f"sha256 {'f' * 64}",
        "depth              6",
        "mae                31.5  of the run",
        "asked              on the command line, by Ana Ruiz",
        "why                for spring",
        "Approved by Cy Lindqvist on 2026-03-02 13:00 UTC",
        "Cy Lindqvist, approve for leads, 2026-03-02 13:00 UTC: better by far",
        "GOV-7 https://jira.example.com/browse/GOV-7",
        "the decision, by key abababababab at ledger entry 31: verified",
        "the vote of Cy Lindqvist, by key cdcdcdcdcdcd at ledger entry 30: NOT VERIFIED: it was signed by an unknown key",
        "ledger entry 29 is covered by the checkpoint of 40 entries",
    ):
        assert part in said


def test_what_is_not_known_is_said_and_not_left_out() -> None:
    nothing = a_description(
        holds=(), holders=(), evidence=None, pipeline=Pipeline(unread="unknown: no lock"), is_registered=False
    )

    said = text_of(nothing)

    assert "holds              no target now" in said
    assert "no longer: what follows is what was recorded" in said
    assert "nothing was frozen: no one has asked for a target yet" in said
    assert "unknown: no lock" in said
    assert "none: nobody has asked for a target for bike-demand v7" in said


def test_what_mlflow_says_of_a_version_no_one_asked_for_is_shown_as_not_frozen() -> None:
    now = an_evidence(run_id="0ddba11", author="bea", datasets=(DataSet("rides", "d1ce", "train"),))

    said = text_of(a_description(holds=(), evidence=now, is_frozen=False))

    assert "nothing was frozen: no one has asked for a target yet" in said
    assert "what follows is what MLflow says now, and it may still change" in said
    for part in ("0ddba11", "trained by         bea", "d1ce train", "mae ", "depth "):
        assert part in said
    assert "evidence source" not in said


def test_a_request_whose_evidence_is_not_read_yet_is_not_called_unasked() -> None:
    known = told(a_request(State.COLLECTING), NAMES, signed=(), entry=None, checkpoint=None, now="")

    said = text_of(a_description(known, evidence=None, is_frozen=False, unread="MLflow does not answer"))

    assert "nothing was frozen: the evidence of its request is still being read" in said
    assert "  MLflow does not answer" in said


def test_a_failed_lineage_check_stands_where_the_version_comes_from() -> None:
    checks = (LineageCheck("L01", True, "good"), LineageCheck("L04", False, "The tree was not clean. Commit first."))

    said = text_of(a_description(evidence=an_evidence(lineage=checks)))

    assert "lineage L04        failed: The tree was not clean. Commit first." in said
    assert "lineage            1 of 2 lineage checks passed, 1 failed" in said
    assert "L01" not in said
    assert "evidence source    self-reported by the trainer; not verified against git" in said


def test_a_decision_that_no_checkpoint_covers_says_how_to_make_one() -> None:
    known = told(a_request(State.APPLIED), NAMES, signed=(), entry=29, checkpoint=None, now="")

    assert "no checkpoint covers ledger entry 29 yet. Make one with: countersign audit checkpoint" in text_of(
        a_description(known)
    )


def test_a_figure_says_on_which_data_it_was_measured() -> None:
    sentences = text_of(a_description(evidence=an_evidence(metrics=(Metric("mae", 1.5, "logged model"),))))

    assert "mae                1.5  of the logged model" in sentences


def test_the_fast_tracks_figures_stand_with_the_decision_that_rests_on_them() -> None:
    request = a_request(State.APPLIED, decided_by=DecidedBy.FAST_TRACK, judgement=a_judgement("r2 0.2 is below 0.5"))

    said = text_of(a_description(told(request, NAMES, signed=(), entry=None, checkpoint=None, now="")))

    assert "by the fast track on" in said
    assert "✓ mae 31.5 is at most 40" in said
    assert "✗ r2 0.2 is below 0.5" in said


def test_everything_can_be_written_as_json() -> None:
    request = a_request(State.APPLIED, votes=(a_vote(),), ticket=TICKET)

    plain = as_plain(a_description(told(request, NAMES, signed=(GOOD,), entry=29, checkpoint=None, now="")))

    assert isinstance(plain, dict)
    assert plain["requests"][0]["votes"][0]["person"] == "Cy Lindqvist"  # type: ignore[index,call-overload]
    assert plain["pipeline"]["files"][0]["path"] == "data/raw.csv"  # type: ignore[index,call-overload]


def test_the_card_leads_to_the_page_when_there_is_a_link_to_it() -> None:
    request, context = a_request(), CardContext(NAMES, None)

    with_link, without = (
        request_card(request, context, "https://countersign.example.com/x"),
        request_card(request, context),
    )

    there = Link("Full record of this version", "https://countersign.example.com/x")
    assert there in with_link.links
    assert there.text not in [link.text for link in without.links]


# Who decided


def test_a_decision_is_told_by_the_votes_that_made_it() -> None:
    votes = (a_vote("cy"), a_vote("dan"), a_vote("cy"))

    assert decided_by(a_request(State.APPLIED, votes=votes), NAMES) == "Cy Lindqvist and Dan Day"
    assert decided_by(a_request(State.REJECTED, votes=(a_vote("dan"), a_rejection("cy"))), NAMES) == "Cy Lindqvist"
    assert decided_by(a_request(State.APPLIED, decided_by=DecidedBy.RULE), NAMES) == "the rule"
    assert decided_by(a_request(State.PENDING, votes=votes), NAMES) == ""
    assert decided_by(a_request(State.EXPIRED), NAMES) == ""


def test_a_target_is_held_on_somebodys_word_or_on_nobodys() -> None:
    assert approval_text(Approval(a_request(State.APPLIED, votes=(a_vote("cy"),))), NAMES) == "approved by Cy Lindqvist"
    assert approval_text(None, NAMES) == "without an approval"


# Who held what at a moment


def moved(number: int, at: int, before: int | None, request_id: str = REQUEST_ID) -> e.TargetMoved:
    previous = a_version(before) if before else None
    return e.TargetMoved(NOON + at * DAY, request_id, a_version(number), CHAMPION, previous, moved=True)


def seen(number: int | None, at: int, before: int | None) -> e.MoveObserved:
    version, previous = (a_version(one) if one else None for one in (number, before))
    return e.MoveObserved(NOON + at * DAY, "default", CHAMPION, "bike-demand", version, previous, "ask")


def holder(events: list[e.Event], at: float) -> tuple[int | None, str] | None:
    """The version's number and the request; None when nothing is known of the target."""
    places = places_at(events, NOON + at * DAY)
    assert len(places) <= 1
    return (places[0].version.version if places[0].version else None, places[0].request_id) if places else None


def test_a_moment_is_answered_by_the_last_move_before_it() -> None:
    events = [moved(1, 1, None, "first"), moved(2, 3, 1, "second"), seen(3, 5, 2), seen(None, 7, 3)]

    assert holder(events, 1) == (1, "first")
    assert holder(events, 2.9) == (1, "first")
    assert holder(events, 3) == (2, "second")
    assert holder(events, 6) == (3, "")
    assert holder(events, 8) == (None, "")


def test_before_the_first_entry_only_what_that_entry_says_of_the_time_before_is_known() -> None:
    (place,) = places_at([moved(7, 3, 5), moved(8, 4, 7)], NOON)

    assert place == Place("bike-demand", CHAMPION, a_version(5), None)


def test_what_was_put_back_or_given_back_is_held_again() -> None:
    put_back = e.TargetPutBack(NOON + 3 * DAY, "r", CHAMPION, a_version(2), a_version(1), moved=True)
    left = e.TargetPutBack(NOON + 3 * DAY, "r", CHAMPION, a_version(2), a_version(1), moved=False)
    given_back = e.MoveReverted(NOON + 3 * DAY, "default", CHAMPION, "bike-demand", a_version(1))

    assert holder([moved(1, 1, None), seen(2, 2, 1), put_back], 4) == (1, "r")
    assert holder([moved(1, 1, None), seen(2, 2, 1), left], 4) == (2, "")
    assert holder([moved(1, 1, None), seen(None, 2, 1), given_back], 4) == (1, "")


def test_a_ratified_move_is_approved_from_then_on_and_held_from_before() -> None:
    ratified = e.TargetMoved(NOON + 3 * DAY, "ratified", a_version(2), CHAMPION, a_version(1), moved=False)
    events = [moved(1, 1, None, "first"), seen(2, 2, 1), ratified]

    (place,) = places_at(events, NOON + 4 * DAY)

    assert holder(events, 2.5) == (2, "")
    assert (place.request_id, place.since) == ("ratified", NOON + 2 * DAY)


def test_a_renamed_model_is_found_under_its_new_name_and_a_deleted_one_holds_nothing() -> None:
    renamed = e.ModelRenamed(NOON + 2 * DAY, "default", "bike-demand", "bikes")
    gone = e.ModelGone(NOON + 2 * DAY, "default", "bike-demand", "it was deleted")

    (place,) = places_at([moved(1, 1, None), renamed], NOON + DAY)

    assert place.model == "bikes"
    assert places_at([moved(1, 1, None), gone], NOON + 3 * DAY) == ()
    assert holder([moved(1, 1, None), gone], 1.5) == (1, REQUEST_ID)


def test_a_copy_in_another_model_concerns_both() -> None:
    target = Target(TargetKind.MODEL, "prod.bikes")
    copied = e.TargetMoved(NOON, REQUEST_ID, a_version(), target, None, moved=True)

    (place,) = places_at([copied], NOON)

    assert place.model == "prod.bikes"
    assert concerns(place, "bike-demand")
    assert concerns(place, "prod.bikes")
    assert not concerns(place, "rides")


def test_the_holders_of_a_moment_are_told_with_what_nobody_knows() -> None:
    held = [
        Held(CHAMPION, a_version(), LATER, "approved by Cy Lindqvist", "GOV-7"),
        Held(Target.parse("stage:Production"), None, NOON, "without an approval"),
        Held(Target.parse("alias:shadow"), a_version(3), None, "nothing is recorded of an approval"),
    ]

    said = holders_in_words("bike-demand", LATER, held, "Countersign began to watch on Monday.")

    assert said == [
        "bike-demand on 2026-03-02 13:00 UTC",
        "  alias:champion: bike-demand v7, since 2026-03-02 13:00 UTC, approved by Cy Lindqvist (GOV-7)",
        "  stage:Production: nobody since 2026-03-02 12:00 UTC",
        "  alias:shadow: bike-demand v3, since before anything was recorded, nothing is recorded of an approval",
        "  Countersign began to watch on Monday.",
    ]
    assert "no target that Countersign knows of was held" in holders_in_words("bikes", NOON, [], "")[1]


# The pipeline


def test_a_pipeline_names_its_files_and_which_stage_makes_them() -> None:
    pipeline = pipeline_of(LOCK, "f" * 64, an_evidence())

    assert [(file.path, file.made_by) for file in pipeline.files] == [
        ("data/raw.csv", ""),
        ("data/ready", "prepare"),
        ("run.json", "train"),
    ]
    assert pipeline.edges == (("data/raw.csv", "prepare"), ("prepare", "train"))
    assert pipeline.warning == ""


def test_another_lock_than_the_frozen_one_is_told() -> None:
    same = pipeline_of(LOCK, "f" * 64, an_evidence(lock_sha256="f" * 64))
    other = pipeline_of(LOCK, "f" * 64, an_evidence(lock_sha256="e" * 64))

    assert same.warning == ""
    assert other.warning == f"this is not the dvc.lock of the frozen evidence, whose sha256 was {'e' * 64}"


def test_a_graph_goes_from_left_to_right_and_says_the_same_in_words() -> None:
    graph = graph_of([("raw.csv", "prepare"), ("prepare", "train"), ("prepare", "evaluate"), ("train", "evaluate")])

    assert graph is not None
    left = {box.name: box.left for box in graph.boxes}
    assert left["raw.csv"] < left["prepare"] < left["train"] < left["evaluate"]
    assert [box.name for box in graph.boxes if box.is_source] == ["raw.csv"]
    assert len(graph.arrows) == 4
    assert graph.in_words == "prepare needs raw.csv. train needs prepare. evaluate needs prepare and train."


def test_nothing_and_too_much_are_not_drawn() -> None:
    assert graph_of([]) is None
    assert graph_of([("all", f"stage {number}") for number in range(MOST_NAMES)]) is None


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), min_size=1))
def test_whatever_the_edges_every_name_has_a_place_of_its_own_inside_the_picture(edges: list[tuple[str, str]]) -> None:
    graph = graph_of(edges)

    assert graph is not None
    assert {box.name for box in graph.boxes} == {name for edge in edges for name in edge}
    assert len({(box.left, box.top) for box in graph.boxes}) == len(graph.boxes)
    assert all(0 <= box.left < graph.width and 0 <= box.top < graph.height for box in graph.boxes)


def a_told(state: State, hours: float, **changes: object) -> Told:
    request = a_request(state, decided_at=NOON + hours * HOUR, decided_by=DecidedBy.PEOPLE, **changes)
    return told(request, NAMES, signed=(), entry=None, checkpoint=None, now="")


@pytest.mark.parametrize("newest", [State.APPLIED, State.REJECTED, State.STALE, State.CALLED_OFF])
@pytest.mark.parametrize("older", [State.APPLIED, State.REJECTED, State.STALE, State.CALLED_OFF])
def test_of_several_decisions_the_newest_is_said_of_a_version(newest: State, older: State) -> None:
    first, last = a_told(older, 1), a_told(newest, 2)
    withdrawn = a_told(State.WITHDRAWN, 3)

    found = a_description(withdrawn, first, last)

    assert found.decision == last
    assert f"decision           {decision_text(last)}, for alias:champion" in text_of(found)


def test_an_approval_that_was_called_off_after_a_rejection_is_the_newest_decision() -> None:
    rejected = a_told(State.REJECTED, 2)
    called_off = a_told(State.CALLED_OFF, 1, ended_at=NOON + 3 * HOUR)

    assert newest_decision((rejected, called_off)) == called_off


def test_people_who_approved_are_not_said_to_have_left_it_unapplied() -> None:
    stale = a_told(State.STALE, 1, votes=(a_vote("dan"), a_vote("cy")))

    assert decision_text(stale) == "Approved by Dan Day and Cy Lindqvist on 2026-03-02 13:00 UTC, but not applied"
