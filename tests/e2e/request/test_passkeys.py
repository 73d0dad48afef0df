"""An approval that takes a passkey: pressed in Slack, signed by the person's own key, cast, signed by the bot and carried out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot import metrics
from bot.domain.events import PasskeyRevoked, VoteCast
from bot.domain.model import State, TransitionRequest
from bot.errors import Refused, Rejected
from bot.store.passkeys import PendingVote
from handlers.request import confirming
from tests.fixtures.installation import Installation
from tests.fixtures.passkeys import SITE, SoftPasskey, changed, enrolled

BY_PASSKEY = "[{group: ml-leads, quorum: 1, passkey: required}]"
LINK = re.compile(rf"{SITE}/confirm/(\w+)\?expires=\d+&signature=[\w-]+")
Open = Callable[..., Installation]


@pytest.fixture
def demanding(open_installation: Open) -> Installation:
    """Its rule takes the passkey of a member of ml-leads."""
    return swept(open_installation(public_url=SITE, all_of=BY_PASSKEY))


def swept(installation: Installation) -> Installation:
    """The baseline of its registry is taken."""
    installation.sweep()
    return installation


def pressed(installation: Installation, request: TransitionRequest, person: str = "ana") -> PendingVote:
    """The vote that waits after this person pressed Approve."""
    installation.click(person, request, "approve")
    found = LINK.findall(installation.told_privately(person))
    assert found, installation.told_privately(person)
    return confirming.pending_vote(found[-1], installation.s)


def signed(
    installation: Installation, pending: PendingVote, passkey: SoftPasskey, origin: str = SITE
) -> dict[str, str]:
    return passkey.sign(confirming.options_for(pending, installation.s), origin)


def refused_as(reason: str) -> float:
    return metrics.REGISTRY.get_sample_value("countersign_passkeys_refused_total", {"reason": reason}) or 0.0


def test_pressing_approve_casts_nothing_and_the_passkey_does(demanding: Installation) -> None:
    passkey = enrolled(demanding, "ana", "ben")
    request = demanding.asked()

    pending = pressed(demanding, request)
    demanding.settle()
    assert demanding.reread(request).votes == ()
    reply = confirming.confirm(pending.id, signed(demanding, pending, passkey), demanding.s)
    demanding.settle()

    now = demanding.reread(request)
    (vote,) = now.votes
    assert vote.passkey is not None
    assert (vote.passkey.credential, vote.at) == (passkey.credential, pending.made_at)
    assert (now.state, demanding.champion(), reply.text) == (State.APPLIED, request.version.version, "")
    assert "with a passkey" in demanding.card(request).all_text


def test_the_card_says_who_needs_a_passkey(demanding: Installation) -> None:
    request = demanding.asked()

    assert "Needs 1 approval: 1 of ml-leads with a passkey" in demanding.card(request).all_text


def test_rejecting_takes_no_passkey(demanding: Installation) -> None:
    request = demanding.asked()

    demanding.reject(request, "worse on rainy days")

    assert demanding.reread(request).state is State.REJECTED


def test_who_has_no_passkey_reads_how_to_enrol_one(demanding: Installation) -> None:
    request = demanding.asked()

    demanding.click("ana", request, "approve")

    assert "you have none that counts. Enrol one with /countersign passkey" in demanding.told_privately("ana")


def test_who_waits_for_a_confirmation_reads_that(demanding: Installation) -> None:
    enrolled(demanding, "ana")
    request = demanding.asked()

    demanding.click("ana", request, "approve")

    assert "another approver has to confirm yours first" in demanding.told_privately("ana")


def test_a_bot_without_an_address_refuses_and_says_why(open_installation: Open) -> None:
    installation = swept(open_installation(all_of=BY_PASSKEY))
    enrolled(installation, "ana", "ben")
    request = installation.asked()

    installation.click("ana", request, "approve")

    assert "passkeys need the bot's public address. Set COUNTERSIGN_URL" in installation.told_privately("ana")


def test_what_a_form_asked_for_is_signed_too(open_installation: Open) -> None:
    installation = swept(open_installation(public_url=SITE, all_of=BY_PASSKEY, reason="always"))
    passkey = enrolled(installation, "ana", "ben")
    request = installation.asked()

    installation.click("ana", request, "approve")
    installation.slack.submit_view("ana", {"reason": "better on rainy days"})
    view = installation.slack.open_view_of("ana")
    assert view is not None
    (pending_id,) = LINK.findall(str(view.content["blocks"]).replace("&amp;", "&"))
    pending = confirming.pending_vote(pending_id, installation.s)
    confirming.confirm(pending_id, signed(installation, pending, passkey), installation.s)

    assert '"reason":"better on rainy days"' in pending.statement
    assert installation.reread(request).votes[0].reason == "better on rainy days"


def test_each_wrong_signature_is_refused_with_its_sentence_and_counted(demanding: Installation) -> None:
    ana, ben = enrolled(demanding, "ana", "ben"), enrolled(demanding, "ben", "ana")
    unconfirmed, unknown = enrolled(demanding, "ana"), SoftPasskey()
    request = demanding.asked()
    pending, another = pressed(demanding, request), pressed(demanding, request)
    good = signed(demanding, pending, ana)
    wrong = {
        "other_person": (signed(demanding, pending, ben), "this passkey is Ben Okafor's, and the vote is Ana Ruiz's"),
        "not_confirmed": (signed(demanding, pending, unconfirmed), "2 other approvers have to confirm yours first"),
        "unknown_passkey": (signed(demanding, pending, unknown), "not enrolled here"),
        "other_statement": (signed(demanding, another, ana), "signed another statement"),
        "other_origin": (signed(demanding, pending, ana, "https://evil.example.com"), "another page"),
        "other_site": (signed(demanding, pending, ana.copy("evil.example.com")), "another site"),
        "not_verified": (signed(demanding, pending, ana.copy(checks=False)), "did not verify who used it"),
        "bad_signature": (changed(good, note="added"), "signature is not good"),
        "malformed": ({**good, "signature": good["signature"] + "="}, "base64url"),
    }

    for reason, (assertion, sentence) in wrong.items():
        before = refused_as(reason)
        with pytest.raises(Rejected, match=re.escape(sentence)) as refusal:
            confirming.confirm(pending.id, assertion, demanding.s)
        assert (refusal.value.reason, refused_as(reason)) == (reason, before + 1)

    assert demanding.reread(request).votes == ()
    confirming.confirm(pending.id, good, demanding.s)  # the very same page still takes the right one


def test_a_vote_is_signed_once_and_in_time(demanding: Installation) -> None:
    passkey = enrolled(demanding, "ana", "ben")
    request = demanding.asked()
    pending, late = pressed(demanding, request), pressed(demanding, request)
    good, too_late = signed(demanding, pending, passkey), signed(demanding, late, passkey)

    confirming.confirm(pending.id, good, demanding.s)

    with pytest.raises(Rejected, match="signed before"):
        confirming.confirm(pending.id, good, demanding.s)
    with pytest.raises(Refused, match="already approved"):
        confirming.confirm(late.id, too_late, demanding.s)
    demanding.clock.ahead += timedelta(minutes=6)
    with pytest.raises(Rejected, match="longer than 5 minutes"):
        confirming.confirm(late.id, too_late, demanding.s)
    with pytest.raises(Rejected, match="no vote waits"):
        confirming.confirm("0" * 32, too_late, demanding.s)
    assert len(demanding.reread(request).votes) == 1


def test_a_person_who_presses_again_and_again_fills_no_table(demanding: Installation) -> None:
    enrolled(demanding, "ana", "ben")
    request = demanding.asked()
    waits = pressed(demanding, request)
    with demanding.s.store.transaction() as tx:
        for number in range(confirming.MOST_WAITING - 1):
            tx.passkeys.keep_pending(replace(waits, id=f"{number:032x}"))

    demanding.click("ana", request, "approve")
    one_too_many = demanding.told_privately("ana")
    demanding.clock.ahead += timedelta(minutes=6)

    assert "20 of your approvals wait for your passkey already" in one_too_many
    assert "press again when they have ended, after 5 minutes" in one_too_many
    assert pressed(demanding, request).id != waits.id


def test_a_passkey_that_was_revoked_since_signs_nothing(demanding: Installation) -> None:
    passkey = enrolled(demanding, "ana", "ben")
    request = demanding.asked()
    pending = pressed(demanding, request)
    good = signed(demanding, pending, passkey)

    with demanding.s.store.transaction() as tx:
        lost = PasskeyRevoked(demanding.clock.now(), pending.vote.person, passkey.credential, "", "the phone was lost")
        tx.record([lost])

    with pytest.raises(Rejected, match="this passkey was revoked: the phone was lost"):
        confirming.confirm(pending.id, good, demanding.s)


def test_what_has_changed_since_the_press_is_not_approved_by_the_signature(demanding: Installation) -> None:
    passkey = enrolled(demanding, "ana", "ben")
    request = demanding.asked()
    pending = pressed(demanding, request)
    good = signed(demanding, pending, passkey)

    demanding.slack.workspace.groups["ml-leads"] = ["U0BEN000002"]
    demanding.forget_what_slack_said()

    with pytest.raises((Rejected, Refused), match=r"changed since|only members of"):
        confirming.confirm(pending.id, good, demanding.s)
    assert demanding.happened(VoteCast) == []


def test_a_statement_that_was_changed_in_the_database_is_not_what_the_passkey_signed(demanding: Installation) -> None:
    passkey = enrolled(demanding, "ana", "ben")
    request = demanding.asked()
    pending = pressed(demanding, request)
    altered = {
        "e" * 32: pending.statement.replace('"reason":""', '"reason":"great"'),
        "f" * 32: re.sub(r'("value":)[\d.]+', r"\g<1>0.001", pending.statement),  # of a metric, which the page shows
    }

    for id_, statement in altered.items():
        forged = replace(pending, id=id_, statement=statement)
        with demanding.s.store.transaction() as tx:
            tx.passkeys.keep_pending(forged)
        with pytest.raises(Rejected, match="has changed since you pressed"):
            confirming.confirm(forged.id, signed(demanding, forged, passkey), demanding.s)

    assert pending.statement not in altered.values()
    assert demanding.happened(VoteCast) == []
