"""The roads by which the registry asks: alias, tag, stage, a new version. And how a wish ends without a decision."""

from __future__ import annotations

from bot.domain.events import RequestSuperseded, RequestWithdrawn
from bot.domain.model import State
from tests.fixtures.installation import House

BY_STAGE = "[{stage: Staging}]"
BY_NEW_VERSION = "[{new_version: true}]"


def tag(house: House, version: int, value: str = "yes") -> None:
    house.mlflow.set_model_version_tag(house.model, str(version), "countersign.ask", value)


def test_a_tag_asks(house: House) -> None:
    tag(house, house.register())

    house.sweep()

    assert house.request(1).state is State.PENDING
    assert "by tag countersign.ask" in house.card(house.request(1)).all_text


def test_a_tag_whose_value_is_the_target_asks_for_it(house: House) -> None:
    tag(house, house.register(), "alias:champion")

    house.sweep()

    assert house.request(1).state is State.PENDING


def test_a_tag_that_names_another_target_asks_for_nothing_here(house: House) -> None:
    tag(house, house.register(), "alias:shadow")

    house.sweep()

    assert house.requests() == []


def test_a_stage_asks(house: House) -> None:
    house.use_policy(ask_on=BY_STAGE, target="{stage: Production}")
    house.stage(house.register(), "Staging")

    house.sweep()

    assert house.request(1, "stage:Production").state is State.PENDING
    assert "by stage Staging" in house.card(house.request(1, "stage:Production")).all_text


def test_every_new_version_asks_when_the_rule_says_so(house: House) -> None:
    house.use_policy(ask_on=BY_NEW_VERSION)
    house.register()

    house.sweep()
    house.sweep()

    assert [request.state for request in house.requests()] == [State.PENDING]
    assert "by creating the version" in house.card(house.request(1)).all_text


def test_taking_the_alias_away_withdraws(house: House) -> None:
    request = house.asked()

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()

    assert house.reread(request).state is State.WITHDRAWN
    assert f"Withdrawn: {request.version}" in house.card(request).all_text
    assert "no longer asks by alias candidate" in house.card(request).all_text
    assert not {"approve", "reject"} & set(house.card(request).buttons)
    assert house.ticket_status(request) == "Won't Do"


def test_a_wish_stands_as_long_as_anything_asks_for_it(house: House) -> None:
    request = house.asked()
    tag(house, 1)
    house.sweep()

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    with_the_tag = house.reread(request).state
    house.mlflow.delete_model_version_tag(house.model, "1", "countersign.ask")
    house.sweep()

    assert with_the_tag is State.PENDING
    assert house.reread(request).state is State.WITHDRAWN


def test_a_newer_version_supersedes_the_older_one_that_waits(house: House) -> None:
    older = house.asked()

    newer = house.asked(house.register())

    assert house.reread(older).state is State.SUPERSEDED
    assert house.happened(RequestSuperseded, RequestWithdrawn) == ["RequestSuperseded"]
    assert f"{newer.version} asks for alias:champion too and is newer" in house.card(older).all_text
    assert not {"approve", "reject"} & set(house.card(older).buttons)
    assert house.ticket_status(older) == "Won't Do"
    assert newer.state is State.PENDING


def test_a_click_on_what_was_superseded_says_so(house: House) -> None:
    older = house.asked()
    late = house.slack.click_payload("ana", "model-approvals", house.card(older).ts, "approve")
    house.asked(house.register())

    house.slack.send(late)

    assert "already superseded" in house.whispered("ana")
    assert house.champion() is None


def test_an_older_version_that_asks_by_itself_never_supersedes_a_newer_one(house: House) -> None:
    house.register()
    newer = house.asked(house.register())

    tag(house, 1)
    house.sweep()

    assert house.reread(newer).state is State.PENDING
    assert house.request(1).state is State.SUPERSEDED
    assert len(house.cards()) == 1


def test_moving_the_asking_alias_back_to_an_older_version_asks_for_that_one(house: House) -> None:
    house.register()
    newer = house.asked(house.register())

    house.ask(1)
    house.sweep()

    assert house.reread(newer).state is State.WITHDRAWN
    assert house.request(1).state is State.PENDING


def test_an_approved_request_is_not_superseded(house: House) -> None:
    older = house.asked()
    house.click("ana", older, "approve")

    house.asked(house.register())

    assert house.reread(older).state is State.APPLIED
    assert house.champion() == 1


def test_after_a_rejection_taking_the_ask_away_and_setting_it_again_asks_again(house: House) -> None:
    first = house.asked()
    house.reject(first, "Not yet.")
    house.sweep()
    after_a_sweep = len(house.requests())

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    second = house.asked(1)

    assert after_a_sweep == 1
    assert second.id != first.id
    assert second.state is State.PENDING
    assert house.reread(first).state is State.REJECTED
    house.approve(second)
    assert house.champion() == 1


def test_a_tag_that_came_along_with_a_copy_asks_for_nothing(house: House) -> None:
    original = f"{house.model}-lab"
    house.register(model=original)
    house.mlflow.set_model_version_tag(original, "1", "countersign.ask", "yes")
    house.sweep()
    house.mlflow.copy_model_version(f"models:/{original}/1", house.model)

    house.sweep()
    after_the_copy = [request.version.model for request in house.requests()]
    house.ask(1)
    house.sweep()

    assert after_the_copy == [original]
    assert house.request(1).version.model == house.model
    assert house.request(1).state is State.PENDING


def test_what_nobody_decides_expires_and_can_be_asked_for_again(house: House) -> None:
    request = house.asked()

    house.clock.ahead = request.expires_at - house.clock.now() if request.expires_at else house.clock.ahead
    house.sweep("expire_requests")

    assert house.reread(request).state is State.EXPIRED
    assert "nobody decided in time" in house.card(request).all_text
    assert house.ticket_status(request) == "Won't Do"
