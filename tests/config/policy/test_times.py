"""The calendar, the freezes, and what a rule says about waiting: reminders, escalation, rollback, artifact stores."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from bot.domain.policy.calendars import Dated, Freeze, Weekly, WorkingHours
from bot.domain.policy.rules import Escalate, RollbackBy
from config.policy import read_policy
from tests.builders.policies import FULL, SMALL, mistakes_of, replaced


def test_a_calendar_becomes_working_hours_in_minutes_of_the_day() -> None:
    policy = read_policy(FULL)

    assert policy.calendar == WorkingHours("Europe/Madrid", (0, 1, 2, 3), 510, 1440, (date(2026, 12, 25),))


def test_a_freeze_has_dated_and_weekly_windows_in_its_own_zone_or_else_the_calendars() -> None:
    policy = read_policy(FULL)

    dates = Dated(datetime.fromisoformat("2026-12-18 18:00"), datetime.fromisoformat("2027-01-07 09:00"))
    allowed = (Weekly((0, 1, 2, 3, 4), 540, 1020),)
    assert policy.freezes == (
        Freeze("year-end", "America/New_York", (dates, Weekly((0, 4), 840, 1440)), allowed),
        Freeze("weekend", "Europe/Madrid", (Weekly((5, 6), 0, 1440),), ()),
    )
    assert policy.freezes_of(policy.rules[0]) == policy.freezes


def test_a_rule_says_when_to_remind_whom_to_escalate_to_and_how_to_roll_back() -> None:
    (rule,) = read_policy(FULL).rules

    assert rule.remind_after == timedelta(hours=4)
    assert rule.escalate == Escalate(timedelta(hours=8), "heads")
    assert rule.freezes == ("year-end", "weekend")
    assert rule.rollback is RollbackBy.VOTES


def test_evidence_is_read_from_the_stores_that_the_policy_names() -> None:
    assert read_policy(FULL).artifact_stores == ("mlflow-artifacts:", "s3://models/")


def test_dates_need_no_quotes() -> None:
    policy = read_policy(replaced(FULL, 'from: "2026-12-18 18:00"', "from: 2026-12-18 18:00"))

    assert policy.freezes == read_policy(FULL).freezes


# What is changed in FULL, and what is said about it.
SINGLE = [
    ("Europe/Madrid", "Europe/Madird", 2, 'calendar.timezone names a time zone that does not exist, "Europe/Madird". Did you mean'),
    ("Europe/Madrid", "q", 2, 'calendar.timezone names a time zone that does not exist, "q". Write one such as "Europe/Madrid" or "UTC".'),
    ("Europe/Madrid", "../Madrid", 2, 'calendar.timezone names a time zone that does not exist, "../Madrid".'),
    ("[mon, tue, wed, thu]", "[monday]", 2, 'calendar.days must be mon, tue, wed, thu, fri, sat or sun, not "monday".'),
    ("[mon, tue, wed, thu]", "[mon, tue, mon]", 2, "calendar.days names mon twice. Remove one of them."),
    ("[mon, tue, wed, thu]", "[]", 2, "calendar.days must not be empty."),
    ('"08:30-24:00"', "9-18", 2, 'calendar.hours must be hours of a day such as "09:00-18:00".'),
    ('"08:30-24:00"', "08:30-24:01", 2, "calendar.hours must end at 24:00 or before."),
    ('"08:30-24:00"', "18:00-08:30", 2, 'calendar.hours must end later on the same day than they begin, unlike "18:00-08:30".'),
    ("[2026-12-25]", "[25.12.2026]", 2, 'calendar.holidays must be a date such as "2026-12-25".'),
    ("[2026-12-25]", "[2026-02-30]", 2, 'calendar.holidays names a day that does not exist, "2026-02-30".'),
    ("[2026-12-25]", "[2026-12-25, 2026-12-25]", 2, "calendar.holidays names 2026-12-25 twice. Remove one of them."),
    ("holidays", "hollidays", 2, 'unknown key "hollidays" in calendar. Did you mean "holidays"?'),
    ("America/New_York", "America/Newyork", 5, 'freeze "year-end": timezone names a time zone that does not exist'),
    ("from:", "form:", 6, 'freeze "year-end": unknown key "form" in deny. Did you mean "from"?'),
    ("from:", "begins:", 6, 'freeze "year-end": unknown key "begins" in deny. Known are days, from, hours, until.'),
    (', until: "2027-01-07 09:00"', "", 6, 'freeze "year-end": deny begins at 2026-12-18 18:00 and has no until: a freeze without end.'),
    ('from: "2026-12-18 18:00", ', "", 6, 'freeze "year-end": deny has an until and no from. Say from when.'),
    ("2027-01-07 09:00", "2026-12-18 18:00", 6, 'freeze "year-end": deny begins at 2026-12-18 18:00, which is not before 2026'),
    ("2027-01-07 09:00", "2027-01-07", 6, 'freeze "year-end": deny.until must be a local date and time such as "2026-12-18 18:00".'),
    ("2027-01-07 09:00", "2027-01-32 09:00", 6, 'freeze "year-end": deny.until names a moment that does not exist, "2027-01-32 09:00".'),
    ("days: [fri, mon], hours", "hours", 6, 'freeze "year-end": deny has hours and no days. Name the days, for example [sat, sun].'),
    ("{days: [fri, mon],", '{from: "2026-12-18 18:00",', 6, 'freeze "year-end": deny needs either from and until, or days and hours.'),
    ("{days: [sat, sun]}", "{}", 8, 'freeze "weekend": deny needs either from and until, or days and hours.'),
    ("{deny: [{days: [sat, sun]}]}", "{}", 8, 'freeze "weekend": it needs at least one window in deny or in allow.'),
    ("  weekend:", '  "week end":', 8, '"week end" cannot be the name of a freeze: use letters, digits, ".", "_" and "-".'),
    ("s3://models/", "s3://models/../evil/", 9, 'artifact_stores must be how a location begins, such as "mlflow-artifacts:" or'),
    ("s3://models/", "models", 9, 'artifact_stores must be how a location begins, such as "mlflow-artifacts:" or'),
    ("s3://models/", "mlflow-artifacts:", 9, "artifact_stores names mlflow-artifacts: twice. Remove one of them."),
    ("remind_after: 4h", "remind_after: 59s", 19, 'rule "bike-*": remind_after must be at least "1m"'),
    ("{after: 8h, group: heads}", "{group: heads}", 20, 'rule "bike-*": escalate.after is missing.'),
    ("{after: 8h, group: heads}", "{after: 8h, grup: heads}", 20, 'rule "bike-*": unknown key "grup" in escalate. Did you mean "group"?'),
    ("8h, group: heads", "8h, group: haeds", 20, 'rule "bike-*" escalates to the group "haeds", which does not exist. Did you mean'),
    ("8h, group: heads", "8h, group: board", 20, 'rule "bike-*" escalates to the group "board", which does not exist. Add it to groups.'),
    ("8h, group: heads", "8h, group: leads", 20, 'rule "bike-*" escalates to the group "leads", which is asked from the beginning.'),
    ("[year-end, weekend]", "[year-ned, weekend]", 22, 'rule "bike-*" names the freeze "year-ned", which does not exist. Did you mean'),
    ("[year-end, weekend]", "[easter]", 22, 'rule "bike-*" names the freeze "easter", which does not exist. Add it to freezes.'),
    ("[year-end, weekend]", "[weekend, weekend]", 22, 'rule "bike-*": freezes names weekend twice. Remove one of them.'),
    ("by_votes", "by_vote", 23, 'rule "bike-*": rollback must be at_once or by_votes, not "by_vote".'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "sentence"), SINGLE)
def test_each_mistake_is_one_sentence_on_its_line(old: str, new: str, line: int, sentence: str) -> None:
    text = replaced(FULL, old, new)

    mistakes = mistakes_of(text)

    assert any(mistake.startswith(f"policy.yaml line {line}: {sentence}") for mistake in mistakes), mistakes
    assert all(mistake.endswith((".", "?")) for mistake in mistakes)


@pytest.mark.parametrize(
    ("windows", "since"),
    [
        ("deny: [{days: [mon, tue, wed, thu, fri, sat, sun]}]", "at any time of the week"),
        ('deny: [{days: [mon, tue]}], allow: [{days: [mon, tue], hours: "09:00-17:00"}]', "at any time of the week"),
        ('deny: [{days: [sat], hours: "00:00-12:00"}, {days: [sat], hours: "12:00-24:00"}], allow: [{days: [sat]}]', "at any"),
        ('allow: [{from: "2026-12-01 09:00", until: "2026-12-02 09:00"}]', "after its last date"),
    ],
)  # fmt: skip
def test_a_freeze_that_never_opens_again_is_a_mistake(windows: str, since: str) -> None:
    (mistake,) = mistakes_of(SMALL + f"freezes:\n  long: {{{windows}}}\n")

    assert mistake.startswith(f'policy.yaml line 11: freeze "long" is a freeze without end: {since}')


@pytest.mark.parametrize(
    "windows",
    [
        'deny: [{from: "2026-12-01 09:00", until: "2099-12-31 23:59"}]',
        "deny: [{days: [mon, tue, wed, thu, fri, sat]}]",
        'deny: [{days: [mon, tue, wed, thu, fri, sat, sun], hours: "00:00-23:59"}]',
        'allow: [{days: [sun], hours: "23:59-24:00"}]',
        'deny: [{from: "2026-12-01 09:00", until: "2027-01-02 09:00"}], allow: [{days: [mon]}]',
    ],
)
def test_a_freeze_that_opens_again_is_none(windows: str) -> None:
    policy = read_policy(SMALL + f"freezes: {{short: {{{windows}}}}}\n")

    assert [freeze.name for freeze in policy.freezes] == ["short"]


def test_a_broken_freeze_is_not_also_called_missing() -> None:
    mistakes = mistakes_of(replaced(FULL, "{deny: [{days: [sat, sun]}]}", "3"))

    assert mistakes == ['policy.yaml line 8: freeze "weekend": it must be a mapping, not 3.']


def test_a_broken_calendar_does_not_hide_a_freeze_without_end() -> None:
    every_day = "[{days: [mon, tue, wed, thu, fri, sat, sun]}]"

    mistakes = mistakes_of(replaced(replaced(FULL, "Europe/Madrid", "Spain"), "[{days: [sat, sun]}]", every_day))

    assert [mistake.partition(": ")[0] for mistake in mistakes] == ["policy.yaml line 2", "policy.yaml line 8"]


def test_a_freeze_of_more_windows_than_anybody_can_follow_is_refused() -> None:
    windows = ", ".join(["{days: [sat]}"] * 21)

    (mistake,) = mistakes_of(replaced(FULL, "[{days: [sat, sun]}]", f"[{windows}]"))

    assert mistake == 'policy.yaml line 8: freeze "weekend": deny has 21 entries, but 20 are the most.'
