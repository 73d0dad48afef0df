"""Bugs in what lets the outside in: signatures of webhooks, tokens, links, sessions and forms."""

from __future__ import annotations

from tests.mutants.planted import Mutant

MUTANTS = (
    Mutant(
        "MLflow's signature not checked",
        "anyone can send a webhook as MLflow",
        "bot/clients/mlflow/webhook.py",
        '    _check_signature(f"{delivery_id}.{timestamp}.".encode() + body, signature, keys, of_registry)\n',
        "",
        ("tests/contracts/test_webhook_signature.py::test_a_wrong_signature_is_refused",),
    ),
    Mutant(
        "old delivery accepted",
        "a delivery that MLflow signed long ago counts",
        "bot/clients/mlflow/webhook.py",
        "    if abs(age) > WINDOW:\n",
        "    if age < -WINDOW:\n",
        (
            (
                "tests/contracts/test_webhook_signature.py::test_outside_the_window_a_delivery_is_stale_and_the_"
                "clocks_are_named"
            ),
        ),
    ),
    Mutant(
        "Jira's signature not checked",
        "anyone can send a webhook as Jira",
        "bot/clients/jira/webhook.py",
        '    _check_signature(given.get("x-hub-signature", ""), body, keys)\n',
        "",
        ("tests/clients/jira/test_texts.py::test_what_is_not_to_be_believed_is_rejected_with_its_reason",),
    ),
    Mutant(
        "kept click not verified",
        "a vote is signed whatever signature the kept request has",
        "bot/clients/slack/signed_requests.py",
        "        if any(_matches(key, kept) for key in known):\n",
        "        if known:\n",
        ("tests/clients/slack/test_signed_requests.py::test_any_change_of_a_kept_request_voids_it",),
    ),
    Mutant(
        "Slack's signature not checked at the door",
        "the door leaves it to Bolt, which reads a body before it verifies it",
        "bot/clients/slack/notifier.py",
        "        check_signature(self._signing_secrets, headers, body, time.time())\n",
        "",
        ("tests/clients/slack/test_door_signature.py::test_the_door_refuses_what_slack_did_not_sign_just_now",),
    ),
    Mutant(
        "Slack's signature not checked by Bolt",
        "whatever is handed to Bolt is taken for Slack's",
        "bot/app.py",
        "        token_verification_enabled=False,\n",
        "        token_verification_enabled=False,\n        request_verification_enabled=False,\n",
        (
            (
                "tests/e2e/request/test_socket_mode_only.py::test_without_a_signing_secret_nobody_can_guess_what_bolt_"
                "expects"
            ),
        ),
    ),
    Mutant(
        "any bearer token",
        "the gate and the API answer without the right token",
        "handlers/doors/api.py",
        "    if not hmac.compare_digest(given, token.encode()):\n",
        "    if not given:\n",
        ("tests/e2e/attestation/test_gate.py::test_a_wrong_token_leaves_the_question_open",),
    ),
    Mutant(
        "link not verified",
        "a link to a page opens whatever its signature is",
        "bot/links.py",
        "if not any(_is_signed(key, path, expires, signature) for key in self._keys):",
        "if not self._keys:",
        ("tests/clients/test_links.py::test_no_made_up_signature_opens_a_page",),
    ),
    Mutant(
        "link never ends",
        "a link opens its page for ever",
        "bot/links.py",
        "        if now.timestamp() >= int(expires):\n",
        "        if now.timestamp() >= 2 * int(expires):\n",
        ("tests/clients/test_links.py::test_a_link_opens_its_page_until_ninety_days_are_over",),
    ),
    Mutant(
        "form of another site",
        "a form that another site made is taken for the reader's",
        "handlers/doors/readers.py",
        '        if not hmac.compare_digest(given.encode("utf-8", "replace"), _form_key(token).encode()):\n',
        "        if not token:\n",
        ("tests/web/test_sign_in.py::test_a_form_that_we_did_not_give_changes_nothing",),
    ),
    Mutant(
        "any reader signs off",
        "a reader who is not in the group signs the weekly digest off",
        "bot/domain/digest/sign_off.py",
        "    if not signer.is_member:\n",
        "    if not signer.person:\n",
        ("tests/domain/digest/test_sign_off.py::test_anything_else_is_refused_and_says_why",),
    ),
    Mutant(
        "button of another card",
        "a click counts although it is not from the message that was posted for the request",
        "handlers/request/casting.py",
        "    if card is None or pressed is None:\n",
        "    pressed = pressed or card\n    if card is None or pressed is None:\n",
        (("tests/e2e/request/test_clicks.py::test_a_click_that_is_not_from_the_card_is_refused_whatever_is_forged"),),
    ),
    Mutant(
        "guest decides",
        "an account of a guest or of another workspace may decide",
        "handlers/request/voters.py",
        "    if account.kind is not AccountKind.MEMBER:\n        raise Refused(_(UNWELCOME",
        "    if not account.kind:\n        raise Refused(_(UNWELCOME",
        ("tests/e2e/request/test_clicks.py::test_an_account_that_may_not_decide_is_told_so",),
    ),
)
