"""Rollbacks that people decide: because the rule wants votes, or because the version is not the one that was approved.

Also a second rollback while the first one waits. Rollbacks at once are in `test_rollback`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.model import Ask, AskKind, DecidedBy, Kind, State, Target, TransitionRequest
from bot.errors import Refused
from handlers.policy.activation import activate_policy
from handlers.request import rollbacks
from tests.fixtures.installation import Installation, policy_text

pytestmark = pytest.mark.proof

DRIFT = "predictions drifted on rainy days"
BY_VOTES = "rollback: by_votes"
FAST_TRACK = f"""{BY_VOTES}
fast_track:
  mode: "on"
  metrics:
    mae: {{threshold: 40, greater_is_better: false}}
  undo_for: 1h"""
FROZEN = """
freezes:
  always: {timezone: UTC, deny: [{from: "2020-01-01 00:00", until: "2099-01-01 00:00"}]}
"""


def press(installation: Installation, request: TransitionRequest, person: str = "ana") -> str:
    """Presses the button and says why; returns what the form answers, which is nothing when it was taken."""
    installation.click(person, request, "roll_back")
    answer = installation.slack.submit_view(person, {"reason": DRIFT})
    installation.settle()
    return answer.errors.get("reason", "")


def roll_back(installation: Installation, request: TransitionRequest, person: str = "ana") -> TransitionRequest:
    assert press(installation, request, person) == ""
    return ways_back(installation)[-1]


def in_words(
    installation: Installation, version: int | None = None, requester: str = "bea@example.com"
) -> TransitionRequest:
    """Asks on the command line to go back."""
    champion, ask = Target.parse("alias:champion"), Ask(AskKind.ROLLBACK)
    request = rollbacks.roll_back(installation.model, champion, version, DRIFT, requester, ask, installation.s)
    installation.settle()
    return installation.reread(request)


def ways_back(installation: Installation) -> list[TransitionRequest]:
    return [request for request in installation.requests() if request.kind is Kind.ROLLBACK]


def put_file(installation: Installation, version: int, text: str) -> None:
    installation.mlflow.log_text(installation.run_of(version), text, "model/model.bin")


def exchange_the_bytes(installation: Installation) -> None:
    put_file(installation, 1, "other weights")


def log_another_figure(installation: Installation) -> None:
    installation.mlflow.log_metric(installation.run_of(1), "mae", 12.5, step=1)


# Who decides


def test_a_version_that_runs_files_of_another_place_needs_votes_to_come_back(installation: Installation) -> None:
    version = installation.register()
    code = "flavors: {python_function: {code: /opt/code}}"
    installation.mlflow.log_text(installation.run_of(version), code, "model/MLmodel")
    installation.approve(installation.asked(version))
    newer = installation.promoted()

    back = roll_back(installation, newer)

    assert (back.state, installation.champion()) == (State.PENDING, newer.version.version)
    assert back.people_decide.startswith(f"{installation.model} v1 runs files that are not its own")


def test_a_rule_may_want_votes_to_go_back(installation: Installation) -> None:
    installation.use_policy(extra=BY_VOTES)
    installation.promoted()
    second = installation.promoted()

    back = roll_back(installation, second, person="ben")
    waiting = installation.champion(), back.state
    installation.approve(back, "ben")
    refused = installation.told_privately("ben")
    installation.approve(back, "ana")

    assert waiting == (2, State.PENDING)
    assert "You asked for this transition" in refused
    assert installation.champion() == 1
    assert installation.reread(back).decided_by is DecidedBy.PEOPLE


def test_going_back_to_who_was_there_before_the_baseline_needs_votes(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    second = installation.promoted()

    back = roll_back(installation, second)
    waiting = installation.champion(), back.state
    installation.approve(back, "ben")

    assert waiting == (2, State.PENDING)
    assert installation.champion() == 1


@pytest.mark.parametrize(
    ("change", "difference"),
    [(exchange_the_bytes, "the artifacts are other bytes now"), (log_another_figure, "mae was 31.5 and is 12.5 now")],
)
def test_a_version_that_is_not_what_was_approved_goes_back_by_votes_alone(
    installation: Installation, change: Callable[[Installation], None], difference: str
) -> None:
    first = installation.register()
    put_file(installation, first, "weights")
    installation.promoted(first)
    second = installation.promoted()

    change(installation)
    back = roll_back(installation, second)
    waiting = back.state, installation.champion()
    installation.approve(back, "ben")

    assert waiting == (State.PENDING, 2)
    assert (
        f"Votes are needed: {installation.model} v1 is not what was approved: {difference}"
        in installation.card(back).all_text
    )
    assert installation.reread(back).decided_by is DecidedBy.PEOPLE
    assert installation.champion() == 1


def test_a_way_back_to_a_version_that_was_never_approved_waits_in_a_freeze_like_any_promotion(
    installation: Installation,
) -> None:
    installation.promoted()
    never_approved = installation.register()
    frozen = policy_text(f"{installation.model}*", extra="freezes: [always]") + FROZEN
    activate_policy(frozen, "test", installation.s)

    back = in_words(installation, never_approved)
    installation.approve(back)

    card = installation.card(back).all_text
    assert installation.reread(back).state is State.APPROVED
    assert installation.champion() == 1
    assert f"Votes are needed: {installation.model} v{never_approved} was never approved for champion." in card
    assert "champion moves when the freeze (always) ends" in card


# Undo


def test_undo_of_the_fast_track_needs_no_votes_while_it_stands_open(installation: Installation) -> None:
    installation.use_policy(extra=FAST_TRACK)
    installation.asked()
    second = installation.asked()
    assert second.decided_by is DecidedBy.FAST_TRACK

    back = roll_back(installation, second)

    assert back.ask.kind is AskKind.UNDO
    assert installation.champion() == 1


def test_after_its_time_undo_is_a_rollback_like_any_other(installation: Installation) -> None:
    installation.use_policy(extra=FAST_TRACK)
    installation.asked()
    second = installation.asked()
    installation.clock.ahead = second.expires_at - second.opened_at if second.expires_at else installation.clock.ahead

    back = roll_back(installation, second)

    assert (back.ask.kind, back.state) == (AskKind.ROLLBACK, State.PENDING)
    assert installation.champion() == 2


def test_undo_in_time_takes_the_place_of_a_way_back_that_waits_for_votes(installation: Installation) -> None:
    installation.use_policy(extra=FAST_TRACK)
    installation.asked()
    second = installation.asked()
    waiting = in_words(installation)
    assert waiting.state is State.PENDING

    undone = roll_back(installation, second)

    assert (undone.ask.kind, undone.state) == (AskKind.UNDO, State.APPLIED)
    assert installation.champion() == 1
    assert installation.reread(waiting).state is State.WITHDRAWN
    assert "by a rollback" in installation.card(waiting).all_text
    assert not installation.card(waiting).buttons


def test_a_second_undo_leaves_the_first_and_its_votes_alone(installation: Installation) -> None:
    """The first one waits for two votes, because the version is not what was approved any more."""
    installation.use_policy(extra=FAST_TRACK, quorum=2)
    first = installation.register()
    put_file(installation, first, "weights")
    installation.asked(first)
    second = installation.asked()
    exchange_the_bytes(installation)
    undo = roll_back(installation, second, "bea")
    installation.approve(undo, "ana")

    refused = press(installation, second, "ben")
    installation.approve(undo, "ben")

    assert "is being taken back" in refused
    assert [back.id for back in ways_back(installation)] == [undo.id]
    assert installation.champion() == 1


# Who is late


def test_whoever_presses_while_the_votes_are_awaited_is_shown_the_card_and_keeps_their_vote(
    installation: Installation,
) -> None:
    installation.use_policy(extra=BY_VOTES)
    installation.promoted()
    second = installation.promoted()
    back = roll_back(installation, second, person="ben")

    refused = press(installation, second, person="ana")
    alone = installation.reread(back), ways_back(installation)
    installation.approve(back, "ana")

    assert back.card is not None
    assert f"champion is being taken back to {installation.model} v1 already. Its card: {back.card.url}" in refused
    assert alone[0].joined == ()
    assert [one.id for one in alone[1]] == [back.id]
    assert installation.champion() == 1


def test_whoever_asks_in_words_while_the_votes_are_awaited_joins_nobody_either(installation: Installation) -> None:
    installation.use_policy(extra=BY_VOTES)
    installation.promoted()
    installation.promoted()
    back = in_words(installation)

    with pytest.raises(Refused) as refused:
        in_words(installation, requester="ana@example.com")

    assert back.card is not None
    assert str(refused.value).endswith(f"already. Its card: {back.card.url}")
    assert installation.reread(back).joined == ()


def test_an_asking_alias_that_is_set_and_taken_away_leaves_a_way_back_alone(installation: Installation) -> None:
    installation.use_policy(extra=BY_VOTES)
    installation.promoted()
    installation.promoted()
    back = in_words(installation)

    installation.ask(1)
    installation.sweep()
    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    waiting = installation.reread(back).state
    installation.approve(back)

    assert waiting is State.PENDING
    assert installation.champion() == 1
