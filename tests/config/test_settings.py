"""Reading the environment: what is set is checked, what is needed is demanded, and no secret is ever printed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidSettings
from config.settings import NEEDS, SETTINGS, Need, Process, Settings, needs_of, read_settings
from config.settings.misspelt import look_alikes

NOTHING: frozenset[Need] = frozenset()
CANARY = "canary-that-must-not-sing"

WEB = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
    "SLACK_BOT_TOKEN": "xoxb-1-2-abc",
    "SLACK_SIGNING_SECRET": "8f742231b10e8888abcd99",
}


def mistakes_of(environ: Mapping[str, str], needs: frozenset[Need] = NOTHING) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        read_settings(environ, needs)
    assert str(caught.value).splitlines() == list(caught.value.mistakes)
    return list(caught.value.mistakes)


def test_nothing_set_gives_the_documented_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    settings = read_settings({}, NOTHING)

    assert (settings.home, settings.port, settings.slack_api_url) == (Path("var"), 8080, "https://slack.com/api/")
    assert settings.policy_path == Path(str(files("config").joinpath("policy.yaml")))
    assert not settings.database_url
    assert not settings.slack_bot_token
    assert settings.mlflow_webhook_secrets == ()


def test_a_policy_below_the_current_directory_comes_before_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "policy.yaml").touch()

    settings = read_settings({}, NOTHING)

    assert settings.policy_path == Path("config/policy.yaml")


@pytest.mark.parametrize("written", ["0d", "7", "12h", "-7d", "3651d", "99999d", "a week"])
def test_finished_jobs_are_kept_for_whole_days(written: str) -> None:
    kept = [read_settings(given, NOTHING).keep_jobs.days for given in ({}, {"COUNTERSIGN_KEEP_JOBS": "30d"})]

    (mistake,) = mistakes_of({"COUNTERSIGN_KEEP_JOBS": written})

    assert kept == [7, 30]
    assert mistake == "COUNTERSIGN_KEEP_JOBS is not a number of days from 1d to 3650d. Write one such as 7d."


def test_a_policy_that_is_named_comes_before_all() -> None:
    settings = read_settings({"COUNTERSIGN_POLICY": "/etc/countersign/policy.yaml"}, NOTHING)

    assert settings.policy_path == Path("/etc/countersign/policy.yaml")


def test_what_is_set_is_read() -> None:
    environ = {
        **WEB,
        "DATABASE_URL": "postgres://app:pw@db/countersign",
        "COUNTERSIGN_HOME": "/srv/countersign",
        "COUNTERSIGN_URL": "https://countersign.example.com/",
        "PORT": "9090",
        "SLACK_API_URL": "http://127.0.0.1:9000/api/",
        "JIRA_URL": " https://jira.example.com/ ",
        "JIRA_TOKEN": "NjE0ODI",
    }

    settings = read_settings(environ, NEEDS[Process.WEB] | {Need.JIRA})

    assert settings.database_url.get_secret_value() == "postgresql://app:pw@db/countersign"
    assert (settings.home, settings.port) == (Path("/srv/countersign"), 9090)
    assert settings.public_url == "https://countersign.example.com"
    assert settings.mlflow_tracking_uri == "http://127.0.0.1:5000"
    assert settings.slack_api_url == "http://127.0.0.1:9000/api/"
    assert settings.slack_bot_token.get_secret_value() == "xoxb-1-2-abc"
    assert (settings.jira_url, settings.jira_token.get_secret_value()) == ("https://jira.example.com", "NjE0ODI")


@pytest.mark.parametrize("written", ["new-secret,old-secret", "new-secret old-secret", " new-secret ,\n old-secret,"])
def test_webhook_secrets_are_several_newest_first(written: str) -> None:
    settings = read_settings({"MLFLOW_WEBHOOK_SECRET": written, "JIRA_WEBHOOK_SECRET": "only-one"}, NOTHING)

    assert [one.get_secret_value() for one in settings.mlflow_webhook_secrets] == ["new-secret", "old-secret"]
    assert [one.get_secret_value() for one in settings.jira_webhook_secrets] == ["only-one"]


def test_bot_tokens_and_public_keys_are_several_and_the_newest_token_is_used_for_calls() -> None:
    settings = read_settings(
        {"SLACK_BOT_TOKEN": "xoxb-new, xoxb-old", "COUNTERSIGN_EARLIER_KEYS": "/keys/a.pub,/keys/b.pub"}, NOTHING
    )

    assert settings.slack_bot_token.get_secret_value() == "xoxb-new"
    assert [one.get_secret_value() for one in settings.slack_bot_tokens] == ["xoxb-new", "xoxb-old"]
    assert settings.earlier_keys == (Path("/keys/a.pub"), Path("/keys/b.pub"))


def test_everything_that_is_missing_is_listed_at_once_with_the_mend() -> None:
    mistakes = mistakes_of({}, NEEDS[Process.WEB])

    assert [mistake.split(". ")[0] for mistake in mistakes] == [
        "MLFLOW_TRACKING_URI is not set",
        "SLACK_BOT_TOKEN is not set",
        "SLACK_SIGNING_SECRET is not set",
    ]
    assert mistakes[1] == (
        "SLACK_BOT_TOKEN is not set. Create the app from config/slack_manifest.yaml and copy its Bot User OAuth Token (xoxb-...)."
    )


@pytest.mark.parametrize("need", Need)
def test_each_need_demands_its_variables_and_says_where_to_get_them(need: Need) -> None:
    mistakes = mistakes_of({}, frozenset({need}))

    assert mistakes
    assert all(" is not set. " in mistake and len(mistake.partition(". ")[2]) > 20 for mistake in mistakes)


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_an_empty_variable_counts_as_not_set(blank: str) -> None:
    mistakes = mistakes_of({**WEB, "SLACK_BOT_TOKEN": blank, "PORT": blank}, NEEDS[Process.WEB])

    assert [mistake.split()[0] for mistake in mistakes] == ["SLACK_BOT_TOKEN"]


@pytest.mark.parametrize("process", [Process.CLOCK, Process.MIGRATE])
def test_a_process_that_talks_to_nobody_demands_nothing(process: Process) -> None:
    settings = read_settings({}, needs_of(process, tickets=True))

    assert isinstance(settings, Settings)


def test_only_the_worker_needs_jira_and_only_for_tickets() -> None:
    needing = {
        (process, tickets)
        for process in Process
        for tickets in (True, False)
        if Need.JIRA in needs_of(process, tickets=tickets)
    }

    assert needing == {(Process.WORKER, True)}


def test_only_the_worker_needs_a_mail_server_and_only_for_a_digest_that_is_sent() -> None:
    needing = {process for process in Process if Need.MAIL in needs_of(process, tickets=True, mail=True)}

    assert needing == {Process.WORKER}
    assert Need.MAIL not in needs_of(Process.WORKER, tickets=True)


@pytest.mark.parametrize(
    "written",
    [
        "smtp://mail.example.com",
        "smtp://bot:pass%2Fword@mail.example.com:587",
        "smtps://bot%40example.com:pw@[::1]:465/?from=countersign@example.com",
    ],
)
def test_a_mail_server_is_told_with_or_without_an_account(written: str) -> None:
    settings = read_settings({"SMTP_URL": written}, frozenset({Need.MAIL}))

    assert settings.smtp_url.get_secret_value() == written


def test_templates_are_in_a_directory(tmp_path: Path) -> None:
    assert read_settings({"COUNTERSIGN_TEMPLATES": str(tmp_path)}, NOTHING).templates == tmp_path
    assert read_settings({}, NOTHING).templates is None


def test_with_socket_mode_nobody_demands_the_signing_secret() -> None:
    environ = {**WEB, "SLACK_SIGNING_SECRET": "", "SLACK_APP_TOKEN": "xapp-1-abc"}

    settings = read_settings(environ, NEEDS[Process.WEB])

    assert settings.slack_app_token.get_secret_value() == "xapp-1-abc"


# One wrong value, and how the sentence about it goes on after the name.
WRONG = [
    (
        "SLACK_BOT_TOKEN",
        f"xapp-{CANARY}",
        "holds an app-level token, which belongs in SLACK_APP_TOKEN. Copy the Bot User OAuth",
    ),
    (
        "SLACK_BOT_TOKEN",
        f"xoxp-{CANARY}",
        "holds a user token, which Countersign does not use. Copy the Bot User OAuth Token",
    ),
    (
        "SLACK_BOT_TOKEN",
        f"xoxe.xoxb-{CANARY}",
        "holds a token that expires; turn off token rotation for the Slack app.",
    ),
    ("SLACK_BOT_TOKEN", CANARY, "does not begin with xoxb-. Copy the Bot User OAuth Token"),
    ("SLACK_BOT_TOKEN", f"xoxb-{CANARY}…", "contains a space, or a character that no token has."),
    (
        "SLACK_APP_TOKEN",
        f"xoxb-{CANARY}",
        "holds a bot token, which belongs in SLACK_BOT_TOKEN. Copy an app-level token",
    ),
    (
        "SLACK_SIGNING_SECRET",
        f"xoxb-{CANARY}",
        "holds a bot token, which belongs in SLACK_BOT_TOKEN. Copy the Signing Secret",
    ),
    ("JIRA_TOKEN", f"ATATT{CANARY} x", "contains a space, or a character that no token has."),
    ("JIRA_TOKEN", f"xoxb-{CANARY}", "holds a bot token, which belongs in SLACK_BOT_TOKEN."),
    ("COUNTERSIGN_API_TOKEN", "short", "has fewer than 16 characters, which can be guessed. Make one with: python3"),
    ("MLFLOW_WEBHOOK_SECRET", ", ,", "holds only commas."),
    ("JIRA_WEBHOOK_SECRET", f"{CANARY},é", "contains a space, or a character that no token has."),
    (
        "DATABASE_URL",
        f"postgresql+psycopg://app:{CANARY}@db/c",
        "names a driver, or no host. Write it as postgresql://",
    ),
    ("DATABASE_URL", f"mysql://app:{CANARY}@db/c", "is not a PostgreSQL address"),
    ("DATABASE_OWNER_URL", f"host=db password={CANARY}", "is not an address. Write postgresql://"),
    ("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db", "is not the address of an MLflow server."),
    ("MLFLOW_TRACKING_URI", "databricks", "names a Databricks workspace, which is not supported, because"),
    ("MLFLOW_PUBLIC_URL", "mlflow.example.com", "has no scheme. Write https:// or http:// in front."),
    (
        "MLFLOW_TRACKING_URI",
        f"https://ana:{CANARY}@mlflow",
        "contains a password. Move it to MLFLOW_TRACKING_USERNAME and",
    ),
    ("COUNTERSIGN_URL", "countersign.example.com", "has no scheme. Write https:// or http:// in front."),
    ("COUNTERSIGN_URL", f"https://x/?token={CANARY}", "may hold only scheme, host, port and path."),
    ("JIRA_URL", "ftp://jira", "is not a web address."),
    ("JIRA_URL", "https://", "is not a web address."),
    ("JIRA_URL", "https://jira:port/", "is not an address: look at the host and the port."),
    ("JIRA_URL", "https://[jira/", "is not an address: look at the host and the port."),
    ("JIRA_EMAIL", "ana", "is not an e-mail address."),
    ("SLACK_API_URL", "https://slack.com/api", "must end in /api/, as in https://slack.com/api/."),
    ("SLACK_API_URL", "slack.com/api/", "has no scheme."),
    (
        "SMTP_URL",
        "mail.example.com",
        "has no scheme. Write it as smtp://user:password@mail.example.com:587, or smtps://",
    ),
    ("SMTP_URL", f"https://bot:{CANARY}@mail", "is not the address of a mail server. Write it as smtp://"),
    ("SMTP_URL", f"smtp://bot:{CANARY}@", "is not the address of a mail server."),
    ("SMTP_URL", f"smtp://bot:{CANARY}@mail:port", "is not an address: look at the host and the port."),
    ("SMTP_URL", "smtp://bot@mail", "has a user without a password, or the reverse."),
    ("SMTP_URL", f"smtp://bot:{CANARY}@mail/x", "has more than a user, a host and a port."),
    ("SMTP_URL", f"smtp://bot:x@mail?from={CANARY}", "may end in ?from= and the sender's address, such as ?from="),
    ("SMTP_URL", "smtp://bot:x@mail?tls=no", "may end in ?from="),
    ("COUNTERSIGN_TEMPLATES", f"/nowhere/{CANARY}", "names no directory. Make it, or remove the setting to use"),
    ("PORT", "http", "is not a port. Write a number from 1 to 65535, such as 8080."),
    ("PORT", "0", "is not a port."),
    ("PORT", "65536", "is not a port."),
    ("PORT", "٨٠", "is not a port."),
    ("PORT", "9" * 5000, "is not a port."),
]


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_wrong_value_is_explained_and_never_repeated(name: str, value: str, sentence: str) -> None:
    (mistake,) = mistakes_of({name: value})

    assert mistake.startswith(f"{name} {sentence}")
    assert CANARY not in mistake


@pytest.mark.parametrize(
    ("given_names", "sentence"),
    [
        ((), "JIRA_API_TOKEN is not set. For Jira Cloud set it and JIRA_EMAIL; for Jira Data Center set JIRA_TOKEN"),
        (("JIRA_EMAIL",), "JIRA_API_TOKEN is not set, but JIRA_EMAIL is."),
        (("JIRA_API_TOKEN",), "JIRA_EMAIL is not set, but JIRA_API_TOKEN is."),
        (
            ("JIRA_EMAIL", "JIRA_API_TOKEN", "JIRA_TOKEN"),
            "JIRA_TOKEN and JIRA_EMAIL and JIRA_API_TOKEN are both set. Keep",
        ),
        (("JIRA_EMAIL", "JIRA_TOKEN"), "JIRA_TOKEN and JIRA_EMAIL are both set. Keep JIRA_EMAIL with JIRA_API_TOKEN"),
    ],
)
def test_jira_wants_an_account_with_its_token_or_a_token_alone(given_names: tuple[str, ...], sentence: str) -> None:
    values = {"JIRA_EMAIL": "bot@example.com", "JIRA_API_TOKEN": "ATATT1", "JIRA_TOKEN": "NjE0"}
    environ = {"JIRA_URL": "https://jira.example.com", **{name: values[name] for name in given_names}}

    (mistake,) = mistakes_of(environ, frozenset({Need.JIRA}))

    assert mistake.startswith(sentence)


@pytest.mark.parametrize("names", [("JIRA_EMAIL", "JIRA_API_TOKEN"), ("JIRA_TOKEN",)])
def test_either_way_into_jira_is_enough(names: tuple[str, ...]) -> None:
    values = {"JIRA_EMAIL": "bot@example.com", "JIRA_API_TOKEN": "ATATT1", "JIRA_TOKEN": "NjE0"}
    environ = {"JIRA_URL": "https://jira.example.com", **{name: values[name] for name in names}}

    settings = read_settings(environ, frozenset({Need.JIRA}))

    assert bool(settings.jira_email) is ("JIRA_EMAIL" in names)


def test_a_misspelt_name_is_noticed_because_its_default_would_hold_silently() -> None:
    (mistake,) = mistakes_of({"COUNTERSIGN_HOEM": "/srv"})

    assert mistake == "COUNTERSIGN_HOEM is not a setting of Countersign. Did you mean COUNTERSIGN_HOME?"


def test_a_needed_setting_under_a_misspelt_name_is_named_with_that_name() -> None:
    (mistake,) = mistakes_of({"MLFLOW_TRACKING_URL": "https://mlflow.example.com"}, frozenset({Need.REGISTRY}))

    assert mistake.startswith("MLFLOW_TRACKING_URI is not set, but MLFLOW_TRACKING_URL is, which is not a setting.")


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"JIRA_WEBHOOK_SECRT": "x"}, {"JIRA_WEBHOOK_SECRT": "JIRA_WEBHOOK_SECRET"}),
        ({"SMTP_URI": "x"}, {"SMTP_URI": "SMTP_URL"}),
        ({"COUNTERSIGN_MAIL_FROM": "x"}, {"COUNTERSIGN_MAIL_FROM": ""}),
        pytest.param({"SMTP_URI": "x", "SMTP_URL": "y"}, {}, id="beside the right one it is another program's"),
        pytest.param({"MLFLOW_TRACKING_AUTH": "x", "MLFLOW_TRACKING_USERNAME": "y"}, {}, id="MLflow's own"),
        pytest.param(
            {"MLFLOW_TRACKING_TOKEN_EU": "x", "COUNTERSIGN_GUARD_KEYS": "y"}, {}, id="a registry's, a guard's"
        ),
    ],
)
def test_names_that_look_like_a_setting_are_found(environ: dict[str, str], found: dict[str, str]) -> None:
    assert look_alikes(environ) == found


def test_the_environments_other_variables_are_left_alone() -> None:
    environ = {"PATH": "/bin", "SLACK_TOKEN": "x", "JIRA_USER": "y", "COUNTERSIGN_MAIL_FROM": "of a later version"}

    assert read_settings(environ, NOTHING) == read_settings({}, NOTHING)


def test_wrong_and_missing_are_listed_together_in_the_order_of_the_table() -> None:
    mistakes = mistakes_of({"SLACK_BOT_TOKEN": "xapp-1", "PORT": "x", "COUNTERSIGN_POLCY": "p"}, NEEDS[Process.WEB])

    assert [mistake.split()[0] for mistake in mistakes] == [
        "PORT",
        "MLFLOW_TRACKING_URI",
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "COUNTERSIGN_POLCY",
    ]


def test_printed_settings_show_no_secret() -> None:
    environ = {
        "DATABASE_URL": f"postgresql://app:{CANARY}@db/c",
        "DATABASE_OWNER_URL": f"postgresql://owner:{CANARY}@db/c",
        "COUNTERSIGN_API_TOKEN": CANARY,
        "MLFLOW_WEBHOOK_SECRET": f"{CANARY},{CANARY}",
        "SMTP_URL": f"smtp://bot:{CANARY}@mail.example.com",
        "SLACK_BOT_TOKEN": f"xoxb-{CANARY}",
        "SLACK_SIGNING_SECRET": CANARY,
        "SLACK_APP_TOKEN": f"xapp-{CANARY}",
        "JIRA_API_TOKEN": CANARY,
        "JIRA_WEBHOOK_SECRET": CANARY,
    }

    settings = read_settings(environ, NOTHING)

    assert CANARY not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_the_table_speaks_of_exactly_the_settings_that_there_are() -> None:
    assert [setting.name for setting in SETTINGS] == [
        field.alias for field in Settings.model_fields.values() if field.alias
    ]
    assert all(setting.purpose and setting.default and setting.example for setting in SETTINGS)


@given(
    st.dictionaries(
        st.sampled_from([setting.name for setting in SETTINGS]), st.text() | st.sampled_from(["xoxb-", "://"])
    )
)
def test_any_environment_is_read_or_refused(environ: dict[str, str]) -> None:
    try:
        read_settings(environ, frozenset(Need))
    except InvalidSettings as refusal:
        said = str(refusal)
    else:
        said = "fine"

    assert said


@pytest.mark.parametrize("service", ["COUNTERSIGN", "COUNTERSIGN_WEB", "COUNTERSIGN_HOST", "COUNTERSIGN_HOME"])
def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_misspelt_setting(service: str) -> None:
    links = {
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "8080",
        "SERVICE_PORT_HTTP": "8080",
        "PORT": "tcp://10.0.0.1:8080",
        "PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "PORT_8080_TCP_ADDR": "10.0.0.1",
        "PORT_8080_TCP_PORT": "8080",
        "PORT_8080_TCP_PROTO": "tcp",
    }

    settings = read_settings({f"{service}_{name}": value for name, value in links.items()}, frozenset())

    assert settings.port == 8080


def test_a_port_that_is_no_service_link_is_still_a_misspelt_setting() -> None:
    with pytest.raises(InvalidSettings, match="COUNTERSIGN_PORT is not a setting of Countersign"):
        read_settings({"COUNTERSIGN_PORT": "8080"}, frozenset())
