"""What waits when a model is renamed goes on under its new name: a question, an approval, a put-back, a target to give back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from bot.domain.events import TargetMoved
from bot.domain.model import Kind, State, TransitionRequest
from bot.engine.rows import JobStatus
from bot.errors import Permanent, Temporary
from config.policy import read_policy
from handlers.custody.facts import as_called_now
from handlers.ledger.audit import audit
from handlers.registry import apply
from tests.e2e.custody.test_later_approvals import freeze, thaw
from tests.e2e.custody.test_nothing_destroyed import MODEL
from tests.e2e.custody.test_vouched_baselines import champion_of, move, parked
from tests.fixtures.installation import API_TOKEN, Installation, policy_text

STAGE = {"target": "{stage: Production}", "ask_on": "[{alias: candidate}]"}


def new_name(installation: Installation) -> str:
    return f"{installation.model}-b"


def rename(installation: Installation, before: str = "", after: str = "", *, look: bool = True) -> None:
    after = after or new_name(installation)
    installation.mlflow.rename_registered_model(before or installation.model, after)
    if look:
        installation.sweep()
        installation.sweep()


def be_refused(installation: Installation, monkeypatch: pytest.MonkeyPatch, why: Exception) -> Callable[[], None]:
    """The registry refuses to set an alias until the returned function is called, which also sends back what was parked."""
    real = installation.s.registry.set_alias

    def refuse(*_: object) -> None:
        raise why

    monkeypatch.setattr(installation.s.registry, "set_alias", refuse)

    def go_on() -> None:
        monkeypatch.setattr(installation.s.registry, "set_alias", real)
        for job in installation.s.store.jobs.listing(JobStatus.PARKED):
            installation.s.store.jobs.replay(job.id)
        installation.make_jobs_due()
        installation.settle()

    return go_on


def pending(installation: Installation) -> list[tuple[str, int]]:
    return [(one.version.model, one.version.version) for one in installation.requests(State.PENDING)]


def check_all_agrees(installation: Installation) -> None:
    assert parked(installation) == []
    audit(installation.s.store.engine, read_policy=read_policy)


def gate_allows(version: int, model: str, installation: Installation) -> bool:
    answer = requests.get(
        f"{installation.url}/gate/{model}/{version}",
        params={"target": "alias:champion"},
        headers={"Authorization": f"Bearer {API_TOKEN}"},
        timeout=10,
    )
    return bool(answer.json()["allowed"])


def approved_in_a_freeze(installation: Installation) -> TransitionRequest:
    freeze(installation)
    request = installation.asked()
    installation.approve(request)
    assert installation.reread(request).state is State.APPROVED
    return request


@pytest.mark.parametrize("is_stage", [False, pytest.param(True, marks=pytest.mark.proof)])
def test_a_move_by_hand_that_is_asked_about_is_asked_about_under_the_new_name(
    is_stage: bool, open_installation: Callable[..., Installation]
) -> None:
    installation = open_installation(**(STAGE if is_stage else {}))
    installation.register()
    installation.sweep()
    installation.ask(1)
    installation.sweep()
    installation.approve(installation.request(1, "stage:Production" if is_stage else "alias:champion"))
    installation.register()
    if is_stage:
        installation.stage(2, "Production")
    else:
        installation.ask(2, "champion")
    installation.sweep()
    assert pending(installation) == [(installation.model, 2)]

    rename(installation)

    assert pending(installation) == [(new_name(installation), 2)]
    assert installation.request(2, "stage:Production" if is_stage else "alias:champion").kind is Kind.OBSERVED
    check_all_agrees(installation)


@pytest.mark.proof
def test_a_copy_that_is_asked_about_is_asked_about_under_the_new_name(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(**MODEL)
    installation.sweep()
    prod, now = f"prod.{installation.model}", f"prod.{new_name(installation)}"
    installation.register(model=prod)
    installation.sweep()
    with installation.s.store.transaction() as tx:
        (asked,) = tx.requests.find(workspace="default", model=prod, states=(State.PENDING,))

    rename(installation, prod, now)

    with installation.s.store.transaction() as tx:
        (again,) = tx.requests.find(workspace="default", model=now, states=(State.PENDING,))
        assert tx.requests.get(asked.id).state is State.WITHDRAWN
        assert str(again.target) == f"model:{now}"


@pytest.mark.parametrize(
    ("observed", "is_back", "look"),
    [
        ("revert", False, True),
        pytest.param("ask", False, True, marks=pytest.mark.proof),
        pytest.param("ask", True, True, marks=pytest.mark.proof),
        pytest.param("revert", True, True, marks=pytest.mark.proof),
        pytest.param("ask", False, False, marks=pytest.mark.proof),
    ],
)
def test_a_put_back_that_waits_is_made_under_the_new_name(
    observed: str, is_back: bool, look: bool, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before any look has seen the rename."""
    installation.use_policy(observed=observed)
    installation.promoted()
    installation.register()
    installation.sweep()
    go_on = be_refused(installation, monkeypatch, Permanent("403: not allowed"))
    installation.move(2)
    if observed == "ask":
        (asked,) = installation.requests(State.PENDING)
        installation.reject(asked, "no", settle=installation.settle_once)
    assert installation.champion() == 2

    rename(installation, look=look)
    if is_back:
        rename(installation, new_name(installation), installation.model)
    go_on()
    if not look:
        installation.sweep()
        go_on()
    installation.sweep()

    if is_back and observed == "ask":  # it arrives under a name that was watched all along
        assert pending(installation) == [(installation.model, 2)]
    else:
        assert champion_of(installation.model if is_back else new_name(installation), installation) == 1
        assert pending(installation) == []
    check_all_agrees(installation)


@pytest.mark.parametrize("look", [True, pytest.param(False, marks=pytest.mark.proof)])
def test_a_target_that_waits_to_be_given_back_is_given_back_under_the_new_name(
    look: bool, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    go_on = be_refused(installation, monkeypatch, Permanent("403: not allowed"))
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()

    rename(installation, look=look)
    go_on()
    if not look:
        installation.sweep()
        go_on()

    assert champion_of(new_name(installation), installation) == 1
    check_all_agrees(installation)


@pytest.mark.parametrize(
    ("is_back", "look"), [(False, True), (False, False), pytest.param(True, True, marks=pytest.mark.proof)]
)
def test_an_approval_that_a_freeze_holds_back_is_carried_out_under_the_new_name(
    is_back: bool, look: bool, installation: Installation
) -> None:
    """Also when the freeze ends before any look has seen the rename."""
    request = approved_in_a_freeze(installation)

    rename(installation, look=look)
    if is_back:
        rename(installation, new_name(installation), installation.model)
    thaw(installation)
    if not look:
        assert installation.reread(request).state is State.APPROVED
        installation.sweep()
        installation.make_jobs_due()
    installation.settle()

    name = installation.model if is_back else new_name(installation)
    (moved,) = [one for one in installation.entries(TargetMoved) if one["request_id"] == request.id]
    assert champion_of(name, installation) == 2
    assert (moved["version"]["model"], moved["previous"]["model"]) == (name, name)
    assert installation.reread(request).state is State.APPLIED
    assert gate_allows(2, name, installation)
    installation.sweep()
    assert pending(installation) == []
    check_all_agrees(installation)


@pytest.mark.parametrize("begun", [True, pytest.param(False, marks=pytest.mark.proof)])
def test_an_approval_whose_move_waits_is_carried_out_under_the_new_name(
    begun: bool, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the target was moved and that is not on record yet."""
    installation.use_policy(observed="revert")
    installation.promoted()
    request = installation.asked()
    out_of_reach = Temporary("503", 600)
    go_on = be_refused(installation, monkeypatch, out_of_reach) if not begun else installation.settle

    def fail(*_: object, **__: object) -> None:
        raise out_of_reach

    with monkeypatch.context() as patched:
        if begun:
            patched.setattr(apply, "settle", fail)
        installation.click("ana", request, "approve")
        installation.settle_once()
    rename(installation)
    installation.make_jobs_due()
    go_on()
    installation.sweep()

    assert champion_of(new_name(installation), installation) == 2
    assert installation.reread(request).state is State.APPLIED
    check_all_agrees(installation)
    installation.register(model=new_name(installation))
    move(installation, 3, new_name(installation))
    assert champion_of(new_name(installation), installation) == 2


@pytest.mark.proof
def test_an_approval_of_a_copy_is_carried_out_under_the_new_names(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.use_policy(**MODEL)
    installation.sweep()
    installation.ask(installation.register())
    installation.sweep()
    prod, now = f"prod.{installation.model}", f"prod.{new_name(installation)}"
    installation.approve(installation.request(1, f"model:{prod}"))
    installation.ask(installation.register())
    installation.sweep()
    request = installation.request(2, f"model:{prod}")

    def refuse(*_: object) -> None:
        raise Temporary("503", 600)

    with monkeypatch.context() as patched:
        patched.setattr(installation.s.registry, "copy_version", refuse)
        installation.click("ana", request, "approve")
        installation.settle_once()
    rename(installation)
    rename(installation, prod, now)
    installation.make_jobs_due()
    installation.settle()
    installation.sweep()

    copies = installation.mlflow.search_model_versions(f"name = '{now}'")
    assert sorted(int(one.version) for one in copies) == [1, 2]
    assert [one.tags["countersign.decision"] for one in copies] == ["approved", "approved"]
    assert installation.mlflow.search_registered_models(f"name = '{prod}'") == []
    assert [(one.model, one.version) for one in installation.reread(request).copies] == [(now, 2)]
    check_all_agrees(installation)


@pytest.mark.parametrize("is_covered", [True, pytest.param(False, marks=pytest.mark.proof)])
def test_an_approval_is_not_carried_out_under_a_name_that_another_rule_or_none_covers(
    is_covered: bool, installation: Installation
) -> None:
    request = approved_in_a_freeze(installation)
    with installation.s.store.transaction() as tx:
        text = next(iter(tx.policies.texts()))
    lax = text.replace(f"{installation.model}*", installation.model)
    strict = policy_text(new_name(installation), quorum=2)
    rule = strict[strict.index("  - models:") : strict.index("default:")]
    installation.activate(lax.replace("default:", f"{rule}default:", 1) if is_covered else lax)
    # the rule for the first name has another hash now: it is asked and approved again
    installation.sweep()
    (again,) = installation.requests(State.PENDING)
    installation.approve(again)
    assert (again.follows, installation.reread(again).state) == (request.id, State.APPROVED)

    rename(installation)
    thaw(installation)
    installation.sweep()

    assert champion_of(new_name(installation), installation) == 1
    assert installation.reread(again).state is State.STALE
    asked = [one for one in installation.requests(State.PENDING) if one.version.model == new_name(installation)]
    assert [one.version.version for one in asked] == ([2] if is_covered else [])


@pytest.mark.proof
def test_an_approval_that_waits_is_carried_out_for_its_own_model_when_names_are_exchanged(
    installation: Installation,
) -> None:
    request = approved_in_a_freeze(installation)
    other = new_name(installation)
    for _ in range(3):
        installation.register(model=other)
    installation.sweep()

    rename(installation, installation.model, "between-two-names", look=False)
    rename(installation, other, installation.model, look=False)
    rename(installation, "between-two-names", other)
    thaw(installation)
    installation.sweep()

    done = installation.reread(request)
    assert (done.state, done.previous and done.previous.model) == (State.APPLIED, other)
    assert (champion_of(other, installation), champion_of(installation.model, installation)) == (2, None)
    with installation.s.store.transaction() as tx:
        before = as_called_now(done, tx).previous
    assert before is not None
    assert (before.model, before.version) == (other, 1)
    check_all_agrees(installation)
