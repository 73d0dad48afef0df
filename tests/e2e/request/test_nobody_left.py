"""A vote that nobody is left to give: the card, its row, `requests show` and `policy explain` say so, until somebody is there again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner

from bot.__main__ import main
from bot.domain.model import Ask, AskKind, TransitionRequest
from handlers.queries.request_record import record_of
from handlers.queries.request_rows import rows_of
from handlers.request.asking import request_transition
from handlers.request.waiting import tell_waiting
from tests.builders import CHAMPION
from tests.fixtures.installation import Installation

pytestmark = pytest.mark.proof

PAIR = "pair: {people: [ana@example.com, cy@example.com]}"
TWO = "[{group: pair, quorum: 2}]"
ANA_ASKED = (
    "Nobody is left to give 1 of pair: Ana Ruiz asked for it. Add people to pair in the policy, or ask for fewer votes there. "
    "Until then only Reject can decide it."
)


def asked_by(installation: Installation, email: str) -> TransitionRequest:
    installation.use_policy(groups=PAIR, all_of=TWO)
    version = installation.register(user="bea")
    request = request_transition(
        installation.model, version, CHAMPION, email, "please", Ask(AskKind.COMMAND), installation.s
    )
    installation.settle()
    return installation.reread(request)


def test_a_requester_of_a_group_that_needs_everybody_is_named_everywhere(installation: Installation) -> None:
    request = asked_by(installation, "ana@example.com")

    with installation.s.store.transaction() as tx:
        (row,) = rows_of([request], tx, installation.clock.now(), tx.people.all_names())
    assert ANA_ASKED in installation.card(request).all_text
    assert row.needs.endswith(ANA_ASKED)
    assert record_of(request.id, installation.s).nobody_left == ANA_ASKED


def test_the_card_goes_on_once_the_policy_has_somebody_more(installation: Installation) -> None:
    request = asked_by(installation, "ana@example.com")

    installation.use_policy(groups=PAIR.replace("ana@", "ben@example.com, ana@"), all_of=TWO)
    installation.settle()

    assert "Nobody is left" not in installation.card(request).all_text
    assert record_of(request.id, installation.s).nobody_left == ""


def test_the_card_says_who_is_away_and_no_longer_when_they_are_back(installation: Installation) -> None:
    request = asked_by(installation, "ben@example.com")
    before = installation.card(request).all_text

    installation.slack.command("ana", "/countersign", f"away until {_day(installation)} -> @cy", channel="general")
    installation.settle()
    away = installation.card(request).all_text
    installation.slack.command("ana", "/countersign", "back", channel="general")
    installation.settle()

    assert "Nobody is left to give 1 of pair: Ana Ruiz is away until" in away
    assert "Nobody is left" not in before + installation.card(request).all_text


@pytest.mark.parametrize("late", [1, 3, 600])  # minutes, as when no worker ran
def test_an_absence_that_ends_by_itself_is_no_longer_on_the_card(installation: Installation, late: int) -> None:
    request = asked_by(installation, "ben@example.com")
    installation.slack.command("ana", "/countersign", f"away until {_day(installation)} -> @cy", channel="general")
    installation.settle()
    away = installation.card(request).all_text

    installation.clock.ahead += timedelta(minutes=late) + _until_tomorrow(installation)
    tell_waiting("", installation.s)
    installation.settle()

    assert "Ana Ruiz is away until" in away
    assert "Nobody is left" not in installation.card(request).all_text


def test_explain_says_it_of_a_group_in_slack_too(installation: Installation) -> None:
    installation.use_policy(quorum=3)
    version = installation.register(user="bea")
    settings = installation.settings
    usual = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "SLACK_API_URL": settings.slack_api_url,
    }
    uri = f"models:/{installation.model}/{version}"

    asking = {**usual, "SLACK_BOT_TOKEN": settings.slack_bot_token.get_secret_value()}
    told = CliRunner().invoke(main, ["policy", "explain", uri], env=asking)
    not_asked = CliRunner().invoke(main, ["policy", "explain", uri], env={**usual, "SLACK_BOT_TOKEN": ""})

    assert "Nobody is left to give 1 of ml-leads: Bea Baker trained it." in told.output
    assert "Nobody is left" not in not_asked.output


def _day(installation: Installation) -> str:
    return str(installation.clock.now().date())


def _until_tomorrow(installation: Installation) -> timedelta:
    now = installation.clock.now()
    return (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) - now
