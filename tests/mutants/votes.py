"""Bugs in who decides: votes, quorum, separation of duties, the fast track, passkeys, and how a request ends."""

from __future__ import annotations

from tests.mutants.planted import Mutant

MUTANTS = (
    Mutant(
        "requester decides",
        "who asked for a transition may approve it",
        "bot/domain/model.py",
        "filter(None, (self.requester, self.author,",
        "filter(None, (self.author,",
        ("tests/domain/request/test_lifecycle.py::test_who_asked_and_who_trained_may_not_decide",),
    ),
    Mutant(
        "author decides",
        "who trained the version may approve it",
        "bot/domain/model.py",
        "filter(None, (self.requester, self.author,",
        "filter(None, (self.requester,",
        ("tests/domain/request/test_lifecycle.py::test_who_asked_and_who_trained_may_not_decide",),
    ),
    Mutant(
        "late joiner counts",
        "the vote of a person who asked for the same afterwards still counts",
        "bot/domain/request/quorum.py",
        "vote.rule_hash == rule_hash and not request.parties & {*vote.ids, *vote.standing_in_for}",
        "vote.rule_hash == rule_hash",
        (
            (
                "tests/domain/request/test_joining.py::test_an_approval_of_somebody_who_asks_for_it_afterwards_n"
                "o_longer_counts"
            ),
        ),
    ),
    Mutant(
        "two votes of one person",
        "a person may vote again, under another id too",
        "bot/domain/request/voting.py",
        "if any(vote.ids & earlier.ids for earlier in counted):",
        "if not request.votes and False:",
        (
            "tests/domain/request/test_lifecycle.py::test_nobody_votes_twice",
            "tests/domain/request/test_who_may_vote.py::test_nobody_votes_twice_under_two_ids",
        ),
    ),
    Mutant(
        "one person in two places",
        "a person who is in two groups fills the place of each",
        "bot/domain/request/quorum.py",
        (
            "        if place not in seated or _seat(seated[place], wanted, seated, tried, open_to):\n"
            "            seated[place] = vote\n"
            "            return True\n"
        ),
        "        if place not in seated:\n            seated[place] = vote\n",
        ("tests/domain/request/test_quorum.py::test_a_quorum_of_two_takes_two_people",),
    ),
    Mutant(
        "quorum off by one",
        "a group that needs two approvals is met by one",
        "bot/domain/request/quorum.py",
        "for _ in range(req.quorum))",
        "for _ in range(max(1, req.quorum - 1)))",
        ("tests/domain/request/test_quorum.py::test_a_quorum_of_two_takes_two_people",),
    ),
    Mutant(
        "unknown requester costs nothing",
        "what nobody known asked for takes no vote more",
        "bot/domain/request/quorum.py",
        "return (*demanded, ANYONE) if _wants_one_more(request, rule) else demanded",
        "return demanded",
        (
            (
                "tests/domain/request/test_quorum.py::test_an_unknown_requester_costs_one_more_approval_by_anyon"
                "e_of_the_groups"
            ),
        ),
    ),
    Mutant(
        "no authorization at click",
        "a person who is in no group of the rule may vote",
        "bot/domain/request/voting.py",
        "if not set(wanted) & set(vote.groups):",
        "if not wanted:",
        ("tests/domain/request/test_lifecycle.py::test_who_belongs_to_no_group_of_the_rule_is_told_whom_to_ask",),
    ),
    Mutant(
        "vote under a former rule",
        "votes that were cast under another rule count under the present one",
        "bot/domain/request/quorum.py",
        "return vote.rule_hash == rule_hash and not request.parties",
        "return not request.parties",
        (
            (
                "tests/domain/request/test_lifecycle.py::test_a_vote_under_a_rule_that_has_changed_since_no_long"
                "er_counts_and_may_be_cast_anew"
            ),
        ),
    ),
    Mutant(
        "decided twice",
        "an approved request takes votes, and the later one decides again",
        "bot/domain/request/voting.py",
        "    if request.state is not State.PENDING:\n        raise AlreadyDecided(request)",
        "    if request.state not in (State.PENDING, State.APPROVED):\n        raise AlreadyDecided(request)",
        ("tests/domain/request/test_lifecycle.py::test_who_votes_after_the_decision_is_told_what_it_was",),
    ),
    Mutant(
        "no compare-and-set on a decision",
        "a vote is cast on what was read before another vote committed",
        "handlers/request/casting.py",
        (
            "    tx.requests.lock_model(known.workspace, known.model)\n"
            "    request = tx.requests.get(click.value, for_update=True)\n"
        ),
        "    request = tx.requests.get(click.value)\n",
        ("tests/faults/test_at_the_same_time.py::test_two_people_in_the_same_instant_make_one_decision",),
    ),
    Mutant(
        "vote after the end",
        "a vote counts although the time to decide is over",
        "bot/domain/request/voting.py",
        "if request.expires_at is not None and vote.at >= request.expires_at:",
        "if request.expires_at is None and vote.at is None:",
        (
            (
                "tests/domain/request/test_lifecycle.py::test_nobody_votes_when_the_time_is_over_though_the_cloc"
                "k_has_not_come_by_yet"
            ),
        ),
    ),
    Mutant(
        "expiry never ends",
        "a request whose time is over stays open",
        "bot/domain/request/lifecycle.py",
        "if not request.state.is_open or request.expires_at is None or at < request.expires_at:",
        "if not request.state.is_open or request.expires_at is None or at >= request.expires_at:",
        ("tests/domain/request/test_endings.py::test_a_request_expires_at_its_moment_and_not_before",),
    ),
    Mutant(
        "no supersede",
        "a newer version that asks for the same target leaves the older request open",
        "bot/domain/request/lifecycle.py",
        "if older.id == newer.id or older.version.version >= newer.version.version:",
        "if older.version != newer.version:",
        (("tests/domain/request/test_endings.py::test_a_newer_version_that_asks_for_the_same_target_takes_the_place"),),
    ),
    Mutant(
        "older supersedes newer",
        "whatever asks last ends the other request, also for an older version",
        "bot/domain/request/lifecycle.py",
        "if older.id == newer.id or older.version.version >= newer.version.version:",
        "if older.id == newer.id:",
        ("tests/domain/request/test_endings.py::test_nothing_else_supersedes",),
    ),
    Mutant(
        "rejection does not decide",
        "a rejection is only one vote among others",
        "bot/domain/request/lifecycle.py",
        "    if vote.verdict is Verdict.REJECT:\n        rejected =",
        "    if vote.verdict is Verdict.REJECT and not request.votes:\n        rejected =",
        ("tests/domain/request/test_lifecycle.py::test_one_rejection_decides_whatever_was_approved_before",),
    ),
    Mutant(
        "fast track without a figure",
        "a version whose figure is missing or not a number passes",
        "bot/domain/request/fast_track_metrics.py",
        "        yield Check(False, candidate, threshold.metric)",
        "        yield Check(True, candidate, threshold.metric)",
        ("tests/domain/request/test_fast_track.py::test_a_figure_that_cannot_be_told_for_sure_never_passes",),
    ),
    Mutant(
        "fast track in the wrong direction",
        "a figure that is to be small passes when it is large",
        "bot/domain/request/fast_track_metrics.py",
        "passed = candidate.value >= bound if greater_is_better else candidate.value <= bound",
        "passed = candidate.value <= bound if greater_is_better else candidate.value >= bound",
        ("tests/domain/request/test_fast_track.py::test_a_figure_that_does_not_reach_it_fails",),
    ),
    Mutant(
        "fast track compares anything",
        "figures that were measured on other data are compared with the champion's",
        "bot/domain/request/fast_track_metrics.py",
        "return _incomparable(candidate, champion) or champion",
        "return champion",
        ("tests/domain/request/test_fast_track.py::test_what_cannot_be_compared_is_left_to_people",),
    ),
    Mutant(
        "figures logged afterwards",
        "a metric that was logged after the request was opened counts",
        "bot/domain/request/fast_track_metrics.py",
        "if metric.logged_at is not None and metric.logged_at > opened_at:",
        "if metric.logged_at is None and opened_at is None:",
        ("tests/domain/request/test_fast_track.py::test_a_figure_that_cannot_be_told_for_sure_never_passes",),
    ),
    Mutant(
        "fast track without its switch",
        "the fast track decides although it is switched off",
        "bot/domain/request/fast_track.py",
        "    if not is_switched_on:\n",
        "    if not is_switched_on and not request_id:\n",
        ("tests/domain/request/test_fast_track.py::test_the_kill_switch_holds_back_what_passes",),
    ),
    Mutant(
        "fast track passes what people rejected",
        "content that people rejected passes when it is registered again",
        "bot/domain/request/fast_track.py",
        "    if objection is not None:\n",
        "    if objection is not None and request.failed_before:\n",
        (
            (
                "tests/domain/request/test_content_memory.py::test_what_people_said_no_to_never_passes_the_fast_"
                "track_whatever_its_figures"
            ),
        ),
    ),
    Mutant(
        "passkey not asked for",
        "an approval that takes a passkey is cast by a press of the button",
        "bot/domain/request/lifecycle.py",
        "if vote.passkey is None and wants_passkey(vote, rule):",
        "if vote.passkey is None and vote.passkey is not None:",
        (
            (
                "tests/domain/request/test_quorum.py::test_an_approval_that_takes_a_passkey_is_not_cast_without_"
                "one_and_a_rejection_is"
            ),
        ),
    ),
    Mutant(
        "passkey confirmed by its owner",
        "a person confirms their own passkey",
        "bot/domain/request/passkeys.py",
        "return not {event.by, *event.also} & (key.person_ids | key.confirmers_ids)",
        "return True",
        ("tests/domain/request/test_passkeys.py::test_a_passkey_counts_once_enough_others_have_confirmed_it",),
    ),
)
