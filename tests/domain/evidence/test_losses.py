"""What looks make of what an approval rests on: a loss is reported once, its return too, and what could not be read is no loss."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.events import Event, EvidenceFound, EvidenceLost, EvidenceOutOfSight
from bot.domain.evidence.loss_text import kept_text, lost_text, way_back_warning
from bot.domain.evidence.losses import (
    MOST,
    NAMES_RECORDED,
    SWEEP_EVERY,
    THERE,
    Found,
    Kept,
    Part,
    commit_was_on_remote,
    judge,
    logged_model_of,
    looks_in_a_sweep,
    missing_files,
    next_look,
    spread,
)
from bot.domain.model import Artifacts
from bot.domain.policy.evidence_watch import EvidenceWatch
from tests.builders import LATER, NOON, REQUEST_ID, a_request, an_evidence

HOUR, A_DAY = timedelta(hours=1), timedelta(hours=24)
AWAY = Found(unread="the server answers 503")


def kept(part: Part = Part.FILES, **changes: Any) -> Kept:
    return replace(Kept(REQUEST_ID, part, NOON), **changes)


def gone(*names: str) -> Found:
    return Found(names)


def looked(*looks: Found, before: Kept | None = None) -> tuple[Kept, list[Event]]:
    """One look an hour, from LATER on."""
    now, events = before or kept(), list[Event]()
    for hour, found in enumerate(looks):
        now, happened = judge(now, found, LATER + hour * HOUR)
        events += happened
    return now, events


def test_what_is_there_is_noted_and_no_event() -> None:
    after, events = looked(THERE)

    assert events == []
    assert (after.seen_at, after.is_open) == (LATER, False)


def test_a_loss_is_one_event_with_what_is_gone_and_when_it_was_last_seen() -> None:
    after, events = looked(gone("b", "a"), gone("b", "a"), gone("b", "a"))

    assert events == [EvidenceLost(LATER, REQUEST_ID, "files", ("b", "a"), 2, NOON)]
    assert (after.lost, after.lost_since, after.seen_at, after.is_open) == (("b", "a"), LATER, NOON, True)


def test_more_that_is_lost_is_one_more_event_of_that_alone() -> None:
    after, events = looked(gone("a"), gone("a", "b"))

    assert events[1:] == [EvidenceLost(LATER + HOUR, REQUEST_ID, "files", ("b",), 1, NOON)]
    assert (after.lost, after.lost_since) == (("a", "b"), LATER)


def test_it_is_found_only_when_all_of_it_is_back() -> None:
    after, events = looked(gone("a", "b"), gone("a"), THERE)

    assert events[1:] == [EvidenceFound(LATER + 2 * HOUR, REQUEST_ID, "files", LATER)]
    assert (after.lost, after.lost_since, after.is_open) == ((), None, False)


def test_a_loss_after_a_return_is_reported_again() -> None:
    _, events = looked(gone("a"), THERE, gone("a"))

    assert [type(event) for event in events] == [EvidenceLost, EvidenceFound, EvidenceLost]


def test_an_unread_part_is_reported_once_after_three_looks_in_a_row_and_never_as_a_loss() -> None:
    after, events = looked(*[AWAY] * 6)

    assert events == [EvidenceOutOfSight(LATER + 2 * HOUR, REQUEST_ID, "files", AWAY.unread, LATER)]
    assert (after.lost, after.seen_at, after.is_out_of_sight, after.is_open) == ((), NOON, True, True)


def test_looks_that_fail_now_and_then_are_not_reported() -> None:
    _, events = looked(AWAY, AWAY, THERE, AWAY, AWAY, THERE)

    assert events == []


def test_what_can_be_read_again_is_found_or_lost() -> None:
    _, back = looked(AWAY, AWAY, AWAY, THERE)
    _, lost = looked(AWAY, AWAY, AWAY, gone("a"))

    assert back[1:] == [EvidenceFound(LATER + 3 * HOUR, REQUEST_ID, "files", LATER)]
    assert lost[1:] == [EvidenceLost(LATER + 3 * HOUR, REQUEST_ID, "files", ("a",), 1, NOON)]


def test_what_is_lost_stays_lost_while_it_cannot_be_read() -> None:
    after, events = looked(gone("a"), AWAY, AWAY, AWAY, THERE)

    assert [type(event) for event in events] == [EvidenceLost, EvidenceOutOfSight, EvidenceFound]
    assert after.lost == ()


def test_an_acknowledgement_lasts_until_more_is_lost_or_it_is_back() -> None:
    lost, _ = looked(gone("a"))
    known = replace(lost, acknowledged_at=LATER, acknowledged_by="ana", acknowledged_because="on purpose")

    same, _ = looked(gone("a"), before=known)
    more, _ = looked(gone("a", "b"), before=known)
    back, _ = looked(THERE, before=known)

    assert not same.is_open
    assert (more.is_open, more.acknowledged_by) == (True, "")
    assert (back.is_open, back.acknowledged_at) == (False, None)


def test_an_acknowledgement_of_a_loss_outlasts_an_outage() -> None:
    lost, _ = looked(gone("a"))
    known = replace(lost, acknowledged_at=LATER, acknowledged_by="ana", acknowledged_because="on purpose")

    away, _ = looked(AWAY, AWAY, AWAY, before=known)
    same, _ = looked(gone("a"), before=away)
    more, _ = looked(gone("a", "b"), before=away)

    assert (away.is_open, away.acknowledged_by) == (False, "ana")
    assert (same.is_open, same.acknowledged_at, same.acknowledged_because) == (False, LATER, "on purpose")
    assert (more.is_open, more.acknowledged_by) == (True, "")


def test_of_many_names_the_first_are_recorded_and_all_are_counted() -> None:
    names = [f"part-{number:03}" for number in range(100)]

    _, (event,) = looked(gone(*names))

    assert isinstance(event, EvidenceLost)
    assert (len(event.names), event.count) == (NAMES_RECORDED, 100)


@given(st.lists(st.sampled_from([THERE, AWAY, gone("a"), gone("b"), gone("a", "b")]), max_size=12))
def test_every_loss_has_an_end_and_every_end_a_beginning(looks: list[Found]) -> None:
    """And a part is only ever lost by an answer that says so."""
    after, events = looked(*looks)

    reported = False
    for event in events:
        assert reported or not isinstance(event, EvidenceFound)
        reported = not isinstance(event, EvidenceFound)
    assert reported is (after.lost_since is not None or after.is_out_of_sight)
    named = [name for event in events if isinstance(event, EvidenceLost) for name in event.names]
    assert set(named) <= {name for found in looks for name in found.gone}


@pytest.mark.parametrize(
    ("every", "places"), [(A_DAY, 0), (A_DAY, 1), (A_DAY, 999), (HOUR, 100), (timedelta(days=30), 8_000)]
)
def test_all_places_have_their_look_within_the_period(every: timedelta, places: int) -> None:
    """Each is due after half of it, and the sweeps of the other half are enough for all at once."""
    sweeps = (every - (next_look([THERE], NOON, every) - NOON)) // SWEEP_EVERY

    assert sweeps * looks_in_a_sweep(places, every) >= places


def test_the_calls_of_a_sweep_are_bounded_however_many_places_there_are() -> None:
    assert looks_in_a_sweep(1_000_000, HOUR) == MOST


def test_what_could_not_be_read_is_looked_at_again_soon() -> None:
    def wait(*found: Found) -> timedelta:
        return next_look(found, NOON, A_DAY) - NOON

    assert (wait(THERE, gone("a")), wait(THERE, AWAY)) == (timedelta(hours=12), HOUR)
    assert EvidenceWatch() == EvidenceWatch(A_DAY, 3)


def test_a_sample_is_spread_over_the_whole_list() -> None:
    names = [str(number) for number in range(1_000)]

    assert spread(names[:3], 4) == ("0", "1", "2")
    assert spread(names, 4) == ("0", "250", "500", "750")


def test_files_beside_those_that_were_approved_do_not_matter() -> None:
    assert missing_files(["MLmodel", "weights"], ["weights", "notes.txt"]) == gone("MLmodel")


def test_a_commit_that_was_on_no_remote_when_it_was_approved_cannot_be_lost_from_one() -> None:
    assert not commit_was_on_remote(an_evidence(commit="c02d8cc"))


@pytest.mark.parametrize(
    ("source", "model"), [("models:/m-1a2b", "m-1a2b"), ("models:/bikes/3", ""), ("s3://models/m-1a2b", "")]
)
def test_the_logged_model_is_the_one_in_the_source(source: str, model: str) -> None:
    assert logged_model_of(an_evidence(source=source, original_source="")) == model


EVIDENCE = an_evidence(run_id="a1b2", artifacts=Artifacts("sha256:1", 5, 4_096), commit="c02d8cc" * 5)


@pytest.mark.parametrize(
    ("part", "names", "said"),
    [
        (Part.RUN, ("deleted",), "its run a1b2 was deleted in MLflow; until `mlflow gc` takes it, it can be restored"),
        (Part.RUN, ("deleted", "erased"), "its run a1b2 is gone from MLflow for good"),
        (Part.FILES, ("a", "b"), "2 of its 5 files are gone: a, b"),
        (Part.FILES, tuple("abcd"), "4 of its 5 files are gone: a, b, c and 1 more"),
        (Part.FILES, tuple("abcde"), "all of its 5 files are gone"),
        (Part.SIZE, ("12",), "its files have 12 bytes in all, and those that were approved had 4096"),
        (Part.COMMIT, ("c02d8cc",), "its commit c02d8ccc02d8 is in no branch of the git remote"),
        (
            Part.DATA,
            ("data/raw.csv",),
            "1 file or folder that its dvc.lock names is gone from the DVC remote: data/raw.csv",
        ),
        (Part.VERSION, ("bikes v1",), "it is gone from the registry"),
    ],
)
def test_each_loss_says_what_and_which(part: Part, names: tuple[str, ...], said: str) -> None:
    assert lost_text(part, names, len(names), a_request(evidence=EVIDENCE)) == said


def test_a_name_from_outside_stays_on_its_line() -> None:
    said = lost_text(Part.FILES, ("a\n\x1b[2Jb",), 1, a_request(evidence=EVIDENCE))

    assert said.isprintable()


def test_what_is_out_of_sight_does_not_read_as_a_loss() -> None:
    after, _ = looked(AWAY, AWAY, AWAY)

    said = kept_text(after, a_request(evidence=EVIDENCE))

    assert said.startswith("its model files cannot be looked at: the server answers 503 (since ")
    assert "gone" not in said
    assert way_back_warning(a_request(evidence=EVIDENCE), [after]) == ""


@pytest.mark.parametrize(("part", "takes_votes"), [(Part.FILES, True), (Part.SIZE, True), (Part.RUN, False)])
def test_the_warning_before_a_rollback_says_whether_it_takes_votes(part: Part, takes_votes: bool) -> None:
    lost = kept(part, lost=("a",), lost_since=datetime.fromisoformat("2026-03-02T12:00:00+00:00"))

    said = way_back_warning(a_request(evidence=EVIDENCE), [lost])

    assert said.startswith("Careful with")
    assert ("takes votes" in said) is takes_votes
