"""Bugs in what is recorded, sent and signed: deliveries, creates at vendors, jobs, the ledger, keys, the gate."""

from __future__ import annotations

from tests.mutants.planted import Mutant

MUTANTS = (
    Mutant(
        "no dedup of deliveries",
        "a webhook that is delivered again counts as new",
        "bot/store/outbox.py",
        (
            "        row = "
            "insert(deliveries).values(values).on_conflict_do_nothing().returning(deliveries.c.id)\n"
            "        return self.connection.execute(row).first() is not None"
        ),
        (
            "        row = "
            "insert(deliveries).values(values).on_conflict_do_nothing().returning(deliveries.c.id)\n"
            "        return self.connection.execute(row) is not None"
        ),
        ("tests/store/test_rows.py::test_a_delivery_is_new_once_for_each_source_until_it_is_forgotten",),
    ),
    Mutant(
        "a click twice",
        "a click that Slack sends again is a vote again",
        "handlers/request/casting.py",
        "    if click.signed is not None and not tx.signed_requests.keep(click.signed, request.id, kept):\n",
        ("    if click.signed is not None and tx.signed_requests.keep(click.signed, request.id, kept) is None:\n"),
        (
            "tests/e2e/attestation/test_vote_proofs.py::test_a_click_that_slack_sends_twice_makes_no_second_vote_when_the_first_was_refused",
        ),
    ),
    Mutant(
        "ticket opened without a look",
        "after a lost answer a second ticket is opened",
        "handlers/notify/outbox.py",
        "ticket = s.tickets.find_ticket(plan, key) if begun else None",
        "ticket = None",
        ("tests/faults/test_outside_faults.py::test_a_promotion_comes_right_when_each_thing_fails_once",),
    ),
    Mutant(
        "comment made without a look",
        "after a lost answer a ticket gets a comment twice",
        "handlers/notify/ticket_writes.py",
        "is_new = all(one.key in new for one in comments)",
        "is_new = True",
        ("tests/e2e/notify/test_same_once.py::test_a_comment_whose_answer_was_lost_is_looked_for",),
    ),
    Mutant(
        "message posted without a look",
        "after a lost answer a second card is posted",
        "handlers/notify/outbox.py",
        "posted, arrival = s.notifier.find_post(channel, key, begun, thread) if begun else None, None",
        "posted, arrival = None, None",
        ("tests/faults/test_outside_faults.py::test_a_promotion_comes_right_when_each_thing_fails_once",),
    ),
    Mutant(
        "jobs without a lane",
        "jobs of one request run at the same time",
        "bot/engine/jobs.py",
        '"lock": lane_key(job.lane),',
        '"lock": None,',
        ("tests/engine/test_jobs.py::test_a_waiting_head_blocks_its_own_lane_and_no_other",),
    ),
    Mutant(
        "urgency dropped",
        "an approval waits behind plots and digests",
        "bot/engine/jobs.py",
        "int(self.urgency.get(job.name, Urgency.LATER)) - min(job.behind, STEPS)",
        "int(Urgency.LATER) - min(job.behind, STEPS)",
        ("tests/engine/test_jobs.py::test_what_is_urgent_runs_before_what_was_deferred_earlier",),
    ),
    Mutant(
        "no turns in evidence",
        "a request waits until all evidence of another person's thousand is read",
        "bot/engine/jobs.py",
        " - min(job.behind, STEPS)",
        " - min(0, STEPS)",
        (
            (
                "tests/engine/test_fair_evidence.py::test_one_request_waits_for_one_of_the_many_that_others_asked_for_"
                "before"
            ),
            (
                "tests/engine/test_fair_evidence.py::test_a_look_at_another_model_does_not_wait_for_the_evidence_of_the_"
                "many"
            ),
        ),
    ),
    Mutant(
        "pace not kept",
        "messages in a channel go out as fast as they can",
        "bot/engine/pace.py",
        "if before == 0 and wait <= patience:",
        "if before >= 0:",
        (("tests/engine/test_pace.py::test_the_first_goes_at_once_the_next_waits_in_place_and_the_third_comes_back"),),
    ),
    Mutant(
        "failed job is gone",
        "a job that fails for good is not parked but retried for ever",
        "bot/engine/attempts.py",
        "if isinstance(error, Permanent) or now >= not_after:",
        "if now is None:",
        ("tests/engine/test_jobs.py::test_permanent_trouble_parks_the_job_and_says_so",),
    ),
    Mutant(
        "ledger not chained",
        "an entry's head does not depend on the one before",
        "bot/domain/ledger/chain.py",
        "return hashlib.sha256(previous + leaf).digest()",
        "return hashlib.sha256(leaf).digest()",
        (
            (
                "tests/domain/ledger/test_chain.py::test_a_leaf_is_the_hash_of_rfc_9162_and_a_head_chains_it_to_"
                "the_one_before"
            ),
        ),
    ),
    Mutant(
        "changed entry passes",
        "the audit does not compare a body with its hash",
        "bot/domain/ledger/chain.py",
        "if leaf != leaf_of(body):",
        "if not leaf:",
        ("tests/domain/ledger/test_chain.py::test_no_byte_of_any_entry_can_change_unnoticed",),
    ),
    Mutant(
        "missing entry passes",
        "the audit does not notice that an entry is gone",
        "bot/domain/ledger/chain.py",
        "        if seq != number:\n",
        "        if seq < number:\n",
        ("tests/domain/ledger/test_chain.py::test_a_missing_entry_is_named",),
    ),
    Mutant(
        "retired key signs",
        "a key that was retired still signs approvals",
        "handlers/attestation/signing.py",
        "    if known.retired_seq is not None:\n        raise Permanent(",
        "    if known.retired_seq is not None and not known.id:\n        raise Permanent(",
        (
            (
                "tests/e2e/attestation/test_signed_approvals.py::test_a_retired_key_signs_nothing_until_the_work"
                "er_has_another"
            ),
        ),
    ),
    Mutant(
        "vote written by hand",
        "a vote that only the database has is signed",
        "handlers/attestation/vote_proofs.py",
        '        return "" if _is_listed(request, vote, tx) else NO_REQUEST\n',
        '        return ""\n',
        (
            (
                "tests/e2e/attestation/test_vote_proofs.py::test_a_vote_that_only_the_database_has_is_refused_re"
                "corded_and_announced"
            ),
        ),
    ),
    Mutant(
        "gate: another version",
        "the gate takes the approval of another version of the same number, or of another model",
        "bot/domain/attestation/gate.py",
        "is_this = said == version or _is_copied_from(said, question)",
        "is_this = said.version == version.version or _is_copied_from(said, question)",
        (("tests/gate/test_judgement.py::test_an_approval_counts_for_no_version_that_is_another_in_one_thing_only"),),
    ),
    Mutant(
        "gate: another workspace",
        "the gate takes the approval of the version of the same name in another workspace",
        "bot/domain/attestation/gate.py",
        "is_this = said == version or _is_copied_from(said, question)",
        (
            "is_this = (said.model, said.version, said.created) == (version.model, version.version, "
            "version.created) or _is_copied_from(said, question)"
        ),
        (("tests/gate/test_judgement.py::test_an_approval_counts_for_no_version_that_is_another_in_one_thing_only"),),
    ),
    Mutant(
        "gate: another target",
        "the gate takes the approval for another target",
        "bot/domain/attestation/gate.py",
        "    if claim.target != question.target:\n",
        "    if claim.target is None:\n",
        ("tests/gate/test_check_offline.py::test_an_approval_for_staging_does_not_pass_for_champion",),
    ),
    Mutant(
        "gate: rejected ships",
        "an older approval counts although the version was rejected since",
        "bot/domain/attestation/gate.py",
        "return max(decisions, key=lambda claim: (claim.at, claim.verdict is Verdict.REJECT), default=None)",
        "return min(decisions, key=lambda claim: (claim.at, claim.verdict is Verdict.REJECT), default=None)",
        ("tests/gate/test_check_offline.py::test_the_newest_decision_counts_whatever_its_tag_is_called",),
    ),
    Mutant(
        "gate: expired verdict",
        "a verdict that has expired vouches for a version",
        "bot/domain/attestation/vsa.py",
        "    if now >= newest.expires_at:\n",
        "    if newest.expires_at is None:\n",
        (
            (
                "tests/gate/test_judgement.py::test_a_verdict_that_has_expired_failed_or_grown_too_old_vouches_f"
                "or_nothing"
            ),
        ),
    ),
    Mutant(
        "gate: signature not verified",
        "an envelope counts whatever its signature is",
        "bot/signatures.py",
        (
            "            verifier.verify(signature, signed, ec.ECDSA(hashes.SHA256()))\n"
            "    except InvalidSignature:\n"
            "        return False"
        ),
        (
            "            verifier.verify(signature, signed, ec.ECDSA(hashes.SHA256()))\n"
            "    except InvalidSignature:\n"
            "        return True"
        ),
        ("tests/gate/test_envelopes.py::test_any_changed_byte_of_the_payload_is_found",),
    ),
    Mutant(
        "gate: files not compared",
        "other files than the approved ones are served",
        "bot/gate/serving.py",
        "    if found != result.artifacts:\n",
        "    if not found:\n",
        ("tests/gate/test_serving.py::test_swapped_bytes_are_found_before_anything_is_loaded",),
    ),
)
