"""The registry's port on a real MLflow server: what it reads and what it writes."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from bot.clients.mlflow import prompts
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.model import Target
from bot.errors import Permanent, TooManyHidden
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.mlflow_seed import client_of, logged_version, new_model, new_run, new_version

PROMPT = "mlflow.prompt.is_prompt"


@pytest.fixture
def registry(mlflow_server: str) -> MlflowRegistry:
    return MlflowRegistry(mlflow_server, webhook_secrets=["unused"])


def test_a_model_is_found_with_its_aliases_and_all_its_versions_newest_first(registry, mlflow_server, model_name):
    client = client_of(mlflow_server)
    first, second = new_model(client, model_name, versions=2)
    client.set_registered_model_alias(model_name, "champion", "1")

    found = registry.find_model("default", model_name)

    assert [seen.id for seen in found.versions] == [second, first]
    assert found.aliases == {"champion": 1}
    assert found.holders(Target.parse("alias:champion")) == (first,)


def test_times_are_aware_and_exact_to_the_millisecond(registry, mlflow_server, model_name):
    client = client_of(mlflow_server)
    new_model(client, model_name)

    created = registry.find_model("default", model_name).versions[0].id.created

    told = client.get_model_version(model_name, "1").creation_timestamp
    assert created.tzinfo is UTC
    assert created == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=told)


@pytest.mark.parametrize("what", ["the model", "the version", "both"])
def test_what_is_tagged_as_a_prompt_is_seen_where_it_holds_a_target(registry, mlflow_server, model_name, what):
    client = client_of(mlflow_server)
    first, second = new_model(client, model_name, versions=2)
    client.set_registered_model_alias(model_name, "champion", "2")
    plain = client._get_registry_client()
    if what != "the model":
        plain.set_model_version_tag(model_name, "2", PROMPT, "true")
    if what != "the version":
        plain.set_registered_model_tag(model_name, PROMPT, "true")

    found = registry.find_model("default", model_name)

    assert [seen.id for seen in found.versions] == [second, first]
    assert found.holders(Target.parse("alias:champion")) == (second,)
    assert registry.find_version("default", model_name, 2).id == second
    assert model_name in {listed.name for listed in registry.list_models()}


def test_of_many_hidden_versions_only_what_is_held_or_named_is_read(
    registry, mlflow_server, model_name, monkeypatch: pytest.MonkeyPatch
):
    """Whoever may tag one version decides how many there are."""
    monkeypatch.setattr(prompts, "ONE_BY_ONE", 2)
    client = client_of(mlflow_server)
    new_model(client, model_name, versions=5)
    client.set_registered_model_alias(model_name, "champion", "1")
    client._get_registry_client().set_model_version_tag(model_name, "5", PROMPT, "true")

    with pytest.raises(TooManyHidden, match="Delete the tag"):
        registry.find_model("default", model_name)
    with pytest.raises(TooManyHidden):
        registry.find_model_in_part("default", model_name, {2, 3, 4})
    found = registry.find_model_in_part("default", model_name, {2})

    assert [seen.id.version for seen in found.versions] == [5, 2, 1]
    assert "too many" in found.unread


def test_a_prompt_is_not_listed_as_a_model(registry, mlflow_server, model_name):
    client_of(mlflow_server).register_prompt(model_name, "Say {{word}}.")

    assert model_name not in {listed.name for listed in registry.list_models()}


def test_an_older_version_with_an_alias_is_not_hidden_by_a_newer_one_that_is_a_prompts(
    registry, mlflow_server, model_name
):
    client = client_of(mlflow_server)
    (first,) = new_model(client, model_name)
    plain = client._get_registry_client()
    plain.create_model_version(model_name, "dummy-source", tags={PROMPT: "true"})
    plain.set_registered_model_tag(model_name, PROMPT, "true")
    before = model_name in {listed.name for listed in registry.list_models()}
    plain.set_registered_model_alias(model_name, "champion", "1")

    found = registry.find_model("default", model_name)

    assert (before, model_name in {listed.name for listed in registry.list_models()}) == (False, True)
    assert found.holders(Target.parse("alias:champion")) == (first,)


def test_a_prompt_with_an_alias_for_an_older_version_is_not_listed_as_a_model(registry, mlflow_server, model_name):
    client = client_of(mlflow_server)
    client.register_prompt(model_name, "Say {{word}}.")
    client.register_prompt(model_name, "Say {{word}} again.")
    client.set_prompt_alias(model_name, "production", 1)

    assert model_name not in {listed.name for listed in registry.list_models()}


def test_a_model_that_does_not_exist_is_none(registry):
    assert registry.find_model("default", "no such model") is None


def test_one_version_is_read_as_it_is_among_all(registry, mlflow_server, model_name):
    client = client_of(mlflow_server)
    new_model(client, model_name, versions=2)
    client.set_model_version_tag(model_name, "1", "countersign.ask", "champion")
    first = registry.find_model("default", model_name).version(1)

    assert registry.find_version("default", model_name, 1) == first
    assert registry.find_version("default", model_name, 3) is None
    assert registry.find_version("default", "no such model", 1) is None


def test_a_prompt_is_not_a_model(registry, mlflow_server, model_name):
    client_of(mlflow_server).create_prompt(model_name)

    found = registry.find_model("default", model_name)

    assert found is None
    assert model_name not in [summary.name for summary in registry.list_models()]


def test_an_alias_whose_version_was_deleted_is_gone(registry, mlflow_server, model_name):
    client = client_of(mlflow_server)
    new_model(client, model_name, versions=2)
    client.set_registered_model_alias(model_name, "champion", "1")
    client.delete_model_version(model_name, "1")

    found = registry.find_model("default", model_name)

    assert found.aliases == {}
    assert [seen.id.version for seen in found.versions] == [2]


@pytest.mark.parametrize(
    "oddity", ["o'brien", '"quoted"', "back`tick", "50% off", "under_score", "semi;colon", "año 'x\" `y`"]
)
def test_a_model_with_an_odd_name_is_found_with_its_own_versions_only(registry, mlflow_server, model_name, oddity):
    client = client_of(mlflow_server)
    name = f"{oddity} {model_name}"
    new_model(client, name, versions=2)
    new_model(client, name.replace("'", "x").replace("_", "x") + "x")

    found = registry.find_model("default", name)

    assert [str(seen.id) for seen in found.versions] == [f"{name} v2", f"{name} v1"]


def test_another_workspace_than_the_default_is_refused(registry):
    with pytest.raises(Permanent, match='workspace "team-b"'):
        registry.find_model("team-b", "bike-demand")
    with pytest.raises(Permanent, match='workspace "team-b"'):
        registry.find_version("team-b", "bike-demand", 1)


def test_the_glance_shows_aliases_and_the_latest_version_of_each_stage(registry, mlflow_server, model_name):
    client = client_of(mlflow_server)
    new_model(client, model_name, versions=3)
    client.set_registered_model_alias(model_name, "champion", "1")
    registry.set_stage(model_name, 1, "Production")

    summary = next(summary for summary in registry.list_models() if summary.name == model_name)

    assert summary.aliases == {"champion": 1}
    assert summary.newest == 3
    assert {(seen.id.version, seen.stage) for seen in summary.latest} == {(1, "Production"), (3, "None")}


def test_a_model_without_versions_has_no_newest_one(registry, mlflow_server, model_name):
    new_model(client_of(mlflow_server), model_name, versions=0)

    summary = next(summary for summary in registry.list_models() if summary.name == model_name)

    assert (summary.newest, summary.latest) == (0, ())


def test_versions_come_newest_first_and_a_stage_change_counts_as_news(registry, mlflow_server, model_name):
    client = client_of(mlflow_server)
    new_model(client, model_name, versions=3)
    registry.set_stage(model_name, 1, "Staging")

    mine = [seen for seen in islice(registry.versions_newest_first(), 500) if seen.id.model == model_name]

    assert [seen.id.version for seen in mine] == [1, 3, 2]
    assert mine[0].updated > mine[0].id.created


def test_the_next_page_is_called_for_only_when_the_first_is_used_up(mlflow_server, model_name):
    new_model(client_of(mlflow_server), model_name, versions=101)
    with fault_proxy(mlflow_server) as (url, faults):
        newest = MlflowRegistry(url, webhook_secrets=[]).versions_newest_first()
        first = next(newest)

        faults.add("status", path="model-versions/search", status=403)
        rest_of_the_page = list(islice(newest, 99))

        assert len({first.id, *(seen.id for seen in rest_of_the_page)}) == 100
        with pytest.raises(Permanent):
            next(newest)


def test_the_versions_of_a_model_are_listed_together_and_a_listing_can_begin_with_any_page(
    registry, mlflow_server, model_name, monkeypatch
):
    client = client_of(mlflow_server)
    monkeypatch.setattr("bot.clients.mlflow.registry.ALL_A_PAGE", 2)
    ones, others = new_model(client, model_name, versions=3), new_model(client, f"{model_name}-2", versions=2)

    pages = [(page.mark, [seen.id for seen in page.versions]) for page in registry.version_pages()]
    mark, begin = next((mark, ids) for mark, ids in pages if ones[0] in ids)
    again = next(registry.version_pages(mark))

    mine = [one for _, ids in pages for one in ids if one.model.startswith(model_name)]
    assert mine == [*reversed(ones), *reversed(others)]
    assert [seen.id for seen in again.versions] == begin


@pytest.mark.parametrize("value", ["", "champion", "50%", "two\nlines"])
def test_versions_are_found_by_a_tag_whatever_its_value(registry, mlflow_server, model_name, value):
    client = client_of(mlflow_server)
    new_model(client, model_name)
    asking = new_version(client, model_name, tags={"countersign.ask": value})
    new_version(client, model_name, tags={"countersign_ask": value})

    found = [seen for seen in registry.versions_tagged("countersign.ask") if seen.id.model == model_name]

    assert [seen.id for seen in found] == [asking]
    assert found[0].tags == {"countersign.ask": value}


def test_a_tag_that_cannot_be_searched_for_is_refused_with_the_mend(registry):
    with pytest.raises(Permanent, match="Choose another tag"):
        registry.versions_tagged("a`b")


def test_an_alias_is_set_moved_and_deleted_and_each_may_be_repeated(registry, mlflow_server, model_name):
    new_model(client_of(mlflow_server), model_name, versions=2)

    for version in (1, 2, 2):
        registry.set_alias(model_name, "champion", version)
    moved = registry.find_model("default", model_name)
    registry.delete_alias(model_name, "champion")
    registry.delete_alias(model_name, "champion")

    assert moved.aliases == {"champion": 2}
    assert registry.find_model("default", model_name).aliases == {}


def test_a_stage_moves_one_version_and_leaves_the_others_there_without_a_warning(registry, mlflow_server, model_name):
    new_model(client_of(mlflow_server), model_name, versions=2)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        registry.set_stage(model_name, 1, "Production")
        registry.set_stage(model_name, 2, "Production")

    assert [seen.stage for seen in registry.find_model("default", model_name).versions] == ["Production", "Production"]
    assert [str(warning.message) for warning in warned] == []


def test_setting_an_alias_to_a_version_that_is_gone_says_so(registry, mlflow_server, model_name):
    new_model(client_of(mlflow_server), model_name)

    with pytest.raises(Permanent, match=f"setting alias champion of {model_name} to v7") as refusal:
        registry.set_alias(model_name, "champion", 7)

    assert "deleted or renamed" in str(refusal.value)


def test_a_copy_makes_the_target_model_and_carries_the_tags_but_not_the_originals_decision(
    registry, mlflow_server, model_name
):
    client = client_of(mlflow_server)
    client.create_registered_model(model_name)
    original = logged_version(client, model_name, new_run(client, {"mae": 41.0}))
    registry.tag_version(model_name, 1, {"team": "bikes", "countersign.decision": "approved", "countersign.ask": ""})

    copied = registry.copy_version(model_name, original.version, f"prod.{model_name}", {"countersign.request_id": "r2"})

    (copy,) = registry.find_model("default", f"prod.{model_name}").versions
    assert copy.id == copied
    assert copy.is_copy
    assert copy.tags == {"team": "bikes", "countersign.request_id": "r2"}


def test_a_second_copy_goes_into_the_model_that_is_there(registry, mlflow_server, model_name):
    new_model(client_of(mlflow_server), model_name)

    copies = [registry.copy_version(model_name, 1, f"prod.{model_name}", {}) for _ in range(2)]

    assert [copy.version for copy in copies] == [1, 2]


def test_a_deleted_version_is_gone(registry, mlflow_server, model_name):
    new_model(client_of(mlflow_server), model_name, versions=2)

    registry.delete_version(model_name, 2)

    assert [seen.id.version for seen in registry.find_model("default", model_name).versions] == [1]


def test_an_alias_does_not_outlive_its_version(registry, mlflow_server, model_name):
    client = client_of(mlflow_server)
    new_model(client, model_name, versions=2)
    client.set_registered_model_alias(model_name, "champion", "1")
    client.delete_model_version(model_name, "1")

    assert registry.find_model("default", model_name).aliases == {}
