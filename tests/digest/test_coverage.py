"""What a digest covers, read from the database: watched registries, gaps, rules with their times, and overdue sign-offs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.digest.figures import FindingKind
from bot.domain.digest.json_form import as_json
from bot.domain.digest.periods import Period, previous_period
from bot.domain.policy.rules import DigestPlan
from bot.services import Services
from bot.store.digests import DigestRow
from bot.store.transaction import Store
from config.policy import read_policy
from tests.builders.digest import a_quiet_digest
from tests.fixtures.digest_figures import DAY, HOUR, MONDAY, PERIOD, OnlyTheLedger, OnMonday, of, record, told
from tests.fixtures.installation import policy_text

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

SIGNED = 'digest: {cron: "0 9 * * mon", notify: {slack: "#compliance"}, sign_off: compliance}'
UNSIGNED = 'digest: {cron: "0 9 * * mon", notify: {slack: "#compliance"}}'
COMPLIANCE = "compliance: {people: [ana@example.com]}"
WANTED = DigestPlan("0 9 * * mon", "UTC", "#compliance", sign_off="compliance")
WEEK_BEFORE = previous_period(PERIOD)


@pytest.fixture
def s(engine: sa.Engine, jobs: Jobs) -> Services:
    return OnlyTheLedger(Store(engine, jobs, OnMonday(), {}, read_policy))


def use(s: Services, text: str, day: float) -> None:
    with s.store.transaction() as tx:
        tx.policies.add(text, f"sha256:{day}", "config/policy.yaml", MONDAY + day * DAY)


def close(s: Services, period: Period, plan: DigestPlan = WANTED) -> DigestRow:
    digest = a_quiet_digest(period=period, closed_at=period.ends)
    row = DigestRow(period, period.ends, as_json(digest), f"hash of {period.week}", b"", b"", plan, "", "", {})
    with s.store.transaction() as tx:
        tx.digests.add(row)
    return row


def test_a_rule_that_changed_in_the_week_is_told_with_both_of_its_times(s: Services) -> None:
    use(s, policy_text("bike-*"), -300)
    use(s, policy_text("bike-*", quorum=2), 3)

    now, before = told(s).control.rules

    assert (now.since, now.until) == (MONDAY + 3 * DAY, None)
    assert (before.since, before.until) == (MONDAY - 300 * DAY, MONDAY + 3 * DAY)
    assert ("2 of ml-leads" in now.words, "1 of ml-leads" in before.words) == (True, True)


def test_gaps_are_those_that_touch_the_week(s: Services) -> None:
    use(s, policy_text("bike-*"), -300)
    record(
        s,
        e.ModelUnreadable(MONDAY - 9 * DAY, "default", "old", "403", MONDAY - 9 * DAY),
        e.ModelReadable(MONDAY - 8 * DAY, "default", "old", MONDAY - 9 * DAY),
        e.RegistryDoubted(MONDAY - DAY, "default", "3 of 3 registered models are missing.", 3, 3),
        e.RegistryTrusted(MONDAY + DAY, "default", MONDAY - DAY),
        e.ModelUnreadable(MONDAY + 2 * DAY, "default", "fraud", "403", MONDAY + 2 * DAY),
        e.DatabaseRestored(MONDAY + 3 * DAY, MONDAY + 3 * DAY - HOUR, 1, 0),
        e.ModelUnreadable(PERIOD.ends + HOUR, "default", "later", "403", PERIOD.ends + HOUR),
    )

    gaps = told(s).control.gaps

    assert [(one.sentence.partition(":")[0], one.at, one.until) for one in gaps] == [
        ("the registry (default) was not believed, and nothing was moved there", MONDAY - DAY, MONDAY + DAY),
        ("fraud could not be read", MONDAY + 2 * DAY, None),
        ("the database is a backup", MONDAY + 3 * DAY - HOUR, MONDAY + 3 * DAY),
    ]


def test_a_digest_that_is_not_signed_off_in_time_needs_attention_in_the_next(s: Services) -> None:
    use(s, policy_text("bike-*", top=SIGNED, groups=COMPLIANCE), -300)
    signed, late = close(s, previous_period(WEEK_BEFORE)), close(s, WEEK_BEFORE)
    record(s, e.DigestSignedOff(MONDAY, signed.period.week, signed.digest, 1, "ana", ""))

    digest = told(s)

    [said] = of(digest, FindingKind.NOT_SIGNED_OFF)
    assert late.period.week in said
    assert [(one.week, one.signed is not None) for one in digest.control.earlier] == [
        (signed.period.week, True),
        (late.period.week, False),
    ]
    assert digest.concerns[FindingKind.NOT_SIGNED_OFF] == 1


@pytest.mark.parametrize(
    ("policy", "plan"),
    [
        (policy_text("bike-*", top=UNSIGNED), WANTED),
        (policy_text("bike-*", top=SIGNED, groups=COMPLIANCE), replace(WANTED, sign_off=None)),
        (policy_text("bike-*", top=SIGNED[:-1] + ", sign_off_within: 30d}", groups=COMPLIANCE), WANTED),
    ],
    ids=["no group now", "no group then", "not yet late"],
)
def test_what_no_one_needs_to_sign_off_yet_needs_no_attention(s: Services, policy: str, plan: DigestPlan) -> None:
    use(s, policy, -300)
    close(s, WEEK_BEFORE, plan)

    assert of(told(s), FindingKind.NOT_SIGNED_OFF) == []


def test_a_sign_off_of_other_figures_of_the_week_does_not_count(s: Services) -> None:
    use(s, policy_text("bike-*", top=SIGNED, groups=COMPLIANCE), -300)
    late = close(s, WEEK_BEFORE)
    record(s, e.DigestSignedOff(MONDAY, late.period.week, "another hash", 1, "ana", ""))

    assert len(of(told(s), FindingKind.NOT_SIGNED_OFF)) == 1


def test_the_first_week_of_all_says_what_is_watched_and_not_since_when_it_was_read(s: Services) -> None:
    use(s, policy_text("bike-*"), 0)

    [place] = told(s).control.places

    assert (place.place, place.models, place.since, place.swept_at) == ("default", 0, None, None)
