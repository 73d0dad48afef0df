"""A press on a message that Slack has taken and no record has yet, since its worker died in between: it counts, and nothing comes twice."""

from __future__ import annotations

from functools import partial

from bot.domain.digest.sign_off import SIGN_OFF
from bot.domain.events import CardPosted, DigestSignedOff, QuestionAnswered, QuestionPosted, VoteCast
from bot.domain.model import State
from bot.errors import Temporary
from bot.sandbox.slack import Message
from handlers.effects import EFFECTS
from tests.e2e.conversation.test_questions import BECAUSE, WHY, asked_by_cy, question
from tests.e2e.digest.test_sign_off import SIGNED
from tests.e2e.notify.test_calls import LEADS
from tests.e2e.notify.test_shared_cards import EIGHT, ask_for, below, lists, open_button
from tests.e2e.request.test_enrolment import Keys
from tests.e2e.request.test_enrolment import keys as keys
from tests.fixtures.digest_office import CHANNEL as COMPLIANCE
from tests.fixtures.digest_weeks import go_to_due, rows, weeks_from_now
from tests.fixtures.installation import CHANNEL, Installation
from tests.fixtures.mortal import Killed, Once, with_fate


def run_until_killed_after_the_post_of(effect: str, installation: Installation, first: str = "") -> None:
    """All that is due runs; the first process that posts for this effect dies before it can record the message."""
    fate = Once("after post")
    mortal = with_fate(installation.s, fate)

    def run(name: str, subject: str) -> None:
        try:
            EFFECTS[name](subject, mortal if name == effect else installation.s)
        except Killed:
            raise Temporary("killed", retry_after=600.0) from None

    if first:
        with installation.s.store.transaction() as tx:
            tx.defer(first, "", f"clock:{first}", once=True)
    installation.s.store.jobs.drain({name: partial(run, name) for name in EFFECTS})
    mortal.store.engine.dispose()
    assert fate.done


def others_come(installation: Installation) -> None:
    installation.make_jobs_due()
    installation.settle_all()
    assert installation.unfinished() == []


def votable(installation: Installation) -> list[Message]:
    return [one for one in installation.cards() if "approve" in one.buttons]


def test_on_a_card_that_follows_a_deleted_one(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    installation.sweep()
    request = installation.asked()
    installation.slack.workspace.remove(installation.card(request))
    run_until_killed_after_the_post_of("look_at_card", installation, first="look_at_cards")
    (anew,) = votable(installation)

    installation.slack.click("ana", CHANNEL, anew.ts, "approve")
    told = installation.told_privately("ana")
    others_come(installation)

    assert told == "Your vote is recorded. The card shows what is still missing."
    assert installation.happened(CardPosted, VoteCast) == ["CardPosted", "CardPosted", "VoteCast"]
    assert [one.ts for one in votable(installation)] == [anew.ts]
    assert installation.reread(request).state is State.PENDING


def opened_from_the_list(installation: Installation) -> tuple[Message, str]:
    """The list that Slack shows, and what a press on it is answered."""
    (shared,) = lists(installation)
    first, *_ = installation.requests()
    installation.slack.click("ana", CHANNEL, shared.ts, open_button(first))
    told = installation.told_privately("ana")
    others_come(installation)
    return shared, told


def test_on_a_list(installation: Installation) -> None:
    ask_for(installation, EIGHT)
    run_until_killed_after_the_post_of("sync_group", installation, first="sweep_models")

    shared, told = opened_from_the_list(installation)

    assert "Its card comes into the thread below the list" in told
    assert [one.ts for one in lists(installation)] == [shared.ts]
    assert sum("approve" in one.buttons for one in below(shared, installation)) == EIGHT
    assert [who for _, who in installation.slack.workspace.notified] == [LEADS]


def test_on_a_list_that_follows_a_deleted_one(installation: Installation) -> None:
    ask_for(installation, EIGHT)
    installation.sweep()
    installation.settle_all()
    (gone,) = lists(installation)
    installation.slack.workspace.remove(gone)
    run_until_killed_after_the_post_of("look_at_group", installation, first="look_at_cards")

    anew, told = opened_from_the_list(installation)

    assert told.startswith("Its card: ")
    assert [one.ts for one in lists(installation)] == [anew.ts]
    assert [who for _, who in installation.slack.workspace.notified] == [LEADS]


def test_on_a_question(installation: Installation) -> None:
    request = asked_by_cy(installation)
    installation.click("ana", request, "ask")
    installation.slack.submit_view("ana", {"reason": WHY})
    run_until_killed_after_the_post_of("show_questions", installation)
    asked = question(installation, request)

    installation.slack.click("cy", CHANNEL, asked.ts, "answer")
    installation.slack.submit_view("cy", {"reason": BECAUSE})
    others_come(installation)

    assert installation.happened(QuestionPosted, QuestionAnswered) == ["QuestionPosted", "QuestionAnswered"]
    assert question(installation, request).ts == asked.ts
    assert sum("Question about" in one.all_text for one in installation.thread(request)) == 1


def test_on_a_digest(installation: Installation) -> None:
    installation.use_policy(top=SIGNED.replace("sign_off: compliance", "sign_off: ml-leads"))
    (week,) = weeks_from_now(1)
    go_to_due(installation, week)
    run_until_killed_after_the_post_of("post_digest", installation, first="close_digests")
    card = next(one for one in installation.slack.messages(COMPLIANCE) if SIGN_OFF in one.buttons)
    (row,) = rows(installation, [week])

    installation.slack.click("ana", COMPLIANCE, card.ts, SIGN_OFF)
    sent = installation.slack.submit_view("ana", {"reason": ""})
    installation.settle()  # its clock is days ahead of Slack's, so no other process would find the card

    assert (row.card, sent.errors) == (None, {})
    assert len(installation.entries(DigestSignedOff)) == 1
    assert [one.ts for one in installation.slack.messages(COMPLIANCE) if "Signed off by" in one.all_text] == [card.ts]


def test_on_a_passkey_that_is_asked_about_again(keys: Keys) -> None:
    made = keys.enrol("ana")
    gone = keys.card(made)
    keys.installation.slack.workspace.remove(message_at(gone, keys.installation))
    run_until_killed_after_the_post_of("look_at_passkey", keys.installation, first="look_at_cards")
    anew = next(one for one in keys.installation.slack.messages(CHANNEL) if "confirm_passkey" in one.buttons)

    keys.installation.slack.click("ben", CHANNEL, anew.ts, "confirm_passkey")
    others_come(keys.installation)

    assert anew.ts != gone
    assert keys.reread(made).is_confirmed
    assert keys.card(made) == anew.ts


def message_at(ts: str, installation: Installation) -> Message:
    return next(one for one in installation.slack.messages(CHANNEL) if one.ts == ts)
