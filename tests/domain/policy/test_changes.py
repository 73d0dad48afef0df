"""What differs between two policies, in sentences: nothing goes unsaid, and nothing is said of what stayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from bot.domain.model import Ask, AskKind, FastTrackMode
from bot.domain.policy.break_glass import BreakGlass
from bot.domain.policy.calendars import Dated, Freeze, Weekly, WorkingHours
from bot.domain.policy.changes import addresses_in, changes, digest_of, with_people_as
from bot.domain.policy.rules import (
    Approve,
    Copies,
    Demand,
    DigestPlan,
    Escalate,
    FastTrack,
    Group,
    LineageDemand,
    Observed,
    PersonEntry,
    Policy,
    Poll,
    ReasonDemand,
    Requirement,
    RollbackBy,
    Rule,
    Threshold,
    UnknownRequester,
    Unruled,
)
from bot.domain.references import Relation, TicketPlan
from bot.domain.seals.places import SealPlan
from bot.domain.workspaces import Registry
from tests.builders import PRODUCTION, a_policy, a_rule


def local(text: str) -> datetime:
    """A moment that the freeze's own zone gives its meaning."""
    return datetime.fromisoformat(text)


FAST = FastTrack(FastTrackMode.SHADOW, (Threshold("mae", greater_is_better=False, threshold=40.0),))
FREEZE = Freeze("year-end", "UTC", (Dated(local("2026-12-18 18:00"), local("2027-01-07 09:00")),), ())
WEEK = WorkingHours("Europe/Madrid", (0, 1, 2, 3, 4), 540, 1080, (date(2026, 12, 25),))
RULE = a_rule({"leads": 1}, fast_track=FAST)
BEFORE = a_policy(RULE, calendar=WEEK, freezes=(FREEZE,))


def after_rule(**changed: Any) -> tuple[str, ...]:
    """What is said when the only rule has changed so; its name is left out."""
    said = changes(BEFORE, replace(BEFORE, rules=(replace(RULE, **changed),)))
    return tuple(sentence.removeprefix("rule bike-* → alias:champion: ") for sentence in said)


def after_fast_track(**changed: Any) -> tuple[str, ...]:
    return after_rule(fast_track=replace(FAST, **changed))


def after_threshold(**changed: Any) -> tuple[str, ...]:
    return after_fast_track(metrics=(replace(FAST.metrics[0], **changed),))


def after_approve(**changed: Any) -> tuple[str, ...]:
    return after_rule(approve=replace(RULE.approve, **changed))


def test_the_first_policy_changes_nothing() -> None:
    assert changes(None, BEFORE) == ()


def test_the_same_policy_again_changes_nothing() -> None:
    assert changes(BEFORE, replace(BEFORE)) == ()


def test_a_change_is_said_with_what_it_was() -> None:
    both = (Requirement("leads", 1), Requirement("risk", 2))

    said = changes(BEFORE, replace(BEFORE, rules=(replace(RULE, approve=replace(RULE.approve, all_of=both)),)))

    assert said == ("rule bike-* → alias:champion: approve: one of leads and two of risk, was one of leads",)


OF_A_RULE: dict[str, tuple[Any, str]] = {
    "ask_on": ((Ask(AskKind.NEW_VERSION),), "ask_on: new_version, was alias candidate and tag countersign.ask"),
    "observed": (Observed.REVERT, "observed: revert, was ask"),
    "copies": (Copies.DELETE, "revert.copies: delete, was tag"),
    "channel": ("#risk", "notify: #risk, was #models"),
    "group_above": (0, "notify.group_above: never, was 5"),
    "ticket": (None, "ticket: none, was project GOV type Task approved Done rejected Won't Do"),
    "expire_after": (None, "expire_after: none, was 3d"),
    "remind_after": (timedelta(hours=4), "remind_after: 4h, was none"),
    "escalate": (Escalate(timedelta(minutes=90), "heads"), "escalate: after 90m to heads, was none"),
    "freezes": (("year-end",), "freezes: year-end, was none"),
    "rollback": (RollbackBy.VOTES, "rollback: by_votes, was at_once"),
    "approval_valid_for": (timedelta(days=180), "approval_valid_for: 180d, was none"),
    "break_glass": (
        BreakGlass("on-call", "leads", timedelta(days=2)),
        "break_glass: on-call, reviewed by leads within 2d, was none",
    ),
    "seal": (
        SealPlan("s3://prod-models/", timedelta(days=90)),
        "seal: s3://prod-models/ locked for 90d, was none",
    ),
}
OF_APPROVE: dict[str, tuple[Any, str]] = {
    "all_of": ((Requirement("leads", 12),), "approve: 12 of leads, was one of leads"),
    "reason": (ReasonDemand.ALWAYS, "approve.reason: always, was on_reject"),
    "unknown_requester": (UnknownRequester.REFUSE, "approve.unknown_requester: refuse, was author_only"),
    "passkey": (True, "approve.passkey: required, was none"),
}
OF_A_FAST_TRACK: dict[str, tuple[Any, str]] = {
    "mode": (FastTrackMode.ON, "fast_track.mode: on, was shadow"),
    "require": ((Demand.LINEAGE, Demand.SIGNATURE), "fast_track.require: lineage and signature, was none"),
    "sample_to_people": (0.1, "fast_track.sample_to_people: 0.1, was none"),
    "undo_for": (timedelta(hours=36), "fast_track.undo_for: 36h, was 1d"),
}
OF_A_THRESHOLD: dict[str, tuple[Any, str]] = {
    "greater_is_better": (True, "threshold 40 greater_is_better true"),
    "threshold": (40.0000001, "threshold 40.0000001 greater_is_better false"),
    "min_absolute_change": (1.0, "threshold 40 min_absolute_change 1 greater_is_better false"),
    "min_relative_change": (0.01, "threshold 40 min_relative_change 0.01 greater_is_better false"),
    "dataset": ("test", "threshold 40 greater_is_better false dataset test"),
}


@pytest.mark.parametrize("field", OF_A_RULE)
def test_every_part_of_a_rule_is_said(field: str) -> None:
    value, sentence = OF_A_RULE[field]

    assert after_rule(**{field: value}) == (sentence,)


@pytest.mark.parametrize("field", OF_APPROVE)
def test_every_part_of_who_approves_is_said(field: str) -> None:
    value, sentence = OF_APPROVE[field]

    assert after_approve(**{field: value}) == (sentence,)


def test_a_group_that_needs_a_passkey_is_said() -> None:
    said = after_approve(all_of=(Requirement("leads", 1, passkey=True),))

    assert said == ("approve: one of leads with a passkey, was one of leads",)


@pytest.mark.parametrize("field", OF_A_FAST_TRACK)
def test_every_part_of_a_fast_track_is_said(field: str) -> None:
    value, sentence = OF_A_FAST_TRACK[field]

    assert after_fast_track(**{field: value}) == (sentence,)


def test_what_is_demanded_of_the_lineage_is_said() -> None:
    before = replace(BEFORE, rules=(replace(RULE, lineage=LineageDemand("/srv/bikes", block=("L01",))),))
    after = replace(BEFORE, rules=(replace(RULE, lineage=LineageDemand(main="trunk", block=("L01", "L09"))),))

    assert after_rule(lineage=LineageDemand("/srv/bikes")) == (
        "lineage.git: /srv/bikes, was none",
        "lineage.main: main, was none",
    )
    assert changes(before, after) == (
        "rule bike-* → alias:champion: lineage.git: none, was /srv/bikes",
        "rule bike-* → alias:champion: lineage.main: trunk, was main",
        "rule bike-* → alias:champion: lineage.block: L01 and L09, was L01",
    )


@pytest.mark.parametrize("field", OF_A_THRESHOLD)
def test_every_part_of_a_threshold_is_said(field: str) -> None:
    value, now = OF_A_THRESHOLD[field]

    assert after_threshold(**{field: value}) == (
        f"fast_track.metrics.mae: {now}, was threshold 40 greater_is_better false",
    )


def test_a_field_that_is_added_to_the_policy_s_words_is_not_forgotten_here() -> None:
    """A new field needs a sentence too."""
    named = {
        Rule: {*OF_A_RULE, "models", "workspace", "target", "approve", "fast_track", "lineage"},
        LineageDemand: {"git", "main", "block"},
        Approve: {*OF_APPROVE},
        Requirement: {"group", "quorum", "passkey"},
        FastTrack: {*OF_A_FAST_TRACK, "metrics"},
        Threshold: {*OF_A_THRESHOLD, "metric"},
        Policy: {"poll", "people", "groups", "rules", "default", "calendar", "freezes", "artifact_stores", "digest"}
        | {"authors_from", "registries", "language", "readers", "evidence_watch"},
        DigestPlan: {"cron", "timezone", "channel", "ticket", "ticket_fields", "email", "sign_off", "sign_off_within"},
        PersonEntry: {"name", "email", "mlflow_user"},
        Group: {"name", "slack_group", "people"},
        TicketPlan: {"project", "type", "approved", "rejected", "fields"}
        | {"approved_path", "rejected_path", "approved_resolution", "rejected_resolution"}
        | {"relation", "relation_type", "relation_projects", "break_glass_type"}
        | {"decide_approve", "decide_reject", "approvals"},
        WorkingHours: {"timezone", "days", "opens", "closes", "holidays"},
        Freeze: {"name", "timezone", "deny", "allow"},
        Registry: {"name", "workspaces", "uri", "public_url"},
    }

    assert {shape: {field.name for field in fields(shape)} for shape in named} == named


def test_a_fast_track_that_a_rule_did_not_have_is_said_in_full() -> None:
    bare = replace(BEFORE, rules=(replace(RULE, fast_track=None),))

    assert changes(bare, BEFORE) == (
        "rule bike-* → alias:champion: fast_track.mode: shadow, was none",
        "rule bike-* → alias:champion: fast_track.metrics.mae: threshold 40 greater_is_better false, was none",
        "rule bike-* → alias:champion: fast_track.undo_for: 1d, was none",
    )


def test_a_metric_that_no_longer_counts_is_said() -> None:
    assert after_fast_track(metrics=(Threshold("r2", greater_is_better=True, threshold=0.8),)) == (
        "fast_track.metrics.r2: threshold 0.8 greater_is_better true, was none",
        "fast_track.metrics.mae: none, was threshold 40 greater_is_better false",
    )


@pytest.mark.parametrize(
    ("relation", "type_", "projects", "said"),
    [
        (Relation.SUBTASK, "Sub-task", (), "named as subtask Sub-task"),
        (Relation.LINK, "Relates", (), "named as link Relates"),
        (Relation.LINK, "Relates", ("ML", "OPS"), "named as link Relates in ML, OPS"),
    ],
)
def test_what_becomes_of_a_named_ticket_is_said(
    relation: Relation, type_: str, projects: tuple[str, ...], said: str
) -> None:
    plain = TicketPlan("GOV", "Task", "Done", "Rejected")
    before = a_policy(a_rule(ticket=plain))
    after = a_policy(a_rule(ticket=replace(plain, relation=relation, relation_type=type_, relation_projects=projects)))

    (change,) = changes(before, after)

    assert f"rejected Rejected {said}, was project GOV" in change


@pytest.mark.parametrize(
    ("decides", "said"),
    [
        ({"decide_approve": "Done", "decide_reject": "Rejected"}, "decided there by Done or Rejected"),
        ({"approvals": True}, "decided there by its approvals"),
        ({"break_glass_type": "Incident"}, "break glass type Incident"),
    ],
)
def test_what_a_ticket_is_for_beyond_the_record_is_said(decides: dict[str, Any], said: str) -> None:
    plain = TicketPlan("GOV", "Task", "Done", "Rejected")

    (change,) = changes(a_policy(a_rule(ticket=plain)), a_policy(a_rule(ticket=replace(plain, **decides))))

    assert said in change


# Rules that come, go and move


NARROW, WIDE = a_rule(models="bike-small"), a_rule(models="*")
ELSEWHERE = a_rule(workspace="lab")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([RULE], [RULE, NARROW], ["rule bike-small → alias:champion was added"]),
        ([RULE, NARROW], [RULE], ["rule bike-small → alias:champion was removed"]),
        ([RULE], [RULE, ELSEWHERE], ["rule bike-* → alias:champion in workspace lab was added"]),
        (
            [NARROW, RULE, WIDE],
            [RULE, WIDE, NARROW],
            ["rule bike-small → alias:champion was moved: it is number 3 now, was number 1"],
        ),
        ([RULE], [NARROW, RULE], ["rule bike-small → alias:champion was added"]),
        ([RULE, RULE], [RULE], ["rule bike-* → alias:champion was removed"]),
        (
            [RULE],
            [replace(RULE, target=PRODUCTION)],
            ["rule bike-* → stage:Production was added", "rule bike-* → alias:champion was removed"],
        ),
    ],
    ids=["added", "removed", "in a workspace", "moved", "pushed down by another", "said twice before", "target"],
)
def test_rules_that_come_go_or_move_are_said(before: list[Rule], after: list[Rule], said: list[str]) -> None:
    assert changes(a_policy(*before), a_policy(*after)) == tuple(said)


# Groups and people


LISTED = a_policy(RULE, groups=(Group("risk", None, ("cy@example.com", "dora@example.com")),))


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ((*LISTED.groups, Group("heads", "heads", ())), ["group heads was added: slack_group heads"]),
        ((), ["group risk was removed"]),
        (
            (Group("risk", None, ("cy@example.com", "eve@example.com")),),
            ["group risk: eve@example.com was added", "group risk: dora@example.com was removed"],
        ),
        (
            (Group("risk", "risk", ()),),
            ["group risk: slack_group risk, was cy@example.com and dora@example.com"],
        ),
        ((Group("risk", None, ("dora@example.com", "cy@example.com")),), []),
    ],
    ids=["added", "removed", "members", "another kind", "another order"],
)
def test_groups_that_change_are_said(groups: tuple[Group, ...], said: list[str]) -> None:
    assert changes(LISTED, replace(LISTED, groups=groups)) == tuple(said)


ANA, BEA = BEFORE.people


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ((ANA, BEA, PersonEntry("Cy", "cy@example.com")), ["people: cy@example.com was added"]),
        ((ANA,), ["people: bea@example.com was removed"]),
        ((ANA, replace(BEA, name="Bea Brown")), ["people: bea@example.com has another name"]),
        ((ANA, replace(BEA, mlflow_user="beatrix")), ["people: bea@example.com has another mlflow_user"]),
        ((ANA, replace(BEA, mlflow_user=None)), ["people: bea@example.com has no mlflow_user"]),
    ],
    ids=["added", "removed", "renamed", "mapped anew", "mapped no more"],
)
def test_people_that_change_are_said_without_their_names(people: tuple[PersonEntry, ...], said: list[str]) -> None:
    assert changes(BEFORE, replace(BEFORE, people=people)) == tuple(said)


def test_no_address_is_left_where_ids_stand_for_people() -> None:
    before = replace(BEFORE, groups=LISTED.groups)
    digest = DigestPlan("0 9 * * mon", "UTC", "#compliance", email=("audit@example.com", "eve@example.com"))
    after = replace(before, people=(ANA,), groups=(Group("risk", None, ("eve@example.com",)),), digest=digest)
    ids = {email: f"person:{place}" for place, email in enumerate((*addresses_in(before), *addresses_in(after)))}

    said = changes(with_people_as(before, ids), with_people_as(after, ids))

    assert said == (
        f"group risk: {ids['eve@example.com']} was added",
        f"group risk: {ids['cy@example.com']} was removed",
        f"group risk: {ids['dora@example.com']} was removed",
        f"people: {ids['bea@example.com']} was removed",
        "digest.cron: 0 9 * * mon, was none",
        "digest.timezone: UTC, was none",
        "digest.notify: #compliance, was none",
        f"digest.email: {ids['audit@example.com']} and {ids['eve@example.com']}, was none",
    )


def test_what_changes_about_the_digest_is_said() -> None:
    plan = DigestPlan("0 9 * * mon", "UTC", "#compliance", ("GOV", "Task"))
    before, after = (
        replace(BEFORE, digest=plan),
        replace(BEFORE, digest=replace(plan, channel=None, cron="0 7 * * tue")),
    )

    assert changes(before, after) == (
        "digest.cron: 0 7 * * tue, was 0 9 * * mon",
        "digest.notify: none, was #compliance",
    )
    assert "digest.ticket: none, was project GOV type Task" in changes(before, BEFORE)
    assert changes(before, replace(BEFORE, digest=replace(plan, sign_off="risk"))) == (
        "digest.sign_off: risk within 7d, was none",
    )


# What concerns all rules


def everything_else() -> Iterator[tuple[Policy, str]]:
    yield replace(BEFORE, poll=Poll(timedelta(seconds=5), BEFORE.poll.aliases)), "poll.versions: 5s, was 30s"
    yield replace(BEFORE, poll=Poll(BEFORE.poll.versions, timedelta(hours=1))), "poll.aliases: 1h, was 1m"
    yield replace(BEFORE, default=Unruled.IGNORE), "default: ignore, was report"
    yield replace(BEFORE, language="es"), "language: es, was en"
    yield (
        replace(BEFORE, artifact_stores=("mlflow-artifacts:", "s3://models/")),
        "artifact_stores: mlflow-artifacts: and s3://models/, was mlflow-artifacts:",
    )
    calendar = {
        "timezone": ("UTC", "calendar.hours: 09:00-18:00 (UTC), was 09:00-18:00 (Europe/Madrid)"),
        "days": ((0, 1), "calendar.days: mon/tue, was mon/tue/wed/thu/fri"),
        "opens": (8 * 60 + 30, "calendar.hours: 08:30-18:00 (Europe/Madrid), was 09:00-18:00 (Europe/Madrid)"),
        "closes": (1440, "calendar.hours: 09:00-24:00 (Europe/Madrid), was 09:00-18:00 (Europe/Madrid)"),
        "holidays": ((), "calendar.holidays: none, was 2026-12-25"),
    }
    for field, (value, said) in calendar.items():
        yield replace(BEFORE, calendar=replace(WEEK, **{field: value})), said  # type: ignore[arg-type]
    freeze = {
        "timezone": (
            "Europe/Madrid",
            "freezes.year-end.deny: 2026-12-18 18:00 until 2027-01-07 09:00 (Europe/Madrid), "
            "was 2026-12-18 18:00 until 2027-01-07 09:00 (UTC)",
        ),
        "allow": ((Weekly((4,), 540, 1020),), "freezes.year-end.allow: fri 09:00-17:00 (UTC), was none"),
        "deny": ((), "freezes.year-end.deny: none, was 2026-12-18 18:00 until 2027-01-07 09:00 (UTC)"),
    }
    for field, (value, said) in freeze.items():
        yield replace(BEFORE, freezes=(replace(FREEZE, **{field: value}),)), said  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("after", "said"), list(everything_else()), ids=lambda case: case if isinstance(case, str) else ""
)
def test_what_concerns_all_rules_is_said(after: Policy, said: str) -> None:
    assert changes(BEFORE, after) == (said,)


def test_a_text_is_named_by_its_sha256() -> None:
    assert digest_of("abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
