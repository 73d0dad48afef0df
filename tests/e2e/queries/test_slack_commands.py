"""`/countersign` about models and versions: what waits, status, describe, history, rollback and freeze, for those who may read it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.model import Ask, AskKind, DecidedBy, Kind, State, Target
from handlers.doors.commands.table import HELP, WORDS
from handlers.doors.slack_commands import answer
from handlers.request.asking import request_transition
from tests.fixtures.glass import say
from tests.fixtures.installation import Installation


def test_what_needs_the_person_comes_first_with_its_age_and_its_risk(installation: Installation) -> None:
    other, wanted = f"{installation.model}-b", Target.parse("alias:champion")
    number = installation.register(model=other, user="ana")
    request_transition(other, number, wanted, "cy@example.com", "", Ask(AskKind.COMMAND), installation.s)
    mine = installation.asked(installation.register(user="bea"))

    said = say(installation, "ana", "pending")
    by_cy = say(installation, "cy", "pending")

    assert said.index(f"{mine.version} → champion") < said.index(f"{other} v{number} → champion")
    assert said.count("needs you") == 1
    assert "They need you: 1." in said
    assert "waits less than a minute" in said
    assert "No approved version to compare with" in said
    assert "needs you" not in by_cy
    assert by_cy.index(f"{other} v{number} →") < by_cy.index(f"{mine.version} →")


def test_a_long_list_says_how_much_of_it_is_left_out(installation: Installation) -> None:
    for _ in range(21):
        installation.ask(installation.register(), "candidate")
        installation.sweep("sweep_versions", "sweep_models")

    said = answer("U0ANA000001", f"history {installation.model}", installation.s)

    assert len(said.facts) == 20
    assert "more are not shown" in said.summary


def test_status_describe_and_history_answer_about_a_model(installation: Installation) -> None:
    applied = installation.promoted()
    waiting = installation.asked()
    name, number = installation.model, applied.version.version

    status = say(installation, "ana", f"status {name}")
    of_one = say(installation, "ana", f"status {name} v{waiting.version.version}")
    described = say(installation, "ana", f"describe {name} {number}")
    history = say(installation, "ana", f"history {name}")

    assert f"alias:champion of {name}: v{number} since" in status.replace("\n", "")
    assert "Approval needed" in status
    assert "0 held, 1 under way" in of_one
    assert of_one.index("under way") < of_one.index("Approval needed")
    assert "approved by Ana Ruiz" in described
    assert "Trained by: bea" in described.replace("\n", "")
    assert "mae" in described
    assert history.index("asked") < history.rindex("asked")
    assert "Ana Ruiz" in history


def test_a_name_or_a_word_that_it_does_not_know_is_answered_with_the_nearest(installation: Installation) -> None:
    installation.asked()
    name = installation.model

    word = say(installation, "ana", f"histroy {name}")
    model = say(installation, "ana", f"status {name}x")
    version = say(installation, "ana", f"describe {name} latest")
    nothing = say(installation, "ana", "describe")
    nowhere_near = say(installation, "ana", "qqqq")

    assert 'Countersign does not know "histroy". Did you mean "/countersign history"?' in word
    assert "/countersign daily" not in word
    assert nowhere_near.index('does not know "qqqq"') < nowhere_near.index("/countersign daily")
    assert f'Did you mean "{name}"?' in model
    assert '"latest" is no version. Say it like this: "/countersign describe NAME VERSION"' in version
    assert "/countersign describe NAME VERSION" in nothing


def test_a_guest_is_told_nothing_about_any_model(installation: Installation) -> None:
    version = installation.promoted().version.version
    words = sorted(word for word in WORDS if word != "help")

    for word in words:
        said = say(installation, "gil", f"{word} {installation.model} {version}")
        without_a_name = say(installation, "gil", word)

        for text in (said, without_a_name):
            assert f"v{version} since" not in text, word
            assert "Ana Ruiz" not in text, word
        assert installation.model not in without_a_name, word
    assert len(words) > 10


def test_only_the_policys_readers_read_origin_and_history(installation: Installation) -> None:
    version = installation.promoted().version.version
    installation.use_policy(groups="risk: {people: [cy@example.com]}", top="readers: [risk]")

    by_ana = say(installation, "ana", f"history {installation.model}")
    by_cy = say(installation, "cy", f"history {installation.model}")

    assert "these pages are for members of risk" in by_ana
    assert f"v{version} → alias:champion" in by_cy


def test_a_rollback_in_words_asks_why_and_then_goes_the_way_of_every_rollback(installation: Installation) -> None:
    first, second = installation.promoted(), installation.promoted()
    command = f"rollback {installation.model} champion"

    asked = say(installation, "ana", command)
    by_cy = say(installation, "cy", f"{command} it is slow")
    before = installation.champion()
    done = say(installation, "ben", f"{command} it is slow")
    installation.settle()

    assert f"would go back from {second.version} to {first.version}. Nothing was done." in asked
    assert "Only members of ml-leads may do this" in by_cy
    assert before == second.version.version
    assert "is asked to go back" in done
    assert installation.champion() == first.version.version
    (rollback,) = [one for one in installation.requests() if one.kind is Kind.ROLLBACK]
    assert (rollback.state, rollback.comment) == (State.APPLIED, "it is slow")


@pytest.mark.proof
def test_a_rollback_in_words_undoes_only_what_still_holds_the_target(installation: Installation) -> None:
    """The target has moved by hand since the last sweep: the open time to undo is another version's."""
    track = "{mode: 'on', undo_for: 1h, metrics: {mae: {threshold: 40, greater_is_better: false}}}"
    installation.use_policy(extra=f"rollback: by_votes\nfast_track: {track}")
    first, second = installation.asked(), installation.asked()
    assert second.decided_by is DecidedBy.FAST_TRACK
    installation.ask(installation.register(), "champion")

    said = say(installation, "ana", f"rollback {installation.model} champion it is slow")

    assert f"{second.version.version} no longer holds" in said.replace("version ", "").replace(" v", " ")
    assert not [one for one in installation.requests() if one.kind is Kind.ROLLBACK]
    assert first.state is State.APPLIED


def test_it_says_which_freezes_are_on(installation: Installation) -> None:
    none = say(installation, "ana", "freeze")
    deny = "{deny: [{from: '2020-01-01 00:00', until: '2020-01-02 00:00'}]}"
    installation.use_policy(extra="freezes: [year-end]", top=f"freezes: {{year-end: {deny}}}")

    off = say(installation, "ana", "freeze")

    assert "The policy has no freezes" in none
    assert "No freeze is on." in off
    assert f"not on; for {installation.model}* → alias:champion" in off


def test_answers_are_in_the_persons_language(installation: Installation) -> None:
    people, ana = installation.slack.workspace.people, installation.slack.workspace.person("ana")
    people[ana.id] = replace(ana, locale="es-ES")
    installation.forget_what_slack_said()

    said = say(installation, "ana", "freeze")

    assert "La política no tiene congelaciones" in said


def test_help_lists_every_word() -> None:
    listed = " ".join(command for command, _ in HELP)

    assert all(f"/countersign {word}" in listed for word in WORDS if word not in ("", "requests"))
