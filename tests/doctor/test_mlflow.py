"""`countersign doctor` with one thing wrong at a time in MLflow or its webhooks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.clients.mlflow.checkup import EVENTS
from bot.doctor.findings import Status
from bot.doctor.mlflow import _accept, twins
from bot.sandbox.serving import serving
from bot.store.registry import Sweep
from bot.store.trust import RegistryRow
from tests.fixtures.doctor_world import ELSEWHERE, Installation
from tests.fixtures.fault_proxy import fault_proxy

# MLflow


def test_an_mlflow_that_does_not_answer_is_a_failure(installed: Installation) -> None:
    installed.environ["MLFLOW_TRACKING_URI"] = ELSEWHERE

    trouble = installed.troubles()["mlflow"]

    assert trouble.why.endswith("cannot be reached at http://127.0.0.1:9 while asking for its version.")
    assert "MLFLOW_TRACKING_URI" in trouble.fix


def test_an_address_that_is_not_mlflows_is_told(installed: Installation) -> None:
    installed.environ["MLFLOW_TRACKING_URI"] = installed.environ["COUNTERSIGN_URL"]

    assert "Check MLFLOW_TRACKING_URI" in installed.troubles()["mlflow"].why


def test_an_account_that_may_not_write_is_a_failure(installed: Installation) -> None:
    with fault_proxy(installed.environ["MLFLOW_TRACKING_URI"]) as (url, faults):
        faults.add("status", "registered-models/alias", method="POST", status=403)
        installed.environ["MLFLOW_TRACKING_URI"] = url

        trouble = installed.troubles()["mlflow writing"]

    assert "Give the account that Countersign uses EDIT on the model." in trouble.why


def test_an_account_that_may_not_delete_is_a_failure_where_moves_are_reverted(installed: Installation) -> None:
    installed.rewrite_policy("    notify:", "    observed: revert\n    notify:")
    with fault_proxy(installed.environ["MLFLOW_TRACKING_URI"]) as (url, faults):
        faults.add("status", "registered-models/alias", method="DELETE", status=403)
        installed.environ["MLFLOW_TRACKING_URI"] = url

        trouble = installed.troubles()["mlflow writing"]

    assert "Give the account that Countersign uses MANAGE on the model" in trouble.why


def test_a_databricks_workspace_under_another_name_is_not_supported(installed: Installation) -> None:
    def databricks(environ, start_response):
        start_response("404 Not Found", [("x-databricks-reason-phrase", "Not Found")])
        return [b"{}"]

    with serving(databricks) as url:
        installed.environ["MLFLOW_TRACKING_URI"] = url

        trouble = installed.troubles()["mlflow"]

    assert "MLFLOW_TRACKING_URI names a Databricks workspace, which is not supported, because" in trouble.why


def test_each_place_of_the_policy_is_checked_and_one_that_fails_hides_no_other(installed: Installation) -> None:
    """The run's server has no workspaces, and nothing listens at the other address."""
    eu = 'registries: {default: {workspaces: [default, team-a]}, eu: {uri: "http://127.0.0.1:9"}}'
    installed.rewrite_policy("rules:", f"{eu}\nrules:")

    found = installed.examine()

    status = {one.what: str(one.status) for one in found}
    why = {one.what: f"{one.why}; {one.fix}" for one in found if str(one.status) == "FAIL"}
    assert (status["mlflow"], status["mlflow models"], status["mlflow registry"]) == ("ok", "ok", "ok")
    assert 'server of "default/team-a" has no workspaces' in why["mlflow models in default/team-a"]
    assert "cannot be reached at http://127.0.0.1:9" in why["mlflow in eu/default"]
    assert "check the uri of eu in the policy" in why["mlflow in eu/default"]
    assert "mlflow writing in eu/default" not in status


def test_a_model_that_a_rule_names_and_the_account_may_not_read_is_a_failure(installed: Installation) -> None:
    """MLflow's lists leave it out without a word."""
    installed.rewrite_policy(f'models: "{installed.model}"', 'models: "hidden-from-the-bot"')
    with fault_proxy(installed.environ["MLFLOW_TRACKING_URI"]) as (url, faults):
        faults.add("status", "registered-models/get", method="GET", status=403)
        installed.environ["MLFLOW_TRACKING_URI"] = url

        found = [one for one in installed.examine() if one.what == "mlflow models" and one.status is Status.FAIL]

    assert len(found) == 1
    assert 'reading model "hidden-from-the-bot" (403)' in found[0].why
    assert "Give the account that Countersign uses READ on the model" in found[0].why


def test_a_registry_that_is_not_believed_is_a_failure(installed: Installation) -> None:
    doubted = RegistryRow("default", None, datetime(2026, 3, 2, 12, tzinfo=UTC), "3 of 4 registered models are missing")
    with installed.s.store.transaction() as tx:
        tx.trust.put(doubted)

    trouble = installed.troubles()["mlflow registry"]

    assert trouble.status is Status.FAIL
    assert trouble.why == "is not believed since 2026-03-02 12:00 UTC: 3 of 4 registered models are missing"
    assert trouble.fix.startswith("check MLFLOW_TRACKING_URI and the database behind it; ")
    assert trouble.fix.endswith("run `countersign registry accept --reason TEXT`")


def test_sweeps_of_a_registry_that_is_not_believed_name_that_cause_and_are_no_second_failure(
    installed: Installation,
) -> None:
    """One of them ended before, long ago; those of a registry that is believed are judged as ever."""
    long_ago = datetime(2026, 3, 2, 12, tzinfo=UTC)
    eu = 'registries: {eu: {uri: "http://127.0.0.1:9"}}'
    installed.rewrite_policy("rules:", f"{eu}\nrules:")
    with installed.s.store.transaction() as tx:
        tx.trust.put(RegistryRow("default", None, long_ago, "3 of 4 registered models are missing"))
        for place in ("default", "eu/default"):
            tx.registry.put_sweep("versions", place, Sweep(None, (), None), long_ago)

    found = [one for one in installed.examine() if one.what.startswith("sweep of ")]

    waits = "none ends, because the registry is not believed"
    fix = "see the line `mlflow registry`, or `countersign registry show`"
    (late,) = [one for one in found if one.status is Status.FAIL]
    assert [(one.what, one.fix) for one in found if one.why == waits] == [
        ("sweep of versions", fix),
        ("sweep of models", fix),
    ]
    assert (late.what, late.fix.startswith("look at the lines about worker, clock")) == ("sweep of versions", True)


@pytest.mark.parametrize("place", ["default", "eu/team-a"])
def test_after_a_restore_it_is_said_first_to_look_at_what_has_moved_and_then_to_accept_it(place: str) -> None:
    option = "" if place == "default" else f" --workspace {place}"
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)

    fix = _accept(RegistryRow(place, None, at, "restored from a backup", backup_of=at))
    other = _accept(RegistryRow(place, None, at, "3 of 4 registered models are missing"))

    assert fix.startswith(f"run `countersign registry accept --dry-run{option}`, which shows what has moved")
    assert fix.endswith(f"run `countersign registry accept --reason TEXT{option}`")
    assert other.startswith("check MLFLOW_TRACKING_URI")
    assert other.endswith(f"run `countersign registry accept --reason TEXT{option}`")


def test_another_registry_than_the_one_that_is_known_is_a_failure(installed: Installation) -> None:
    with installed.s.store.transaction() as tx:
        tx.trust.put(RegistryRow("default", "born 2025-01-01 at mlflow-artifacts:/0"))

    assert "another registry than the one that is known" in installed.troubles()["mlflow registry"].why


def test_one_server_under_two_names_is_found_by_what_it_says_of_itself() -> None:
    here = RegistryRow("default", "born 2025-01-01 at mlflow-artifacts:/0")
    rows = [here, *(replace(here, workspace=place) for place in ("eu/default", "eu/team-a", "default/team-a"))]

    assert twins(here, [*rows, RegistryRow("us/default", "born 2026-01-01 at mlflow-artifacts:/0")]) == ["eu/default"]
    assert twins(RegistryRow("default"), [RegistryRow("eu/default")]) == []


def test_rules_that_match_no_model_are_a_warning(installed: Installation) -> None:
    installed.rewrite_policy(f'"{installed.model}"', '"bkie-*"')

    assert '"bkie-*"' in installed.troubles()["mlflow models"].why


# MLflow's webhooks


def test_a_missing_webhook_is_a_warning_because_polling_goes_on(installed: Installation) -> None:
    trouble = installed.troubles()["mlflow webhook"]

    assert (trouble.status, trouble.fix) == (Status.WARN, "run `countersign doctor --register-webhook`")


def test_a_registered_webhook_has_the_events_and_is_made_once(installed: Installation) -> None:
    installed.examine(register_webhook=True)
    assert "mlflow webhook" not in installed.troubles(register_webhook=True)

    mine = [webhook for webhook in installed.mlflow.list_webhooks() if webhook.url == installed.webhook_url]
    assert [{str(event) for event in webhook.events} for webhook in mine] == [EVENTS]


def test_a_webhook_with_another_secret_is_found_out_and_mended(installed: Installation) -> None:
    installed.mlflow.create_webhook("ours", installed.webhook_url, sorted(EVENTS), secret="another-secret")  # type: ignore[arg-type]
    assert "its secret is not" in installed.troubles()["mlflow webhook"].why

    assert "mlflow webhook" not in installed.troubles(register_webhook=True)


def test_a_webhook_that_is_switched_off_lacks_events_or_stands_twice_is_told_and_mended(
    installed: Installation,
) -> None:
    secret = installed.environ["MLFLOW_WEBHOOK_SECRET"]
    for status in ("ACTIVE", "DISABLED"):
        installed.mlflow.create_webhook("ours", installed.webhook_url, ["model_version.created"], None, secret, status)
    told = " ".join(one.why for one in installed.examine() if one.what == "mlflow webhook")
    assert "2 point at" in told
    assert "does not send model_version_alias.created" in told

    assert "mlflow webhook" not in installed.troubles(register_webhook=True)


@pytest.mark.proof
def test_a_webhook_that_mlflow_cannot_deliver_is_a_failure(installed: Installation) -> None:
    installed.environ["COUNTERSIGN_URL"] = ELSEWHERE

    trouble = installed.troubles(register_webhook=True)["mlflow webhook"]

    assert "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS" in trouble.fix
    installed.examine(register_webhook=True)


def test_an_mlflow_that_cannot_decrypt_its_secrets_is_told_about_the_key(installed: Installation) -> None:
    with fault_proxy(installed.environ["MLFLOW_TRACKING_URI"]) as (url, faults):
        faults.add("status", "/mlflow/webhooks$", method="GET", status=500)
        installed.environ["MLFLOW_TRACKING_URI"] = url

        trouble = installed.troubles()["mlflow webhook"]

    assert trouble.status is Status.FAIL
    assert "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY" in trouble.fix


def test_without_a_webhook_secret_polling_is_enough(installed: Installation) -> None:
    installed.environ["MLFLOW_WEBHOOK_SECRET"] = ""

    assert installed.troubles()["mlflow webhook"].status is Status.WARN
