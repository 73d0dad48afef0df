"""`digest`: when it is due and who gets it; and `approval_valid_for`, which it watches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.policy.rules import DigestPlan
from config.policy import notices, read_policy
from tests.builders.policies import ENOUGH, FULL, SMALL, mistakes_of

CHANNEL = 'notify: {slack: "#compliance"}'


def with_digest(text: str) -> str:
    return f"{SMALL}digest: {text}\n"


def with_cron(cron: str) -> str:
    return with_digest(f'{{cron: "{cron}", {CHANNEL}}}')


def test_every_key_is_read() -> None:
    assert read_policy(FULL).digest == DigestPlan(
        "30 7 * * tue", "Asia/Tokyo", "#compliance", ("GOV", "Task"), ("audit@example.com",)
    )


def test_the_other_keys_have_their_defaults_and_the_time_zone_is_the_calendars() -> None:
    text = f"{with_digest(f'{{{CHANNEL}}}')}calendar: {{timezone: Europe/Madrid}}\n"

    assert read_policy(text).digest == DigestPlan("0 9 * * mon", "Europe/Madrid", "#compliance")


def test_without_it_there_is_none() -> None:
    assert read_policy(SMALL).digest is None


@pytest.mark.parametrize(
    "receivers",
    [CHANNEL, "ticket: {project: GOV, type: Task}", "email: [audit@example.com]"],
    ids=lambda text: text[:6],
)
def test_one_receiver_is_enough(receivers: str) -> None:
    plan = read_policy(with_digest(f"{{{receivers}}}")).digest

    assert plan is not None
    assert sum(map(bool, (plan.channel, plan.ticket, plan.email))) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0 9 * * MON", "0 9 * * mon"),
        ("*/15 8-10  * *  mon-fri,sun", "*/15 8-10 * * mon-fri,sun"),
        ("0 9 1,8,15,22,29 * *", "0 9 1,8,15,22,29 * *"),
        ("0 9 * 1-12 mon", "0 9 * 1-12 mon"),
        ("0 9 * * *", "0 9 * * *"),
    ],
)
def test_a_cron_may_be_any_that_fires_in_every_week(written: str, meant: str) -> None:
    plan = read_policy(with_cron(written)).digest

    assert plan is not None
    assert plan.cron == meant


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{cron: '0 9 * * mon'}", "digest has nobody who gets it. Add notify, ticket or email."),
        ("{email: []}", "digest has nobody who gets it. Add notify, ticket or email."),
        (
            f"{{{CHANNEL}, timezone: Europe/Madird}}",
            'names a time zone that does not exist, "Europe/Madird". Did you mean',
        ),
        (f"{{{CHANNEL}, at: '9:00'}}", 'unknown key "at" in digest.'),
        ("{notify: {teams: x}}", 'unknown key "teams" in digest.notify. Known are slack.'),
        (
            "{ticket: {project: GOV, type: Task, done: Done}}",
            'unknown key "done" in digest.ticket. Known are fields, project, type.',
        ),
        ("{email: [audit@example.com, audit@example.com]}", "digest.email names audit@example.com twice."),
        ("{email: [nobody]}", "digest.email must be"),
        (
            f"{{{CHANNEL}, sign_off: lead}}",
            'digest.sign_off names the group "lead", which does not exist. Did you mean "leads"?',
        ),
        (f"{{{CHANNEL}, sign_off: audit}}", 'digest.sign_off names the group "audit", which does not exist.'),
        (f"{{{CHANNEL}, sign_off_within: 3d}}", "Add sign_off, or remove sign_off_within."),
        (f"{{{CHANNEL}, sign_off: leads, sign_off_within: 0d}}", "digest.sign_off_within"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_mend(text: str, sentence: str) -> None:
    mistakes = mistakes_of(with_digest(text))

    assert all(mistake.startswith("policy.yaml line 10: ") for mistake in mistakes)
    assert any(sentence in mistake for mistake in mistakes), mistakes


@pytest.mark.parametrize(
    ("cron", "sentence"),
    [
        (
            "0 9 * *",
            'must be a cron of five fields, minute, hour, day, month and day of the week, such as "0 9 * * mon".',
        ),
        ("@weekly", "must be a cron of five fields"),
        ("0 9 * * 1", 'as a number, "1", and programs do not agree which day that is. Write its name: mon, tue, wed, '),
        ("0 9 * * mon-5", 'as a number, "mon-5"'),
        ("0 9 * * */2", 'as a number, "*/2"'),
        (
            "0 25 * * mon",
            "is no cron. Error validating expression '25': the last value (25) is higher than the maximum",
        ),
        (
            "0 9 * * monday",
            'is no cron. The day of the week is "monday", which means nothing there. Write one such as ',
        ),
        ("0 9 * * sun-tue", "is no cron. The minimum value in a range must not be higher than the maximum."),
        ("0x 9 * * mon", 'is no cron. The minute is "0x", which means nothing there.'),
        ("0 9 last * *", 'is no cron. The day is "last", which means nothing there.'),
        ("0 9 1 * *", "does not fire in every week, for example not in 2024-W02, and each week has its digest."),
        ("0 9 * feb mon", "does not fire in every week, for example not in 2024-W01"),
        ("0 9 1-7 * mon", "does not fire in every week, for example not in 2024-W02"),
        ("0 9 31 2 *", "does not fire in every week, for example not in 2024-W01"),
    ],
)
def test_a_cron_that_is_none_or_leaves_a_week_out_is_refused(cron: str, sentence: str) -> None:
    (mistake,) = mistakes_of(with_cron(cron))

    assert mistake.startswith("policy.yaml line 10: digest.cron ")
    assert sentence in mistake
    assert mistake.endswith(".")


def test_how_old_an_approval_may_get_is_a_duration() -> None:
    assert read_policy(FULL).rules[0].approval_valid_for == timedelta(days=90)
    assert read_policy(SMALL).rules[0].approval_valid_for is None
    assert (
        "approval_valid_for must be a whole number with its unit"
        in mistakes_of(f"{SMALL}    approval_valid_for: soon\n")[0]
    )


def test_how_old_an_approval_may_get_voids_no_vote_since_only_the_digest_reads_it() -> None:
    policy = read_policy(SMALL)
    rule = policy.rules[0]

    hashes = [policy.rule_hash(replace(rule, approval_valid_for=age)) for age in (None, timedelta(days=90))]

    assert hashes[0] == policy.rule_hash(rule) == hashes[1]
    assert policy.former_hash(replace(rule, approval_valid_for=timedelta(days=90))) != policy.former_hash(rule)


def test_an_age_that_nobody_would_be_told_of_is_noticed() -> None:
    text = f"{ENOUGH}    approval_valid_for: 90d\n"

    (notice,) = notices(text)

    assert notice.line == 10
    assert notice.sentence.startswith('rule "bike-*" says how old an approval may get, and only the digest would tell')
    assert notices(f"{text}digest: {{{CHANNEL}}}\n") == ()


def test_who_signs_off_and_by_when() -> None:
    usual = read_policy(with_digest(f"{{{CHANNEL}, sign_off: leads}}")).digest
    soon = read_policy(with_digest(f"{{{CHANNEL}, sign_off: leads, sign_off_within: 36h}}")).digest

    assert usual is not None
    assert soon is not None
    assert (usual.sign_off, usual.sign_off_within) == ("leads", timedelta(days=7))
    assert soon.sign_off_within == timedelta(hours=36)


def test_a_group_that_signs_digests_off_and_decides_nothing_is_no_oversight() -> None:
    text = ENOUGH.replace("groups:", "groups:\n  audit: {people: [dan@example.com]}")

    assert len(notices(text)) == 1
    assert notices(f"{text}digest: {{{CHANNEL}, sign_off: audit}}\n") == ()
