"""Going back when people decide it: because the rule wants votes, or because the version is not the one that was approved.

Also what a second wish to go back meets while the first one waits. Going back at once is in `test_rollback`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.model import Ask, AskKind, DecidedBy, Kind, Refused, State, Target, TransitionRequest
from handlers.policy.activation import activate_policy
from handlers.request import rollbacks
from tests.fixtures.installation import House, policy_text

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


def press(house: House, request: TransitionRequest, person: str = "ana") -> str:
    """Presses the button and says why; returns what the form answers, which is nothing when it was taken."""
    house.click(person, request, "roll_back")
    answer = house.slack.submit_view(person, {"reason": DRIFT})
    house.settle()
    return answer.errors.get("reason", "")


def roll_back(house: House, request: TransitionRequest, person: str = "ana") -> TransitionRequest:
    assert press(house, request, person) == ""
    return ways_back(house)[-1]


def in_words(house: House, version: int | None = None, requester: str = "bea@example.com") -> TransitionRequest:
    """Asks on the command line to go back."""
    champion, ask = Target.parse("alias:champion"), Ask(AskKind.ROLLBACK)
    request = rollbacks.roll_back(house.model, champion, version, DRIFT, requester, ask, house.s)
    house.settle()
    return house.reread(request)


def ways_back(house: House) -> list[TransitionRequest]:
    return [request for request in house.requests() if request.kind is Kind.ROLLBACK]


def put_file(house: House, version: int, text: str) -> None:
    house.mlflow.log_text(house.run_of(version), text, "model/model.bin")


def exchange_the_bytes(house: House) -> None:
    put_file(house, 1, "other weights")


def log_another_figure(house: House) -> None:
    house.mlflow.log_metric(house.run_of(1), "mae", 12.5, step=1)


# Who decides


def test_a_rule_may_want_votes_to_go_back(house: House) -> None:
    house.use_policy(extra=BY_VOTES)
    house.promoted()
    second = house.promoted()

    back = roll_back(house, second, person="ben")
    waiting = house.champion(), back.state
    house.approve(back, "ben")
    refused = house.whispered("ben")
    house.approve(back, "ana")

    assert waiting == (2, State.PENDING)
    assert "You asked for this transition" in refused
    assert house.champion() == 1
    assert house.reread(back).decided_by is DecidedBy.PEOPLE


def test_going_back_to_who_was_there_before_the_baseline_needs_votes(open_house: Callable[..., House]) -> None:
    house = open_house()
    house.register()
    house.ask(1, "champion")
    house.sweep()
    second = house.promoted()

    back = roll_back(house, second)
    waiting = house.champion(), back.state
    house.approve(back, "ben")

    assert waiting == (2, State.PENDING)
    assert house.champion() == 1


@pytest.mark.parametrize(
    ("change", "difference"),
    [(exchange_the_bytes, "the artifacts are other bytes now"), (log_another_figure, "mae was 31.5 and is 12.5 now")],
)
def test_a_version_that_is_not_what_was_approved_goes_back_by_votes_alone(
    house: House, change: Callable[[House], None], difference: str
) -> None:
    first = house.register()
    put_file(house, first, "weights")
    house.promoted(first)
    second = house.promoted()

    change(house)
    back = roll_back(house, second)
    waiting = back.state, house.champion()
    house.approve(back, "ben")

    assert waiting == (State.PENDING, 2)
    assert f"Votes are needed: {house.model} v1 is not what was approved: {difference}" in house.card(back).all_text
    assert house.reread(back).decided_by is DecidedBy.PEOPLE
    assert house.champion() == 1


def test_a_way_back_to_a_version_that_was_never_approved_waits_in_a_freeze_like_any_promotion(house: House) -> None:
    house.promoted()
    never_approved = house.register()
    frozen = policy_text(f"{house.model}*", extra="freezes: [always]") + FROZEN
    activate_policy(frozen, "test", house.s)

    back = in_words(house, never_approved)
    house.approve(back)

    card = house.card(back).all_text
    assert house.reread(back).state is State.APPROVED
    assert house.champion() == 1
    assert f"Votes are needed: {house.model} v{never_approved} was never approved for champion." in card
    assert "champion moves when the freeze (always) ends" in card


# Undo


def test_undo_of_the_fast_track_needs_no_votes_while_it_stands_open(house: House) -> None:
    house.use_policy(extra=FAST_TRACK)
    house.asked()
    second = house.asked()
    assert second.decided_by is DecidedBy.FAST_TRACK

    back = roll_back(house, second)

    assert back.ask.kind is AskKind.UNDO
    assert house.champion() == 1


def test_after_its_time_undo_is_a_rollback_like_any_other(house: House) -> None:
    house.use_policy(extra=FAST_TRACK)
    house.asked()
    second = house.asked()
    house.clock.ahead = second.expires_at - second.opened_at if second.expires_at else house.clock.ahead

    back = roll_back(house, second)

    assert (back.ask.kind, back.state) == (AskKind.ROLLBACK, State.PENDING)
    assert house.champion() == 2


def test_undo_in_time_takes_the_place_of_a_way_back_that_waits_for_votes(house: House) -> None:
    house.use_policy(extra=FAST_TRACK)
    house.asked()
    second = house.asked()
    waiting = in_words(house)
    assert waiting.state is State.PENDING

    undone = roll_back(house, second)

    assert (undone.ask.kind, undone.state) == (AskKind.UNDO, State.APPLIED)
    assert house.champion() == 1
    assert house.reread(waiting).state is State.WITHDRAWN
    assert "by a rollback" in house.card(waiting).all_text
    assert not house.card(waiting).buttons


def test_a_second_undo_leaves_the_first_and_its_votes_alone(house: House) -> None:
    """The first one waits for two votes, because the version is not what was approved any more."""
    house.use_policy(extra=FAST_TRACK, quorum=2)
    first = house.register()
    put_file(house, first, "weights")
    house.asked(first)
    second = house.asked()
    exchange_the_bytes(house)
    undo = roll_back(house, second, "bea")
    house.approve(undo, "ana")

    refused = press(house, second, "ben")
    house.approve(undo, "ben")

    assert "is being taken back" in refused
    assert [back.id for back in ways_back(house)] == [undo.id]
    assert house.champion() == 1


# Who is late


def test_whoever_presses_while_the_votes_are_awaited_is_shown_the_card_and_keeps_their_vote(house: House) -> None:
    house.use_policy(extra=BY_VOTES)
    house.promoted()
    second = house.promoted()
    back = roll_back(house, second, person="ben")

    refused = press(house, second, person="ana")
    alone = house.reread(back), ways_back(house)
    house.approve(back, "ana")

    assert back.card is not None
    assert f"Champion is being taken back to {house.model} v1 already: pending. Its card: {back.card.url}" in refused
    assert alone[0].joined == ()
    assert [one.id for one in alone[1]] == [back.id]
    assert house.champion() == 1


def test_whoever_asks_in_words_while_the_votes_are_awaited_joins_nobody_either(house: House) -> None:
    house.use_policy(extra=BY_VOTES)
    house.promoted()
    house.promoted()
    back = in_words(house)

    with pytest.raises(Refused) as refused:
        in_words(house, requester="ana@example.com")

    assert back.card is not None
    assert str(refused.value).endswith(f"already: pending. Its card: {back.card.url}")
    assert house.reread(back).joined == ()


def test_an_asking_alias_that_is_set_and_taken_away_leaves_a_way_back_alone(house: House) -> None:
    house.use_policy(extra=BY_VOTES)
    house.promoted()
    house.promoted()
    back = in_words(house)

    house.ask(1)
    house.sweep()
    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    waiting = house.reread(back).state
    house.approve(back)

    assert waiting is State.PENDING
    assert house.champion() == 1
