"""The ways in which the registry asks: alias, tag, stage, a new version. And how a request ends without a decision."""

from __future__ import annotations

from bot.domain.events import RequestSuperseded, RequestWithdrawn
from bot.domain.model import State
from tests.fixtures.installation import Installation

BY_STAGE = "[{stage: Staging}]"
BY_NEW_VERSION = "[{new_version: true}]"


def tag(installation: Installation, version: int, value: str = "yes") -> None:
    installation.mlflow.set_model_version_tag(installation.model, str(version), "countersign.ask", value)


def test_a_tag_asks(installation: Installation) -> None:
    tag(installation, installation.register())

    installation.sweep()

    assert installation.request(1).state is State.PENDING
    assert "tag countersign.ask was set in the registry" in installation.details(installation.request(1))


def test_a_tag_whose_value_is_the_target_asks_for_it(installation: Installation) -> None:
    tag(installation, installation.register(), "alias:champion")

    installation.sweep()

    assert installation.request(1).state is State.PENDING


def test_a_tag_that_names_another_target_asks_for_nothing_here(installation: Installation) -> None:
    tag(installation, installation.register(), "alias:shadow")

    installation.sweep()

    assert installation.requests() == []


def test_a_stage_asks(installation: Installation) -> None:
    installation.use_policy(ask_on=BY_STAGE, target="{stage: Production}")
    installation.stage(installation.register(), "Staging")

    installation.sweep()

    assert installation.request(1, "stage:Production").state is State.PENDING
    assert "stage Staging was set in the registry" in installation.details(installation.request(1, "stage:Production"))


def test_every_new_version_asks_when_the_rule_says_so(installation: Installation) -> None:
    installation.use_policy(ask_on=BY_NEW_VERSION)
    installation.register()

    installation.sweep()
    installation.sweep()

    assert [request.state for request in installation.requests()] == [State.PENDING]
    assert "the version was created" in installation.details(installation.request(1))


def test_taking_the_alias_away_withdraws(installation: Installation) -> None:
    request = installation.asked()

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()

    assert installation.reread(request).state is State.WITHDRAWN
    assert f"Withdrawn: {request.version}" in installation.card(request).all_text
    assert "no longer asks by alias candidate" in installation.card(request).all_text
    assert not {"approve", "reject"} & set(installation.card(request).buttons)
    assert installation.ticket_status(request) == "Won't Do"


def test_a_wish_whose_rule_is_gone_is_withdrawn_for_that_reason(installation: Installation) -> None:
    request = installation.asked()

    installation.use_policy(target="{alias: shadow}")
    installation.sweep()

    assert installation.reread(request).state is State.WITHDRAWN
    said = installation.card(request).all_text
    assert f"no rule covers {request.version} for alias:champion any more" in said
    assert "no longer asks" not in said


def test_a_wish_stands_as_long_as_anything_asks_for_it(installation: Installation) -> None:
    request = installation.asked()
    tag(installation, 1)
    installation.sweep()

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    with_the_tag = installation.reread(request).state
    installation.mlflow.delete_model_version_tag(installation.model, "1", "countersign.ask")
    installation.sweep()

    assert with_the_tag is State.PENDING
    assert installation.reread(request).state is State.WITHDRAWN


def test_a_newer_version_supersedes_the_older_one_that_waits(installation: Installation) -> None:
    older = installation.asked()

    newer = installation.asked(installation.register())

    assert installation.reread(older).state is State.SUPERSEDED
    assert installation.happened(RequestSuperseded, RequestWithdrawn) == ["RequestSuperseded"]
    assert f"{newer.version} asks for alias:champion too and is newer" in installation.card(older).all_text
    assert not {"approve", "reject"} & set(installation.card(older).buttons)
    assert installation.ticket_status(older) == "Won't Do"
    assert newer.state is State.PENDING


def test_a_click_on_what_was_superseded_says_so(installation: Installation) -> None:
    older = installation.asked()
    late = installation.slack.click_payload("ana", "model-approvals", installation.card(older).ts, "approve")
    installation.asked(installation.register())

    installation.slack.send(late)

    assert "superseded already" in installation.told_privately("ana")
    assert installation.champion() is None


def test_an_older_version_that_asks_by_itself_never_supersedes_a_newer_one(installation: Installation) -> None:
    installation.register()
    newer = installation.asked(installation.register())

    tag(installation, 1)
    installation.sweep()

    assert installation.reread(newer).state is State.PENDING
    assert installation.request(1).state is State.SUPERSEDED
    assert len(installation.cards()) == 1


def test_moving_the_asking_alias_back_to_an_older_version_asks_for_that_one(installation: Installation) -> None:
    installation.register()
    newer = installation.asked(installation.register())

    installation.ask(1)
    installation.sweep()

    assert installation.reread(newer).state is State.WITHDRAWN
    assert installation.request(1).state is State.PENDING


def test_an_approved_request_is_not_superseded(installation: Installation) -> None:
    older = installation.asked()
    installation.click("ana", older, "approve")

    installation.asked(installation.register())

    assert installation.reread(older).state is State.APPLIED
    assert installation.champion() == 1


def test_after_a_rejection_taking_the_ask_away_and_setting_it_again_asks_again(installation: Installation) -> None:
    first = installation.asked()
    installation.reject(first, "Not yet.")
    installation.sweep()
    after_a_sweep = len(installation.requests())

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    second = installation.asked(1)

    assert after_a_sweep == 1
    assert second.id != first.id
    assert second.state is State.PENDING
    assert installation.reread(first).state is State.REJECTED
    installation.approve_with_reason(second, "It is summer now.")
    assert installation.champion() == 1


def test_a_tag_that_came_along_with_a_copy_asks_for_nothing(installation: Installation) -> None:
    original = f"{installation.model}-lab"
    installation.register(model=original)
    installation.mlflow.set_model_version_tag(original, "1", "countersign.ask", "yes")
    installation.sweep()
    installation.mlflow.copy_model_version(f"models:/{original}/1", installation.model)

    installation.sweep()
    after_the_copy = [request.version.model for request in installation.requests()]
    installation.ask(1)
    installation.sweep()

    assert after_the_copy == [original]
    assert installation.request(1).version.model == installation.model
    assert installation.request(1).state is State.PENDING


def test_what_nobody_decides_expires_and_can_be_asked_for_again(installation: Installation) -> None:
    request = installation.asked()

    installation.clock.ahead = (
        request.expires_at - installation.clock.now() if request.expires_at else installation.clock.ahead
    )
    installation.sweep("expire_requests")

    assert installation.reread(request).state is State.EXPIRED
    assert "nobody decided in time" in installation.card(request).all_text
    assert installation.ticket_status(request) == "Won't Do"


def test_an_alias_in_other_letters_is_announced_once_and_asks_nothing(installation: Installation) -> None:
    version = installation.register()
    installation.ask(version, "Candidate")
    installation.sweep()
    installation.ask(version, "another")
    installation.sweep()

    said = [card.all_text for card in installation.cards() if "looks like another" in card.all_text]

    assert installation.requests() == []
    assert len(said) == 1
    assert "set the alias 'candidate'" in said[0]
