"""A whole card, what follows it in its thread, and its ticket in Spanish."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.card.card import Card, Confirm, Lead, Link, Table, Weight
from bot.domain.card.details import details_card
from bot.domain.card.request_card import outcome_card, reminder_card, request_card
from bot.domain.card.ticket import ticket_card
from bot.domain.evidence.lineage import checks_text
from bot.domain.model import Kind, LineageCheck, State
from bot.language import SPANISH, recorded
from bot.language.catalogues import in_language
from tests.builders import LATER, a_request, a_version
from tests.builders.usual import USUAL, usual_request


def facts_of(card: Card) -> dict[str, str]:
    return {fact.label: fact.value.text if isinstance(fact.value, Link) else fact.value for fact in card.facts}


def test_the_card_says_in_spanish_what_is_asked_how_risky_it_is_and_what_is_needed() -> None:
    with in_language(SPANISH):
        card = request_card(usual_request(), USUAL, "https://countersign.example.com/v/1")

    approve, reject, *_ = card.buttons
    risk = "MAE 49.5605 frente a champion 24.5055: 102 % peor, por encima del límite de 40"
    assert card.title == "Falta aprobación: promover bike-demand v7 a champion (sustituye a v2)"
    assert card.lead == Lead(risk, Weight.HIGH)
    assert facts_of(card) == {
        "Lo pide": "se desconoce (en el registro de modelos)",
        "Entrenada por": "Bea Baker",
        "Motivo": "sin motivo indicado",
        "Decidir antes del": "5 mar 2026, 12:00 UTC",
    }
    assert card.tables == (
        Table(
            "",
            ("Métrica", "v7 (candidata)", "v2 (champion)", "Diferencia", "Umbral"),
            (("mae", "49.5605", "24.5055", "+25.05, peor", "✗ ≤ 40, ✗ mejor en 1 %"),),
        ),
    )
    assert card.paragraphs == ("Faltan 2 aprobaciones: 1 de ml-leads, 1 de risk.",)
    assert [link.text for link in card.links] == [
        "GOV-7",
        "Historial completo de esta versión",
        "En el registro de modelos",
    ]
    assert approve.confirm == Confirm(
        "¿Aprobar bike-demand v7 para champion?",
        f"{risk}. Si aprueba: champion pasa de v2 a v7.",
        "Aprobar",
        "Cancelar",
    )
    assert reject.label == "Rechazar"


def test_the_thread_and_the_ticket_read_what_the_ledger_keeps_in_english() -> None:
    judged = (
        "No se aprueba automáticamente: mae 49.5605 está por encima del umbral 40; "
        "mae es peor que el 24.5055 del champion en 25.055 (102.2 %); se pedía al menos 1 %."
    )
    with in_language(SPANISH):
        details, ticket = details_card(usual_request(), USUAL), ticket_card(usual_request(), USUAL)

    assert details.title == "Detalles: bike-demand v7 → champion"
    assert judged in details.paragraphs
    assert facts_of(details)["Destino"] == "alias champion (ahora: bike-demand v2)"
    assert ticket.summary == "¿Puede bike-demand v7 pasar a champion? Se decide en su tarjeta y queda registrado aquí."
    assert ticket.tables == details.tables
    assert judged in ticket.paragraphs
    assert facts_of(ticket)["Artefactos"] == "5 archivos, 914.5 kB, sha256 5f1c00000000"


def test_reminders_and_outcomes_are_in_spanish() -> None:
    gone = a_request(
        State.STALE, outcome=recorded("outcome", "{version} was deleted from the registry", version="bike v7")
    )
    back = a_request(State.APPLIED, kind=Kind.ROLLBACK, away_from=a_version(8), settled_at=LATER)
    with in_language(SPANISH):
        reminder, stale, rolled = (
            reminder_card(usual_request(), USUAL),
            outcome_card(gone, USUAL),
            outcome_card(back, USUAL),
        )

    assert reminder.title == "Sigue pendiente: bike-demand v7 → champion"
    assert stale.paragraphs == (
        "bike v7 se borró del registro de modelos.",
        "Lo que se aprobó no es lo que hay ahora, así que no se ha movido nada. "
        "Si se ha abierto una solicitud nueva, su tarjeta está enlazada en esta.",
    )
    assert rolled.title == "Restablecida por una vuelta atrás: bike-demand v7 → champion"
    assert rolled.paragraphs[-1].startswith("bike-demand v8 queda marcada como fallida")


def test_what_people_wrote_stays_as_they_wrote_it() -> None:
    """Also where it reads like a sentence of the bot."""
    request = replace(
        usual_request(), comment="run 7 finished", state=State.CALLED_OFF, ended_by="cy", outcome="seed 7"
    )

    with in_language(SPANISH):
        card = request_card(request, USUAL)

    assert facts_of(card)["Motivo"] == "run 7 finished"
    assert any("seed 7" in paragraph for paragraph in card.paragraphs)


def test_the_lineage_is_counted_in_spanish() -> None:
    checks = [
        LineageCheck("L01", True, ""),
        LineageCheck("L02", False, ""),
        LineageCheck("L03", False, "not checked: x"),
    ]

    with in_language(SPANISH):
        assert checks_text(checks) == "1 de 3 comprobaciones de linaje superadas, 1 fallida, 1 sin comprobar"
