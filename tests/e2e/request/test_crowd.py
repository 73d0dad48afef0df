"""However many versions ask at once, nobody else's approval waits for them."""

from __future__ import annotations

from bot.domain.model import State
from handlers.effects import effects_of
from handlers.registry.reconcile import defer_look
from tests.fixtures.installation import Installation

CROWD = 300  # looks, and as many requests whose evidence, plots and tickets wait


def test_a_vote_is_signed_carried_out_and_shown_before_any_look_or_evidence_of_a_crowd(
    installation: Installation,
) -> None:
    request = installation.asked()
    with installation.s.store.transaction() as tx:
        for number in range(CROWD):
            defer_look(tx, "default", f"crowd-{number}")
            for effect, lane in (("freeze_evidence", "evidence"), ("sync_ticket", "jira"), ("show_plot", "plots")):
                tx.defer(effect, f"of-the-crowd-{number}", f"{lane}:of-the-crowd-{number}")
    installation.click("ana", request, "approve")
    ran: list[str] = []

    drain_noting(installation, ran)

    first_of_crowd = next(place for place, what in enumerate(ran) if "crowd" in what)
    assert {"sign", "sync_target", "sync_card"} <= set(ran[:first_of_crowd])
    assert ran.count("crowd: look_at") == CROWD
    in_order = [what.removeprefix("crowd: ") for what in ran if what.startswith("crowd: ")]
    assert in_order == sorted(in_order, key=["look_at", "freeze_evidence", "sync_ticket", "show_plot"].index)
    assert (installation.reread(request).state, installation.champion()) == (State.APPLIED, request.version.version)


def drain_noting(installation: Installation, ran: list[str]) -> None:
    """Runs all that is due; what is of the crowd is only noted."""
    real = effects_of(installation.s)

    def noting(name: str) -> object:
        def run(subject: str) -> None:
            if "crowd-" in subject:
                ran.append(f"crowd: {name}")
                return
            ran.append(name)
            if name != "show_plot":
                real[name](subject)

        return run

    installation.s.store.jobs.drain({name: noting(name) for name in real})  # type: ignore[misc]
