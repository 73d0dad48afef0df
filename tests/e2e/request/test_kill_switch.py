"""The fast track's kill switch: by any approver in Slack or on the command line, at once on all replicas, recorded, announced."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bot.domain.events import FastTrackSwitched
from bot.domain.model import DecidedBy, State
from bot.services import Services
from handlers.effects import effects_of
from handlers.policy.activation import activate_policy
from handlers.policy.kill_switch import how_it_is, person_named, switch_fast_track
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import CHANNEL, Installation, policy_text, services_with

FAST = "    fast_track: {mode: on, metrics: {mae: {threshold: 40, greater_is_better: false}}}\n"
OFF = "fast-track off mae looks forged"


@pytest.fixture
def fast(installation: Installation) -> Installation:
    """A installation whose rule lets good versions through by itself."""
    activate_policy(
        policy_text(f"{installation.model}*").replace("default: report", f"{FAST}default: report"),
        "test",
        installation.s,
    )
    installation.settle()
    return installation


@pytest.fixture
def replica(fast: Installation) -> Iterator[Services]:
    """Another process of the same installation."""
    s = services_with(fast.settings, fast.settings.database_url.get_secret_value(), fast.clock)
    yield s
    s.store.engine.dispose()


def say(installation: Installation, person: str, text: str) -> str:
    """Types the command and returns what only this person is shown."""
    installation.slack.command(person, "/countersign", text, channel="general")
    installation.settle()
    return installation.slack.ephemerals(person)[-1].all_text


def announced(installation: Installation) -> list[str]:
    return [
        message.all_text for message in installation.slack.messages(CHANNEL) if "The fast track is" in message.all_text
    ]


def test_what_passes_by_itself_waits_for_people_once_it_is_switched_off(fast: Installation) -> None:
    before = fast.asked()

    said = say(fast, "ana", OFF)
    after = fast.asked()

    assert "The fast track is off now, for all rules: people decide, whatever the figures say." in said
    assert (before.state, before.decided_by) == (State.APPLIED, DecidedBy.FAST_TRACK)
    assert (after.state, after.decided_by) == (State.PENDING, None)
    assert fast.champion() == before.version.version


def test_it_passes_again_once_it_is_switched_on(fast: Installation) -> None:
    say(fast, "ana", OFF)

    said = say(fast, "ben", "fast-track on")

    assert "The fast track is on now, for all rules." in said
    assert fast.asked().state is State.APPLIED


def test_a_replica_that_was_running_already_sees_it_at_once(fast: Installation, replica: Services) -> None:
    version = fast.register()
    fast.ask(version)
    with fast.s.store.transaction() as tx:
        tx.defer("sweep_models", "", "clock:sweep_models", once=True)
    assert replica.store.policy().rules[0].fast_track is not None  # it has read everything that it keeps

    fast.slack.command("ana", "/countersign", OFF, channel="general")
    replica.store.jobs.drain(effects_of(replica))

    assert fast.request(version).state is State.PENDING


def test_it_is_recorded_once_and_announced_with_who_and_why(fast: Installation) -> None:
    say(fast, "ana", OFF)

    again = say(fast, "ben", "fast-track off me too")

    (entry,) = fast.entries(FastTrackSwitched)
    with fast.s.store.transaction() as tx:
        ana = tx.people.get(entry["person"])
    assert (entry["on"], entry["reason"], ana.email) == (False, "mae looks forged", "ana@example.com")
    assert len(announced(fast)) == 1
    assert "Ana Ruiz switched the fast track off, for all rules. Reason: mae looks forged" in announced(fast)[0]
    assert "Nothing had to be changed. The fast track has been off since" in again
    assert "switched by Ana Ruiz. Reason: mae looks forged" in again


def test_how_it_is_can_be_asked_by_anybody(fast: Installation) -> None:
    assert "The fast track is on, and nobody has ever switched it." in say(fast, "cy", "fast-track")
    say(fast, "ana", OFF)

    assert "switched by Ana Ruiz. Reason: mae looks forged" in say(fast, "cy", "fast-track")


REFUSED = {
    "no reason": ("ana", "fast-track off", "Say why: whoever waits for a version reads it in the channel."),
    "an odd word": (
        "ana",
        "fast-track maybe",
        'Say "/countersign fast-track off REASON" or "/countersign fast-track on".',
    ),
    "no approver": ("cy", OFF, "Only people who approve under some rule may do this: members of ml-leads."),
    "a guest": ("gil", OFF, "Guests of the workspace may not decide."),
    "too long": (
        "ana",
        f"fast-track off {'because ' * 200}",
        "The reason has 1,599 characters; 1,000 fit. Shorten it.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_answered_with_a_sentence_and_switches_nothing(fast: Installation, case: str) -> None:
    person, text, sentence = REFUSED[case]

    said = say(fast, person, text)

    assert sentence in said
    assert fast.entries(FastTrackSwitched) == []
    assert announced(fast) == []


def test_a_group_that_is_gone_from_slack_keeps_nobody_from_switching(fast: Installation) -> None:
    text = policy_text(f"{fast.model}*").replace("rules:\n", "  heads: {slack_group: heads}\nrules:\n")
    activate_policy(text.replace("all_of: [", "all_of: [{group: heads, quorum: 1}, "), "test", fast.s)

    refused = say(fast, "cy", OFF)
    done = say(fast, "ana", OFF)

    assert "Nothing was recorded: There is no active user group @heads in Slack" in refused
    assert "The fast track is off now, for all rules" in done


def test_a_reason_is_kept_as_people_read_it(fast: Installation) -> None:
    say(fast, "ana", "fast-track off @ben & @ml-leads saw mae < 0, see https://example.com/why")

    assert fast.entries(FastTrackSwitched)[0]["reason"] == ("@ben & @ml-leads saw mae < 0, see https://example.com/why")


# The command line


def run(installation: Installation, *words: str) -> Finished:
    return countersign("fast-track", *words, DATABASE_URL=installation.settings.database_url.get_secret_value())


def test_the_command_line_switches_it_although_slack_is_down(fast: Installation) -> None:
    fast.slack.faults.add("down")

    done = run(fast, "off", "--reason", "mae looks forged", "--by", "Ana@example.com")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The fast track is off now, for all rules")
    assert fast.entries(FastTrackSwitched)[0]["reason"] == "mae looks forged"
    assert "@" not in json.dumps(fast.entries(FastTrackSwitched))


def test_the_command_line_switches_it_on_again_and_says_when_it_is_on_already(fast: Installation) -> None:
    run(fast, "off", "--reason", "mae looks forged", "--by", "ana@example.com")

    done, again = (run(fast, "on", "--by", "ben@example.com", "--yes") for _ in range(2))

    assert done.stdout == "The fast track is on now, for all rules.\n"
    assert again.stdout.startswith("Nothing had to be changed. The fast track has been on since")
    assert again.stdout.endswith("switched by Ben Okafor.\n")
    assert [entry["on"] for entry in fast.entries(FastTrackSwitched)] == [False, True]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["off", "--by", "ana@example.com"], 2, "Missing option '--reason'"),
        (["off", "--reason", " \t", "--by", "ana@example.com"], 1, "say why: whoever waits for a version"),
        (["off", "--reason", "forged", "--by", "ana"], 1, '"ana" is no e-mail address'),
    ],
    ids=["no reason", "a blank reason", "nobody's address"],
)
def test_the_command_line_says_what_is_missing(fast: Installation, words: list[str], code: int, sentence: str) -> None:
    done = run(fast, *words)

    assert done.returncode == code
    assert sentence in done.stderr
    assert fast.entries(FastTrackSwitched) == []


@pytest.mark.parametrize("statement", ["update switches set is_on = true", "delete from switches"])
def test_it_stays_off_when_somebody_changes_its_row_and_not_the_ledger(statement: str, fast: Installation) -> None:
    switch_fast_track(False, person_named("ana@example.com", fast.s), "mae looks forged", fast.s)
    with fast.s.store.engine.begin() as connection:
        connection.execute(sa.text(statement))

    request = fast.asked(fast.register(metrics={"mae": 30.0}, measured_on="a1a1a1a1"))

    assert (request.state, request.decided_by) == (State.PENDING, None)
    assert "The fast track has been off since" in how_it_is(fast.s)


def test_it_can_be_switched_on_again_after_somebody_has_changed_its_row(fast: Installation) -> None:
    switch_fast_track(False, person_named("ana@example.com", fast.s), "mae looks forged", fast.s)
    with fast.s.store.engine.begin() as connection:
        connection.execute(sa.text("update switches set is_on = true"))

    said = switch_fast_track(True, person_named("ana@example.com", fast.s), "it was not", fast.s)

    assert said == "The fast track is on now, for all rules."
    assert "The fast track has been on since" in how_it_is(fast.s)
