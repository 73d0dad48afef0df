"""What is printed of a request that was opened, by the API's answer or our own: the two are alike."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands.output.printing import say

Opened = Mapping[str, str]


def say_where(opened: Opened) -> None:
    """Its card and its ticket, or how to look for them: a worker makes them within seconds."""
    card, ticket = opened.get("card_url"), opened.get("ticket")
    if card:
        say(f"Card: {card}")
    if ticket:
        say(f"Ticket: {ticket} {opened.get('ticket_url', '')}".rstrip())
    if not card:
        say(f"Its card follows within seconds: countersign requests show {opened['id'][:8]}")


def say_warning(opened: Opened) -> None:
    warning = opened.get("warning")
    if warning:
        say(f"Warning: {warning}.", err=True)
