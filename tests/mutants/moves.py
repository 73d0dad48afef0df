"""Bugs in what happens to a target: moves, put-backs, rollbacks, sweeps, and what is done after a restore."""

from __future__ import annotations

from tests.mutants.planted import Mutant

MUTANTS = (
    Mutant(
        "alias before audit",
        "the target moves before the decision is signed",
        "handlers/registry/apply.py",
        "return request.state in (State.APPROVED, State.REJECTED) and request.attested_at is None",
        "return False",
        (
            (
                "tests/e2e/attestation/test_signed_approvals.py::test_whoever_is_no_worker_signs_nothing_and_not"
                "hing_moves"
            ),
        ),
    ),
    Mutant(
        "no read-back",
        "a move is recorded as applied without looking whether it is there",
        "handlers/registry/apply.py",
        (
            "    facts = _facts_about(request, s)\n"
            "    step = next_step(request, facts, guard)\n"
            "    if isinstance(step, steps.Move | steps.PutBack):\n"
        ),
        "    settle(request, facts, s, moved=True)\n    if not request.id:\n",
        (
            (
                "tests/e2e/registry/test_read_back.py::test_what_somebody_does_right_after_our_move_keeps_it_fro"
                "m_being_recorded_as_applied"
            ),
        ),
    ),
    Mutant(
        "stale approval applies",
        "an approval is applied although another version holds the target than was compared with",
        "bot/domain/registry/decided.py",
        "if not is_ours and not is_there_alone and now_held != expected:",
        "if not is_ours and not is_there_alone and now_held != now_held:",
        ("tests/domain/registry/test_steps.py::test_another_holder_than_was_compared_with_makes_it_stale",),
    ),
    Mutant(
        "fingerprint not compared",
        "an approval is applied although files, figures or lineage are others since the vote",
        "handlers/request/guard.py",
        'return "; ".join(changes(request.evidence, seen)), cause',
        'return "", cause',
        ("tests/e2e/request/test_stale_guard.py::test_bytes_that_were_exchanged_in_the_store_are_not_promoted",),
    ),
    Mutant(
        "unproven files",
        "files are not read again although the next write can replace them under the same id",
        "bot/clients/mlflow/files/stores.py",
        "if UNVERSIONED in ids.values():",
        "if not newest:",
        ("tests/clients/mlflow/test_object_versions.py::test_a_file_without_an_id_of_its_own_proves_nothing",),
    ),
    Mutant(
        "other files read",
        "the files that are read may be others than those whose ids are frozen",
        "bot/clients/mlflow/files/stores.py",
        "            if pinned and bucket:",
        "            if pinned and bucket and not size:",
        ("tests/clients/mlflow/test_object_versions.py::test_what_is_frozen_are_the_versions_that_were_listed",),
    ),
    Mutant(
        "changed row moves",
        "a row that was changed after it was compared with the ledger says which version is moved",
        "handlers/registry/apply.py",
        "        check_on_record(recorded_as, tx)\n",
        "",
        (
            "tests/e2e/registry/test_changed_rows.py::test_a_row_that_is_changed_while_the_worker_waits_for_its_turn_moves_nothing",
        ),
    ),
    Mutant(
        "changed row gives back",
        "a target is given back by a row that is not what the ledger says",
        "handlers/registry/apply.py",
        "        check_none_is_hidden(version, facts, tx)\n",
        "        pass\n",
        ("tests/e2e/registry/test_changed_rows.py::test_a_target_is_not_given_back_by_a_row_that_was_changed",),
    ),
    Mutant(
        "hidden approval gives back",
        "a target is given back to an older version, as the row of the newer approval was hidden",
        "handlers/custody/hidden.py",
        "            moved.append(event.request_id)\n",
        "            pass\n",
        (
            "tests/e2e/custody/test_hidden_decisions.py::test_a_target_is_not_given_back_while_a_later_approval_is_hidden",
        ),
    ),
    Mutant(
        "older after a clock gives back",
        "a target is given back to the older version, as the clock was set back before the newer one moved",
        "handlers/custody/hidden.py",
        "        _check_times(brought, {*newest, *asked}, facts)\n",
        "        pass\n",
        (
            "tests/e2e/custody/test_hidden_decisions.py::test_a_target_is_not_given_back_to_the_older_version_after_the_clock_was_set_back_before_the_newer_one_moved",
        ),
    ),
    Mutant(
        "hidden approval is passed over",
        "an older approval is carried out, as the row of the later one was hidden",
        "handlers/registry/settling.py",
        "                check_nothing_later_is_hidden(locked, found, tx)\n",
        "                pass\n",
        ("tests/e2e/custody/test_hidden_steps.py::test_an_approval_is_not_carried_out_while_a_later_one_is_hidden",),
    ),
    Mutant(
        "hidden approval is settled over",
        "an approval counts as applied past a later one that is hidden, because somebody moved its version by hand",
        "handlers/registry/settling.py",
        "                check_nothing_later_is_hidden(locked, facts, tx)\n",
        "                pass\n",
        ("tests/e2e/custody/test_later_approvals.py::test_a_move_that_seems_to_be_made_or_begun_is_none",),
    ),
    Mutant(
        "rename vouches for rows",
        "a rename gives a ledger entry to a row of which no entry says that it is baseline",
        "handlers/registry/watches.py",
        "baseline_by_ledger(workspace, before, target, tx.connection, tx.unwritten)",
        "tx.custody.baseline(workspace, before, target)",
        (
            "tests/e2e/custody/test_vouched_baselines.py::test_a_rename_vouches_for_no_row_that_was_written_beside_the_ledger",
        ),
    ),
    Mutant(
        "forged approval hides a move",
        "a move by hand counts as approved by a request that no entry opened",
        "handlers/registry/observed_moves.py",
        "        check_id_on_record(step.approval, tx)\n",
        "        pass\n",
        (
            "tests/e2e/custody/test_hidden_steps.py::test_a_move_by_hand_is_not_taken_for_what_only_a_forged_row_approved",
        ),
    ),
    Mutant(
        "changed baseline gives back",
        "a target is given back to a version of which a row alone says that it was there before the bot watched",
        "handlers/registry/apply.py",
        "        check_baseline_on_record(version, facts, tx)\n",
        "",
        (
            "tests/e2e/custody/test_vouched_baselines.py::test_a_target_is_not_given_back_by_a_row_that_no_entry_vouches_for",
        ),
    ),
    Mutant(
        "changed restore gives back",
        "a target is given back by what a row alone says was accepted after a restore",
        "handlers/registry/apply.py",
        "        check_restore_on_record(facts.workspace, tx)\n",
        "",
        (
            "tests/e2e/custody/test_restored_rows.py::test_a_target_is_not_given_back_by_an_accepted_backup_that_no_entry_vouches_for",
        ),
    ),
    Mutant(
        "changed baseline is a measure",
        "the fast track compares with a version of which a row alone says that it was there before the bot watched",
        "bot/domain/request/fast_track.py",
        "    if is_champion_off_record and is_compared:\n",
        "    if is_champion_off_record and not is_compared:\n",
        (
            "tests/e2e/custody/test_vouched_baselines.py::test_a_row_that_no_entry_vouches_for_is_no_measure_for_the_fast_track",
        ),
    ),
    Mutant(
        "later list counts",
        "a baseline counts as old although the list of old ones was written before",
        "bot/store/vouched/baselines.py",
        "connection.execute(query.order_by(entries.seq).limit(1))",
        "connection.execute(query.order_by(entries.seq.desc()).limit(1))",
        (
            "tests/store/test_vouched_rows.py::test_what_is_old_is_listed_in_as_many_entries_as_it_takes_and_the_first_list_counts",
        ),
    ),
    Mutant(
        "rule not compared",
        "an approval is applied although the rule has changed since",
        "handlers/request/guard.py",
        "if request.rule_hash not in policy.hashes(rule):",
        "if not request.rule_hash:",
        (
            (
                "tests/e2e/custody/test_guard.py::test_an_approval_under_a_former_rule_is_not_applied_because_so"
                "mebody_moved_the_alias_by_hand"
            ),
        ),
    ),
    Mutant(
        "freeze ignored",
        "an approval is applied in a freeze",
        "bot/domain/policy/freezes.py",
        "if rule is None or goes_back or passes or request.kind is Kind.OBSERVED:",
        "if rule is None or not goes_back:",
        ("tests/domain/policy/test_freezes.py::test_a_freeze_holds_back_what_is_new_and_no_way_back",),
    ),
    Mutant(
        "older approval moves",
        "of two approvals the older one is applied too",
        "bot/domain/registry/decided.py",
        (
            "return newest if newest is not None and newest.id != request.id and decided(newest) > decided(request) else None"
        ),
        "return None",
        ("tests/domain/registry/test_steps.py::test_of_two_approvals_that_wait_the_newest_is_applied",),
    ),
    Mutant(
        "approved version deleted",
        "the bot deletes a version that people approved",
        "bot/domain/registry/decided.py",
        "came_later and not ever_approved(version, facts)",
        "came_later",
        (
            (
                "tests/domain/registry/test_steps.py::test_no_copy_is_deleted_that_came_before_the_watch_or_that"
                "_was_ever_approved"
            ),
        ),
    ),
    Mutant(
        "baseline deleted",
        "the bot deletes a version that was there before it watched",
        "bot/domain/registry/decided.py",
        "deletes = facts.deletes_copies and is_new and came_later",
        "deletes = facts.deletes_copies",
        (
            (
                "tests/domain/registry/test_steps.py::test_no_copy_is_deleted_that_came_before_the_watch_or_that"
                "_was_ever_approved"
            ),
        ),
    ),
    Mutant(
        "baseline deleted by rows",
        "the bot deletes a version of which the ledger says that it was there before it watched",
        "bot/domain/registry/decided.py",
        " and version not in facts.spared",
        "",
        (
            (
                "tests/domain/registry/test_steps.py::test_no_copy_is_deleted_that_came_before_the_watch_or_that"
                "_was_ever_approved"
            ),
        ),
    ),
    Mutant(
        "missing row of baseline not missed",
        "a target is given back although a row of the baseline is missing",
        "handlers/custody/baselines.py",
        "    if facts.baseline != said or is_unknown:\n",
        "    if is_unknown:\n",
        ("tests/e2e/custody/test_vouched_baselines.py::test_a_target_is_not_left_to_no_one_while_a_row_is_deleted",),
    ),
    Mutant(
        "kill switch by row",
        "the fast track goes on when somebody changes the row of its switch",
        "bot/store/absences.py",
        "        if isinstance(said, FastTrackSwitched) and not said.on:\n",
        "        if said is None:\n",
        ("tests/e2e/request/test_kill_switch.py::test_it_stays_off_when_somebody_changes_its_row_and_not_the_ledger",),
    ),
    Mutant(
        "cleared restore is a measure",
        "the fast track compares with a champion although the row of the registry has lost what was accepted after a restore",
        "handlers/custody/baselines.py",
        "    if not is_restore_on_record(facts.workspace, tx):\n",
        "    if False:\n",
        (
            "tests/e2e/custody/test_restored_rows.py::test_a_champion_is_no_measure_while_the_backup_that_was_accepted_is_cleared_in_its_row",
        ),
    ),
    Mutant(
        "adopted holder put back",
        "rejecting a holder that was there before the bot moves it away",
        "bot/domain/registry/decided.py",
        "if request.is_adopted or _asked_since(request, facts):",
        "if _asked_since(request, facts):",
        ("tests/domain/registry/test_steps.py::test_rejecting_an_adopted_holder_moves_nothing",),
    ),
    Mutant(
        "rollback to what people rejected",
        "a target goes back to a version that people rejected since it was approved",
        "bot/domain/request/rollback.py",
        " and rejection_of(version, decided) is None\n",
        "\n",
        (("tests/domain/request/test_rollback.py::test_what_people_rejected_after_it_was_approved_is_no_way_back"),),
    ),
    Mutant(
        "rollback to what failed",
        "a target goes back to a version that was rolled back before",
        "bot/domain/request/rollback.py",
        "if version != holder and failing(version, applied) is None",
        "if version != holder",
        ("tests/domain/request/test_rollback.py::test_a_version_that_failed_is_passed_over",),
    ),
    Mutant(
        "no reconcile",
        "a sweep that finds a changed alias asks for no look",
        "handlers/registry/sweeps.py",
        "for name in sorted({*changed, *awaited}):\n            defer_look",
        "for name in sorted({*awaited} - {*changed}):\n            defer_look",
        ("tests/e2e/custody/test_guard.py::test_a_move_by_hand_in_the_middle_of_a_freeze_is_recorded_and_told",),
    ),
    Mutant(
        "doubted registry believed",
        "targets move in a registry that is not believed",
        "handlers/custody/belief.py",
        "    if row.doubted_since is not None:\n        raise Doubted(row.doubt",
        "    if row.doubted_since is not None and not row.doubt:\n        raise Doubted(row.doubt",
        ("tests/e2e/registry/test_doubts.py::test_nothing_moves_in_a_registry_that_is_the_same_and_doubted",),
    ),
    Mutant(
        "restore does not doubt",
        "after a restore the bot acts on the backup alone",
        "handlers/registry/restored.py",
        "doubted_since=row.doubted_since or now,",
        "doubted_since=row.doubted_since,",
        ("tests/e2e/registry/test_restored.py::test_what_was_decided_since_is_neither_undone_nor_repeated",),
    ),
)
