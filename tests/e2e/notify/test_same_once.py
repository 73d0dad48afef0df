"""What Slack, Jira and MLflow have already is not sent or asked for again; what changed, or may have been lost, always is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.domain.card.card import Card
from bot.domain.model import TransitionRequest
from bot.domain.references import Image, PostedCard
from bot.errors import OutsideError
from bot.sandbox.jira.records import Comment
from bot.store.tables import sendings
from handlers.attestation.vsa import RENEWED_BEFORE, VALID_FOR, renew_verdict, tag_of
from handlers.notify.card_and_ticket import sync_card, sync_ticket
from handlers.notify.outbox import Write, begin_update, send_all, unsent
from tests.bench.calls import ask, click
from tests.fixtures.call_counts import CallCounts, counting
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import Installation
from tests.fixtures.mortal import Killed, Once, with_fate

LATE = VALID_FOR - RENEWED_BEFORE + timedelta(minutes=1)
WAITING, DECIDED = Card("Waiting", "Waiting for a vote."), Card("Decided", "Approved.")


@pytest.fixture
def counted(open_installation: Callable[..., Installation], mlflow_server: str) -> Iterator[CallCounts]:
    """Counts the calls of an installation whose baseline is taken."""
    with fault_proxy(mlflow_server) as (url, faults):
        installation = open_installation(registry_url=url)
        installation.sweep()
        with counting(installation, faults) as counts:
            yield counts


def show(installation: Installation, posted: PostedCard, card: Card) -> None:
    with installation.s.store.transaction() as tx:
        update = begin_update("card-shown:test", posted, card, tx, installation.s)
    if update is not None:
        update.send(installation.s)


def posted_card(installation: Installation) -> PostedCard:
    return installation.s.notifier.post("model-approvals", WAITING, "test")


def shown(installation: Installation) -> str:
    return installation.slack.messages("model-approvals")[-1].all_text


def verdict_on(installation: Installation, request: TransitionRequest) -> str:
    """What the version carries in MLflow."""
    version = installation.mlflow.get_model_version(installation.model, str(request.version.version))
    return str(version.tags[tag_of(request.target)])


def recorded_verdict(installation: Installation, request: TransitionRequest) -> str:
    version = request.version
    with installation.s.store.transaction() as tx:
        return tx.verdicts.of(version.workspace, version.model, str(request.target))[version.version].envelope


def test_an_ask_and_a_click_are_taken_to_their_ends_without_doing_anything_twice(counted: CallCounts) -> None:
    asked = ask(counted.installation, counted)
    clicked = click(counted.installation, counted)

    assert asked.mlflow.total() <= 12
    assert asked.effects.total() <= 8
    assert asked.transactions.total() <= 25
    assert asked.statements.total() <= 147
    assert clicked.equal_updates == 0
    # Six write tags: the gate reads the signatures, and people the decision. The others are what the move rests on: which registry it is,
    # its run and files as they were approved, and the model with its versions before, right before and after the move.
    assert clicked.mlflow.total() <= 20
    assert clicked.jira.total() <= 4
    assert clicked.slack.total() <= 3
    assert clicked.effects.total() <= 12
    # Eleven of them are of sync_target, which reads the facts again around each of its steps, and checks what was signed, whether votes of
    # a ticket have to be read again, and whether anything that came later at the target is hidden.
    assert clicked.transactions.total() <= 49
    assert clicked.statements.total() <= 287
    assert clicked.transactions["sync_card"] <= 2 * clicked.effects["sync_card"]
    assert clicked.transactions["sync_ticket"] <= 2 * clicked.effects["sync_ticket"]
    assert (
        clicked.transactions["sign"] <= 4
    )  # with the look at a ticket's votes; the first signature of an installation registers its key as well
    assert not [step for step in (*asked.steps, *clicked.steps) if "SAVEPOINT" in step.what]


def test_a_card_that_is_shown_already_is_not_sent_again(counted: CallCounts) -> None:
    request = counted.installation.promoted()
    tally = counted.start()

    sync_card(request.id, counted.installation.s)
    sync_card(request.id, counted.installation.s)

    assert tally.slack["chat.update"] == 0


def test_a_changed_card_is_sent_even_when_it_goes_back_to_what_it_showed_before(counted: CallCounts) -> None:
    posted = posted_card(counted.installation)
    tally, seen = counted.start(), []

    for card in (WAITING, DECIDED, DECIDED, WAITING, DECIDED):
        show(counted.installation, posted, card)
        seen.append(card.title in shown(counted.installation))

    assert seen == [True] * 5
    assert tally.slack["chat.update"] == 4


@pytest.mark.parametrize("fault", ["cut", "malformed", "down", "status"])
def test_a_card_whose_update_failed_is_sent_again(counted: CallCounts, fault: str) -> None:
    installation = counted.installation
    posted = posted_card(installation)
    show(installation, posted, DECIDED)
    installation.slack.faults.add(fault, path="chat.update")

    with pytest.raises(OutsideError):
        show(installation, posted, WAITING)
    show(installation, posted, DECIDED)

    assert "Decided" in shown(installation)


@pytest.mark.parametrize("boundary", ["before update", "after update"])
def test_a_card_is_sent_again_when_the_process_died_around_its_update(counted: CallCounts, boundary: str) -> None:
    installation = counted.installation
    posted = posted_card(installation)
    show(installation, posted, DECIDED)

    with pytest.raises(Killed):
        show(replace(installation, s=with_fate(installation.s, Once(boundary))), posted, WAITING)
    show(installation, posted, DECIDED)

    assert "Decided" in shown(installation)


def test_a_card_that_went_without_its_picture_is_sent_again(counted: CallCounts) -> None:
    posted = posted_card(counted.installation)
    without = replace(DECIDED, image=Image("F0GONE00001", "a plot"))
    tally = counted.start()

    show(counted.installation, posted, without)
    show(counted.installation, posted, without)

    assert tally.slack["chat.update"] == 4  # each time with the picture, and then without


def test_while_an_earlier_update_may_still_arrive_no_card_counts_as_shown(counted: CallCounts) -> None:
    installation = counted.installation
    posted = posted_card(installation)
    installation.s.notifier.post_settles = 3600.0
    with installation.s.store.transaction() as tx:
        under_way = begin_update("card-shown:test", posted, WAITING, tx, installation.s)
    assert under_way is not None

    show(installation, posted, DECIDED)
    under_way.send(installation.s)
    show(installation, posted, DECIDED)

    assert "Decided" in shown(installation)


def test_a_ticket_that_is_up_to_date_is_left_alone(counted: CallCounts) -> None:
    request = counted.installation.promoted()
    tally = counted.start()

    sync_ticket(request.id, counted.installation.s)

    assert tally.jira.total() == 0


def test_what_happened_at_once_is_one_comment_and_costs_no_look_at_the_others(counted: CallCounts) -> None:
    installation = counted.installation
    request = installation.asked()
    installation.click("ana", request, "approve")
    tally = counted.start()

    counted.settle_all()

    decision, _checkpoint = sorted(
        (one.text for one in comments_of(installation, request)), key=lambda text: "Keep" in text
    )
    assert all(said in decision for said in ("Approved: ", "Ana Ruiz on", "has been champion since")), decision
    assert tally.jira["GET issue/{id}/comment"] == 0


def test_a_comment_whose_answer_was_lost_is_looked_for(installation: Installation) -> None:
    request = installation.asked()
    installation.jira.faults.add("cut", path="/comment")
    installation.click("ana", request, "approve")

    installation.settle_all()

    texts = [one.text for one in comments_of(installation, request)]
    assert sum("Approved: " in text for text in texts) == 1


@pytest.mark.parametrize("backup", [timedelta(minutes=1), None])
def test_on_a_ticket_from_a_backup_comments_are_looked_for(
    installation: Installation, backup: timedelta | None
) -> None:
    """The backup lacks what was noted after it was made."""
    request = installation.promoted()
    before = comments_of(installation, request)
    with installation.s.store.transaction() as tx:
        tx.connection.execute(sa.delete(sendings).where(sendings.c.key.startswith("comment:")))
        row = tx.trust.find(request.version.workspace)
        tx.trust.put(replace(row, accepted_backup=request.opened_at + backup if backup else None))

    sync_ticket(request.id, installation.s)

    assert (comments_of(installation, request) == before) is (backup is not None)


def comments_of(installation: Installation, request: TransitionRequest) -> tuple[Comment, ...]:
    ticket = installation.reread(request).ticket
    assert ticket is not None
    return installation.jira.comments(ticket.key)


def test_a_write_is_repeated_when_its_content_changed_and_not_otherwise(installation: Installation) -> None:
    written: list[str] = []

    for url in ("http://one", "http://one", "http://two", "http://one"):
        write = Write("link:test", lambda url=url: written.append(url), content=url)  # type: ignore[misc]
        with installation.s.store.transaction() as tx:
            due = unsent([write], tx)
        send_all(due, installation.s)

    assert written == ["http://one", "http://two", "http://one"]


def test_of_several_writes_those_before_the_one_that_fails_are_not_repeated(installation: Installation) -> None:
    written: list[str] = []

    def fail() -> None:
        raise OutsideError("Jira refuses")

    writes = [Write("comment:a", lambda: written.append("a")), Write("comment:b", fail)]

    with pytest.raises(OutsideError, match="Jira refuses"):
        send_all(writes, installation.s)

    with installation.s.store.transaction() as tx:
        assert [write.key for write in unsent(writes, tx)] == ["comment:b"]
    assert written == ["a"]


@pytest.mark.proof
def test_verdicts_that_are_on_their_versions_cost_no_call(counted: CallCounts) -> None:
    older, newer = counted.installation.promoted(), counted.installation.promoted()
    tally = counted.start()

    for request in (newer, older, newer):
        renew_verdict(request.id, counted.installation.s)

    assert tally.mlflow.total() == 0


def test_a_verdict_that_did_not_reach_its_version_is_brought_there(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    dying = with_fate(installation.s, Once("before tag_version"))
    installation.settle_all()
    installation.clock.ahead = LATE

    with pytest.raises(Killed):
        renew_verdict(request.id, dying)
    renew_verdict(request.id, installation.s)

    assert verdict_on(installation, request) == recorded_verdict(installation, request)
