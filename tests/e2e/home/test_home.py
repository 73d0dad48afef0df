"""Each person's own page: what waits for them, what they asked for, what is in production, and what was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.clients.slack.home.views import BLOCKS_LIMIT
from bot.domain.home.form import ModelRef
from bot.domain.home.page import ROWS, Section
from bot.engine.rows import JobStatus
from bot.sandbox.slack.views import OpenView
from bot.sandbox.slack.wire import every_object, every_text
from handlers.doors.clock import HOUSEKEEPING
from handlers.home.opening import refresh_homes
from tests.e2e.notify.test_languages import speaks
from tests.fixtures.installation import Installation

ORG = "E0ORG000001"


def view_of(installation: Installation, person: str) -> OpenView:
    view = installation.slack.home_of(person)
    assert view is not None
    return view


def home_of(installation: Installation, person: str) -> str:
    return "\n".join(every_text(view_of(installation, person).content["blocks"]))


def opened(installation: Installation, person: str) -> str:
    """What the person reads after opening their page."""
    answers = installation.slack.open_home(person)
    assert [answer.status for answer in answers] == [200]
    installation.settle()
    return home_of(installation, person)


def part(home: str, title: str) -> str:
    """One list of the page, up to the next title."""
    titles = ("Waits for you", "Asked by you", "In production now", "Recent decisions")
    after = home.partition(f"{title}\n")[2]
    return min((after.partition(f"\n{other}\n")[0] for other in titles), key=len)


def test_each_person_sees_what_waits_for_them_and_no_one_is_asked_about_their_own(installation: Installation) -> None:
    request = installation.asked()

    ana, bea, cy = (opened(installation, person) for person in ("ana", "bea", "cy"))

    waiting = f"promote {installation.model} v1 to champion"
    assert waiting in part(ana, "Waits for you")
    assert "Needs 1 approval: 1 of ml-leads" in part(ana, "Waits for you")
    assert "waits for" in part(ana, "Waits for you")
    assert "Nothing waits for your vote" in part(bea, "Waits for you")  # she trained it
    assert "Nothing waits for your vote" in part(cy, "Waits for you")  # no rule names his group
    card = installation.reread(request).card
    assert card is not None
    buttons = [one for one in every_object(view_of(installation, "ana").content["blocks"]) if "url" in one]
    assert card.url in [button["url"] for button in buttons]


def test_after_the_vote_it_is_among_the_decisions_and_in_production(installation: Installation) -> None:
    request = installation.asked()
    opened(installation, "ana")
    installation.approve(request)
    refresh_homes("", installation.s)
    installation.settle()

    home = home_of(installation, "ana")

    assert "Nothing waits for your vote" in home
    assert f"Approved: {installation.model} v1 → champion" in part(home, "Recent decisions")
    assert "by Ana Ruiz" in part(home, "Recent decisions")
    assert f"alias:champion of {installation.model}: v1" in part(home, "In production now")
    assert "approved by Ana Ruiz" in part(home, "In production now")
    assert 'press "Roll back" on its card' in part(home, "In production now")


def test_a_page_is_kept_up_to_date_once_a_minute_only_while_it_may_be_looked_at(installation: Installation) -> None:
    assert HOUSEKEEPING["refresh_homes"] == timedelta(minutes=1)
    installation.asked()
    opened(installation, "ana")
    before = view_of(installation, "ana").hash
    refresh_homes("", installation.s)
    installation.settle()
    same = view_of(installation, "ana").hash

    installation.clock.ahead = timedelta(hours=2)
    installation.reject(installation.requests()[0], "too old")
    refresh_homes("", installation.s)
    installation.settle()

    assert same == before
    assert view_of(installation, "ana").hash == before
    assert "Nothing waits" in opened(installation, "ana")


def test_what_was_asked_is_under_asked_by_you_with_its_state(installation: Installation) -> None:
    installation.register()
    installation.sweep()
    assert 'Press "Request a promotion"' in part(opened(installation, "bea"), "Asked by you")
    installation.slack.shortcut("bea", "countersign.request")
    key = ModelRef("default", installation.model).key
    installation.slack.suggest("bea", "ask.choose", installation.model)
    installation.slack.press_view("bea", "ask.choose", key)
    installation.slack.suggest("bea", "ask.version", "")
    view = installation.slack.open_view_of("bea")
    assert view is not None
    (target,) = (block for block in view.content["blocks"] if str(block["block_id"]).startswith("target."))  # type: ignore[attr-defined]
    value = target["element"]["options"][0]["value"]
    installation.slack.submit_view("bea", {"model": key, f"version.{key}": "1", f"target.{key}": value})
    installation.settle()

    assert f"promote {installation.model} v1 to champion" in part(opened(installation, "bea"), "Asked by you")


@pytest.mark.proof
def test_one_model_alone_and_all_again(installation: Installation) -> None:
    other = f"{installation.model}-b"
    installation.approve(installation.asked())
    installation.register(model=other)
    installation.mlflow.set_registered_model_alias(other, "candidate", "1")
    installation.sweep()
    both = opened(installation, "ana")

    installation.slack.suggest("ana", "home.filter", other, in_home=True)
    installation.slack.press_home("ana", "home.filter", ModelRef("default", other).key)
    installation.settle()
    one = home_of(installation, "ana")
    installation.slack.press_home("ana", "home.all:all")
    installation.settle()

    assert f"{other} v1" in part(both, "Waits for you")
    assert f"of {installation.model}: v1" in both
    assert f"{other} v1" in part(one, "Waits for you")
    assert f"of {installation.model}: v1" not in one
    assert f"Nothing of {other} here" in part(one, "In production now")
    assert home_of(installation, "ana") == both


@pytest.mark.proof
def test_a_long_list_has_pages(installation: Installation) -> None:
    for number in range(ROWS + 1):
        name = f"{installation.model}-{number}"
        installation.register(model=name)
        installation.mlflow.set_registered_model_alias(name, "candidate", "1")
    installation.sweep()
    newest = f"promote {installation.model}-{ROWS} v1"

    first = opened(installation, "ana")
    installation.slack.press_home("ana", f"home.older:{Section.WAITS}")
    installation.settle()
    second = home_of(installation, "ana")
    installation.slack.press_home("ana", f"home.newer:{Section.WAITS}")
    installation.settle()

    assert part(first, "Waits for you").count("Approval needed: promote") == ROWS
    assert part(second, "Waits for you").count("Approval needed: promote") == 1
    assert newest in second
    assert home_of(installation, "ana").count("Approval needed: promote") == ROWS
    assert len(view_of(installation, "ana").content["blocks"]) <= BLOCKS_LIMIT  # type: ignore[arg-type]


def guest(installation: Installation) -> None:
    assert installation.slack.workspace.person("gil").is_restricted


def foreign(installation: Installation) -> None:
    change(installation, team_id="T0ELSEWHERE")


def unconfirmed(installation: Installation) -> None:
    change(installation, is_email_confirmed=False)


def without_address(installation: Installation) -> None:
    change(installation, email="")


def change(installation: Installation, **how: object) -> None:
    people, gil = installation.slack.workspace.people, installation.slack.workspace.person("gil")
    people[gil.id] = replace(gil, is_restricted=False, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("becomes", "said"),
    [
        (guest, "Ask a full member of the workspace to do it."),
        (foreign, "Ask a member of this workspace to do it."),
        (unconfirmed, "Follow the link in Slack's mail to you"),
        (without_address, "Ask who keeps the Slack app"),
    ],
)
def test_a_person_who_has_no_part_in_it_reads_what_to_do(
    installation: Installation, becomes: Callable[[Installation], None], said: str
) -> None:
    installation.asked()
    becomes(installation)

    home = opened(installation, "gil")

    assert said in home
    assert installation.model not in home


def test_an_unbound_account_reads_which_command_an_administrator_runs(installation: Installation) -> None:
    request = installation.asked()
    installation.approve(request)
    with installation.s.store.transaction() as tx:
        tx.people.unbind("ana@example.com")

    home = opened(installation, "ana")

    assert "countersign people bind ana@example.com U0ANA000001" in home
    assert installation.model not in home


def test_looking_binds_no_account_and_writes_nothing_into_the_ledger(installation: Installation) -> None:
    people = installation.slack.workspace.people
    people["U0ZOE000009"] = replace(people["U0CY0000003"], id="U0ZOE000009", name="zoe", email="zoe@example.com")
    with installation.s.store.transaction() as tx:
        before = len(list(tx.ledger.entries()))

    home = opened(installation, "zoe")

    assert "Nothing waits for your vote" in home
    assert "In production now" not in home  # she is in no readers' group
    with installation.s.store.transaction() as tx:
        assert len(list(tx.ledger.entries())) == before
        assert tx.people.find("zoe@example.com") is None


def test_the_page_is_in_the_language_of_the_persons_slack(installation: Installation) -> None:
    installation.asked()
    speaks(installation, "ana", "es-ES")

    home = opened(installation, "ana")

    assert "Espera tu voto" in home
    assert "Waits for you" not in home


def test_a_whole_organisation_has_pages_too(installation: Installation) -> None:
    installation.slack.app.enterprise = ORG
    installation.asked()

    assert f"promote {installation.model} v1 to champion" in opened(installation, "ana")


def test_a_view_that_another_has_published_meanwhile_is_replaced_by_what_holds_now(installation: Installation) -> None:
    opened(installation, "ana")
    view = view_of(installation, "ana")
    installation.slack.backend.homes.publish(
        view.person_id, {**view.content, "blocks": [{"type": "divider", "block_id": "x"}]}
    )
    installation.asked()

    assert "Approval needed" in opened(installation, "ana")
    assert installation.s.store.jobs.listing(JobStatus.PARKED) == []


def test_without_a_home_tab_the_job_waits_with_what_to_do(installation: Installation) -> None:
    installation.slack.open_home("ana")
    installation.slack.app.has_home = False
    installation.settle()

    (job,) = installation.s.store.jobs.listing(JobStatus.PARKED)
    assert job.name == "show_home"
    assert "Switch on App Home, Home Tab" in str(job.errors[-1])


def test_a_vote_that_somebody_away_has_left_to_a_person_waits_for_that_person(installation: Installation) -> None:
    risk = "risk: {people: [cy@example.com]}"
    installation.use_policy(groups=risk, all_of="[{group: risk, quorum: 1}]")
    installation.settle()
    waiting = f"promote {installation.model} v1 to champion"
    installation.asked()
    before = part(opened(installation, "ben"), "Waits for you")
    until = (installation.clock.now() + timedelta(days=3)).date()
    installation.slack.command("cy", "/countersign", f"away until {until} -> @ben", channel="general")
    installation.settle()
    installation.slack.command("ben", "/countersign", "pending", channel="general")
    installation.settle()

    assert waiting not in before
    assert waiting in part(opened(installation, "ben"), "Waits for you")
    assert "They need you: 1." in installation.slack.ephemerals("ben")[-1].all_text
    assert waiting not in part(opened(installation, "cy"), "Waits for you")  # who is away decides nothing
