"""The message about lost evidence: losses first, then what is out of sight, then what is back; long lists are cut and counted."""

from __future__ import annotations

from bot.domain.card.card import Mark
from bot.domain.card.losses import LINES_SHOWN, Told, losses_card
from bot.domain.events import Event, EvidenceFound, EvidenceLost, EvidenceOutOfSight
from tests.builders import LATER, NOON, REQUEST_ID, a_request, an_evidence

LOST = EvidenceLost(LATER, REQUEST_ID, "run", ("deleted",), 1, NOON)
UNSEEN = EvidenceOutOfSight(LATER, REQUEST_ID, "data", "the remote is away", NOON)
BACK = EvidenceFound(LATER, REQUEST_ID, "commit", NOON)


def told(*events: Event, request_id: str = REQUEST_ID) -> list[Told]:
    return [Told(event, a_request(id=request_id, evidence=an_evidence(run_id="a1b2"))) for event in events]


def test_losses_come_first_and_say_what_to_do() -> None:
    card = losses_card(told(BACK, UNSEEN, LOST))

    lines, advice = card.paragraphs
    assert [line.partition(": its ")[2].split()[0] for line in lines.splitlines()] == ["run", "data", "commit"]
    assert (card.title, card.mark) == ("Evidence of an approval is gone", Mark.REFUSED)
    assert "No target moves because of it" in advice
    assert f"countersign evidence acknowledge {REQUEST_ID[:8]} --reason TEXT" in advice


def test_what_cannot_be_looked_at_is_not_called_gone() -> None:
    card = losses_card(told(UNSEEN))

    assert (card.title, card.mark) == ("Evidence of an approval cannot be looked at", Mark.CARE)
    assert "Whether anything is gone is not known" in card.paragraphs[1]


def test_what_is_back_needs_nothing() -> None:
    card = losses_card(told(BACK))

    assert (card.title, card.mark, len(card.paragraphs)) == ("Evidence of an approval is there again", Mark.DONE, 1)


def test_a_long_list_is_cut_and_counted() -> None:
    many = [one for number in range(LINES_SHOWN + 5) for one in told(LOST, request_id=f"{number:032}")]

    card = losses_card(many)

    assert card.title == "Evidence of approvals is gone"
    assert card.paragraphs[0].splitlines()[-1] == "• and 5 more"
    assert "acknowledge ID --reason TEXT" in card.paragraphs[1]
    assert card.footer == ""
