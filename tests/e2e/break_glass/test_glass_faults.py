"""What may fail while the glass is broken: Slack, Jira, MLflow, and the process itself."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.events import GlassBroken, MoveObserved, RequestApproved, TargetMoved
from bot.domain.model import State
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.glass import allow, ask_for_it, broken, glasses, send
from tests.fixtures.installation import Installation


def ready(installation: Installation) -> int:
    allow(installation)
    version = installation.register()
    installation.sweep()
    ask_for_it(installation, version)
    return version


def test_while_jira_is_down_the_target_moves_and_the_ticket_follows(installation: Installation) -> None:
    version = ready(installation)
    installation.jira.faults.add("down", times=1000)

    send(installation)
    installation.settle_once()

    assert installation.champion() == version
    assert broken(installation, version).ticket is None
    installation.jira.faults.clear()
    installation.make_jobs_due()
    installation.settle_until(lambda: broken(installation, version).ticket is not None)
    assert installation.champion() == version


def test_a_lost_answer_of_mlflow_to_the_move_is_looked_up_and_moves_nothing_twice(
    open_installation: Callable[..., Installation], mlflow_server: str
) -> None:
    with fault_proxy(mlflow_server) as (url, faults):
        installation = open_installation(registry_url=url)
        version = ready(installation)
        faults.add("cut", path="registered-models/alias", method="POST")
        faults.add("status", path="registered-models/alias", method="POST", times=1000)  # a second move would fail

        send(installation)
        installation.settle_until(lambda: broken(installation, version).state is State.APPLIED)
        installation.settle_all()
        installation.sweep()

        assert installation.champion() == version
        once = installation.happened(GlassBroken, RequestApproved, TargetMoved, MoveObserved)
        assert once == ["GlassBroken", "RequestApproved", "TargetMoved"]


def test_while_slack_takes_no_messages_the_target_moves_and_the_alarm_follows_once(installation: Installation) -> None:
    version = ready(installation)
    installation.slack.faults.add("down", path="/chat.postMessage$", times=1000)

    send(installation)
    installation.settle_once()
    assert installation.champion() == version
    installation.slack.faults.clear()
    installation.make_jobs_due()
    installation.settle_all()

    alarms = [one for one in installation.cards() if "The glass was broken:" in one.all_text]
    assert len(alarms) == 1


def test_while_slack_does_not_say_who_it_is_nothing_is_recorded(installation: Installation) -> None:
    version = ready(installation)
    installation.forget_what_slack_said()
    installation.slack.faults.add("down", path="/users.info$", times=1000)

    sent = send(installation)
    installation.slack.faults.clear()

    assert "Nothing was recorded" in sent.errors["reason"]
    assert not glasses(installation)
    assert installation.champion() is None
    assert not send(installation).errors
    installation.settle()
    assert installation.champion() == version


def test_a_process_that_dies_between_the_record_and_the_move_leaves_it_to_another(installation: Installation) -> None:
    """The door has recorded and answered; no worker has run yet. Whichever worker comes finds all that it needs in the database."""
    version = ready(installation)

    sent = send(installation)

    assert not sent.errors
    assert broken(installation, version).state is State.COLLECTING
    assert installation.champion() is None
    installation.settle()
    assert installation.champion() == version
    assert installation.happened(TargetMoved) == ["TargetMoved"]


def test_a_form_that_slack_sends_twice_is_one_deed(installation: Installation) -> None:
    version = ready(installation)
    view = installation.slack.open_view_of("cy")
    assert view is not None
    from bot.sandbox.slack import payloads

    person = installation.slack.workspace.person("cy")
    payload = payloads.view_submission(installation.slack.backend, person, view, {"reason": "It is down."})

    first, second = installation.slack.send(payload), installation.slack.send(payload)
    installation.settle()

    assert first.body.get("response_action") == "update"
    assert second.body.get("response_action") == "errors"
    assert len(glasses(installation)) == 1
    assert installation.champion() == version
