"""Passkeys of people: how one is made, who confirms it, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import requests
import sqlalchemy as sa

from bot import metrics
from bot.domain.events import PasskeyConfirmed, PasskeyEnrolled, PasskeyRevoked
from bot.store.record_checks import differences
from bot.store.tables import passkey_cards
from handlers.request.passkeys import revoke_by_hand
from tests.fixtures.enrolment import WAIT, Keys, link_in
from tests.fixtures.installation import CHANNEL, OWN, Installation, policy_text
from tests.fixtures.passkey_device import Device, options_on


@pytest.fixture
def keys(open_installation: Callable[..., Installation]) -> Keys:
    return Keys(open_installation(public_url=OWN))


def refused(reason: str) -> float:
    return metrics.passkeys_refused.labels(reason)._value.get()


def test_a_passkey_counts_once_another_approver_has_confirmed_it(keys: Keys) -> None:
    made = keys.enrol("ana")

    before = made.counts
    keys.press("ben", made)

    confirmed = keys.reread(made)
    (enrolled,) = keys.installation.entries(PasskeyEnrolled)
    (confirmation,) = keys.installation.entries(PasskeyConfirmed)
    assert (before, confirmed.counts) == (False, True)
    assert (enrolled["account"], enrolled["rp_id"]) == ("U0ANA000001", "localhost")
    assert confirmation["account"] == "U0BEN000002"
    with keys.installation.s.store.transaction() as tx:
        kept = tx.passkeys.request(confirmation["signed_request"])
        assert kept is not None
        assert keys.installation.s.notifier.read_signed(kept).value == made.id


def test_the_channel_is_asked_and_then_shows_who_confirmed(keys: Keys) -> None:
    made = keys.enrol("ana")
    asked = next(message for message in keys.installation.slack.messages(CHANNEL) if message.ts == keys.card(made))

    keys.press("ben", made)

    now = next(message for message in keys.installation.slack.messages(CHANNEL) if message.ts == keys.card(made))
    assert set(asked.buttons) == {"confirm_passkey", "refuse_passkey"}
    assert "Ana Ruiz has made a passkey" in asked.all_text
    assert made.short_id in asked.all_text
    assert now.buttons == {}
    assert "was confirmed by Ben Okafor and counts now" in now.all_text


def test_no_one_confirms_their_own_passkey(keys: Keys) -> None:
    made = keys.enrol("ana")

    keys.press("ana", made)

    assert not keys.reread(made).is_confirmed
    assert "This is your own passkey" in keys.installation.told_privately("ana")


def test_only_who_approves_under_a_rule_that_wants_passkeys_confirms_one(keys: Keys) -> None:
    other_rule = """  - models: "sketch-*"
    target: {alias: champion}
    notify: {slack: "#model-approvals"}
    approve: {all_of: [{group: interns, quorum: 1}]}
"""
    wanted = policy_text(
        f"{keys.installation.model}*",
        all_of="[{group: ml-leads, quorum: 1, passkey: required}]",
        groups="interns: {people: [cy@example.com]}",
    )
    keys.installation.activate(wanted.replace("default: report", f"{other_rule}default: report"))
    made = keys.enrol("ana")

    keys.press("cy", made)
    by_another_rule = keys.reread(made)
    keys.press("ben", made)

    assert not by_another_rule.is_confirmed
    assert "under a rule that wants passkeys may do this: members of ml-leads" in keys.installation.told_privately("cy")
    assert keys.reread(made).is_confirmed


def test_a_later_passkey_takes_two_other_approvers(keys: Keys) -> None:
    keys.enrolled("ana", "ben")
    later = keys.enrol("ana")

    keys.press("ben", later)
    keys.press("ben", later)
    after_one = keys.reread(later)
    keys.press("bea", later)

    assert not after_one.is_confirmed
    assert "You have confirmed Ana Ruiz's passkey already" in keys.installation.told_privately("ben")
    assert keys.reread(later).is_confirmed


def test_an_approver_who_was_asked_and_knows_nothing_of_it_ends_it(keys: Keys) -> None:
    made = keys.enrol("ana")

    keys.press("ben", made, "refuse_passkey")

    (revoked,) = keys.installation.entries(PasskeyRevoked)
    assert revoked["reason"] == "another approver said that it is not theirs"
    assert keys.reread(made).is_revoked
    assert _buttons(keys, keys.card(made)) == {}


def _buttons(keys: Keys, card: str) -> dict[str, object]:
    return next(dict(one.buttons) for one in keys.installation.slack.messages(CHANNEL) if one.ts == card)


def test_a_person_who_approves_nothing_gets_no_page(keys: Keys) -> None:
    answer = keys.say("gil")

    assert "Guests of the workspace may not decide" in answer


def test_the_passkey_of_another_person_is_refused_by_name(keys: Keys) -> None:
    shared = Device()
    keys.enrol("ben", shared)
    link, count = keys.link_for("ana"), refused("another_person")
    answer = _same_again(shared, keys, link)

    assert (answer.status_code, refused("another_person") - count) == (403, 1)
    assert "This passkey is Ben Okafor's" in answer.json()["error"]
    assert len(keys.all()) == 1


def _same_again(device: Device, keys: Keys, link: str) -> requests.Response:
    """The device shows the passkey that it has, in answer to another person's page."""
    credential, key = device.credential_id, device.private_key
    device.cred_init = lambda rp_id, user: None
    device.credential_id, device.private_key = credential, key
    made = device.make(options_on(requests.get(link, timeout=WAIT)), keys.origin)
    return requests.post(link, json=made, timeout=WAIT)


OTHERWISE_MADE = {
    "other_origin": "was made on another site",
    "other_challenge": "was made for another page",
    "not_verified": "did not check that it is you",
}


def test_what_another_page_or_a_careless_device_made_is_refused(keys: Keys) -> None:
    link = keys.link_for("ana")
    options = options_on(requests.get(link, timeout=WAIT))
    other_page = {**options, "challenge": "b3RoZXI"}
    made = {
        "other_origin": Device().make(options, "https://countersign.example.net"),
        "other_challenge": Device().make(other_page, keys.origin),
        "not_verified": Device(checks=False).make(options, keys.origin),
    }
    before = {reason: refused(reason) for reason in made}

    answers = {reason: requests.post(link, json=sent, timeout=WAIT) for reason, sent in made.items()}

    assert [answer.status_code for answer in answers.values()] == [403, 403, 403]
    for reason, sentence in OTHERWISE_MADE.items():
        assert sentence in answers[reason].json()["error"]
        assert refused(reason) - before[reason] == 1
    assert keys.all() == []


def test_a_page_makes_one_passkey_and_ends(keys: Keys) -> None:
    link = keys.link_for("ana")
    options = options_on(requests.get(link, timeout=WAIT))
    first = requests.post(link, json=Device().make(options, keys.origin), timeout=WAIT)

    again = requests.post(link, json=Device().make(options, keys.origin), timeout=WAIT)
    other = keys.link_for("ben")
    keys.installation.clock.ahead = timedelta(minutes=11)
    late = requests.get(other, timeout=WAIT)

    assert (first.status_code, again.status_code, late.status_code) == (200, 410, 403)
    assert "was made on this page already" in again.json()["error"]
    assert "This link ended on" in late.text
    assert "Say /countersign passkey in Slack" in late.text


def test_a_person_whose_link_someone_else_used_reads_how_to_end_that_passkey(keys: Keys) -> None:
    link = keys.link_for("ana")
    options = options_on(requests.get(link, timeout=WAIT))
    requests.post(link, json=Device().make(options, keys.origin), timeout=WAIT)
    (thiefs,) = keys.all()

    opened = requests.get(link, timeout=WAIT)
    made = requests.post(link, json=Device().make(options, keys.origin), timeout=WAIT)
    listed = keys.say("ana")
    keys.say("ana", f"revoke {thiefs.short_id}")
    after = requests.get(link, timeout=WAIT)

    for said in (opened.text, made.json()["error"], listed):
        assert thiefs.short_id in said
        assert "Did you not make" in said
        assert "/countersign passkey revoke" in said
    assert keys.reread(thiefs).is_revoked
    assert "Did you not make" not in after.text


def test_a_link_that_was_changed_opens_nothing(keys: Keys) -> None:
    link = keys.link_for("ana")

    answer = requests.get(link.replace("/passkeys/", "/passkeys/0"), timeout=WAIT)

    assert answer.status_code == 403
    assert "This link was changed" in answer.text


def test_what_is_no_answer_of_a_browser_is_refused_and_never_breaks_the_page(keys: Keys) -> None:
    link = keys.link_for("ana")
    bodies = [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"id": 1}',
        b"[" * 5000,
        b'{"id": "x", "clientDataJSON": "eA", "attestationObject": "x"}',
    ]

    answers = [
        requests.post(link, data=body, headers={"Content-Type": "application/json"}, timeout=WAIT) for body in bodies
    ]
    as_form = requests.post(link, data={"id": "x"}, timeout=WAIT)

    assert [answer.status_code for answer in (*answers, as_form)] == [400] * (len(bodies) + 1)
    assert all(answer.json()["error"] for answer in answers)


def test_the_pages_run_our_script_only(keys: Keys) -> None:
    page = requests.get(keys.link_for("ana"), timeout=WAIT)

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.text.count("<script") == 1
    assert '<script src="/pages/passkeys.js" defer></script>' in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "private, no-store"


def test_an_owner_and_an_administrator_can_end_a_passkey(keys: Keys) -> None:
    mine, other = keys.enrolled("ana", "ben"), keys.enrolled("ben", "ana")

    said = keys.say("ana", "revoke")
    revoke_by_hand(other.short_id, "", "the laptop was stolen", keys.installation.s)

    assert f"passkey {mine.short_id} signs nothing from now on" in said
    assert [key.is_revoked for key in keys.all()] == [True, True]
    assert keys.installation.entries(PasskeyRevoked)[-1]["reason"] == "the laptop was stolen"


def test_the_press_counts_only_on_the_message_of_that_passkey(keys: Keys) -> None:
    made, other = keys.enrol("ana"), keys.enrol("ben")
    payload = keys.installation.slack.click_payload("bea", CHANNEL, keys.card(other), "confirm_passkey")
    payload["actions"][0]["value"] = made.id

    keys.installation.slack.send(payload)

    assert not keys.reread(made).is_confirmed
    assert "not on the message that Countersign posted" in keys.installation.told_privately("bea")


def test_a_press_before_the_message_is_on_record_counts_and_one_on_another_message_does_not(keys: Keys) -> None:
    made, other = keys.enrol("ana"), keys.enrol("ben")
    message, another = keys.card(made), keys.card(other)
    with keys.installation.s.store.engine.begin() as connection:
        connection.execute(sa.delete(passkey_cards).where(passkey_cards.c.credential == made.credential))
    strange = keys.installation.slack.click_payload("bea", CHANNEL, another, "confirm_passkey")
    strange["actions"][0]["value"] = made.id

    keys.installation.slack.send(strange)
    before = keys.reread(made).is_confirmed
    keys.installation.slack.click("ben", CHANNEL, message, "confirm_passkey")
    keys.installation.settle()

    assert (before, keys.reread(made).is_confirmed) == (False, True)
    assert keys.card(made) == message
    assert sum("Ana Ruiz has made" in one.all_text for one in keys.installation.slack.messages(CHANNEL)) <= 1


def test_without_an_address_no_page_is_offered(installation: Installation) -> None:
    installation.slack.command("ana", "/countersign", "passkey", channel="general")

    assert "Set COUNTERSIGN_URL" in installation.told_privately("ana")


CHANGES = {
    "update passkey_requests set body = 'x'": "about a passkey was inserted or edited",
    "delete from passkey_requests": "about a passkey of person",
    "insert into passkey_requests values ('sha256:x', 'notifier', '0', 'v0=', 'y', '')": "was inserted or edited",
}


def test_the_audit_finds_a_confirmation_whose_signed_request_was_changed(keys: Keys) -> None:
    keys.enrolled("ana", "ben")

    found = {deed: _found_after(deed, keys) for deed in ("", *CHANGES)}

    assert found[""] == []
    for deed, finding in CHANGES.items():
        assert any(finding in sentence for sentence in found[deed])


def _found_after(deed: str, keys: Keys) -> list[str]:
    with keys.installation.s.store.engine.connect() as connection:
        if deed:
            connection.execute(sa.text(deed))
        found = list(differences(connection))
        connection.rollback()
    return found


def test_the_audit_finds_a_confirmation_that_no_one_pressed(keys: Keys) -> None:
    made = keys.enrol("ana")
    with keys.installation.s.store.transaction() as tx:
        ben = tx.people.get_or_add("ben@example.com", "Ben Okafor").id
        tx.record([PasskeyConfirmed(made.enrolled_at, made.person, made.credential, ben, "U0BEN000002", "T0")])

    with keys.installation.s.store.engine.connect() as connection:
        found = list(differences(connection))

    assert [sentence for sentence in found if "without a signed request: no button was pressed" in sentence]


# The page that signs a vote, over HTTP


@pytest.fixture
def demanding(open_installation: Callable[..., Installation]) -> Keys:
    """Under a rule that takes the passkey of a member of ml-leads."""
    return Keys(open_installation(public_url=OWN, all_of="[{group: ml-leads, quorum: 1, passkey: required}]"))


def link_of_vote(keys: Keys, person: str) -> str:
    keys.installation.sweep()
    keys.installation.click(person, keys.installation.asked(), "approve")
    return link_in(keys.installation.told_privately(person).splitlines()[-1])


def sign(device: Device, link: str, origin: str) -> requests.Response:
    assertion = device.sign(options_on(requests.get(link, timeout=WAIT)), origin)
    return requests.post(link, json=assertion, timeout=WAIT)


def test_a_signature_counts_once(demanding: Keys) -> None:
    device = Device()
    demanding.enrolled("ana", "ben", device=device)
    link = link_of_vote(demanding, "ana")
    assertion = device.sign(options_on(requests.get(link, timeout=WAIT)), demanding.origin)

    answers = [requests.post(link, json=assertion, timeout=WAIT) for _ in range(2)]
    opened_again = requests.get(link, timeout=WAIT)

    assert [answer.status_code for answer in (*answers, opened_again)] == [200, 410, 410]
    assert "Signed and recorded" in answers[0].json()["said"]
    assert "This vote was signed before, and is cast once" in answers[1].json()["error"]
    assert "This vote was signed before" in opened_again.text


def test_who_opens_another_persons_page_with_their_own_passkey_is_refused_by_name(demanding: Keys) -> None:
    anas, bens = Device(), Device()
    demanding.enrolled("ana", "ben", device=anas)
    demanding.enrolled("ben", "ana", device=bens)

    answer = sign(bens, link_of_vote(demanding, "ana"), demanding.origin)

    assert answer.status_code == 403
    assert "This passkey is Ben Okafor's, and the vote is Ana Ruiz's" in answer.json()["error"]


def test_the_link_to_a_vote_ends_and_says_how_to_get_another(demanding: Keys) -> None:
    demanding.enrolled("ana", "ben")
    link = link_of_vote(demanding, "ana")
    demanding.installation.clock.ahead = timedelta(minutes=6)

    late = requests.get(link, timeout=WAIT)
    forged = requests.get(link.replace("/confirm/", "/confirm/0"), timeout=WAIT)

    assert (late.status_code, forged.status_code) == (403, 403)
    assert "Press Approve in Slack again" in late.text
    assert "Press Approve in Slack again" in forged.text


@pytest.mark.proof
@pytest.mark.parametrize("is_noticed_by", ["the clock", "a confirmation"])
def test_the_question_about_a_passkey_comes_back_when_it_was_deleted(keys: Keys, is_noticed_by: str) -> None:
    keys.enrolled("ana", "ben")
    made = keys.enrol("ana")  # a later one, which takes two
    slack = keys.installation.slack
    gone = next(message for message in slack.messages(CHANNEL) if message.ts == keys.card(made))
    if is_noticed_by == "a confirmation":
        keys.press("ben", made)
    slack.workspace.remove(gone)

    with keys.installation.s.store.transaction() as tx:
        for _ in range(2):
            tx.defer("look_at_cards", "", "clock:look_at_cards", once=True)
    keys.installation.settle_all()

    asked = [message for message in slack.messages(CHANNEL) if made.short_id in message.all_text and message.buttons]
    assert [message.ts for message in asked] == [keys.card(made)]
    assert asked[0].ts != gone.ts
    for person in ("ben", "bea"):
        keys.press(person, made)
    assert keys.reread(made).counts
    assert keys.installation.unfinished() == []
