"""The week's figures, counted by the database: case by case. A whole year of it is in `test_digest_year`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.digest.figures import FindingKind, Latency, WeekOfTrend
from bot.domain.digest.json_form import as_json
from bot.domain.digest.periods import next_period, previous_period
from bot.domain.digest.sentences import approver
from bot.domain.model import Ask, AskKind, DataSet, DecidedBy, Kind, Target, TargetKind
from bot.domain.policy.rules import DigestPlan
from bot.domain.request.evolution import BY_RULE
from bot.domain.request.lifecycle import compare_taken_back
from bot.errors import Permanent
from bot.services import Services
from bot.store.digests import Closed, DigestRow
from bot.store.transaction import Store
from config.policy import read_policy
from tests.builders import (
    CHAMPION,
    a_version,
    a_vote,
    an_evidence,
    opened,
)
from tests.builders.digest import ODD_NAMES
from tests.fixtures.installation import policy_text

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

from tests.fixtures.digest_figures import (
    DAY,
    HOUR,
    MONDAY,
    PERIOD,
    OnlyTheLedger,
    OnMonday,
    of,
    promoted,
    record,
    told,
    use_policy,
)


@pytest.fixture
def s(engine: sa.Engine, jobs: Jobs) -> Services:
    store = Store(engine, jobs, OnMonday(), {}, read_policy)
    return OnlyTheLedger(store)


@pytest.fixture
def with_policy(s: Services) -> Services:
    use_policy(s, policy_text("bike-*", extra="approval_valid_for: 30d"), MONDAY - 300 * DAY)
    return s


def test_a_week_without_anything_says_so(with_policy: Services) -> None:
    digest = told(with_policy)

    assert digest.is_quiet
    assert (digest.attention.total, digest.transitions.total, digest.waiting.total) == (0, 0, 0)
    assert digest.latency[0].median is None


def test_the_digest_of_the_week_before_does_not_make_a_week_eventful(with_policy: Services) -> None:
    record(with_policy, e.DigestClosed(MONDAY + HOUR, "2026-W09", "sha256:1", {}))
    record(with_policy, e.DigestDelivered(MONDAY + HOUR, "2026-W09", "slack", "https://slack.example.com/1"))

    digest = told(with_policy)

    assert digest.is_quiet
    assert (digest.ledger.first, digest.ledger.last, digest.ledger.count) == (1, 2, 2)


def test_the_records_are_every_entry_of_the_week_whatever_it_is_about(with_policy: Services) -> None:
    record(with_policy, e.DigestDelivered(MONDAY, "2026-W09", "slack", "https://slack.example.com/1"))
    record(with_policy, opened(at=MONDAY + HOUR, requester=None))
    record(with_policy, e.DigestDelivered(MONDAY + 2 * HOUR, "2026-W09", "jira", "https://jira.example.com/1"))

    digest = told(with_policy)

    assert (digest.ledger.first, digest.ledger.last, digest.ledger.news) == (1, 3, 1)
    assert not digest.is_quiet


def test_whoever_an_entry_of_the_week_names_has_a_name_in_the_records(with_policy: Services) -> None:
    with with_policy.store.transaction() as tx:
        ana = tx.people.get_or_add("ana@example.com", "Ana").id
    record(with_policy, e.FastTrackSwitched(MONDAY, False, ana, "the figures drifted"))

    digest = told(with_policy)

    assert digest.names[ana] == "Ana Ruiz"


def test_an_approval_that_went_stale_after_the_week_did_not_wait_in_it(with_policy: Services) -> None:
    vote = a_vote("cy", at=MONDAY + HOUR, rule_hash="sha256:1")
    record(with_policy, opened("r1", at=MONDAY), e.EvidenceFrozen(MONDAY, "r1", an_evidence(), None, "sha256:1"))
    record(with_policy, e.VoteCast(vote.at, "r1", vote), e.RequestApproved(vote.at, "r1", ("cy",), "sha256:1"))
    record(with_policy, e.ApprovalStale(PERIOD.ends + HOUR, "r1", "the version was deleted"))

    assert told(with_policy).waiting.total == 0


def test_a_holding_says_who_approved_it_when_and_where_it_comes_from(with_policy: Services) -> None:
    trained = (DataSet("rides", "9f0c1d2e", "training"), DataSet("held back", "00000000", "test"))
    promoted(with_policy, a_version(created=MONDAY), MONDAY + HOUR, commit="23c0bfb", datasets=trained)

    [held] = told(with_policy).inventory.shown

    assert (held.decided, held.by, held.ticket) == ("people", ("cy",), "GOV-7")
    assert (held.roles, held.author, held.claimed_author) == (("leads",), None, an_evidence().author)
    assert (held.commit, held.data) == ("23c0bfb", "9f0c1d2e")
    assert held.approval_age == PERIOD.ends - (MONDAY + 1.5 * HOUR)


def test_what_moved_after_the_week_is_told_as_it_was_before(with_policy: Services) -> None:
    first, second = a_version(7, created=MONDAY), a_version(8, created=MONDAY)
    promoted(with_policy, first, MONDAY + HOUR)
    promoted(with_policy, second, PERIOD.ends, request_id="r2")

    [held], [later] = told(with_policy).inventory.shown, told(with_policy, next_period(PERIOD)).inventory.shown

    assert (held.version, held.request_id) == (first, "r1")
    assert (later.version, later.request_id) == (second, "r2")


def test_a_transition_says_for_which_groups_people_decided_and_whom_it_replaced(with_policy: Services) -> None:
    first, second = a_version(7, created=MONDAY), a_version(8, created=MONDAY)
    promoted(with_policy, first, MONDAY + HOUR)
    record(
        with_policy,
        opened("r2", at=MONDAY + DAY, version=second, rule_hash="sha256:1"),
        e.EvidenceFrozen(MONDAY + DAY, "r2", an_evidence(), "ana", "sha256:1"),
        e.VoteCast(MONDAY + DAY, "r2", a_vote("cy", "leads", "risk", at=MONDAY + DAY, rule_hash="sha256:1")),
        e.RequestApproved(MONDAY + DAY, "r2", ("cy",), "sha256:1"),
        e.TargetMoved(MONDAY + DAY, "r2", second, CHAMPION, first, moved=True),
    )

    newer, older = sorted(told(with_policy).transitions.shown, key=lambda one: one.version.version, reverse=True)

    assert (newer.by, newer.roles, newer.author, newer.previous) == (("cy",), ("leads, risk",), "ana", first)
    assert older.previous is None


def test_who_was_put_back_by_hand_and_waits_to_be_ratified_is_told_with_the_approval_that_it_had(
    with_policy: Services,
) -> None:
    first, second = a_version(7, created=MONDAY), a_version(8, created=MONDAY)
    promoted(with_policy, first, MONDAY + HOUR)
    promoted(with_policy, second, MONDAY + DAY, request_id="r2")
    record(
        with_policy,
        e.MoveObserved(MONDAY + 2 * DAY, "default", CHAMPION, "bike-demand", first, second, "ratify"),
        opened("r3", at=MONDAY + 2 * DAY, version=first, kind=Kind.OBSERVED),
    )
    with with_policy.store.transaction() as tx:
        tx.registry.put_placements("default", "bike-demand", CHAMPION, (first,), MONDAY + 2 * DAY, "r3")

    [held] = of(told(with_policy), FindingKind.HELD_WITHOUT_APPROVAL)

    assert "without an approval: its earlier one, by unknown, ended when another version replaced it" in held


def test_a_move_where_no_rule_speaks_is_told_with_advice_that_works(with_policy: Services) -> None:
    record(
        with_policy,
        e.MoveObserved(MONDAY, "default", CHAMPION, "ranking", a_version(1, "ranking"), None, "report"),
    )

    [sentence] = of(told(with_policy), FindingKind.MOVED_WITHOUT_APPROVAL)

    assert "No rule covers it. Write a rule for it" in sentence
    assert "adopt" not in sentence


def test_a_copy_in_a_target_model_stands_for_the_version_that_was_copied(with_policy: Services) -> None:
    original, target = a_version(created=MONDAY), Target(TargetKind.MODEL, "prod.bike")
    promoted(with_policy, original, MONDAY + HOUR, target)

    [held] = told(with_policy).inventory.shown

    assert (held.version, held.target) == (original, target)


def test_an_approval_older_than_the_rule_lets_it_be_needs_attention(with_policy: Services) -> None:
    promoted(with_policy, a_version(), PERIOD.ends - 40 * DAY)

    [sentence] = of(told(with_policy), FindingKind.APPROVAL_TOO_OLD)

    assert "39 days old at the week's end; under the rule an approval is valid for 30 days" in sentence


def test_a_target_that_no_rule_speaks_of_is_told_of_and_not_called_unapproved(with_policy: Services) -> None:
    with with_policy.store.transaction() as tx:
        tx.registry.put_placements("default", "ranking", CHAMPION, (a_version(1, "ranking"),), MONDAY)

    digest = told(with_policy)

    assert of(digest, FindingKind.NO_RULE) == [
        "ranking v1 holds alias:champion of ranking, and no rule covers it. "
        "Write a rule for it, or set default: ignore in the policy."
    ]
    assert of(digest, FindingKind.HELD_WITHOUT_APPROVAL) == []


def test_what_was_there_at_the_baseline_has_been_there_since_nobody_knows_when(with_policy: Services) -> None:
    with with_policy.store.transaction() as tx:
        tx.registry.put_placements("default", "bike-demand", CHAMPION, (a_version(),), MONDAY)
        tx.record([e.BaselineTaken(MONDAY, "default", 1, 1)])

    digest = told(with_policy)

    assert digest.inventory.shown[0].since is None
    assert "since before anything was recorded" in of(digest, FindingKind.HELD_WITHOUT_APPROVAL)[0]


def test_a_move_by_hand_says_what_had_become_of_it_when_the_week_ended(with_policy: Services) -> None:
    version, at = a_version(created=MONDAY), MONDAY + DAY
    record(with_policy, e.MoveObserved(at, "default", CHAMPION, "bike-demand", version, a_version(5), "ask"))
    record(with_policy, opened("r1", at=at, version=version, kind=Kind.OBSERVED))
    record(with_policy, e.RequestRejected(PERIOD.ends + HOUR, "r1", "cy", "never seen", "sha256:1"))

    [sentence] = of(told(with_policy), FindingKind.MOVED_WITHOUT_APPROVAL)

    assert sentence.startswith("bike-demand v7 was put on alias:champion of bike-demand on")
    assert sentence.endswith("It is still pending: approve or reject it.")


def test_waiting_says_what_was_missing_when_the_week_ended(with_policy: Services) -> None:
    rule_hash = with_policy.store.policy().rule_hash(with_policy.store.policy().rules[0])
    record(with_policy, opened("r1", at=MONDAY), opened("r2", at=MONDAY + HOUR, version=a_version(8)))
    record(with_policy, e.EvidenceFrozen(MONDAY + HOUR, "r1", an_evidence(), "bea", rule_hash))
    vote = a_vote("cy", "ml-leads", at=PERIOD.ends + HOUR, rule_hash=rule_hash)
    record(with_policy, e.VoteCast(vote.at, "r1", vote), e.RequestApproved(vote.at, "r1", ("cy",), rule_hash))

    waiting = told(with_policy).waiting.shown

    assert [(one.request_id, one.missing) for one in waiting] == [("r1", "1 of ml-leads"), ("r2", "its evidence")]
    assert waiting[0].age == timedelta(days=7)


def test_changes_are_told_with_the_names_of_people(with_policy: Services) -> None:
    with with_policy.store.transaction() as tx:
        ana, ben = (tx.people.get_or_add(f"{name}@example.com", name).id for name in ("ana", "ben"))
        tx.record([e.AwayDeclared(MONDAY, ana, ben, MONDAY + DAY)])
        tx.record([e.PolicyActivated(MONDAY, 2, "sha256:2", "policy.yaml", (f"risk: person:{ben} was added",))])

    away, policy = told(with_policy).changes.shown

    assert away.sentence.startswith("Ben Okafor stands in for Ana Ruiz until 2026-03-03 00:00 UTC+01:00.")
    assert policy.changes == ("risk: Ben Okafor was added",)


def test_weeks_left_out_are_told_by_the_next_digest(with_policy: Services) -> None:
    record(with_policy, e.DigestsLeftOut(PERIOD.ends + HOUR, ("2026-W01", "2026-W02")))

    [sentence] = of(told(with_policy), FindingKind.DIGESTS_LEFT_OUT)

    assert "2 weeks, 2026-W01 to 2026-W02" in sentence


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_goes_through_unchanged_whatever_it_is_made_of(name: str, s: Services) -> None:
    use_policy(s, policy_text("nothing"), MONDAY)
    promoted(s, a_version(7, name), MONDAY + HOUR)
    promoted(s, a_version(8, name), PERIOD.ends + HOUR, request_id="r2")

    digest = told(s)

    assert [one.version.version for one in digest.inventory.shown] == [7]
    assert digest.inventory.shown[0].version.model == name
    assert name in of(digest, FindingKind.NO_RULE)[0]


def test_a_rule_that_was_changed_in_the_week_is_one_rule_still(with_policy: Services) -> None:
    before = with_policy.store.policy()
    use_policy(with_policy, policy_text("bike-*", reason="always"), MONDAY + DAY)
    after = with_policy.store.policy()
    for number, policy in enumerate((before, after, after)):
        request_id, rule_hash = f"r{number}", policy.rule_hash(policy.rules[0])
        record(with_policy, opened(request_id, at=MONDAY, version=a_version(number + 1)))
        decided_at = MONDAY + (number + 1) * HOUR
        record(with_policy, e.RequestRejected(decided_at, request_id, "cy", "worse", rule_hash))

    latency = told(with_policy).latency

    assert [(one.rule, one.decided, one.median) for one in latency] == [
        ("", 3, 2 * HOUR),
        ("bike-* → alias:champion", 3, 2 * HOUR),
    ]


def test_what_the_rule_decided_by_itself_took_nobody_any_time(with_policy: Services) -> None:
    record(with_policy, opened("r1", at=MONDAY), opened("r2", at=MONDAY, version=a_version(8)))
    record(with_policy, e.RequestRejected(MONDAY + HOUR, "r1", BY_RULE, 'it says "by":"people" so', "sha256:1"))
    record(with_policy, e.RequestApproved(MONDAY + HOUR, "r2", (), "sha256:1", DecidedBy.RULE))

    assert told(with_policy).latency == (Latency("", 0, None, None),)


@pytest.mark.parametrize("ask", [AskKind.UNDO, AskKind.ROLLBACK])
def test_taking_back_what_the_fast_track_decided_counts_for_its_rule(with_policy: Services, ask: AskKind) -> None:
    rule_hash = with_policy.store.policy().rule_hash(with_policy.store.policy().rules[0])
    record(with_policy, opened("r1", at=MONDAY))
    record(with_policy, e.RequestApproved(MONDAY, "r1", (), rule_hash, DecidedBy.FAST_TRACK))
    back: dict[str, object] = {"kind": Kind.ROLLBACK, "ask": Ask(ask), "follows": "r1"}
    record(with_policy, opened("r2", at=MONDAY + HOUR, version=a_version(6), **back))
    with with_policy.store.transaction() as tx:
        rule = tx.policy().rules[0]
        tx.record(compare_taken_back(tx.requests.get("r1"), rule, MONDAY + 2 * HOUR))

    [figures] = told(with_policy).fast_track

    assert (figures.rule, figures.undone, figures.passed) == ("bike-* → alias:champion", 1, 0)
    assert (figures.agreed, figures.false_passes) == (0, 1)


def test_parked_jobs_are_told_with_what_went_wrong(with_policy: Services) -> None:
    def fail(_: str) -> None:
        raise Permanent("Jira has no project GOV. Name another in the policy")

    with with_policy.store.transaction() as tx:
        tx.defer("sync_ticket", "r1", "jira:r1")
    with_policy.store.jobs.drain({"sync_ticket": fail})

    [sentence] = of(told(with_policy), FindingKind.PARKED_JOBS)

    assert sentence.startswith("sync_ticket of r1 is parked: Jira has no project GOV. Name another in the policy.")


def test_a_week_that_was_frozen_is_not_counted_again_for_the_trend(with_policy: Services) -> None:
    before = previous_period(PERIOD)
    record(with_policy, opened("r0", at=before.starts))
    frozen = replace(told(with_policy, before), trend=(WeekOfTrend(before.week, 7, HOUR / 7, 2 * HOUR, 9),))
    row = Closed(
        before,
        before.ends,
        as_json(frozen),
        "sha256:1",
        b"",
        b"",
        DigestPlan("0 9 * * mon", "Europe/Madrid"),
        "",
        "",
        {},
    )
    with with_policy.store.transaction() as tx:
        tx.digests.add(DigestRow(**vars(row)))

    assert told(with_policy).trend[-2] == frozen.trend[0]


def test_a_renamed_model_keeps_what_it_held(with_policy: Services) -> None:
    promoted(with_policy, a_version(7, "bike-old"), MONDAY)
    record(with_policy, e.ModelRenamed(MONDAY + DAY, "default", "bike-old", "bike-new"))
    with with_policy.store.transaction() as tx:
        tx.registry.rename_models("default", {"bike-old": "bike-new"})
    promoted(with_policy, a_version(8, "bike-new"), PERIOD.ends + HOUR, request_id="r2")

    [held] = told(with_policy).inventory.shown

    assert (held.version, held.request_id, held.decided) == (a_version(7, "bike-old"), "r1", "people")


def test_a_nul_that_somebody_has_typed_is_replaced_and_keeps_no_digest_from_being_made(with_policy: Services) -> None:
    before, nul = previous_period(PERIOD), "worse \x00"
    record(with_policy, opened("r0", at=before.starts, version=a_version(6)))
    record(with_policy, e.RequestRejected(before.starts + HOUR, "r0", "cy", nul, "sha256:1"))
    frozen = replace(told(with_policy, before), names={"ana": nul})
    row = Closed(
        before,
        before.ends,
        as_json(frozen),
        "sha256:1",
        b"",
        b"",
        DigestPlan("0 9 * * mon", "Europe/Madrid"),
        "",
        "",
        {},
    )
    with with_policy.store.transaction() as tx:
        tx.digests.add(DigestRow(**vars(row)))
    record(
        with_policy, opened("r1", at=MONDAY, comment=nul), opened("r2", at=MONDAY, version=a_version(8), follows="r1")
    )
    record(with_policy, e.RequestRejected(MONDAY + HOUR, "r1", "cy", nul, "sha256:1"))
    record(with_policy, e.RequestRejected(PERIOD.ends + HOUR, "r2", "cy", nul, "sha256:1"))

    digest = told(with_policy)

    assert [one.reason for one in digest.transitions.shown] == ["worse \ufffd"]
    assert [one.request_id for one in digest.waiting.shown] == ["r2"]
    assert [one.week for one in digest.trend] == [before.week, PERIOD.week]


@pytest.mark.parametrize(
    ("email", "kind", "ask", "is_told"),
    [
        ("x@example.com", Kind.ROLLBACK, AskKind.ROLLBACK, True),
        ("x@example.com", Kind.ROLLBACK, AskKind.UNDO, True),
        ("x@example.com", Kind.ROLLBACK, AskKind.REOPENED, False),
        ("x@example.com", Kind.PROMOTION, AskKind.COMMAND, False),
        ("ana@example.com", Kind.ROLLBACK, AskKind.ROLLBACK, False),
    ],
)
def test_a_rollback_that_no_known_person_asked_for_needs_attention(
    with_policy: Services, email: str, kind: Kind, ask: AskKind, is_told: bool
) -> None:
    with with_policy.store.transaction() as tx:
        person = tx.people.get_or_add(email, email)
    record(
        with_policy,
        opened("r1", at=MONDAY, kind=kind, ask=Ask(ask), requester=person.id, away_from=a_version(8)),
    )

    found = of(told(with_policy), FindingKind.UNKNOWN_REQUESTER)

    assert len(found) == is_told
    assert all(f"{email}, who is neither in the policy nor known to Slack, asked on" in said for said in found)


def test_a_restored_version_is_held_by_the_approval_of_those_who_gave_it(with_policy: Services) -> None:
    first, second = a_version(7, created=MONDAY), a_version(8, created=MONDAY)
    promoted(with_policy, first, MONDAY - 40 * DAY)
    promoted(with_policy, second, MONDAY, request_id="r2")
    at = MONDAY + DAY
    with with_policy.store.transaction() as tx:
        ben = tx.people.get_or_add("ben@example.com", "Ben Okafor").id
    back: dict[str, object] = {"kind": Kind.ROLLBACK, "ask": Ask(AskKind.ROLLBACK), "away_from": second}
    record(
        with_policy,
        opened("r3", at=at, version=first, follows="r2", requester=ben, **back),
        e.RequestApproved(at, "r3", (), "sha256:1", DecidedBy.RULE),
        e.TargetMoved(at + HOUR, "r3", first, CHAMPION, second, moved=True),
    )
    with with_policy.store.transaction() as tx:
        tx.registry.put_placements("default", "bike-demand", CHAMPION, (first,), at + HOUR, "r3")

    digest = told(with_policy)

    [held] = digest.inventory.shown
    assert (held.decided, held.by, held.request_id) == ("people", ("cy",), "r1")
    assert held.approved_at == MONDAY - 40 * DAY + HOUR / 2
    assert (held.restored_by, held.restored_at) == (ben, at + HOUR)
    assert approver(held, digest.names) == (
        "restored by rollback, requested by Ben Okafor (previously approved by unknown (leads), GOV-7)"
    )
    moved = digest.transitions.shown[-1]
    assert moved.earlier is not None
    assert (moved.decided, moved.earlier.by, moved.earlier.at) == ("the rule", ("cy",), held.approved_at)
    [said] = of(digest, FindingKind.ROLLED_BACK)
    assert "was rolled back from bike-demand v8 to bike-demand v7" in said
    assert digest.emails == {ben: "ben@example.com"}
    assert len(of(digest, FindingKind.APPROVAL_TOO_OLD)) == 1
