"""The slash command: what waits, and who holds what, for the asker's eyes only."""

from __future__ import annotations

from tests.fixtures.installation import Installation


def test_the_command_lists_what_waits_with_a_link_to_each_card(installation: Installation) -> None:
    request = installation.asked()

    answer = installation.slack.command("ana", "/countersign", "", channel="general")

    assert answer.status == 200
    said = installation.slack.ephemerals("ana")[-1].all_text
    assert f"{installation.model} v1 → champion" in said
    assert "Open the card" in said
    card = installation.reread(request).card
    assert card is not None
    assert card.url in str(installation.slack.ephemerals("ana")[-1].blocks)


def test_the_command_lists_who_holds_what_and_whether_it_was_approved(installation: Installation) -> None:
    installation.approve(installation.asked())
    installation.use_policy(observed="report")
    installation.move(installation.register())

    installation.slack.command("ben", "/countersign", "targets", channel="general")

    said = installation.slack.ephemerals("ben")[-1].all_text
    assert f"alias:champion of {installation.model}: v2 since" in said.replace("\n", "")
    assert "without an approval" in said


def test_a_word_it_does_not_know_is_answered_with_what_it_knows(installation: Installation) -> None:
    installation.slack.command("ana", "/countersign", "approve everything", channel="general")

    assert "/countersign targets" in installation.slack.ephemerals("ana")[-1].all_text
