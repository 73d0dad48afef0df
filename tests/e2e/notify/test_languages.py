"""Channels and tickets have the policy's language, and each person is answered in their own. The ledger has none of them."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.language import SPANISH
from bot.sandbox.slack.views import OpenView
from tests.fixtures.installation import CHANNEL, Installation
from tests.language.marked import catalogue, forms_of

LEAST = 12  # characters of a piece of a translation that is in no other text


def speaks(installation: Installation, person: str, locale: str) -> None:
    people, known = installation.slack.workspace.people, installation.slack.workspace.person(person)
    people[known.id] = replace(known, locale=locale)
    installation.forget_what_slack_said()


def form_of(installation: Installation, person: str) -> tuple[str, str]:
    """The title and the question of the form that is open."""
    open_view = installation.slack.open_view_of(person)
    assert isinstance(open_view, OpenView)
    view = open_view.content
    return view["title"]["text"], view["blocks"][0]["label"]["text"]


def pieces_of_spanish() -> list[str]:
    english = {form for message in catalogue(SPANISH).values() for form in forms_of(message.id)}
    spanish = (form for message in catalogue(SPANISH).values() for form in forms_of(message.string))
    pieces = {piece.strip() for form in spanish for piece in re.split(r"\{\w+\}", form)}
    return [piece for piece in pieces if len(piece) >= LEAST and not any(piece in form for form in english)]


def test_each_reader_has_their_language_and_the_ledger_has_none(installation: Installation) -> None:
    installation.use_policy(top="language: es")
    for person, locale in (("ana", "es-ES"), ("ben", "en-GB"), ("gil", "fr-FR")):
        speaks(installation, person, locale)
    request = installation.asked()

    forms = {}
    for person in ("ana", "ben"):
        installation.click(person, request, "reject")
        forms[person] = form_of(installation, person)
    installation.click("gil", request, "reject")
    answer = installation.slack.command("ana", "/countersign", "fast-track off mae looks forged", channel="general")
    installation.slack.submit_view("ana", {"reason": "peor en domingo"})
    installation.settle()

    assert forms["ana"] == (
        "Rechazar",
        f"{request.version} no pasa a champion. ¿Por qué rechazas {request.version}? "
        "El motivo aparecerá en la tarjeta, en el ticket y en el registro de auditoría.",
    )
    assert forms["ben"][0] == "Reject"
    assert installation.told_privately("gil") == "Las cuentas invitadas del espacio de trabajo no pueden decidir."
    assert "La vía rápida queda desactivada para todas las reglas" in str(answer.body)
    posted = "\n".join(message.all_text for message in installation.slack.messages(CHANNEL))
    assert "Ana Ruiz ha desactivado la vía rápida para todas las reglas. Motivo: mae looks forged" in posted
    ticket = installation.jira.issue(installation.reread(request).ticket.key)  # type: ignore[union-attr]
    assert f"¿Puede {request.version} pasar a champion? Se decide en su tarjeta" in ticket.description_text
    assert "Rechazada:" in installation.comments(request)
    assert "rechazó el" in installation.comments(request)
    with installation.s.store.transaction() as tx:
        ledger = "\n".join(entry.body for entry in tx.ledger.entries())
    assert [piece for piece in pieces_of_spanish() if piece in ledger] == []
