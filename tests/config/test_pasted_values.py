"""Values as people paste them from elsewhere: what is refused, and with which fix."""

from __future__ import annotations

import pytest

from config.policy import InvalidPolicy, notices, read_policy
from config.settings import InvalidSettings, read_settings
from tests.config.policy.test_ticket import POLICY

SOUND = POLICY.format(more="")


def settings_refuse(name: str, value: str) -> str:
    with pytest.raises(InvalidSettings) as refused:
        read_settings({name: value}, frozenset())
    return str(refused.value)


def policy_refuses(old: str, new: str) -> str:
    assert old in SOUND
    with pytest.raises(InvalidPolicy) as refused:
        read_policy(SOUND.replace(old, new))
    return str(refused.value)


@pytest.mark.parametrize("password", ["BM+v/abc+def", "a/b", "a#b", "a?b", "/", "a/b:c", "1/2"])
def test_a_password_that_ends_the_address_says_how_to_write_it(password: str) -> None:
    said = settings_refuse("SMTP_URL", f"smtp://AKIA:{password}@mail.example.com:587?from=a@example.com")

    assert "%2F, %23 or %3F" in said
    assert f":{password}@" not in said


@pytest.mark.parametrize(
    ("pasted", "site"),
    [
        ("https://x.atlassian.net/jira/software/projects/GOV/boards/1", "https://x.atlassian.net"),
        ("https://x.atlassian.net/browse/GOV-1", "https://x.atlassian.net"),
        ("https://x.atlassian.net/jira", "https://x.atlassian.net"),
        ("https://x.atlassian.net/?selectedIssue=GOV-1", "https://x.atlassian.net"),
        ("https://jira.example.com/secure/Dashboard.jspa", "https://jira.example.com"),
        ("https://example.com/jira/browse/GOV-1", "https://example.com/jira"),
        ("https://example.com/jira/rest/api/2", "https://example.com/jira"),
        ("https://api.atlassian.com", "https://api.atlassian.com/ex/jira/CLOUD-ID"),
        ("https://api.atlassian.com/ex/jira/", "https://api.atlassian.com/ex/jira/CLOUD-ID"),
    ],
)
def test_the_address_of_a_page_of_jira_is_not_taken_for_the_site(pasted: str, site: str) -> None:
    said = settings_refuse("JIRA_URL", pasted)

    assert site in said
    assert pasted not in said.split()


@pytest.mark.parametrize(
    "address",
    [
        "https://x.atlassian.net/",
        "https://jira.example.com:8443",
        "https://example.com/jira/",
        "https://api.atlassian.com/ex/jira/8a1d2c44-0000",
    ],
)
def test_the_address_of_a_jira_is_taken_wherever_it_is_installed(address: str) -> None:
    assert read_settings({"JIRA_URL": address}, frozenset()).jira_url == address.rstrip("/")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_database_is_taken_by_both_of_its_names(scheme: str) -> None:
    settings = read_settings({"DATABASE_URL": f"{scheme}://u:p%40ss%25w@h:5432/d?sslmode=require"}, frozenset())

    assert settings.database_url.get_secret_value() == "postgresql://u:p%40ss%25w@h:5432/d?sslmode=require"


@pytest.mark.parametrize(
    ("old", "new", "line", "value"),
    [
        ('{slack: "#models"}', "{slack: #models}", 7, "#models"),
        ("{people: [cy@example.com]}", "{slack_group: #leads}", 3, "#leads"),
        ("[cy@example.com]", "[#cy, ben@example.com]", 3, "#cy"),
    ],
)
def test_a_value_that_yaml_takes_for_a_comment_is_named_on_its_own_line(
    old: str, new: str, line: int, value: str
) -> None:
    said = policy_refuses(old, new)

    assert f"line {line}: {value} is a comment to YAML" in said
    assert f'Quote it: "{value}"' in said


def test_anchors_say_how_rules_share_what_they_have_in_common() -> None:
    said = policy_refuses("approve: {", "approve: &both {")

    assert 'models: "bike-*" is a pattern' in said


@pytest.mark.parametrize("id_", ["S0123ABCDE", "S05TFQ7H2M9"])
def test_a_user_group_s_id_is_not_its_handle(id_: str) -> None:
    assert "is its id" in policy_refuses("{people: [cy@example.com]}", f"{{slack_group: {id_}}}")


@pytest.mark.parametrize("day", ["mon#1", "FRI#3"])
def test_a_cron_of_one_week_in_a_month_says_that_each_week_has_its_digest(day: str) -> None:
    digest = f'digest: {{cron: "0 9 * * {day}", notify: {{slack: "#models"}}}}'

    said = policy_refuses("version: 1\n", f"version: 1\n{digest}\n")

    assert f"Write the day alone: {day[:3].lower()}" in said


@pytest.mark.parametrize(
    ("pattern", "escaped"),
    [("[prod] bike", "[[]prod] bike"), ("bike [eu]", "bike [[]eu]"), ("[A] *", "[[]A] *")],
)
def test_brackets_in_a_model_s_name_are_said_to_stand_for_a_letter(pattern: str, escaped: str) -> None:
    (notice,) = notices(SOUND.replace('models: "*"', f'models: "{pattern}"'))

    assert f'write "{escaped}"' in notice.sentence


@pytest.mark.parametrize("pattern", ["bike-*", "bike-[0-9]", "[!x]*", "[[]prod] bike", "a[b"])
def test_patterns_that_no_one_writes_by_chance_are_not_remarked_on(pattern: str) -> None:
    assert notices(SOUND.replace('models: "*"', f'models: "{pattern}"')) == ()
