"""The slash command: what waits, and who holds what, for the asker's eyes only."""

from __future__ import annotations

from tests.fixtures.installation import House


def test_the_command_lists_what_waits_with_a_link_to_each_card(house: House) -> None:
    request = house.asked()

    answer = house.slack.command("ana", "/countersign", "", channel="general")

    assert answer.status == 200
    said = house.slack.ephemerals("ana")[-1].all_text
    assert f"{house.model} v1 → champion" in said
    assert "Open the card" in said
    card = house.reread(request).card
    assert card is not None
    assert card.url in str(house.slack.ephemerals("ana")[-1].blocks)


def test_the_command_lists_who_holds_what_and_whether_it_was_approved(house: House) -> None:
    house.approve(house.asked())
    house.use_policy(observed="report")
    house.move(house.register())

    house.slack.command("ben", "/countersign", "targets", channel="general")

    said = house.slack.ephemerals("ben")[-1].all_text
    assert f"alias:champion of {house.model}: v2 since" in said.replace("\n", "")
    assert "without an approval" in said


def test_a_word_it_does_not_know_is_answered_with_what_it_knows(house: House) -> None:
    house.slack.command("ana", "/countersign", "approve everything", channel="general")

    assert "/countersign targets" in house.slack.ephemerals("ana")[-1].all_text
