"""Door: Slack's slash command. It reads and never decides: deciding belongs on the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.domain.cards import Card, Fact, Link
from bot.domain.model import OPEN, TransitionRequest
from bot.domain.wording import goal, moment, title_of
from bot.services import Services

if TYPE_CHECKING:
    from slack_bolt import Ack, App

COMMAND = "/countersign"
SHOWN = 20
HELP = "Say /countersign for what waits for a decision, or /countersign targets for who holds what."


def listen_to_commands(bolt: App, s: Services) -> None:
    def asked(ack: Ack, command: dict[str, str]) -> None:
        ack(dict(s.notifier.as_reply(answer(command.get("text", ""), s))))

    bolt.command(COMMAND)(asked)


def answer(text: str, s: Services) -> Card:
    wanted = text.strip().lower()
    if wanted in ("", "requests"):
        return _waiting(s)
    if wanted == "targets":
        return _targets(s)
    return Card("Countersign", HELP, paragraphs=(HELP,))


def _waiting(s: Services) -> Card:
    with s.store.transaction() as tx:
        waiting = tx.find_requests(states=OPEN)
    if not waiting:
        return Card(
            "Nothing waits", "No request waits for a decision.", paragraphs=("No request waits for a decision.",)
        )
    said = f"Waiting for a decision: {len(waiting)}, the oldest since {moment(waiting[0].opened_at)}."
    return Card(
        "Waiting for a decision", said, tuple(_line(request) for request in waiting[:SHOWN]), paragraphs=(said,)
    )


def _line(request: TransitionRequest) -> Fact:
    label = f"{request.version} → {goal(request)}"
    return Fact(label, Link("Open the card", request.card.url) if request.card else title_of(request))


def _targets(s: Services) -> Card:
    with s.store.transaction() as tx:
        policy = tx.policy()
        placements = [
            held
            for held in tx.registry.placements()
            if policy.rule_for(held.version.workspace, held.version.model, held.target)
        ]
    said = f"Targets that the policy speaks of and that are held: {len(placements)}."
    facts = tuple(
        Fact(
            f"{held.target} of {held.version.model}",
            f"v{held.version.version} since {moment(held.since)}"
            + ("" if held.request_id else ", without an approval"),
        )
        for held in placements[:SHOWN]
    )
    return Card("Who holds what", said, facts, paragraphs=(said,))
